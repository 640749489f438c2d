import { previewText, type WhatIf } from '../../analysis/what-if.js';
import { rememberedWhatIf } from '../../analysis/what-if-remembered.js';
import { type Facts, isBridge, isVfioDriver } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { FunctionDescription, HostDescription, OwnerDescription, SubjectId } from '../../simulator/description.js';

/** Questions that are worked out in one file; further devices are told without repairs. */
const MAX_QUESTIONS = 8;
const MAX_NAMED = 5;

/** A device that somebody wants for a user, and where the file says so. */
interface Wanted {
  readonly subject: SubjectId;
  readonly fn: FunctionDescription;
  readonly host: HostDescription;
  readonly owner: OwnerDescription | null;
}

/** Assigned devices; of hosts without owners, those that a VFIO driver waits with. */
function* wanted(facts: Facts): Generator<Wanted> {
  const { description } = facts;
  for (const owner of description.owners) {
    for (const { id, device } of owner.assigned) {
      const fn = facts.fn(device);
      const host = facts.hostOf(device);
      if (fn !== undefined && host !== undefined) yield { subject: id, fn, host, owner };
    }
  }
  for (const host of description.hosts) {
    if (description.owners.some((owner) => owner.host === host.id)) continue;
    for (const fn of host.functions) if (isVfioDriver(facts.driverAtStart(fn.id))) yield { subject: fn.id, fn, host, owner: null };
  }
}

/**
 * Functions that the group holds against somebody's wish. One on the same card is none, because it goes where the card goes, unless
 * another owner wants it.
 */
function companions(facts: Facts, { fn, owner }: Wanted, users: ReadonlyMap<SubjectId, OwnerDescription>): FunctionDescription[] {
  return (facts.group(fn.id)?.members ?? []).flatMap((member) => {
    const other = facts.fn(member);
    if (other === undefined || other === fn || isBridge(other)) return [];
    const user = users.get(member);
    if (owner === null ? isVfioDriver(facts.driverAtStart(member)) : user === owner) return [];
    return user === undefined && isSameCard(fn, other) ? [] : [other];
  });
}

const isSameCard = ({ upstream, address: a }: FunctionDescription, { upstream: other, address: b }: FunctionDescription): boolean =>
  upstream === other && a.segment === b.segment && a.bus === b.bus && a.device === b.device;

const list = (names: readonly string[]): string => (names.length > MAX_NAMED ? `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more` : names.join(', '));

function adviceOf(answer: WhatIf | null, host: HostDescription): string {
  if (answer === null) return '';
  const best = answer.alternatives.find((each) => each.kind === 'real');
  const because = answer.blame.length === 0 ? '' : ` ${answer.blame.slice(0, 2).map((reason) => `${capital(reason.text)}.`).join(' ')}`;
  return `${because} ${best === undefined ? (answer.uncertain ? 'Facts that nobody knows decide over it.' : 'Nothing on this host puts them apart.') : `One way out: ${best.title} → groups after: ${previewText(host, best.groupsAfter)}.`}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const fixesOf = (answer: WhatIf | null, host: HostDescription): Fix[] =>
  (answer?.alternatives ?? []).filter((each) => each.kind === 'real').map((each) => ({ title: `${each.title} → groups after: ${previewText(host, each.groupsAfter)}`, preferred: false, edits: each.edits }));

const ports = (slot1: string): string => `root-port slot1 at 00:01.0 { acs SV, RR, CR, UF${slot1} }
root-port slot2 at 00:1c.0 {
  function nic at 02:00.0 { class ethernet  driver vfio-pci }
}
root-port slot3 at 00:1c.1 {
  function disk at 03:00.0 { class nvme }
}`;
const guest = (device: string): string => `vm guest on h { memory 1GiB  through iommufd  assign ${device} }
`;

export const groupNotAlone: DiagnosticRule = {
  code: 'group/not-alone',
  severity: 'information',
  title: 'The device shares its IOMMU group with devices that stay elsewhere',
  documentation: `The group of an assigned device holds other devices, which the same owner does not get. "IOMMU group 1 contains all i210s": there is no error message for this, only one big group.

A group is the smallest set of devices that can be given away apart from the rest, whatever stands in the way: not only DMA that no IOMMU sees, but also a bridge that lends them one requester ID, or registers of
one function that change another. So it is there, and is enforced, also for who never opens it: with iommufd a program names devices only.

The kernel cannot keep the members of a group apart: a port between them does not have ACS switched on, functions of one slot may reach each other inside their device, or they share a requester ID. So the whole group
has one owner, and the host loses every device in it.

The message names the ports that are to blame. Every repair that is offered was tried: the groups of the changed host were formed, and the preview shows them. The smallest come first:
switch on what a port can do, remove an option that switches it off, take a kernel that knows the hardware, move the card to a free slot behind a port that isolates, other hardware.
\`pcie_acs_override=\` is not offered, because it changes what the kernel believes and not what the hardware does; \`iommu what-if FILE --apart A,B\` shows the DMA that gets past it.

**Fix.** One of the repairs, or give the whole group to one owner. Bridges stay with \`pcieport\`.`,
  example: {
    bad: `${sampleHost(ports(''))}${guest('nic')}`,
    good: `${sampleHost(ports('  function gpu at 01:00.0 { class vga  driver vfio-pci }'))}${guest('gpu')}`,
  },
  *check(facts): Generator<Found> {
    const users = new Map(facts.description.owners.flatMap((owner) => owner.assigned.map(({ device }) => [device, owner] as const)));
    const said = new Set<string>();
    let questions = 0;
    for (const each of wanted(facts)) {
      const others = companions(facts, each, users);
      const key = `${each.owner?.id ?? ''} ${each.host.id} ${facts.group(each.fn.id)?.number}`;
      if (others.length === 0 || said.has(key)) continue;
      said.add(key);
      const report = facts.report.hosts.find((one) => one.host === each.host.id);
      const answer = report === undefined || ++questions > MAX_QUESTIONS ? null : rememberedWhatIf(report, each.host, each.fn.id, others.map((other) => other.id));
      if (answer !== null && answer.now !== 'together') continue;
      const names = list(others.map((other) => facts.name(other.id)));
      yield {
        subject: each.subject,
        message: `${facts.name(each.fn.id)} shares its IOMMU group with ${names}, which ${each.owner === null ? 'stay with the host' : `${each.owner.name} does not get`}: the group has one owner as a whole.${adviceOf(answer, each.host)}`,
        related: (answer?.blame ?? []).map((reason) => ({ subject: reason.subject!, message: reason.text })),
        fixes: fixesOf(answer, each.host),
      };
    }
  },
};
