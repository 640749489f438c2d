import { describe, expect, it } from 'vitest';
import { DapClient, FILE } from './dap-client.js';
import { lineOf, SAMPLE } from './sample.js';

const start = async (launch: object = {}, options: Parameters<DapClient['start']>[1] = {}): Promise<DapClient> => {
  const client = new DapClient(SAMPLE);
  await client.start({ scenario: 'maps', stopOnEntry: true, ...launch }, options);
  return client;
};

describe('a session', () => {
  it('stops before the first statement when it is asked to, and says which thread', async () => {
    const client = await start();
    expect(client.event('stopped')).toMatchObject({ reason: 'entry', threadId: 1 });
    expect(await client.ask('threads')).toEqual({ threads: [{ id: 1, name: 'maps' }] });
    expect((await client.frames()).map(({ name, line }) => [name, line])).toEqual([['open-iommufd fd', lineOf('open-iommufd fd')], ['scenario "maps"', lineOf('scenario "maps"')]]);
  });

  it('steps from statement to statement, stops at the closing brace and then is over', async () => {
    const client = await start({}, { filters: [] });
    const seen: string[] = [];
    for (let at = ''; at !== 'terminated' && seen.length < 20;) seen.push(at = await client.go('next'));
    expect(seen).toEqual([
      'bind-iommufd nic to fd', 'ioas-alloc A in fd', 'attach nic to A', 'dma nic read', 'map A iova', 'dma nic write', 'map A iova', 'unmap A',
    ].map((text, index) => expect.stringMatching(`^step ${lineOf('bind-iommufd nic to fd') + index} ${text}`)).concat([`step ${lineOf('// the end') + 1} scenario "maps"`, 'terminated']));
  });

  it('ends with exit code 1 and a summary when something was not as expected', async () => {
    const client = await start({ stopOnEntry: false }, { filters: [] });
    expect(client.events.map(({ event }) => event).filter((event) => event !== 'output')).toEqual(['terminated', 'exited']);
    expect(client.event('exited')).toEqual({ exitCode: 1 });
    expect(client.output).toContain('maps: 9 statements, the last: ok; 1 not as expected');
  });

  it('ends with exit code 0 when all is as expected', async () => {
    const client = new DapClient(SAMPLE.replace('64KiB from ram rw\n  unmap', '64KiB from ram rw expect EEXIST\n  unmap'));
    await client.start({ scenario: 'maps' });
    expect(client.event('exited')).toEqual({ exitCode: 0 });
  });

  it('without debugging stops nowhere', async () => {
    const client = await start({ noDebug: true }, { lines: [lineOf('attach nic to A')] });
    expect(client.event('stopped')).toBeUndefined();
    expect(client.event('exited')).toEqual({ exitCode: 1 });
  });

  it('is ended by the editor', async () => {
    const client = await start();
    await client.ask('terminate');
    expect(client.event('terminated')).toBe(undefined);
    expect(client.events.map(({ event }) => event)).toEqual(['terminated']);
    await client.ask('disconnect', { restart: false });
  });
});

describe('a step into a DMA', () => {
  it('walks its events, each a frame above those before it, and leaves at the next statement', async () => {
    const client = await start({}, { lines: [lineOf('dma nic write')], filters: [] });
    await client.go('continue');
    const names: string[] = [];
    for (let count = 0; count < 4; count++) names.push((await client.go('stepIn')).replace(/^step \d+ /, ''));
    expect(names[0]).toMatch(/nic|01:00\.0.*sends a write/);
    expect(names[3]).toMatch(/dmar0 gets the request/);
    const frames = await client.frames();
    expect(frames.map(({ name }) => name)).toEqual([...names].reverse().concat([expect.stringContaining('dma nic write'), 'scenario "maps"']));
    expect(frames[0]!.line).toBe(lineOf('iommu dmar0'));
    expect(await client.go('stepOut')).toMatch(new RegExp(`^step ${lineOf('dma nic write') + 1} map A`));
  });

  it('shows a table entry with its words and fields', async () => {
    const client = await start({}, { lines: [lineOf('dma nic write')], filters: [] });
    await client.go('continue');
    let at = '';
    while (!at.includes('context entry')) at = await client.go('stepIn');
    const event = await client.inScope('Event');
    expect(event.find(({ name }) => name === 'word 0')?.value).toMatch(/^0x[0-9a-f]+$/);
    const fields = await client.variables(event.find(({ name }) => name === 'fields')!.variablesReference);
    expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(['P', 'DID']));
  });

  it('goes on by itself after the last event', async () => {
    const client = await start({}, { lines: [lineOf('dma nic read 0x10_0000')], filters: [] });
    await client.go('continue');
    let at = '';
    let events = 0;
    for (; !at.includes('map A'); events++) at = await client.go('stepIn');
    expect(events).toBeGreaterThan(5);
    expect(client.output).toContain('DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0x100000');
  });

  it('pages its frames', async () => {
    const client = await start({}, { lines: [lineOf('dma nic write')], filters: [] });
    await client.go('continue');
    for (let count = 0; count < 4; count++) await client.go('stepIn');
    const all = await client.frames();
    const part = await client.ask<{ stackFrames: unknown[]; totalFrames: number }>('stackTrace', { threadId: 1, startFrame: 1, levels: 2 });
    expect(part).toEqual({ stackFrames: all.slice(1, 3), totalFrames: all.length });
  });
});

describe('backwards', () => {
  it('a step back undoes a step, in and out of events', async () => {
    const client = await start({}, { filters: [] });
    const first = await client.go('next');
    expect(await client.go('next')).not.toBe(first);
    expect(await client.go('stepBack')).toBe(first);
    await client.go('stepIn');
    await client.go('stepIn');
    expect((await client.frames()).length).toBeGreaterThan(2);
    while ((await client.frames()).length > 2) await client.go('stepBack');
    expect((await client.frames())[0]!.name).toBe('bind-iommufd nic to fd');
  });

  it('what was mapped is not mapped any more before the map', async () => {
    const client = await start({}, { lines: [lineOf('map A'), lineOf('dma nic write')], filters: [] });
    await client.go('continue');
    await client.go('continue');
    expect((await client.inScope('Mappings')).map(({ value }) => value)).toEqual(['1 mapping', '1 mapping']);
    expect(await client.go('reverseContinue')).toMatch(/^breakpoint \d+ map A/);
    expect(await client.inScope('Mappings')).toEqual([]);
  });

  it('a continue backwards without a breakpoint ends at the beginning', async () => {
    const client = await start({}, { filters: [] });
    await client.go('next');
    await client.go('next');
    expect(await client.go('reverseContinue')).toBe(`entry ${lineOf('open-iommufd fd')} open-iommufd fd`);
    expect(await client.go('stepBack')).toBe(`entry ${lineOf('open-iommufd fd')} open-iommufd fd`);
  });
});

describe('the run of a host', () => {
  it('plays owners call by call at the lines of their statements, then the questions', async () => {
    const client = new DapClient(SAMPLE);
    await client.start({ host: 'desk', stopOnEntry: true }, { lines: [lineOf('dma nic read 0x1000'), lineOf('never nic')], filters: [] });
    const [top] = await client.frames();
    expect(top!.line).toBeGreaterThanOrEqual(lineOf('process dpdk'));
    expect(top!.line).toBeLessThan(lineOf('dma nic read 0x1000'));
    expect(await client.go('continue')).toBe(`breakpoint ${lineOf('dma nic read 0x1000')} dma nic read 0x1000 size 4 expect fault`);
    expect(await client.go('continue')).toBe(`breakpoint ${lineOf('never nic')} never nic reaches memory of host`);
    expect((await client.frames()).at(-1)!.name).toBe('host desk');
  });

  it('begins at the statement that a test names', async () => {
    const client = new DapClient(SAMPLE);
    await client.start({ host: 'desk', from: 'dma:1', stopOnEntry: true });
    expect((await client.frames())[0]!.line).toBe(lineOf('dma nic read 0x1000'));
  });
});

it('lines and columns count from 0 for a client that says so', async () => {
  const client = new DapClient(SAMPLE);
  await client.ask('initialize', { linesStartAt1: false, columnsStartAt1: false });
  await client.ask('launch', { program: FILE, scenario: 'maps', stopOnEntry: true });
  await client.ask('setBreakpoints', { source: { path: FILE }, breakpoints: [{ line: lineOf('attach nic') - 1 }] });
  await client.ask('configurationDone');
  expect((await client.frames())[0]).toMatchObject({ line: lineOf('open-iommufd') - 1, column: 2 });
  expect(await client.go('continue')).toBe(`breakpoint ${lineOf('attach nic') - 1} attach nic to A`);
});
