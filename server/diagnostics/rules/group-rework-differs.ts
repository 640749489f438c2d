import { previewText } from '../../analysis/what-if.js';
import type { Facts } from '../facts.js';
import { kernelStatement } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { GroupingName, HostDescription, SubjectId } from '../../simulator/description.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { parseCommandLine } from '../../simulator/kernel/command-line.js';
import { formGroups, type FormedGroups } from '../../simulator/kernel/groups.js';
import { profileFor } from '../../simulator/kernel/profile.js';

const MAX_SHOWN = 4;

const otherOf: Readonly<Record<GroupingName, GroupingName>> = { 'classic': '2025-rework', '2025-rework': 'classic' };

/** Groups with no equal among the groups of `others`. */
function without(groups: readonly (readonly SubjectId[])[], others: FormedGroups): (readonly SubjectId[])[] {
  return groups.filter((members) => {
    const numbers = new Set(members.map((member) => others.groupOf.get(member)));
    const [number] = numbers;
    return numbers.size !== 1 || number === undefined || others.groups[number]!.members.length !== members.length;
  });
}

function* differing(facts: Facts, host: HostDescription): Generator<Found> {
  const grouping = host.kernel.grouping;
  const report = facts.report.hosts.find((each) => each.host === host.id);
  if (grouping === undefined || report === undefined) return;
  const other = formGroups(host, new Topology(host), profileFor(host.kernel.version), parseCommandLine(host.kernel.commandLine), otherOf[grouping]);
  const now = report.groups.map((group) => group.members);
  const [classic, rework] = grouping === 'classic' ? [without(now, other), changedIn(other, now)] : [changedIn(other, now), without(now, other)];
  if (classic.length + rework.length === 0) return;
  const moved = new Set(rework.flat());
  const why = grouping === 'classic' ? [...other.why].map(([device, reasons]) => ({ device, reasons })) : report.groups.flatMap((group) => group.why);
  yield {
    subject: host.kernel.id,
    message: `The rework of 2025 forms other groups on ${host.name}: ${shown(host, rework)} instead of ${shown(host, classic)}.`,
    related: why.filter(({ device }) => moved.has(device)).slice(0, MAX_SHOWN * 2).flatMap(({ device, reasons }) => reasons.slice(-1).map((reason) => ({ subject: device, message: `under the rework: ${reason.text}` }))),
    fixes: [{ title: 'Form groups as released kernels do, and do not compare', preferred: false, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement({ ...host.kernel, grouping: undefined }) }] }],
  };
}

/** Groups of `other` that are no group now. */
function changedIn(other: FormedGroups, now: readonly (readonly SubjectId[])[]): (readonly SubjectId[])[] {
  const sizes = new Map(now.flatMap((members, number) => members.map((member) => [member, { number, size: members.length }] as const)));
  return other.groups.map(({ members }) => members).filter((members) => new Set(members.map((member) => sizes.get(member)?.number)).size !== 1 || sizes.get(members[0]!)?.size !== members.length);
}

function shown(host: HostDescription, groups: readonly (readonly SubjectId[])[]): string {
  const text = previewText(host, groups, MAX_SHOWN);
  return text === '' ? 'groups of bridges alone' : text;
}

const twoPorts = (grouping: string, acs: string): string => sampleHost(`root-port rp at 00:01.0 { acs SV, RR, CR, UF
  switch up at 01:00.0 {
    port p0 at 02:00.0 {${acs} function gpu at 03:00.0 { class vga } }
    port p1 at 02:01.0 {${acs} function nic at 04:00.0 { class ethernet } }
  }
}`, { kernel: `6.19 cmdline "intel_iommu=on" { grouping ${grouping} }` });

export const groupReworkDiffers: DiagnosticRule = {
  code: 'group/rework-differs',
  severity: 'information',
  title: 'The rework of grouping proposed in 2025 forms other groups',
  documentation: `In 2025 a series ("Fix incorrect iommu_groups with PCIe ACS") proposed to form groups by what a whole bus isolates, because ACS works where a request leaves a port: a neighbour behind a port without ACS reaches a device whose own way is clean.
It was not merged (Linux 7.0 has the old algorithm). What would change:

- Below a switch of which one port lacks ACS, everything is one group. Today only what is below that port is.
- A root port without ACS capability counts as isolating, and so do functions of one device without ACS capability. Today they do not; this was the point of dispute.
- One function with ACS switched off draws its whole slot together.
- A PCIe-to-PCI bridge without BARs leaves the group of what is behind it.

The comparison is made for a host that says \`grouping classic\` or \`grouping 2025-rework\` in its kernel.

**Fix.** None is needed. Where groups grow, today's smaller groups let devices reach each other past the IOMMU.`,
  example: { bad: twoPorts('classic', ''), good: twoPorts('classic', '  acs SV, RR, CR, UF') },
  *check(facts): Generator<Found> {
    for (const host of facts.description.hosts) yield* differing(facts, host);
  },
};
