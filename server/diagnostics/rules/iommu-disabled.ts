import { kernelStatementWith } from '../facts.js';
import { programSays } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

const SWITCHES_OFF = /^(intel_iommu|amd_iommu|iommu)=off$/;

export const iommuDisabled: DiagnosticRule = {
  code: 'iommu/disabled',
  severity: 'error',
  title: 'The IOMMU is described but the kernel does not use it',
  documentation: `The host has an IOMMU, devices are to be assigned, but the kernel does not switch translation on: no IOMMU groups exist, \`/sys/kernel/iommu_groups\` is empty and VFIO finds no group ("no iommu_group found: No such file or directory").
\`intel_iommu=off\`, \`amd_iommu=off\` and \`iommu=off\` switch it off; an Intel unit also stays off without \`intel_iommu=on\` when the kernel was built without INTEL_IOMMU_DEFAULT_ON.

**Fix.** Correct the command line (and check that VT-d or AMD-Vi is enabled in firmware).`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { kernel: '6.12 cmdline "intel_iommu=off"' })}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
  },
  *check({ description, report }): Generator<Found> {
    for (const host of description.hosts) {
      const owners = description.owners.filter((owner) => owner.host === host.id && owner.assigned.length > 0);
      const hasGroups = report.hosts.some((each) => each.host === host.id && each.groups.length > 0);
      if (owners.length === 0 || hasGroups || host.iommus.length === 0) continue;
      const why = report.hosts.find((each) => each.host === host.id)?.ungrouped[0]?.why ?? 'the kernel does not enable the IOMMU';
      const kernel = host.kernel;
      const repaired = { ...kernel, commandLine: kernel.commandLine.split(' ').filter((word) => !SWITCHES_OFF.test(word)).join(' ') };
      const word = host.iommus.some((unit) => unit.architecture === 'vtd') ? 'intel_iommu=on' : 'amd_iommu=on';
      yield {
        subject: owners[0]!.id,
        message: `No IOMMU groups exist on ${host.name}: ${why}. Nothing can be assigned.${programSays(owners[0], { qemu: 'no iommu_group found: No such file or directory' })}`,
        related: [{ subject: host.kernel.id, message: `command line: "${host.kernel.commandLine}"` }],
        fixes: [{ title: `Switch the IOMMU on: ${word}`, preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatementWith(repaired, word) }] }],
      };
    }
  },
};
