import { INTERRUPT_ISOLATION } from '../causes.js';
import { failedSteps, type Facts, kernelSays, refusal } from '../facts.js';
import { errorText, programSays, usesGroups } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { StepReport } from '../../simulator/report.js';

function programLine(facts: Facts, step: StepReport): string {
  const owner = facts.ownerOf(step);
  if (owner === undefined) return '';
  const line = usesGroups(owner) ? `Failed to set iommu for container: ${errorText(step.result)}` : `error bind device fd=… to iommufd=…: ${errorText(step.result)}`;
  return programSays(owner, { qemu: line, dpdk: usesGroups(owner) ? 'failed to select IOMMU type' : undefined });
}

export const noInterruptRemapping: DiagnosticRule = {
  code: 'iommu/no-interrupt-remapping',
  severity: 'error',
  title: 'Interrupts of the device cannot be isolated',
  documentation: `Without interrupt remapping a device (and so the guest that programs it) can write any interrupt message to 0xfeexxxxx and disturb the host. VFIO refuses:
\`VFIO_SET_IOMMU\` fails with EPERM and the kernel logs "No interrupt remapping support. Use the module param "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform",
and QEMU says "Failed to set iommu for container: Operation not permitted";
binding to an iommufd fails with EPERM as well. The two have separate switches.

**Fix.** Switch interrupt remapping on in firmware and kernel (no \`intremap=off\`). If the guest is trusted, accept the risk with \`vfio_iommu_type1.allow_unsafe_interrupts=1\` or
\`iommufd.allow_unsafe_interrupts=1\`.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { iommu: 'interrupt-remapping no  covers rest' })}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    for (const { run, step } of failedSteps(report)) {
      if (!INTERRUPT_ISOLATION.explains(step)) continue;
      const iommus = facts.host(run.host)?.iommus.filter((unit) => !unit.interruptRemapping) ?? [];
      yield {
        subject: step.origin,
        message: `${refusal(step)}: the IOMMU does not remap interrupts, so an assigned device could raise any interrupt of the host.${kernelSays(step)}${programLine(facts, step)}`,
        related: iommus.map((unit) => ({ subject: unit.id, message: `${unit.name} has no interrupt-remapping` })),
        fixes: iommus.length === 0 ? [] : [{ title: `Give ${iommus.map((unit) => unit.name).join(', ')} interrupt remapping`, preferred: true, edits: iommus.map((unit) => ({ kind: 'set-property' as const, subject: unit.id, property: 'interrupt-remapping', text: 'interrupt-remapping' })) }],
      };
    }
  },
};
