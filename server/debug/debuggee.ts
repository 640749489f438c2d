/** What a session steps through: one run of a file, played once and then only looked at. */
import type { Lowered, Place, Problem } from '../../language/index.js';
import type { PlaceView } from '../protocol.js';
import type { HostDescription, MachineDescription, SubjectId } from '../simulator/description.js';
import { AT_START, BootPlans, objectsAfter, runHost, runScenario } from '../simulator/index.js';
import type { ObjectGraph } from '../simulator/object-graph.js';
import type { ActionReport, RunReport } from '../simulator/report.js';
import { problemsOf, problemText } from '../testing/problems.js';
import { statementOf } from '../testing/surprise.js';
import { placeOf } from '../testing/tests.js';
import { RequestError } from './messages.js';

/** Which run of a file: a scenario, or else a host with its owners and questions. */
export interface Choice {
  readonly scenario?: string;
  readonly host?: string;
}

export class Debuggee {
  /** What the language made places of: blocks in which a breakpoint may slide to the next statement. */
  readonly blocks: readonly PlaceView[];
  /** Where each action stands; undefined for what nobody wrote. */
  private readonly places: readonly (PlaceView | undefined)[];
  private readonly plans: BootPlans;
  private lastObjects: { readonly index: number; readonly graph: ObjectGraph } | undefined;

  private constructor(
    private readonly lowered: Lowered,
    readonly host: HostDescription,
    readonly run: RunReport,
    /** Version of the kernel that it plays on. */
    readonly kernel: string,
    plans: BootPlans,
  ) {
    this.plans = plans;
    this.places = run.actions.map((action) => placeOf(action, lowered.places));
    const owners = lowered.description.owners.filter((owner) => owner.host === host.id).map(({ id }) => id);
    this.blocks = (run.kind === 'scenario' ? [run.subject] : owners).flatMap((id) => this.placeOfSubject(id) ?? []);
  }

  /** @throws RequestError in words for the person: no such run, or a text with errors */
  static of(lowered: Lowered, problems: readonly Problem[], choice: Choice): Debuggee {
    const { description, places } = lowered;
    const subject = choose(description, choice, problems);
    const errors = problemsOf(subject, description, places, problems);
    if (errors.length > 0) throw new RequestError(`The file has ${errors.length === 1 ? 'an error' : `${errors.length} errors`}: ${problemText(errors[0]!)}`);
    const plans = new BootPlans();
    const scenario = description.scenarios.find(({ id }) => id === subject);
    const host = description.hosts.find(({ id }) => id === (scenario?.host ?? subject))!;
    const run = scenario === undefined ? runHost(description, host, plans).run : runScenario(description, host, scenario, plans);
    return new Debuggee(lowered, host, run, scenario?.kernelVersion ?? host.kernel.version, plans);
  }

  /** Number of actions, and the position after the last of them. */
  get end(): number {
    return this.run.actions.length;
  }

  /** Of an action; of the end: where the block closes. */
  placeAt(index: number): PlaceView | undefined {
    if (index < this.end) return this.places[index];
    const whole = this.placeOfSubject(this.run.subject);
    if (whole === undefined || this.run.kind === 'host') return this.places.findLast((place) => place !== undefined) ?? whole;
    const { end } = whole.range;
    return { uri: whole.uri, range: { start: { line: end.line, character: Math.max(end.character - 1, 0) }, end } };
  }

  placeOfSubject(subject: SubjectId | undefined): PlaceView | undefined {
    const place: Place | undefined = subject === undefined ? undefined : this.lowered.places.get(subject);
    return place && { uri: place.uri, range: place.range };
  }

  /** Whether an action is the first of its statement: an owner makes many calls of one line. */
  beginsStatement(index: number): boolean {
    const action = this.run.actions[index];
    const before = this.run.actions[index - 1];
    return action === undefined || before === undefined || statementOf(action) !== statementOf(before);
  }

  /** What exists before an action is played. */
  objectsBefore(index: number): ObjectGraph {
    if (this.lastObjects?.index !== index) {
      const after = index === 0 ? AT_START : index - 1;
      this.lastObjects = { index, graph: objectsAfter(this.lowered.description, this.run, after, this.plans) ?? { nodes: [], links: [] } };
    }
    return this.lastObjects.graph;
  }

  /** The first action of a statement, 0 when it has none. */
  firstOf(statement: string): number {
    return Math.max(this.run.actions.findIndex((action: ActionReport) => action.id === statement || statementOf(action) === statement), 0);
  }
}

/** @throws RequestError */
function choose({ hosts, scenarios }: MachineDescription, choice: Choice, problems: readonly Problem[]): SubjectId {
  const found = choice.scenario !== undefined ? scenarios.find(({ name }) => name === choice.scenario)
    : choice.host !== undefined ? hosts.find(({ name }) => name === choice.host)
    : scenarios.length === 1 ? scenarios[0] : scenarios.length === 0 && hosts.length === 1 ? hosts[0] : undefined;
  if (found !== undefined) return found.id;
  const error = problems.find(({ severity }) => severity === 'error');
  throw new RequestError([missing(choice), available(hosts, scenarios), ...(error === undefined ? [] : [`The file has errors: ${problemText(error)}`])].join(' '));
}

const missing = ({ scenario, host }: Choice): string =>
  scenario !== undefined ? `The file has no scenario "${scenario}".` : host !== undefined ? `The file has no host "${host}".` : 'Say which "scenario" or "host" to debug.';

type Named = readonly { readonly name: string }[];

function available(hosts: Named, scenarios: Named): string {
  if (scenarios.length > 0) return `It has: ${scenarios.map(({ name }) => `"${name}"`).join(', ')}.`;
  return hosts.length > 0 ? `It has no scenario; its hosts are: ${hosts.map(({ name }) => name).join(', ')}.` : 'It describes nothing that can be played.';
}
