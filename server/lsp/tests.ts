/** What the Test Explorer asks for. */
import { RequestType, type CancellationToken, type Connection } from 'vscode-languageserver';
import { RUN_TESTS_REQUEST, TESTS_REQUEST, type RunTestsParams, type TestResultView, type TestsParams, type TestsView } from '../protocol-tests.js';
import { runTests, testsOf } from '../testing/tests.js';
import { lowerFile } from './lowered-file.js';
import type { Workbench } from './services.js';

export function addTests(connection: Connection, workbench: Workbench): void {
  connection.onRequest(new RequestType<TestsParams, TestsView | null, void>(TESTS_REQUEST), async ({ uri }) => {
    const file = await lowerFile(workbench, uri);
    return file === undefined ? null : testsOf(file.lowered, file.uri, file.problems);
  });
  connection.onRequest(new RequestType<RunTestsParams, readonly TestResultView[], void>(RUN_TESTS_REQUEST), async ({ uri, tests }, cancel: CancellationToken) => {
    const file = await lowerFile(workbench, uri);
    if (file === undefined || cancel.isCancellationRequested) return [];
    return runTests(file.lowered, tests, file.problems);
  });
}
