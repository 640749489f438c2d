/** What the Test Explorer asks for. */
import { interruptAndCheck, isOperationCancelled } from 'langium';
import { ProgressType, RequestType, type CancellationToken, type Connection } from 'vscode-languageserver';
import { RUN_TESTS_REQUEST, TESTS_REQUEST, type RunTestsParams, type TestResultView, type TestsParams, type TestsView } from '../protocol-tests.js';
import { runTests, testsOf } from '../testing/tests.js';
import { lowerFile } from './lowered-file.js';
import type { Workbench } from './services.js';

type Results = readonly TestResultView[];
const RESULTS = new ProgressType<Results>();

export function addTests(connection: Connection, workbench: Workbench): void {
  connection.onRequest(new RequestType<TestsParams, TestsView | null, void>(TESTS_REQUEST), async ({ uri }) => {
    const file = await lowerFile(workbench, uri);
    return file === undefined ? null : testsOf(file.lowered, file.uri, file.problems);
  });
  connection.onRequest(new RequestType<RunTestsParams, Results, void>(RUN_TESTS_REQUEST), async ({ uri, tests, partialResultToken: token }, cancel) => {
    const file = await lowerFile(workbench, uri);
    if (file === undefined) return [];
    const results = runTests(file.lowered, tests, file.problems);
    if (token === undefined) return take(results, cancel, () => undefined);
    await take(results, cancel, (result) => void connection.sendProgress(RESULTS, token, [result]));
    return [];
  });
}

/** Lets other messages in between two results: one of them may be that nobody waits any more. */
async function take(results: Iterable<TestResultView>, cancel: CancellationToken, tell: (result: TestResultView) => void): Promise<Results> {
  const taken: TestResultView[] = [];
  try {
    await interruptAndCheck(cancel);
    for (const result of results) {
      taken.push(result);
      tell(result);
      await interruptAndCheck(cancel);
    }
  } catch (error) {
    if (!isOperationCancelled(error)) throw error;
  }
  return taken;
}
