import { kernelStatementWith } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const iommuBuildDependent: DiagnosticRule = {
  code: 'iommu/build-dependent',
  severity: 'information',
  title: 'Whether the IOMMU is used depends on how the kernel was built',
  documentation: `With \`intel_iommu=\` neither on nor off on the command line, the build option INTEL_IOMMU_DEFAULT_ON decides whether VT-d is used. Distributions differ. The simulator assumes that it is set.

**Fix.** Add \`intel_iommu=on\` to the command line, or write the build option down: \`kernel 6.12 { options INTEL_IOMMU_DEFAULT_ON }\` (\`!INTEL_IOMMU_DEFAULT_ON\` for off).`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { kernel: '6.12' })}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const { description } = facts;
    for (const host of description.hosts) {
      const { kernel } = host;
      const said = /(^|\s)(intel_iommu=([^\s]*,)?(on|off)|iommu=off)/.test(kernel.commandLine) || kernel.buildOptions.some((option) => option.endsWith('INTEL_IOMMU_DEFAULT_ON'));
      const owner = description.owners.find((each) => each.host === host.id && each.assigned.length > 0);
      if (said || owner === undefined || !host.iommus.some((unit) => unit.architecture === 'vtd')) continue;
      yield {
        subject: owner.id,
        message: `${host.name} has an Intel IOMMU and nothing says whether the kernel uses it: without intel_iommu=on that depends on INTEL_IOMMU_DEFAULT_ON, which is assumed.`,
        related: [{ subject: kernel.id, message: `command line: "${kernel.commandLine}"` }],
        fixes: [{ title: 'Add intel_iommu=on to the command line', preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatementWith(facts.host(host.id)!.kernel, 'intel_iommu=on') }] }],
      };
    }
  },
};
