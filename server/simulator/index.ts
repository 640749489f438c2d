/** The simulator: a machine description in, a report out. Pure, synchronous, deterministic. */
import type { MachineDescription } from './description.js';
import type { Report } from './report.js';
import { AT_START, BootPlans, runHost, runScenario } from './scenario/run.js';

/** One run each, for callers that keep the others. */
export { AT_START, BootPlans, runHost, runScenario };
export { objectGraph } from './scenario/object-graph.js';
export { objectsAfter, objectsAfterEach } from './scenario/objects-after.js';

/** Never throws for a description that the language made: what breaks inside a run becomes that run's `stopped`. */
export function simulate(description: MachineDescription): Report {
  const plans = new BootPlans();
  const hosts = new Map(description.hosts.map((host) => [host.id, host]));
  const hostRuns = description.hosts.map((host) => runHost(description, host, plans));
  const scenarioRuns = description.scenarios.flatMap((scenario) => {
    const host = hosts.get(scenario.host);
    return host === undefined ? [] : [runScenario(description, host, scenario, plans)];
  });
  return { hosts: hostRuns.map(({ report }) => report), runs: [...hostRuns.map(({ run }) => run), ...scenarioRuns] };
}
