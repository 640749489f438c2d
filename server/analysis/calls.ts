/**
 * "Show the calls": what the programs of a host's `vm` and `process` statements called, as a scenario that a person can
 * change and simulate. Unchanged it answers as the host's own run did.
 */
import type { HostDescription, OwnerDescription, SubjectId } from '../simulator/description.js';
import type { RunReport, StepReport } from '../simulator/report.js';
import { programOf } from '../simulator/scenario/expand-owner.js';
import { NOT_MODELLED } from '../simulator/scenario/step.js';
import type { Analysis } from './analysis.js';

export interface ShownCalls {
  readonly host: SubjectId;
  readonly title: string;
  /** The `scenario` statement. */
  readonly text: string;
}

/** Programs by the names that people know; docs/programs.md says which sources their order of calls was read in. */
const PROGRAM_TITLES: Readonly<Record<ReturnType<typeof programOf>, string>> = { qemu: 'QEMU', libvirt: 'QEMU, started by libvirt', dpdk: 'DPDK', spdk: 'SPDK' };

/**
 * One scenario per host that has owners. With `owner` only that one's, and those before it: what they hold decides what the
 * kernel answers it.
 */
export function shownCalls({ description, report }: Analysis, owner?: SubjectId): ShownCalls[] {
  const titles = new Set(description.scenarios.map((scenario) => scenario.name));
  return description.hosts.flatMap((host): ShownCalls[] => {
    const here = description.owners.filter((each) => each.host === host.id);
    const wanted = owner === undefined ? here : here.slice(0, here.findIndex((each) => each.id === owner) + 1);
    const run = report.runs.find((each) => each.kind === 'host' && each.host === host.id);
    const last = wanted.at(-1);
    if (run === undefined || last === undefined) return [];
    const title = unused(owner === undefined ? `the calls of ${wanted.map((each) => each.name).join(', ')}` : `the calls of ${last.name}`, titles);
    const domains = description.domains.some((domain) => domain.host === host.id) ? ['  // The `domain` statements of the file are no part of a scenario: what they attached is not attached here.'] : [];
    const lines = wanted.flatMap((each) => ownerLines(each, callsOf(run, each)));
    return [{ host: host.id, title, text: [`scenario ${JSON.stringify(title)} on ${hostName(host)} {`, ...domains, ...lines, '}', ''].join('\n') }];
  });
}

const hostName = (host: HostDescription): string => host.name;

function unused(title: string, titles: Set<string>): string {
  let free = title;
  for (let n = 2; titles.has(free); n++) free = `${title} (${n})`;
  titles.add(free);
  return free;
}

/** Steps that were expanded from the owner carry its identity in their own. */
const callsOf = (run: RunReport, owner: OwnerDescription): StepReport[] =>
  run.actions.filter((action): action is StepReport => action.kind === 'step' && action.id.startsWith(`${owner.id}#`));

/** A program that could not start has ended, which closes what it had open. */
function ownerLines(owner: OwnerDescription, calls: readonly StepReport[]): string[] {
  const ended = calls.some((call) => call.result !== 'ok' && call.expectation?.met !== true);
  return [
    `  // ${owner.kind} ${owner.name}: ${PROGRAM_TITLES[programOf(owner)]}, through ${owner.through}`,
    ...calls.map((call) => `  ${call.text}${expectation(call)}`),
    ...(ended ? [`  kill ${owner.name}`] : []),
  ];
}

const expectation = ({ result }: StepReport): string => (result === 'ok' || result === NOT_MODELLED ? '' : ` expect ${result}`);

/** A file of its own that uses the one with the host. @param file as `use` names it */
export const callsDocument = (file: string, shown: readonly ShownCalls[]): string => [`use ${JSON.stringify(file)}`, '', ...shown.map((each) => each.text)].join('\n');
