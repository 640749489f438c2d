/** The tests that a file consists of, and how they come out. Pure: from a lowered file to plain data. */
import type { Lowered, Place, Problem } from '../../language/index.js';
import type { PlaceView } from '../protocol.js';
import type { TestMessageView, TestResultView, TestsView, TestView } from '../protocol-tests.js';
import type { HostDescription, MachineDescription, SubjectId } from '../simulator/description.js';
import { BootPlans, runHost, runScenario } from '../simulator/index.js';
import type { ActionReport, RunReport } from '../simulator/report.js';
import { problemsOf, problemText } from './problems.js';
import { messagesOf, resultOf, statementOf, surpriseOf, traceOf, type Surprise } from './surprise.js';

/** Events listed under a message. */
const MAX_TRACE = 40;

interface Test extends Omit<TestView, 'range' | 'host' | 'where'> {
  /** Statements whose actions decide it; those of a scenario are all of its run. */
  readonly statements: ReadonlySet<SubjectId> | 'all';
  readonly host: SubjectId;
  /** Of a scenario that chooses its own. */
  readonly kernel?: string;
}

/** Scenarios, owners, and questions whose answer is expected, as they stand in the file. */
export function testsOf({ description, places }: Lowered, uri: string, problems: readonly Problem[]): TestsView {
  const hosts = new Map(description.hosts.map((host) => [host.id, host]));
  const tests = testsIn(description).flatMap(({ id, kind, label, kernel, ...test }): TestView[] => {
    const place = places.get(id);
    const host = hosts.get(test.host);
    if (place === undefined || place.uri !== uri || host === undefined) return [];
    return [{ id, kind, label, host: host.name, where: `${host.name}, kernel ${kernel ?? host.kernel.version}`, range: place.range }];
  });
  const error = problems.find(({ severity }) => severity === 'error');
  return { tests: tests.sort((a, b) => a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character), ...(error === undefined ? {} : { problem: problemText(error) }) };
}

function testsIn({ scenarios, owners, questions }: MachineDescription): Test[] {
  return [
    ...scenarios.map(({ id, name, host, kernelVersion }): Test => ({ id, kind: 'scenario', label: name, host, kernel: kernelVersion, statements: 'all' })),
    ...owners.map(({ id, kind, name, host, memory, assigned }): Test => ({
      id, kind: 'owner', label: `${kind} ${name} starts`, host, statements: new Set([id, ...[...memory, ...assigned].map((each) => each.id)]),
    })),
    ...questions.filter((question) => question.kind === 'never' || question.expect !== undefined)
      .map(({ id, text, host }): Test => ({ id, kind: 'question', label: text, host, statements: new Set([id]) })),
  ];
}

/** Plays what the tests need, each run once and when its first result is asked for. Identities that no test has are left out. */
export function* runTests(lowered: Lowered, ids: readonly string[], problems: readonly Problem[]): Generator<TestResultView> {
  const tests = new Map(testsIn(lowered.description).map((test) => [test.id as string, test]));
  const runs = new Runs(lowered.description);
  for (const id of ids) {
    const test = tests.get(id);
    if (test === undefined) continue;
    const inTheWay = problemsOf(test.id, lowered.description, lowered.places, problems);
    yield inTheWay.length > 0 ? unreadable(test, inTheWay) : judge(test, runs.of(test), lowered.places);
  }
}

class Runs {
  private readonly plans = new BootPlans();
  private readonly ofHosts = new Map<SubjectId, RunReport>();

  constructor(private readonly description: MachineDescription) {}

  of({ id, kind, host }: Test): RunReport | undefined {
    const described = this.description.hosts.find((each) => each.id === host);
    if (described === undefined) return undefined;
    if (kind !== 'scenario') return this.ofHost(described);
    const scenario = this.description.scenarios.find((each) => each.id === id);
    return scenario && runScenario(this.description, described, scenario, this.plans);
  }

  private ofHost(host: HostDescription): RunReport {
    const run = this.ofHosts.get(host.id) ?? runHost(this.description, host, this.plans).run;
    this.ofHosts.set(host.id, run);
    return run;
  }
}

type Places = ReadonlyMap<SubjectId, Place>;

const unreadable = ({ id }: Test, problems: readonly Problem[]): TestResultView => ({
  id, outcome: 'errored', output: [],
  messages: problems.map(({ uri, range, message }) => ({ text: `The text cannot be read: ${message}`, place: { uri, range }, trace: [] })),
});

function judge({ id, kind, statements }: Test, run: RunReport | undefined, places: Places): TestResultView {
  if (run === undefined) return { id, outcome: 'errored', messages: [{ text: 'There is no such host.', trace: [] }], output: [] };
  const actions = run.actions.filter((action) => statements === 'all' || statements.has(statementOf(action)));
  const messages = actions.flatMap((action): TestMessageView[] => {
    const surprise = surpriseOf(action);
    return surprise === undefined ? [] : [messageOf(action, surprise, places)];
  });
  // What a run had come past before it stopped is decided.
  const stopped = run.stopped !== undefined && (kind === 'scenario' || actions.length === 0 || (kind === 'owner' && actions.at(-1) === run.actions.at(-1)));
  const end: TestMessageView[] = stopped ? [{ text: `The run stopped: ${run.stopped}`, place: viewOf(places.get(id)), trace: [] }] : [];
  return { id, outcome: stopped ? 'errored' : messages.length > 0 ? 'failed' : 'passed', messages: [...messages, ...end], output: outputOf(actions) };
}

function messageOf(action: ActionReport, { expected, actual, why }: Surprise, places: Places): TestMessageView {
  const trace = traceOf(action).slice(-MAX_TRACE).reverse().map(({ text, subject }) => ({ text, place: viewOf(places.get(subject ?? '')) }));
  const log = messagesOf(action).map((line) => `\nThe kernel logs: ${line}`).join('');
  return { text: `${action.text}: expected ${expected}, but ${actual}.${why === '' ? '' : ` ${why}`}${log}`, expected, actual, place: placeOf(action, places), trace };
}

/** Calls of an owner stand at the statement that they come from. */
export const placeOf = (action: ActionReport, places: Places): PlaceView | undefined => viewOf(places.get(action.id) ?? places.get(statementOf(action)));

const viewOf = (place: Place | undefined): PlaceView | undefined => place && { uri: place.uri, range: place.range };

const outputOf = (actions: readonly ActionReport[]): string[] =>
  actions.flatMap((action) => [`${action.text} → ${resultOf(action)}`, ...messagesOf(action).map((line) => `    ${line}`)]);
