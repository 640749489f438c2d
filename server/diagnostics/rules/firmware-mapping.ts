import { DIRECT_REGION } from '../causes.js';
import { failedSteps, kernelSays, refusal } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const firmwareMapping: DiagnosticRule = {
  code: 'reserved/firmware-mapping',
  severity: 'error',
  title: 'Firmware wants a 1:1 mapping for the device',
  documentation: `The firmware tables (RMRR, IVMD, RMR) say that the device itself, or firmware behind it, keeps doing DMA to a fixed range. The kernel will not hand such a device to user space, because nobody could promise that the range stays mapped:

- up to Linux 6.5, VT-d: "Device is ineligible for IOMMU domain attach due to platform RMRR requirement.  Contact your platform vendor." and EPERM;
- from 6.6, all: "Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the device without a 1:1 mapping. Contact your platform vendor." and EINVAL.

USB controllers and graphics are exempt (\`direct-relaxable\`).

**Fix.** There is none in software: switch off the firmware feature that uses the range, update the firmware, or choose another device.`,
  example: {
    bad: `${sampleHost(`${onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }')}\nreserved 0x7b80_0000 size 8MiB direct for nic`)}vm guest on h { memory 1GiB  through iommufd  assign nic }
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}vm guest on h { memory 1GiB  through iommufd  assign nic }
`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    for (const { run, step } of failedSteps(report)) {
      if (!DIRECT_REGION.explains(step)) continue;
      const regions = facts.host(run.host)?.reservedRegions.filter((region) => region.type === 'direct') ?? [];
      yield {
        subject: step.origin,
        message: `${refusal(step)}: firmware has reserved a range that must stay mapped 1:1 for this device.${kernelSays(step)}`,
        related: regions.map((region) => ({ subject: region.id, message: 'the range that firmware wants mapped' })),
        fixes: [],
      };
    }
  },
};
