import { addressText, type Facts } from '../diagnostics/facts.js';
import type { GroupReport } from '../simulator/report.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { FORMAT_OPTION, filesOf, formatOf, parseArguments } from './arguments.js';
import { toJson } from './json.js';
import { load, type Loaded } from './load.js';

/** `iommu groups FILE...`: the groups that the kernel would form, with the reasons. */
export async function groups(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { ...FORMAT_OPTION, why: { type: 'boolean' } });
  const format = formatOf(parsed);
  const all = [];
  for (const path of filesOf(parsed)) all.push(await load(path));
  if (format === 'json') console.log(toJson(groupsJson(all.flatMap(groupsOf))));
  else for (const each of all) console.log(groupsText(each, parsed.values.why === true));
  return all.some((each) => each.presented.some((finding) => finding.code.startsWith('language/syntax'))) ? EXIT.findings : EXIT.clean;
}

interface Addresses {
  readonly members: readonly string[];
  readonly uncertain: boolean;
}

const groupsOf = ({ analysis }: Loaded): Addresses[] =>
  analysis.report.hosts.flatMap((host) => host.groups.map(({ members, uncertain }) => ({
    members: members.map((member) => {
      const fn = analysis.facts.fn(member);
      return fn === undefined ? member : addressText(fn.address);
    }),
    uncertain,
  })));

/** `uncertain`: those of the groups that depend on facts which the file does not know. */
function groupsJson(groups: readonly Addresses[]): object {
  const uncertain = groups.filter((group) => group.uncertain);
  return { groups: groups.map(({ members }) => members), ...(uncertain.length === 0 ? {} : { uncertain: uncertain.map(({ members }) => members) }) };
}

function groupsText({ analysis }: Loaded, why: boolean): string {
  const facts = analysis.facts;
  return analysis.report.hosts.map((host) => {
    const name = analysis.description.hosts.find((each) => each.id === host.host)?.name ?? '';
    const kernel = host.kernel.asked === '' ? `${host.kernel.profile} (the file names none)` : host.kernel.asked;
    return [`host ${name}, kernel ${kernel}: ${host.groups.length} IOMMU groups`, ...host.groups.flatMap((group) => groupLines(group, facts, why))].join('\n');
  }).join('\n');
}

function groupLines(group: GroupReport, facts: Facts, why: boolean): string[] {
  const lines = [`group ${group.number}  ${group.defaultDomain}${group.uncertain ? '  (depends on unknown facts)' : ''}`];
  for (const { device, reasons } of group.why) {
    const fn = facts.fn(device);
    lines.push(`  ${fn === undefined ? device : `${addressText(fn.address)}  ${fn.name}${fn.label === undefined ? '' : `  ${fn.label}`}`}`);
    if (why) lines.push(...reasons.map((reason) => `      ${reason.text}${reason.rules.length > 0 ? `  [${reason.rules.join(', ')}]` : ''}`));
  }
  return lines;
}
