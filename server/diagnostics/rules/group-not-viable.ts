import { type Facts, addressText, driversInTheWay, failedSteps, isVfioDriver, kernelSays, refusal } from '../facts.js';
import { NODE_ACCESS } from '../causes.js';
import { bind } from '../fixes.js';
import { programSays, usesGroups } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { OwnerDescription, SubjectId } from '../../simulator/description.js';

function companionFixes(facts: Facts, owner: SubjectId, device: SubjectId, companions: readonly { readonly fn: { readonly id: SubjectId; readonly name: string } }[]): Fix[] {
  const host = facts.hostOf(device);
  if (host === undefined) return [];
  const names = companions.map((each) => each.fn.name).join(', ');
  return [
    { title: `Bind ${names} to vfio-pci too`, preferred: true, edits: [bind(owner, companions.map((each) => each.fn.name), host.name)] },
    { title: `Leave ${names} without a driver`, preferred: false, edits: companions.map((each) => ({ kind: 'set-property' as const, subject: each.fn.id, property: 'driver', text: 'driver none' })) },
  ];
}

/** What the program prints: both ask VFIO_GROUP_GET_STATUS first, where there are groups to ask. */
function programLine(facts: Facts, owner: OwnerDescription, device: SubjectId): string {
  const fn = facts.fn(device);
  if (fn === undefined || !usesGroups(owner)) return '';
  return programSays(owner, {
    qemu: `vfio ${addressText(fn.address)}: group ${facts.group(device)?.number} is not viable`,
    dpdk: `${addressText(fn.address)} VFIO group is not viable! Not all devices in IOMMU group bound to VFIO or unbound`,
  });
}

export const groupNotViable: DiagnosticRule = {
  code: 'ownership/group-not-viable',
  severity: 'error',
  title: 'Other devices of the IOMMU group still belong to host drivers',
  documentation: `An IOMMU group is the smallest set of devices that the hardware can keep apart from the rest of the machine. The kernel gives it to one owner as a whole:
while any device of it is used by a driver that does DMA for the host, user space cannot have it.

- Up to Linux 5.18 VFIO calls the group *not viable*: \`VFIO_GROUP_GET_DEVICE_FD\` fails with EINVAL, and QEMU says "group N is not viable. Please ensure all devices within the iommu_group are bound to their vfio bus driver.", DPDK "VFIO group is not viable! Not all devices in IOMMU group bound to VFIO or unbound"
- From 5.19 the IOMMU core keeps DMA ownership: \`VFIO_GROUP_SET_CONTAINER\` or \`VFIO_DEVICE_BIND_IOMMUFD\` fails with EPERM.

Bridges and ports are not in the way: leave \`pcieport\` where it is.

**Fix.** Bind every other function of the group to \`vfio-pci\` (or \`pci-stub\`), or leave it without a driver. They need not be assigned to the VM.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'))}vm guest on h { memory 1GiB  through type1  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver vfio-pci }'))}vm guest on h { memory 1GiB  through type1  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    const said = new Set<SubjectId>();
    for (const { step } of failedSteps(report)) {
      if (NODE_ACCESS.explains(step)) continue;
      const owner = facts.ownerOf(step);
      const entry = owner?.assigned.find((each) => each.id === step.origin);
      if (owner === undefined || entry === undefined || said.has(entry.id) || !isVfioDriver(facts.driverAtStart(entry.device))) continue;
      const companions = driversInTheWay(facts, entry.device);
      if (companions.length === 0) continue;
      said.add(entry.id);
      const list = companions.map(({ fn, driver }) => `${fn.name} (${addressText(fn.address)}, driver ${driver})`).join(', ');
      yield {
        subject: entry.id,
        message: `${facts.name(entry.device)} cannot be assigned to ${owner.name}: its IOMMU group is not viable, because ${list} still ${companions.length === 1 ? 'belongs' : 'belong'} to the host. ${refusal(step)}.${kernelSays(step)}${programLine(facts, owner, entry.device)}`,
        related: companions.map(({ fn, driver }) => ({ subject: fn.id, message: `in the same group, bound to ${driver}` })),
        fixes: companionFixes(facts, owner.id, entry.device, companions),
      };
    }
  },
};
