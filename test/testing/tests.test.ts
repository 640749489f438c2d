import { describe, expect, it } from 'vitest';
import { parseFiles } from '../../language/index.js';
import type { TestResultView, TestsView } from '../../server/protocol-tests.js';
import { runTests, testsOf } from '../../server/testing/tests.js';
import { lineOf, SAMPLE } from '../debug/sample.js';
import { NOT_VIABLE, VIABLE } from '../samples.js';

const URI = 'file:///test.iommu';

async function play(text: string, others: readonly { readonly uri: string; readonly text: string }[] = []): Promise<{ view: TestsView; run: (...ids: string[]) => TestResultView[] }> {
  const { lowered, problems } = await parseFiles([{ uri: URI, text }, ...others], URI);
  return { view: testsOf(lowered, URI, problems), run: (...ids) => [...runTests(lowered, ids, problems)] };
}

describe('the tests of a file', () => {
  it('are its owners, its expectations and its scenarios, in the order of the text', async () => {
    const { view } = await play(SAMPLE);
    expect(view.problem).toBeUndefined();
    expect(view.tests.map(({ kind, label, where, range }) => [kind, label, where, range.start.line + 1])).toEqual([
      ['owner', 'process dpdk starts', 'desk, kernel 6.12', lineOf('process dpdk')],
      ['question', 'dma nic read 0x1000 size 4 expect fault', 'desk, kernel 6.12', lineOf('dma nic read 0x1000')],
      ['question', 'never nic reaches memory of host', 'desk, kernel 6.12', lineOf('never nic')],
      ['scenario', 'maps', 'desk, kernel 6.6', lineOf('scenario "maps"')],
      ['scenario', 'other', 'desk, kernel 6.12', lineOf('scenario "other"')],
    ]);
  });

  it('leave out questions that expect nothing, and what stands in files that are used', async () => {
    const used = { uri: 'file:///host.iommu', text: VIABLE };
    const { view } = await play('use "host.iommu"\n\ndma gpu read 0x1000 size 4\ndma gpu read 0x1000 size 4 expect ok\n', [used]);
    expect(view.tests.map(({ label, range }) => [label, range.start.line])).toEqual([['dma gpu read 0x1000 size 4 expect ok', 3]]);
  });

  it('of a text with errors come with the first error', async () => {
    const { view } = await play(SAMPLE.replace('attach nic to A', 'attach nix to A'));
    expect(view.problem).toMatch(new RegExp(`^line ${lineOf('attach nic to A')}: .*nix`));
    expect(view.tests).toHaveLength(5);
  });

  it('are none where nothing is described', async () => expect((await play('// nothing\n')).view).toEqual({ tests: [] }));
});

describe('a test', () => {
  it('passes when everything is as expected', async () => {
    const { run } = await play(SAMPLE);
    expect(run('process:dpdk', 'dma:1', 'never:2').map(({ id, outcome, messages }) => [id, outcome, messages])).toEqual([['process:dpdk', 'passed', []], ['dma:1', 'passed', []], ['never:2', 'passed', []]]);
  });

  it('fails with what was expected, what was, at its line, and why', async () => {
    const { run } = await play(SAMPLE);
    const [other] = run('scenario:other');
    expect(other!.outcome).toBe('failed');
    expect(other!.messages).toHaveLength(1);
    expect(other!.messages[0]).toMatchObject({ expected: 'ENODEV', place: { uri: URI, range: { start: { line: lineOf('set-iommu c type1v2 expect') - 1 } } } });
    expect(other!.messages[0]!.text).toContain(`expected ENODEV, but ${other!.messages[0]!.actual!}.`);
    expect(other!.messages[0]!.trace.length).toBeGreaterThan(0);
  });

  it('fails for a call that does not work although nothing says so', async () => {
    const [maps] = (await play(SAMPLE)).run('scenario:maps');
    expect(maps!.messages.map(({ expected, actual, text }) => [expected, actual, text])).toEqual([
      ['ok', 'EEXIST', 'map A iova 0x10_0000 size 64KiB from ram rw: expected ok, but EEXIST. IOVA 0x100000 .. 0x10ffff is mapped already.'],
    ]);
  });

  it('of an owner that cannot start fails at the device', async () => {
    const { run } = await play(NOT_VIABLE);
    const [win11] = run('vm:win11');
    expect(win11!.outcome).toBe('failed');
    expect(win11!.messages[0]).toMatchObject({ expected: 'ok', actual: 'EPERM', place: { range: { start: { line: NOT_VIABLE.split('\n').findIndex((line) => line.includes('assign gpu')) } } } });
    expect((await play(VIABLE)).run('vm:win11')[0]!.outcome).toBe('passed');
  });

  it('of `never` fails with the DMA that refutes it', async () => {
    const [never] = (await play(SAMPLE.replace('intel_iommu=on', 'intel_iommu=on iommu=pt').replace('  assign nic\n', ''))).run('never:2');
    expect(never).toMatchObject({ outcome: 'failed', messages: [{ expected: 'never', actual: 'refuted' }] });
    expect(never!.messages[0]!.trace.length).toBeGreaterThan(2);
  });

  it('is in error when its text is, when that of a host is, and not when that of another scenario is', async () => {
    const broken = await play(SAMPLE.replace('attach nic to A', 'attach nix to A'));
    expect(broken.run('scenario:maps', 'scenario:other').map(({ outcome }) => outcome)).toEqual(['errored', 'failed']);
    expect(broken.run('scenario:maps')[0]!.messages[0]).toMatchObject({ text: expect.stringContaining('nix'), place: { range: { start: { line: lineOf('attach nic to A') - 1 } } } });
    const host = await play(SAMPLE.replace('class ethernet', 'clazz ethernet'));
    expect(host.run('scenario:other', 'process:dpdk').map(({ outcome }) => outcome)).toEqual(['errored', 'errored']);
  });

  it('is in error when its run stopped, with the reason', async () => {
    const { run } = await play(SAMPLE.replace('  open-container c\n', '  open-container c\n  dma nic read 0 size 0x7fff_ffff\n'));
    const [other] = run('scenario:other');
    expect(other!.outcome).toBe('errored');
    expect(other!.messages.at(-1)!.text).toMatch(/^The run stopped: .*dma nic read 0 size 0x7fff_ffff/);
  });

  it('that a run had come past is not in error when the run stopped later', async () => {
    const { run } = await play(SAMPLE.replace('never nic', 'dma nic read 0 size 0x7fff_ffff expect fault\nnever nic'));
    expect(run('process:dpdk', 'dma:1', 'dma:2', 'never:3').map(({ outcome }) => outcome)).toEqual(['passed', 'passed', 'errored', 'errored']);
  });

  it('tells what was called and what the kernel logged', async () => {
    const [maps] = (await play(SAMPLE)).run('scenario:maps');
    expect(maps!.output[0]).toBe('open-iommufd fd → ok');
    expect(maps!.output).toContainEqual(expect.stringMatching(/^ {4}DMAR: \[DMA Read/));
  });

  it('is played when its result is asked for, not before: whoever has enough can go', async () => {
    const { lowered, problems } = await parseFiles([{ uri: URI, text: SAMPLE }], URI);
    let played = 0;
    const scenarios = lowered.description.scenarios.map((scenario) => ({ ...scenario, get actions() { played++; return scenario.actions; } }));
    const results = runTests({ ...lowered, description: { ...lowered.description, scenarios } }, ['scenario:maps', 'scenario:other'], problems);
    expect(played).toBe(0);
    results.next();
    const afterOne = played;
    expect(afterOne).toBeGreaterThan(0);
    results.next();
    expect(played).toBeGreaterThan(afterOne);
  });

  it('that there is not has no result', async () => expect((await play(SAMPLE)).run('scenario:none', 'scenario:other')).toHaveLength(1));
});
