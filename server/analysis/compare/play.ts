/** Plays one file under one model: every run with the objects after each of its actions. */
import type { MachineDescription, StepDescription, SubjectId } from '../../simulator/description.js';
import { AT_START, BootPlans, objectGraph, runHost, runScenario } from '../../simulator/index.js';
import type { ObjectGraph } from '../../simulator/object-graph.js';
import type { Machine } from '../../simulator/scenario/machine.js';
import type { RunReport } from '../../simulator/report.js';
import { withModel, type Model, type UnderModel } from './models.js';
import { PlayedRuns } from './remembered-play.js';
import type { GroupOf } from './translate.js';

/** Actions of a run whose objects are drawn; what comes after is listed only. */
export const MAX_DRAWN_ACTIONS = 400;

/** How often a call that was refused may be tried again where the file waits for something. */
const MAX_TRIES = 5;

export interface PlayedRun {
  readonly run: RunReport;
  /** Before the first statement. */
  readonly initial: ObjectGraph;
  /** After each action; fewer than actions in a very long run. */
  readonly graphs: readonly ObjectGraph[];
}

export interface Played extends UnderModel {
  readonly model: Model;
  readonly runs: ReadonlyMap<SubjectId, PlayedRun>;
}

/** @param remembered runs of this file under this model that were played before */
export function play(description: MachineDescription, model: Model, groupOf: GroupOf, remembered = new PlayedRuns()): Played {
  const refused = new Set<SubjectId>();
  for (let tries = 1; ; tries++) {
    const played = playOnce(withModel(description, model, groupOf, refused), model, remembered);
    const known = refused.size;
    for (const id of refusedTranslations(played)) refused.add(id);
    if (refused.size !== known && tries < MAX_TRIES) continue;
    remembered.endRound();
    return played;
  }
}

function playOnce(under: UnderModel, model: Model, remembered: PlayedRuns): Played {
  const description = { ...under.description, hosts: under.description.hosts.map((host) => remembered.host(host)) };
  const { owners, domains, questions, pasidSets } = description;
  const plans = new BootPlans();
  const runs = new Map<SubjectId, PlayedRun>();
  const hosts = new Map(description.hosts.map((host) => [host.id, host]));
  for (const host of description.hosts) {
    runs.set(host.id, remembered.recall(host.id, { host, owners, domains, questions, pasidSets }, () => watched((watch) => runHost(description, host, plans, watch).run)));
  }
  for (const scenario of description.scenarios) {
    const host = hosts.get(scenario.host);
    if (host === undefined) continue;
    runs.set(scenario.id, remembered.recall(scenario.id, { host, owners, scenario, pasidSets }, () => watched((watch) => runScenario(description, host, scenario, plans, watch))));
  }
  return { ...under, description, model, runs };
}

function watched(work: (watch: (machine: Machine, index: number) => void) => RunReport): PlayedRun {
  let initial: ObjectGraph = { nodes: [], links: [] };
  const graphs: ObjectGraph[] = [];
  const run = work((machine, index) => {
    if (index === AT_START) initial = objectGraph(machine);
    else if (index < MAX_DRAWN_ACTIONS) graphs.push(objectGraph(machine));
  });
  return { run, initial, graphs };
}

/** Calls that stand for others and were refused: the program that is imitated might have tried again. */
function refusedTranslations({ runs, origins }: Played): ReadonlySet<SubjectId> {
  const refused = new Set<SubjectId>();
  for (const { run } of runs.values()) for (const action of run.actions) if (action.kind === 'step' && action.result !== 'ok' && origins.get(action.id) !== action.id) refused.add(action.id);
  return refused;
}

/** Steps of scenarios by identity, for what a report does not repeat: verb and operands. */
export function stepsById({ scenarios }: MachineDescription): ReadonlyMap<SubjectId, StepDescription> {
  return new Map(scenarios.flatMap(({ actions }) => actions.flatMap((action) => (action.kind === 'step' ? [[action.id, action] as const] : []))));
}
