import { previewText } from '../../analysis/what-if.js';
import { type Facts, kernelStatement } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { GroupingName, HostDescription, SubjectId } from '../../simulator/description.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { parseCommandLine } from '../../simulator/kernel/command-line.js';
import { formGroups } from '../../simulator/kernel/groups.js';
import { profileFor } from '../../simulator/kernel/profile.js';

const MAX_SHOWN = 4;

const otherOf: Readonly<Record<GroupingName, GroupingName>> = { 'classic': '2025-rework', '2025-rework': 'classic' };

type Groups = readonly (readonly SubjectId[])[];

const keyOf = (members: readonly SubjectId[]): string => [...members].sort().join(' ');

/** Those of `groups` that are no group of `others`. */
function missingIn(others: Groups, groups: Groups): Groups {
  const known = new Set(others.map(keyOf));
  return groups.filter((members) => !known.has(keyOf(members)));
}

function* differing(facts: Facts, host: HostDescription): Generator<Found> {
  const grouping = host.kernel.grouping;
  const report = facts.report.hosts.find((each) => each.host === host.id);
  if (grouping === undefined || report === undefined) return;
  const other = formGroups(host, new Topology(host), profileFor(host.kernel.version), parseCommandLine(host.kernel.commandLine), otherOf[grouping]);
  const [now, then] = [report.groups.map((group) => group.members), other.groups.map((group) => group.members)];
  const [old, fresh] = grouping === 'classic' ? [now, then] : [then, now];
  const [classic, rework] = [missingIn(fresh, old), missingIn(old, fresh)];
  if (classic.length + rework.length === 0) return;
  const moved = new Set(rework.flat());
  const why = grouping === 'classic' ? other.groups.flatMap((group) => group.why()) : report.groups.flatMap((group) => group.why);
  yield {
    subject: host.kernel.id,
    message: `The rework of 2025 forms other groups on ${host.name}: ${shown(host, rework)} instead of ${shown(host, classic)}.`,
    related: why.filter(({ device }) => moved.has(device)).slice(0, MAX_SHOWN * 2).flatMap(({ device, reasons }) => reasons.slice(-1).map((reason) => ({ subject: device, message: `under the rework: ${reason.text}` }))),
    fixes: [{ title: 'Form groups as released kernels do, and do not compare', preferred: false, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement({ ...host.kernel, grouping: undefined }) }] }],
  };
}

function shown(host: HostDescription, groups: Groups): string {
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
