/** The objects of a machine after one action of a run, or after each: the run is simulated again, for a run keeps only its end. */
import type { MachineDescription } from '../description.js';
import type { ObjectGraph } from '../object-graph.js';
import type { RunReport } from '../report.js';
import { objectGraph } from './object-graph.js';
import { AT_START, BootPlans, runHost, runScenario, type Watch } from './run.js';

/**
 * @param index of an action of the run, or AT_START: before the first statement
 * @returns undefined when the run has no such action
 */
export function objectsAfter(description: MachineDescription, run: RunReport, index: number, plans = new BootPlans()): ObjectGraph | undefined {
  let found: ObjectGraph | undefined;
  again(description, run, plans, (machine, at) => {
    if (at === index) found = objectGraph(machine);
  });
  return found;
}

/** @returns one graph for each action, in order */
export function objectsAfterEach(description: MachineDescription, run: RunReport, plans = new BootPlans()): readonly ObjectGraph[] {
  const graphs: ObjectGraph[] = [];
  again(description, run, plans, (machine, at) => {
    if (at !== AT_START) graphs.push(objectGraph(machine));
  });
  return graphs;
}

function again(description: MachineDescription, run: RunReport, plans: BootPlans, watch: Watch): void {
  const host = description.hosts.find(({ id }) => id === run.host);
  if (host === undefined) return;
  const scenario = run.kind === 'scenario' ? description.scenarios.find(({ id }) => id === run.subject) : undefined;
  if (scenario !== undefined) runScenario(description, host, scenario, plans, watch);
  else runHost(description, host, plans, watch);
}
