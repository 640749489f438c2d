/** Tests and debug sessions as the editor's client asks the language server for them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CancellationTokenSource, ProgressType } from 'vscode-languageserver/node';
import { DEBUG_REQUEST, type DebugMessage } from '../../server/protocol-debug.js';
import { RUN_TESTS_REQUEST, TESTS_REQUEST, type TestResultView, type TestsView } from '../../server/protocol-tests.js';
import type { DapEvent, DapResponse } from '../../server/debug/messages.js';
import { Client } from '../lsp/client.js';
import { lineOf, SAMPLE } from './sample.js';

let client: Client;
let folder: string;
beforeAll(async () => {
  client = await Client.start();
  folder = mkdtempSync(join(tmpdir(), 'iommu-debug-'));
});
afterAll(async () => {
  await client.stop();
  rmSync(folder, { recursive: true });
});

let seq = 0;
async function dap(session: string, command: string, values?: object): Promise<(DapResponse | DapEvent)[]> {
  const message = { seq: ++seq, type: 'request', command, arguments: values };
  return client.request<(DapResponse | DapEvent)[]>(DEBUG_REQUEST, { session, message });
}
const begin = (session: string, launch: object): Promise<(DapResponse | DapEvent)[][]> =>
  Promise.all([dap(session, 'initialize', {}), dap(session, 'launch', launch), dap(session, 'configurationDone')]);

it('lists and runs the tests of a file that is only on disk, and of an open one as it is edited', async () => {
  const file = join(folder, 'closed.iommu');
  writeFileSync(file, SAMPLE);
  const uri = pathToFileURL(file).href;
  const view = await client.request<TestsView>(TESTS_REQUEST, { uri });
  expect(view.tests.map(({ kind }) => kind)).toEqual(['owner', 'question', 'question', 'scenario', 'scenario']);
  const results = await client.request<TestResultView[]>(RUN_TESTS_REQUEST, { uri, tests: view.tests.map(({ id }) => id) });
  expect(results.map(({ outcome }) => outcome)).toEqual(['passed', 'passed', 'passed', 'failed', 'failed']);
  await client.open(uri, SAMPLE.replace('64KiB from ram rw\n  unmap', '64KiB from ram rw expect EEXIST\n  unmap'));
  expect((await client.request<TestResultView[]>(RUN_TESTS_REQUEST, { uri, tests: ['scenario:maps'] })).map(({ outcome }) => outcome)).toEqual(['passed']);
});

it('tells results as they are there, and can be cancelled between two scenarios of a file', async () => {
  const uri = 'file:///many.iommu';
  const [hosts, scenario] = [SAMPLE.slice(0, SAMPLE.indexOf('scenario "maps"')), SAMPLE.slice(SAMPLE.indexOf('scenario "maps"'), SAMPLE.indexOf('scenario "other"'))];
  const tests = [...Array(200).keys()].map((index) => `maps ${index}`);
  await client.open(uri, hosts + tests.map((name) => scenario.replace('maps', name)).join(''));
  const run = async (token: string, stop?: CancellationTokenSource): Promise<{ told: readonly TestResultView[]; answer: readonly TestResultView[] }> => {
    const told: TestResultView[] = [];
    const listening = client.connection.onProgress(new ProgressType<readonly TestResultView[]>(), token, (results) => {
      told.push(...results);
      stop?.cancel();
    });
    const answer = await client.connection.sendRequest<readonly TestResultView[]>(RUN_TESTS_REQUEST, { uri, tests: tests.map((name) => `scenario:${name}`), partialResultToken: token }, (stop ?? new CancellationTokenSource()).token);
    listening.dispose();
    return { told, answer };
  };
  const whole = await run('whole');
  expect(whole.answer).toEqual([]);
  expect(whole.told.map(({ id }) => id)).toEqual(tests.map((name) => `scenario:${name}`));
  const { told, answer } = await run('part', new CancellationTokenSource());
  expect(answer).toEqual([]);
  expect(told.length).toBeGreaterThan(0);
  expect(told.length).toBeLessThan(tests.length);
  expect(told).toEqual(whole.told.slice(0, told.length));
});

it('knows no tests of a file that there is not', async () => {
  const uri = pathToFileURL(join(folder, 'none.iommu')).href;
  expect(await client.request(TESTS_REQUEST, { uri })).toBeNull();
  expect(await client.request(RUN_TESTS_REQUEST, { uri, tests: ['scenario:maps'] })).toEqual([]);
});

it('debugs an open file; sessions know nothing of one another; requests are answered in order', async () => {
  const uri = 'file:///debug-open.iommu';
  await client.open(uri, SAMPLE);
  const [maps, other] = await Promise.all([begin('a', { program: uri, scenario: 'maps', stopOnEntry: true }), begin('b', { program: uri, scenario: 'other', stopOnEntry: true })]);
  for (const answers of [maps, other]) {
    expect(answers!.flat().map((each) => (each.type === 'event' ? each.event : (each as DapResponse).command))).toEqual(['initialize', 'launch', 'initialized', 'configurationDone', 'stopped']);
    expect(answers!.flat().map((each: DebugMessage) => each.seq)).toEqual([1, 2, 3, 4, 5]);
  }
  await dap('a', 'next', { threadId: 1 });
  const frames = await Promise.all(['a', 'b'].map(async (session) => (await dap(session, 'stackTrace', { threadId: 1 }))[0] as DapResponse));
  expect(frames.map(({ body }) => (body as { stackFrames: { line: number }[] }).stackFrames[0]!.line)).toEqual([lineOf('bind-iommufd nic'), lineOf('open-container c')]);
  await dap('a', 'disconnect');
  expect((await dap('a', 'threads'))[0]).toMatchObject({ success: false, message: 'Nothing was launched.' });
  await dap('b', 'disconnect');
});

it('refuses a launch in words', async () => {
  const [answer] = await dap('c', 'launch', { program: join(folder, 'none.iommu') });
  expect(answer).toMatchObject({ success: false, message: expect.stringContaining('none.iommu cannot be read.') });
  expect(await client.request(DEBUG_REQUEST, { session: 'c', message: { seq: 1, type: 'event' } })).toEqual([]);
});
