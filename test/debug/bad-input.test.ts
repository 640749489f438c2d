import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DapClient, FILE } from './dap-client.js';
import { SAMPLE } from './sample.js';

const refusal = async (launch: object, text = SAMPLE): Promise<string> => {
  const client = new DapClient(text);
  const { success, message } = await client.send('launch', launch);
  expect(success).toBe(false);
  return message ?? '';
};

describe('a launch is refused in words', () => {
  it('without a file, and for one that there is not', async () => {
    expect(await refusal({})).toBe('"program" is missing.');
    expect(await refusal({ program: 'file:///none.iommu' })).toBe('file:///none.iommu cannot be read.');
  });

  it('for a scenario or a host that the file does not have, with those that it has', async () => {
    expect(await refusal({ program: FILE, scenario: 'mapz' })).toBe('The file has no scenario "mapz". It has: "maps", "other".');
    expect(await refusal({ program: FILE, host: 'rack' })).toContain('The file has no host "rack".');
    expect(await refusal({ program: FILE })).toContain('Say which "scenario" or "host" to debug.');
    expect(await refusal({ program: FILE }, '// empty\n')).toContain('It describes nothing that can be played.');
  });

  it('for a text with errors, with the first of them', async () => {
    const broken = SAMPLE.replace('attach nic to A', 'attach nix to A');
    const line = broken.split('\n').findIndex((each) => each.includes('nix')) + 1;
    expect(await refusal({ program: FILE, scenario: 'maps' }, broken)).toMatch(new RegExp(`^The file has an error: line ${line}: `));
    expect(await refusal({ program: FILE, scenario: 'maps' }, SAMPLE.replace('from ram rw', 'from { ram'))).toMatch(/^The file has (an error|\d+ errors): line \d+: /);
  });

  it('but an error in another scenario is of no concern', async () => {
    const client = new DapClient(SAMPLE.replace('attach nic to A', 'attach nix to A'));
    await client.start({ scenario: 'other', stopOnEntry: true });
    expect((await client.frames())[0]!.name).toBe('open-container c');
  });

  it('a file with one scenario needs no name', async () => {
    const client = new DapClient(SAMPLE.slice(0, SAMPLE.indexOf('scenario "other"')));
    await client.start({ stopOnEntry: true });
    expect((await client.frames())[0]!.name).toBe('open-iommufd fd');
  });
});

describe('requests out of order or out of shape', () => {
  it.each(['configurationDone', 'threads', 'stackTrace', 'continue', 'next', 'setBreakpoints', 'setExceptionBreakpoints', 'exceptionInfo', 'evaluate', 'scopes', 'variables'])('%s before a launch fails', async (command) => {
    const client = new DapClient(SAMPLE);
    const { success, message } = await client.send(command, { source: { path: FILE }, breakpoints: [], expression: 'A', frameId: 1, variablesReference: 1 });
    expect(success).toBe(false);
    expect(message).toMatch(/Nothing was launched|is not stopped|did not stop/);
  });

  it('an unknown request, frame and reference are refused', async () => {
    const client = new DapClient(SAMPLE);
    await client.start({ scenario: 'maps', stopOnEntry: true });
    expect(await client.send('goto', {})).toMatchObject({ success: false, message: '"goto" is not supported.' });
    expect(await client.send('toString')).toMatchObject({ success: false });
    expect(await client.send('scopes', { frameId: 77 })).toMatchObject({ success: false, message: 'There is no frame 77.' });
    expect(await client.send('scopes', { frameId: 'x' })).toMatchObject({ success: false });
    expect(await client.send('variables', { variablesReference: -3 })).toMatchObject({ success: false });
    expect(await client.send('exceptionInfo', { threadId: 1 })).toMatchObject({ success: false });
  });

  it('after the end nothing is to be seen, and nothing moves', async () => {
    const client = new DapClient(SAMPLE);
    await client.start({ scenario: 'maps' }, { filters: [] });
    expect(await client.send('stackTrace', { threadId: 1 })).toMatchObject({ success: false });
    expect(await client.send('next', { threadId: 1 })).toMatchObject({ success: false });
  });
});

describe('a run that stopped', () => {
  /** Asks for more memory than the simulator gives. */
  const STOPPING = SAMPLE.replace('memory ram size 1MiB backing 4KiB\n', 'memory ram size 1MiB backing 4KiB\n  dma nic read 0 size 0x7fff_ffff\n');

  it('is an exception at its end, and says what stopped it', async () => {
    const client = new DapClient(STOPPING);
    await client.start({ scenario: 'maps' });
    expect(client.event('stopped')).toMatchObject({ reason: 'exception' });
    expect(await client.ask('exceptionInfo')).toMatchObject({ exceptionId: 'stopped', description: expect.stringContaining('dma nic read 0 size 0x7fff_ffff') });
    expect((await client.frames()).map(({ name }) => name)).toEqual(['scenario "maps"']);
    expect((await client.inScope('Run')).map(({ name }) => name)).toContain('stopped');
    expect(await client.go('continue')).toBe('terminated');
    expect(client.output).toContain('The run stopped: ');
  });

  it('without the filter just ends, with exit code 1', async () => {
    const client = new DapClient(STOPPING);
    await client.start({ scenario: 'maps' }, { filters: [] });
    expect(client.event('exited')).toEqual({ exitCode: 1 });
  });
});

it('no sequence of moves breaks a session, and equal sequences end at equal places', async () => {
  const MOVES = ['next', 'stepIn', 'stepOut', 'stepBack', 'continue', 'reverseContinue'];
  const play = async (moves: readonly string[]): Promise<string[]> => {
    const client = new DapClient(SAMPLE);
    await client.start({ scenario: 'maps', stopOnEntry: true }, { lines: [28, 30] });
    const places: string[] = [];
    for (const move of moves) {
      const { success } = await client.send(move, { threadId: 1 });
      const over = client.events.some(({ event }) => event === 'terminated');
      places.push(success ? (over ? 'over' : String(client.event('stopped')?.reason)) : 'refused');
      if (success && !over) expect((await client.frames()).length).toBeGreaterThan(0);
    }
    return places;
  };
  await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom(...MOVES), { maxLength: 12 }), async (moves) => {
    const places = await play(moves);
    expect(places).toEqual(await play(moves));
    expect(places.indexOf('refused')).toBe(places.includes('over') && places.indexOf('over') < places.length - 1 ? places.indexOf('over') + 1 : -1);
  }), { numRuns: 15 });
});
