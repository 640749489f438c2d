/** Runs tests and says how they came out: the server simulates file by file, and tells each result as it is there. */
import { Location, Position, TestMessage, TestMessageStackFrame, Uri, debug, workspace, type CancellationToken, type DebugConfiguration, type Disposable, type TestController, type TestItem, type TestItemCollection, type TestRun, type TestRunRequest } from 'vscode';
import { ProgressType, type BaseLanguageClient } from 'vscode-languageclient';
import type { PlaceView } from '../../server/protocol.js';
import { RUN_TESTS_REQUEST, type RunTestsParams, type TestMessageView, type TestResultView } from '../../server/protocol-tests.js';
import { configurationOf } from '../debug/configurations.js';
import { normalUri, type Simulations } from '../simulations.js';
import { rangeOf, type TestTree } from './test-tree.js';

type Results = readonly TestResultView[];
const RESULTS = new ProgressType<Results>();

export class TestRuns {
  #requests = 0;

  constructor(
    private readonly client: BaseLanguageClient,
    private readonly controller: TestController,
    private readonly tree: TestTree,
    private readonly simulations: Simulations,
  ) {}

  /** Once, or again whenever a file of it changes, until it is cancelled. */
  async run(request: TestRunRequest, cancel: CancellationToken): Promise<void> {
    if (request.continuous !== true) return this.#runOnce(request, this.#chosen(request), cancel);
    const subscription = this.simulations.onDidChange((uri) => {
      const changed = this.#chosen(request).filter((item) => item.uri !== undefined && normalUri(item.uri.toString()) === uri);
      if (changed.length > 0) void this.#runOnce(request, changed, cancel);
    });
    cancel.onCancellationRequested(() => subscription.dispose());
  }

  /** One after the other in the debugger; each has its result when its session is over. */
  async debug(request: TestRunRequest, cancel: CancellationToken): Promise<void> {
    const run = this.controller.createTestRun(request);
    for (const item of this.#chosen(request)) {
      const test = this.tree.testOf(item);
      if (cancel.isCancellationRequested || test === undefined || item.uri === undefined) break;
      run.started(item);
      await session(configurationOf(item.uri.toString(), test), run, item.uri, cancel);
      await this.#runFile(run, item.uri, [item], cancel);
    }
    run.end();
  }

  async #runOnce(request: TestRunRequest, items: readonly TestItem[], cancel: CancellationToken): Promise<void> {
    const run = this.controller.createTestRun(request);
    for (const item of items) run.enqueued(item);
    for (const [file, ofFile] of byFile(items)) {
      if (cancel.isCancellationRequested || run.token.isCancellationRequested) break;
      await this.#runFile(run, Uri.parse(file), ofFile, run.token);
    }
    run.end();
  }

  async #runFile(run: TestRun, file: Uri, items: readonly TestItem[], cancel: CancellationToken): Promise<void> {
    const left = new Map(items.map((item) => [item.id, item]));
    const params = { uri: file.toString(), tests: [...left.keys()], partialResultToken: `iommu-tests-${++this.#requests}` } satisfies RunTestsParams;
    const startNext = (): void => {
      const [item] = left.values();
      if (item !== undefined) run.started(item);
    };
    const results = this.client.onProgress(RESULTS, params.partialResultToken, (results) => {
      for (const result of results) {
        const item = left.get(result.id);
        left.delete(result.id);
        if (item !== undefined) tell(run, item, result);
      }
      startNext();
    });
    startNext();
    try {
      await this.client.sendRequest<Results>(RUN_TESTS_REQUEST, params, cancel);
      // Their statements are not there any more.
      if (!cancel.isCancellationRequested) for (const item of left.values()) run.skipped(item);
    } catch (error) {
      if (!cancel.isCancellationRequested) for (const item of left.values()) run.errored(item, new TestMessage(`The simulation failed: ${String(error)}`));
    } finally {
      results.dispose();
    }
  }

  /** Tests that are asked for: of a file all. */
  #chosen({ include, exclude }: TestRunRequest): TestItem[] {
    const left = new Set(exclude);
    const leaves = (item: TestItem): TestItem[] => (left.has(item) ? [] : this.tree.testOf(item) === undefined ? membersOf(item.children).flatMap(leaves) : [item]);
    return (include ?? membersOf(this.controller.items)).flatMap(leaves);
  }
}

const membersOf = (items: TestItemCollection): TestItem[] => [...items].map(([, item]) => item);

function byFile(items: readonly TestItem[]): Map<string, TestItem[]> {
  const files = new Map<string, TestItem[]>();
  for (const item of items) {
    const file = item.uri?.toString() ?? '';
    files.set(file, [...(files.get(file) ?? []), item]);
  }
  return files;
}

function tell(run: TestRun, item: TestItem, result: TestResultView): void {
  const line = item.uri && item.range && new Location(item.uri, item.range.start);
  if (result.output.length > 0) run.appendOutput(`${item.label}\r\n${result.output.map((each) => `  ${each}\r\n`).join('')}`, undefined, item);
  if (result.outcome === 'passed') run.passed(item);
  else run[result.outcome](item, result.messages.map((message) => messageOf(message, line)));
}

function messageOf({ text, expected, actual, place, trace }: TestMessageView, otherwise: Location | undefined): TestMessage {
  const message = expected === undefined || actual === undefined ? new TestMessage(text) : TestMessage.diff(text, expected, actual);
  message.location = place === undefined ? otherwise : locationOf(place);
  if (trace.length > 0) message.stackTrace = trace.map((event) => new TestMessageStackFrame(event.text, event.place && Uri.parse(event.place.uri), event.place && new Position(event.place.range.start.line, event.place.range.start.character)));
  return message;
}

const locationOf = ({ uri, range }: PlaceView): Location => new Location(Uri.parse(uri), rangeOf(range));

/** Resolves when the session is over, or was not begun. */
async function session(configuration: DebugConfiguration, run: TestRun, file: Uri, cancel: CancellationToken): Promise<void> {
  const subscriptions: Disposable[] = [];
  const over = new Promise<void>((done) => {
    subscriptions.push(
      debug.onDidTerminateDebugSession((ended) => {
        if (ended.configuration.type === 'iommu' && ended.configuration.program === configuration.program && ended.configuration.name === configuration.name) done();
      }),
      cancel.onCancellationRequested(() => {
        void debug.stopDebugging();
        done();
      }),
    );
  });
  try {
    if (await debug.startDebugging(workspace.getWorkspaceFolder(file), configuration, { testRun: run })) await over;
  } finally {
    for (const subscription of subscriptions) subscription.dispose();
  }
}
