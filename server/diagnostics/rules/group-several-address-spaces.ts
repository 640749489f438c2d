import { type Facts } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { OwnerDescription } from '../../simulator/description.js';

type Entry = OwnerDescription['assigned'][number];

/** Assigned devices by their group, for groups of which the VM has several. */
function* sharedGroups(facts: Facts, owner: OwnerDescription): Generator<{ readonly number: number; readonly entries: readonly Entry[] }> {
  const groups = new Map<number, Entry[]>();
  for (const entry of owner.assigned) {
    const number = facts.group(entry.device)?.number;
    if (number !== undefined) groups.set(number, [...(groups.get(number) ?? []), entry]);
  }
  for (const [number, entries] of groups) if (entries.length > 1) yield { number, entries };
}

const example = (words: string): string => `${sampleHost(`root-port rp at 00:01.0 { acs SV, RR, CR, UF
  function gpu at 01:00.0 { class vga  driver vfio-pci }
  function audio at 01:00.1 { class audio  driver vfio-pci }
}`)}vm guest on h { memory 1GiB  through type1${words}  assign gpu, audio }
`;

export const groupSeveralAddressSpaces: DiagnosticRule = {
  code: 'ownership/group-in-several-address-spaces',
  severity: 'warning',
  title: 'With a virtual IOMMU, devices of one group are in several address spaces',
  documentation: `A VM with an IOMMU of its own gives each of its slots an address space. Devices of one IOMMU group of the host translate through one domain, so they cannot be in two: QEMU refuses the second one with "vfio 0000:01:00.1: group 1 used in multiple address spaces".
The functions of one card are the usual case: its graphics and its sound function.

Each address space is a container of its own, too, and each container counts the memory that it maps: RLIMIT_MEMLOCK has to hold the guest's memory once for every address space.

**Fix.** Put the devices of the group behind one conventional bridge of the guest (\`-device pcie-pci-bridge\`; behind it there is one address space for all), which \`iommu export --to qemu\` does. Or do without a virtual IOMMU, or let the hardware split the group
(\`group/not-alone\`).`,
  example: { bad: example('  virtual-iommu'), good: example('') },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      if (owner.kind !== 'vm' || owner.virtualIommu !== true) continue;
      for (const { number, entries } of sharedGroups(facts, owner)) {
        const second = entries[1]!;
        yield {
          subject: second.id,
          message: `${entries.map(({ device }) => facts.name(device)).join(' and ')} are in IOMMU group ${number}, and the virtual IOMMU of ${owner.name} gives each slot an address space of its own: unless they are behind one pcie-pci-bridge of the guest, QEMU says "group ${number} used in multiple address spaces".`,
          related: entries.map((entry) => ({ subject: entry.device, message: `in group ${number}` })),
          fixes: [{ title: 'Do without a virtual IOMMU', preferred: false, edits: [{ kind: 'set-property', subject: owner.id, property: 'virtual-iommu', text: 'virtual-iommu no' }] }],
        };
      }
    }
  },
};
