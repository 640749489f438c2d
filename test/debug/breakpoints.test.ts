import { describe, expect, it } from 'vitest';
import { DapClient, FILE } from './dap-client.js';
import { lineOf, SAMPLE } from './sample.js';

const session = async (options: Parameters<DapClient['start']>[1], launch: object = { scenario: 'maps' }, text = SAMPLE) => {
  const client = new DapClient(text);
  return { client, breakpoints: await client.start(launch, options) };
};

describe('a breakpoint', () => {
  it('on a step and on a DMA is verified and hit, with its identity', async () => {
    const lines = [lineOf('attach nic'), lineOf('dma nic write')];
    const { client, breakpoints } = await session({ lines });
    expect(breakpoints.map(({ verified, line }) => [verified, line])).toEqual(lines.map((line) => [true, line]));
    expect(client.event('stopped')).toMatchObject({ reason: 'breakpoint', hitBreakpointIds: [breakpoints[0]!.id] });
    expect((await client.frames())[0]!.line).toBe(lines[0]);
    expect(await client.go('continue')).toContain(`breakpoint ${lines[1]}`);
  });

  it('on an empty line, a comment or a memory moves to the next statement', async () => {
    const { breakpoints } = await session({ lines: [lineOf('// nothing is on this line'), lineOf('// nothing is on this line') + 1, lineOf('memory ram')] });
    expect(breakpoints.map(({ verified, line }) => [verified, line])).toEqual(Array(3).fill([true, lineOf('open-iommufd')]));
  });

  it('on the closing brace stops where everything has been played', async () => {
    const brace = lineOf('// the end') + 1;
    const { client, breakpoints } = await session({ lines: [brace], filters: [] });
    expect(breakpoints[0]).toMatchObject({ verified: true, line: brace });
    expect((await client.frames()).map(({ name, line }) => [name, line])).toEqual([['scenario "maps"', brace]]);
    expect(await client.inScope('Run')).toContainEqual({ name: 'played', value: '9 of 9', variablesReference: 0 });
    expect(await client.go('continue')).toBe('terminated');
  });

  it('elsewhere cannot stop anything, and says so', async () => {
    const { breakpoints } = await session({ lines: [lineOf('kernel 6.12'), lineOf('open-container c'), lineOf('dma nic read 0x1000'), 500] });
    expect(breakpoints.map(({ verified, line }) => [verified, line])).toEqual(Array(4).fill([false, undefined]));
    expect(breakpoints[0]!.message).toBe('Nothing of “maps” is played here.');
  });

  it('in a file that has no part in it is not verified', async () => {
    const { client } = await session({});
    const answer = await client.ask<{ breakpoints: object[] }>('setBreakpoints', { source: { path: 'memfs:/ws/else.iommu' }, breakpoints: [{ line: 5 }] });
    expect(answer.breakpoints).toEqual([expect.objectContaining({ verified: false })]);
  });

  it('is gone when the client sends the file without it', async () => {
    const { client } = await session({ lines: [lineOf('attach nic')], filters: [] }, { scenario: 'maps', stopOnEntry: true });
    expect(await client.ask('setBreakpoints', { source: { path: FILE }, breakpoints: [] })).toEqual({ breakpoints: [] });
    expect(await client.go('continue')).toBe('terminated');
  });

  it('on an owner stops at its first call, and once for the calls of one statement in a row', async () => {
    const { client } = await session({ lines: [lineOf('assign nic')], filters: [] }, { host: 'desk' });
    expect((await client.frames())[0]!.line).toBe(lineOf('assign nic'));
    const [first] = await client.frames();
    const next = await client.go('next');
    expect(next).toContain(`step ${lineOf('assign nic')}`);
    expect(next).not.toContain(first!.name);
  });

  it('may stand on any statement of the run', async () => {
    const { client } = await session({}, { scenario: 'maps', stopOnEntry: true });
    const all = await client.ask<{ breakpoints: { line: number; column: number }[] }>('breakpointLocations', { source: { path: FILE }, line: 1, endLine: 100 });
    expect(all.breakpoints.map(({ line }) => line)).toEqual([...Array(9).keys()].map((index) => lineOf('open-iommufd') + index).concat(lineOf('// the end') + 1));
    expect(await client.ask('breakpointLocations', { source: { path: FILE }, line: lineOf('attach nic') })).toEqual({ breakpoints: [{ line: lineOf('attach nic'), column: 3 }] });
  });
});

describe('an exception filter', () => {
  it('stops after an answer that nobody expected, and tells why', async () => {
    const { client } = await session({ filters: ['unexpected'] });
    const twice = lineOf('dma nic write') + 1;
    expect(client.event('stopped')).toMatchObject({ reason: 'exception', description: 'Stopped on EEXIST' });
    expect((await client.frames())[0]).toMatchObject({ line: twice, name: 'map A iova 0x10_0000 size 64KiB from ram rw' });
    expect(await client.ask('exceptionInfo')).toMatchObject({ exceptionId: 'EEXIST', breakMode: 'always', description: expect.stringContaining('expected ok, but EEXIST. IOVA 0x100000 .. 0x10ffff is mapped already.') });
    expect(await client.inScope('Statement')).toContainEqual({ name: 'result', value: 'EEXIST', variablesReference: 0 });
    expect(client.output).toContain('expected ok, but EEXIST');
    expect(await client.go('next')).toContain(`step ${twice + 1} unmap A`);
  });

  it('for faults stops at one that was expected too, with its walk', async () => {
    const { client } = await session({ filters: ['fault'] });
    expect((await client.frames())[0]!.line).toBe(lineOf('dma nic read 0x10_0000'));
    const info = await client.ask<{ details: { stackTrace: string } }>('exceptionInfo');
    expect(info.details.stackTrace.split('\n').length).toBeGreaterThan(5);
    expect(await client.go('continue')).toBe('terminated');
  });

  it('stops a step over, a step out of events, and no step back', async () => {
    const { client } = await session({ filters: ['fault'] }, { scenario: 'maps', stopOnEntry: true });
    for (let count = 0; count < 4; count++) await client.go('next');
    expect(await client.go('next')).toMatch(/^exception \d+ dma nic read/);
    expect(await client.go('stepBack')).toMatch(/^step \d+ dma nic read/);
    await client.go('stepIn');
    expect(await client.go('stepOut')).toMatch(/^exception \d+ dma nic read/);
  });

  it('is off when it is not asked for; a name that there is not is left out', async () => {
    const { client } = await session({ filters: ['caught', 'uncaught'] });
    expect(client.event('exited')).toEqual({ exitCode: 1 });
  });
});
