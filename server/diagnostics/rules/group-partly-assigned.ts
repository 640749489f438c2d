import { driversInTheWay, type Facts, isBridge } from '../facts.js';
import { bind } from '../fixes.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { FunctionDescription, OwnerDescription, PciAddress } from '../../simulator/description.js';

const sameSlot = (a: PciAddress, b: PciAddress | undefined): boolean => a.segment === b?.segment && a.bus === b.bus && a.device === b.device;

/**
 * Other functions of the same card in the same group that nobody has: other cards are `group/not-alone`'s. Who bound one to VFIO or pci-stub
 * knows that it goes along.
 */
function leftOver(facts: Facts, device: string): FunctionDescription[] {
  const taken = new Set(facts.description.owners.flatMap((each) => each.assigned.map((entry) => entry.device)));
  const card = facts.fn(device)?.address;
  return (facts.group(device)?.members ?? []).flatMap((member) => {
    const fn = facts.fn(member);
    return fn === undefined || isBridge(fn) || taken.has(member) || facts.driverAtStart(member) !== null || !sameSlot(fn.address, card) ? [] : [fn];
  });
}

function assignFix(facts: Facts, owner: OwnerDescription, rest: readonly FunctionDescription[]): Fix[] {
  const host = facts.host(owner.host);
  if (host === undefined) return [];
  const names = [...owner.assigned.map(({ device }) => facts.fn(device)?.name ?? device), ...rest.map((fn) => fn.name)];
  const more = rest.map((fn) => fn.name);
  return [
    { title: `Bind ${more.join(', ')} to vfio-pci, so that no host driver tries`, preferred: false, edits: [bind(owner.id, more, host.name)] },
    { title: `Assign ${more.join(', ')} to ${owner.name} too`, preferred: false, edits: [{ kind: 'set-property', subject: owner.id, property: 'assign', text: `assign ${names.join(', ')}` }, bind(owner.id, more, host.name)] },
  ];
}

export const groupPartlyAssigned: DiagnosticRule = {
  code: 'ownership/group-partly-assigned',
  severity: 'information',
  title: 'Only a part of an IOMMU group is assigned',
  documentation: `The kernel gives an IOMMU group to one owner as a whole, whether the owner uses all of its devices or one. The rest of the group is then lost for everybody: no host driver may bind to it (EBUSY), and no other VM can have it (EBUSY or EPERM).
Some VM managers refuse a partial group, others accept it without a word.

A function without driver is where that surprises: loading its driver later fails, or, on kernels up to 5.18, stops the machine.

**Fix.** Nothing has to be done. Bind the rest to \`vfio-pci\` so that it is out of the way, or assign it to the same owner if it is of use there, for instance the audio function of a graphics card.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver none }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver vfio-pci }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu, audio }
`,
  },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      const said = new Set<number>();
      for (const { id, device } of owner.assigned) {
        const group = facts.group(device);
        if (group === undefined || said.has(group.number) || driversInTheWay(facts, device).length > 0) continue;
        said.add(group.number);
        const rest = leftOver(facts, device);
        if (rest.length === 0) continue;
        yield {
          subject: id,
          message: `With ${facts.name(device)}, ${owner.name} takes the whole IOMMU group ${group.number}: ${rest.map((fn) => facts.name(fn.id)).join(', ')} will get no host driver meanwhile.`,
          related: rest.map((fn) => ({ subject: fn.id, message: 'in the same group, not assigned' })),
          fixes: assignFix(facts, owner, rest),
        };
      }
    }
  },
};
