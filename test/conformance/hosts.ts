/**
 * Recorded hosts: each is imported, printed as `.iommu`, read back, and its groups are formed; they must be the groups that the
 * host's kernel had formed. Group numbers do not count, nor do functions of which no group was recorded.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ImportError } from '../../server/interchange/import-error.js';
import { importHost, type ImportedHost, type ImportInput } from '../../server/interchange/import-host.js';
import { formatAddress } from '../../server/interchange/pci-address.js';
import { parseFiles } from '../../language/index.js';
import type { HostDescription, SubjectId } from '../../server/simulator/description.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { parseCommandLine } from '../../server/simulator/kernel/command-line.js';
import { formGroups, type FormedGroups } from '../../server/simulator/kernel/groups.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import { noOutcome, sum, type Outcome } from './outcome.js';
import { groupBy } from '../../server/simulator/fabric/multimap.js';

/** Where a simulated group and the recorded ones disagree. */
interface Disagreement {
  /** All simulated groups involved depend on facts that the import says it does not know. */
  readonly uncertain: boolean;
  readonly text: string;
}

/** Every host file in the folder at `path` (or the file); a folder of raw dumps is run as such. */
export async function runHosts(path: string): Promise<Outcome> {
  if (statSync(path).isDirectory() && hostFiles(path).length === 0) return runRawHosts(path);
  return sum(await Promise.all((statSync(path).isDirectory() ? hostFiles(path) : [path]).map(runHostFile)));
}

const hostFiles = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.endsWith('.json') && name !== 'index.json').sort().map((name) => join(folder, name));

export async function runHostFile(path: string): Promise<Outcome> {
  return judge(basename(path, '.json'), { lspci: readFileSync(path, 'utf8') });
}

/** Every dump (`FOLDER/ID/lspci.txt` with kernel lines beside it); the recorded groups are in the dump or in `ID.json` above. */
export async function runRawHosts(folder: string): Promise<Outcome> {
  const ids = readdirSync(folder).filter((id) => existsSync(join(folder, id, 'lspci.txt'))).sort();
  return sum(await Promise.all(ids.map((id) => judge(`raw ${id}`, rawInput(folder, id)))));
}

function rawInput(folder: string, id: string): ImportInput {
  const logs = readdirSync(join(folder, id)).filter((name) => name.startsWith('dmesg')).sort().map((name) => readFileSync(join(folder, id, name), 'utf8'));
  const record = join(dirname(folder), `${id}.json`);
  return {
    lspci: readFileSync(join(folder, id, 'lspci.txt'), 'utf8'),
    ...(logs.length === 0 ? {} : { dmesg: logs.join('\n') }),
    ...(existsSync(record) ? { groups: groupListing(readFileSync(record, 'utf8')) } : {}),
  };
}

/** As `find /sys/kernel/iommu_groups -type l` would have printed it on the recorded host. */
function groupListing(json: string): string {
  const { groups } = JSON.parse(json) as { groups: Readonly<Record<string, readonly string[]>> };
  return Object.entries(groups).flatMap(([group, members]) => members.map((member) => `/sys/kernel/iommu_groups/${group}/devices/${member}`)).join('\n');
}

async function judge(name: string, input: ImportInput): Promise<Outcome> {
  const outcome = noOutcome();
  const imported = importOrError(input);
  if (imported instanceof ImportError) return { ...outcome, differ: 1, differences: [`${name}: not imported: ${imported.message}`] };
  const { host, problems } = await readBack(imported);
  if (problems.length > 0) return { ...outcome, differ: 1, differences: [`${name}: ${problems[0]}`] };
  if (imported.host.iommus.length === 0) return { ...outcome, notCovered: 1, differences: [`${name}: not covered: ${imported.notes[0]}`] };
  const disagreements = compare(host, groupsOf(host), unplacedIn(imported));
  if (disagreements.length === 0) return { ...outcome, agree: 1 };
  const unknown = disagreements.every((each) => each.uncertain) && imported.notes.length > 0;
  return { ...outcome, [unknown ? 'unknown' : 'differ']: 1, differences: disagreements.map((each) => `${name}: ${each.uncertain ? 'unknown' : 'differs'}: ${each.text}`) };
}

function importOrError(input: ImportInput): ImportedHost | ImportError {
  try {
    return importHost(input);
  } catch (error) {
    if (error instanceof ImportError) return error;
    throw error;
  }
}

/** The host as the language reads the printed text, and what it complains about. */
export async function readBack(imported: ImportedHost): Promise<{ host: HostDescription; problems: string[] }> {
  const uri = 'memory:/host.iommu';
  const { lowered, problems } = await parseFiles([{ uri, text: imported.text }], uri);
  const [host] = lowered.description.hosts;
  const serious = problems.filter((problem) => problem.severity === 'error').map((problem) => `line ${problem.range.start.line + 1}: ${problem.message}`);
  return host === undefined ? { host: imported.host, problems: ['the text has no host', ...serious] } : { host, problems: serious };
}

function unplacedIn({ host, unplaced }: ImportedHost): Set<string> {
  const ids = new Set(unplaced);
  return new Set(host.functions.filter((fn) => ids.has(fn.id)).map((fn) => formatAddress(fn.address)));
}

const groupsOf = (host: HostDescription): FormedGroups =>
  formGroups(host, new Topology(host), profileFor(host.kernel.version), parseCommandLine(host.kernel.commandLine));

/** `unplaced`: addresses of functions that may be below other bridges. */
function compare(host: HostDescription, formed: FormedGroups, unplaced: ReadonlySet<string>): Disagreement[] {
  const address = new Map<SubjectId, string>(host.functions.map((fn) => [fn.id, formatAddress(fn.address)]));
  const recorded = groupBy(host.functions.filter((fn) => fn.recordedGroup !== undefined), (fn) => fn.recordedGroup!);
  const recordedIds = new Set([...recorded.values()].flat().map((fn) => fn.id));
  const isWrong = (fn: SubjectId, members: readonly SubjectId[]): boolean => {
    const simulated = membersOf(formed, fn).filter((id) => recordedIds.has(id));
    return simulated.length !== members.length || members.some((id) => !simulated.includes(id));
  };
  return [...recorded].flatMap(([number, functions]) => {
    const members = functions.map((fn) => fn.id);
    if (!isWrong(members[0]!, members)) return [];
    const involved = new Set(members.map((id) => formed.groupOf.get(id)));
    const names = members.map((id) => address.get(id)!);
    const simulated = [...involved].map((group) => (group === undefined ? '(no group)' : `{${formed.groups[group]!.members.map((id) => address.get(id) ?? id).join(' ')}}`));
    return [{
      uncertain: names.some((name) => unplaced.has(name)) || [...involved].every((group) => group !== undefined && formed.groups[group]!.uncertain),
      text: `recorded group ${number} {${names.join(' ')}}, simulated ${simulated.join(' ')}`,
    }];
  });
}

function membersOf(formed: FormedGroups, fn: SubjectId): readonly SubjectId[] {
  const group = formed.groupOf.get(fn);
  return group === undefined ? [] : formed.groups[group]!.members;
}
