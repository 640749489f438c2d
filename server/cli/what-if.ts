import { previewText, whatIf, type Alternative, type WhatIf } from '../analysis/what-if.js';
import type { PeerProof } from '../analysis/what-if-proof.js';
import { addressText, type Facts } from '../diagnostics/facts.js';
import type { FunctionDescription, HostDescription, SubjectId } from '../simulator/description.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { FORMAT_OPTION, filesOf, formatOf, parseArguments } from './arguments.js';
import { toJson } from './json.js';
import { load } from './load.js';

/** `iommu what-if FILE --apart A,B`: could A be in another group than B? By name or address. Ends with 1 when nothing real puts them apart. */
export async function whatIfCommand(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { ...FORMAT_OPTION, apart: { type: 'string' } });
  const format = formatOf(parsed);
  const [path, ...more] = filesOf(parsed);
  if (more.length > 0) throw new UsageError('what-if takes one file');
  const names = String(parsed.values.apart ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
  if (names.length < 2) throw new UsageError('--apart takes the names or addresses of two functions: --apart gpu,nic');
  const { analysis } = await load(path!);
  const { host, functions } = find(analysis.description.hosts, names);
  const answer = whatIf(host, functions[0]!.id, functions.slice(1).map((fn) => fn.id));
  console.log(format === 'json' ? toJson(asJson(answer, analysis.facts)) : asText(answer, host, functions));
  return answer.now === 'apart' || answer.alternatives.some((each) => each.kind === 'real') ? EXIT.clean : EXIT.findings;
}

/** The host that has them all. */
function find(hosts: readonly HostDescription[], names: readonly string[]): { readonly host: HostDescription; readonly functions: readonly FunctionDescription[] } {
  const isNamed = (fn: FunctionDescription, name: string): boolean => fn.name === name || addressText(fn.address) === (/^[^:]*:[^:]*$/.test(name) ? `0000:${name}` : name).toLowerCase();
  for (const host of hosts) {
    const functions = names.flatMap((name) => host.functions.find((fn) => isNamed(fn, name)) ?? []);
    if (functions.length === names.length) return { host, functions };
  }
  const unknown = names.find((name) => !hosts.some((host) => host.functions.some((fn) => isNamed(fn, name))));
  throw new UsageError(unknown === undefined ? `${names.join(' and ')} are not functions of one host` : `no function is called "${unknown}"`);
}

const HEADLINES: Readonly<Record<WhatIf['now'], string>> = {
  'together': 'share an IOMMU group', 'apart': 'are in different groups already', 'no-group': 'have no IOMMU group: nothing translates them, or the IOMMU is off',
  'on-paper': 'are in different groups on paper only: pcie_acs_override= splits what the hardware does not',
};

function asText(answer: WhatIf, host: HostDescription, functions: readonly FunctionDescription[]): string {
  const lines = [`${functions.map((fn) => fn.name).join(' and ')} ${HEADLINES[answer.now]}`, ...answer.groupsNow.map((group) => `  ${previewText(host, [group])}`)];
  if (answer.uncertain) lines.push('which depends on facts that the file does not know');
  if (answer.blame.length > 0) lines.push('because', ...answer.blame.map((reason) => `  ${reason.text}  [${reason.rules.join(', ')}]`));
  if (answer.proof !== undefined) lines.push('proof that this is no isolation', ...proofLines(answer.proof));
  if (answer.now === 'together' || answer.now === 'on-paper') lines.push(...alternativeLines(answer.alternatives, host));
  return lines.join('\n');
}

function alternativeLines(alternatives: readonly Alternative[], host: HostDescription): string[] {
  if (!alternatives.some((each) => each.kind === 'real')) return ['nothing on this host puts them apart', ...alternatives.flatMap((each) => lines(each, host))];
  return ['apart after one of', ...alternatives.flatMap((each) => lines(each, host))];
}

const lines = (alternative: Alternative, host: HostDescription): string[] => [
  `  ${alternative.kind === 'cosmetic' ? '(not real) ' : ''}${alternative.title}`, `      groups after: ${previewText(host, alternative.groupsAfter)}`,
  ...(alternative.kind === 'cosmetic' && alternative.proof === undefined ? ['      no way past the IOMMU follows from what is described, and nothing rules one out'] : []),
  ...(alternative.proof === undefined ? [] : proofLines(alternative.proof).map((line) => `    ${line}`)),
];

const proofLines = ({ assumptions, trace }: PeerProof): string[] => [...assumptions.map((each) => `  (assumed: ${each})`), ...trace.map((event) => `  ${event.text}  [${event.rules.join(', ')}]`)];

function asJson({ now, groupsNow, uncertain, blame, proof, alternatives }: WhatIf, facts: Facts): object {
  const address = (id: SubjectId): string => {
    const fn = facts.fn(id);
    return fn === undefined ? id : addressText(fn.address);
  };
  const addresses = (groups: readonly (readonly SubjectId[])[]): string[][] => groups.map((group) => group.map(address));
  const proofJson = (each: PeerProof | undefined): object | undefined =>
    each && { device: address(each.device), peer: address(each.peer), address: each.address, assumptions: each.assumptions, path: each.trace.map((event) => event.text) };
  return {
    now, groupsNow: addresses(groupsNow), uncertain, proof: proofJson(proof),
    blame: blame.map((reason) => ({ at: reason.subject && address(reason.subject), text: reason.text, rules: reason.rules })),
    alternatives: alternatives.map((each) => ({ title: each.title, kind: each.kind, groupsAfter: addresses(each.groupsAfter), proof: proofJson(each.proof) })),
  };
}
