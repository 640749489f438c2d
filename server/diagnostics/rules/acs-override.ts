import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const acsOverride: DiagnosticRule = {
  code: 'group/acs-override',
  severity: 'warning',
  title: 'Groups are split by the ACS override, not by hardware',
  documentation: `\`pcie_acs_override=\` (a patch that was never merged) makes the kernel believe that ports and functions without an ACS capability isolate. The groups look small, but nothing stops a device from reaching its neighbours directly,
past the IOMMU: a guest that owns one of them can attack the other.

**Fix.** Remove the option and look at the real groups; move the device behind a port that has ACS.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'), { kernel: '6.12 cmdline "intel_iommu=on pcie_acs_override=downstream,multifunction"' })}`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'))}`,
  },
  *check({ description }): Generator<Found> {
    for (const host of description.hosts) {
      if (!/(^|\s)pcie_acs_override=/.test(host.kernel.commandLine)) continue;
      yield {
        subject: host.kernel.id,
        message: 'pcie_acs_override= splits groups on paper only: peer-to-peer DMA between the devices still bypasses the IOMMU. This is not isolation.',
        related: [],
        fixes: [],
      };
    }
  },
};
