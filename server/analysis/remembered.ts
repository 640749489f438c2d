/**
 * Runs of one file, remembered by value from one keystroke to the next: the simulator is pure, so a run whose inputs are
 * equal to last time's has last time's answer. An edit in one scenario simulates that scenario; a comment simulates nothing.
 */
import type { HostDescription, MachineDescription, ScenarioDescription, SubjectId } from '../simulator/description.js';
import { BootPlans, runHost, runScenario } from '../simulator/index.js';
import type { HostReport, Report, RunReport } from '../simulator/report.js';
import { same } from './same.js';

interface HostInputs {
  readonly host: HostDescription;
  readonly owners: MachineDescription['owners'];
  readonly domains: MachineDescription['domains'];
  readonly questions: MachineDescription['questions'];
  readonly pasidSets: MachineDescription['pasidSets'];
}

interface ScenarioInputs {
  readonly host: HostDescription;
  readonly owners: MachineDescription['owners'];
  readonly scenario: ScenarioDescription;
  readonly pasidSets: MachineDescription['pasidSets'];
}

interface Remembered<Inputs, Answer> {
  readonly inputs: Inputs;
  readonly answer: Answer;
}

/** Forgets what was not asked for in the last round. */
class Memory<Inputs extends object, Answer> {
  private last = new Map<SubjectId, Remembered<Inputs, Answer>>();
  private next = new Map<SubjectId, Remembered<Inputs, Answer>>();

  recall(subject: SubjectId, inputs: Inputs, compute: (inputs: Inputs) => Answer): Answer {
    const known = this.last.get(subject);
    const remembered = known !== undefined && same(known.inputs, inputs) ? known : { inputs, answer: compute(inputs) };
    this.next.set(subject, remembered);
    return remembered.answer;
  }

  endRound(): void {
    this.last = this.next;
    this.next = new Map();
  }
}

export class RememberedRuns {
  private readonly hosts = new Memory<HostInputs, { readonly report: HostReport; readonly run: RunReport }>();
  private readonly scenarios = new Memory<ScenarioInputs, RunReport>();
  /** The objects of the last round: an equal host stays the same object, so that comparing it again costs nothing. */
  private lastHosts = new Map<SubjectId, HostDescription>();

  simulate(described: MachineDescription): Report {
    const description = { ...described, hosts: described.hosts.map((host) => this.known(host)) };
    const { owners, domains, questions, pasidSets } = description;
    const plans = new BootPlans();
    const byId = new Map(description.hosts.map((host) => [host.id, host]));
    const hostRuns = description.hosts.map((host) => this.hosts.recall(host.id, { host, owners, domains, questions, pasidSets }, () => runHost(description, host, plans)));
    const scenarioRuns = description.scenarios.flatMap((scenario) => {
      const host = byId.get(scenario.host);
      return host === undefined ? [] : [this.scenarios.recall(scenario.id, { host, owners, scenario, pasidSets }, () => runScenario(description, host, scenario, plans))];
    });
    this.lastHosts = byId;
    this.hosts.endRound();
    this.scenarios.endRound();
    return { hosts: hostRuns.map(({ report }) => report), runs: [...hostRuns.map(({ run }) => run), ...scenarioRuns] };
  }

  private known(host: HostDescription): HostDescription {
    const last = this.lastHosts.get(host.id);
    return last !== undefined && same(last, host) ? last : host;
  }
}
