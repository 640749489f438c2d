import type { Facts } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { OwnerDescription, SubjectId } from '../../simulator/description.js';

interface Assignment {
  readonly owner: OwnerDescription;
  readonly entry: SubjectId;
  readonly device: SubjectId;
}

/** Assignments of devices whose group an earlier owner wants as well, through another device of it. */
export function* groupsWantedTwice(facts: Facts): Generator<Assignment & { readonly before: Assignment }> {
  const first = new Map<string, Assignment>();
  for (const owner of facts.description.owners) {
    for (const { id, device } of owner.assigned) {
      const group = facts.group(device);
      if (group === undefined) continue;
      const key = `${owner.host} ${group.number}`;
      const assignment = { owner, entry: id, device };
      const before = first.get(key);
      if (before === undefined) first.set(key, assignment);
      else if (before.owner !== owner && before.device !== device) yield { ...assignment, before };
    }
  }
}

const CARD = `root-port rp at 00:01.0 { acs SV, RR, CR, UF
  function port0 at 01:00.0 { class ethernet  driver vfio-pci }
  function port1 at 01:00.1 { class ethernet  driver vfio-pci }
}`;

export const groupSharedByOwners: DiagnosticRule = {
  code: 'ownership/group-shared-by-owners',
  severity: 'error',
  title: 'Devices of one IOMMU group are to be in several address spaces',
  documentation: `All devices of an IOMMU group translate through one domain, because the hardware cannot keep them apart. They can therefore not belong to two owners: the second one fails at \`open("/dev/vfio/N")\` with EBUSY, or at \`VFIO_DEVICE_BIND_IOMMUFD\` with EPERM.

The same happens inside one VM that has a virtual IOMMU: when the devices of a group sit on different guest root ports, the guest gives each an address space of its own, and QEMU says "group N used in multiple address spaces".

**Fix.** Give the whole group to one owner, or put the devices where they get groups of their own (see \`group/not-alone\`). With a virtual IOMMU put the devices of a group behind one conventional bridge (\`pcie-pci-bridge\`) of the guest.`,
  example: {
    bad: `${sampleHost(CARD)}vm one on h { memory 1GiB  through iommufd  assign port0 }
vm two on h { memory 1GiB  through iommufd  assign port1 }
`,
    good: `${sampleHost(CARD)}vm one on h { memory 1GiB  through iommufd  assign port0, port1 }
`,
  },
  *check(facts): Generator<Found> {
    for (const { owner, entry, device, before } of groupsWantedTwice(facts)) {
      yield {
        subject: entry,
        message: `${facts.name(device)} is in IOMMU group ${facts.group(device)!.number}, which ${before.owner.name} has already because of ${facts.name(before.device)}: one group cannot be used in several address spaces, so ${owner.name} does not get it.`,
        related: [{ subject: before.entry, message: `assigned to ${before.owner.name}` }],
        fixes: [],
      };
    }
  },
};
