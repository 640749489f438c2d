/** Conditions, hit counts and log messages of breakpoints. */
import { describe, expect, it } from 'vitest';
import { EXPECTATION_WORDS } from '../../language/lowering/owners.js';
import { conditionOf, hitConditionOf, logText, OUTCOMES } from '../../server/debug/conditions.js';
import { DapClient, FILE, type SourceBreakpoint } from './dap-client.js';
import { lineOf, SAMPLE } from './sample.js';

const session = async (breakpoints: readonly SourceBreakpoint[], launch: object = { scenario: 'maps' }, text = SAMPLE) => {
  const client = new DapClient(text);
  return { client, placed: await client.start(launch, { breakpoints, filters: [] }) };
};

/** The second of two VMs finds the group taken. */
const TAKEN = SAMPLE.replace('dma nic read 0x1000 size 4 expect fault\n', 'process spdk on desk {\n  memory 2MiB\n  through type1\n  assign nic // again\n}\n');
const AGAIN = lineOf('assign nic // again', TAKEN);

it('what is declared is what there is', async () => {
  const client = new DapClient(SAMPLE);
  expect(await client.ask('initialize', {})).toMatchObject({ supportsConditionalBreakpoints: true, supportsHitConditionalBreakpoints: true, supportsLogPoints: true });
});

describe('a condition', () => {
  it('stops at a statement that ends so, and only there', async () => {
    const [first, second] = [lineOf('map A iova'), lineOf('dma nic write') + 1];
    const { client } = await session([{ line: first, condition: 'EEXIST' }, { line: second, condition: 'EEXIST' }]);
    expect((await client.frames())[0]!.line).toBe(second);
    expect(await client.go('continue')).toBe('terminated');
  });

  it.each([['fault', true], ['fault 0x05', false], ['not ok', true], ['ok', false], ['EINVAL', false], ['blocked', false], ['peer nic', false], ['address 0x10_0000', false]])('of a DMA that faults: %s', async (condition, stops) => {
    const { client } = await session([{ line: lineOf('dma nic read 0x10_0000'), condition }]);
    expect(client.event('stopped') !== undefined).toBe(stops);
  });

  it('takes the reason code that the hardware tells', async () => {
    const first = await session([{ line: lineOf('dma nic read 0x10_0000'), condition: 'fault' }], { scenario: 'maps' });
    await first.client.go('stepIn');
    let code: string | undefined;
    while (code === undefined && (await first.client.go('next')).startsWith('step')) code = (await first.client.inScope('Event')).find(({ name }) => name === 'code')?.value;
    expect(code).toMatch(/^0x/);
    const { client } = await session([{ line: lineOf('dma nic read 0x10_0000'), condition: `fault ${code!}` }]);
    expect(client.event('stopped')).toBeDefined();
  });

  it('finds the call of an owner that fails, not the first of the line', async () => {
    const { client } = await session([{ line: AGAIN, condition: 'not ok' }], { host: 'desk' }, TAKEN);
    expect((await client.frames())[0]!.name).toContain('open-group');
    await client.go('next');
    expect(client.output).toContain('expected ok, but EBUSY');
  });

  it('reads the number that `expect value` reads', async () => {
    const text = SAMPLE.replace('set-iommu c type1v2 expect ENODEV', 'api-version c');
    const stops = async (condition: string): Promise<boolean> => (await session([{ line: lineOf('api-version', text), condition }], { scenario: 'other' }, text)).client.event('stopped') !== undefined;
    expect([await stops('value 0'), await stops('value 1'), await stops('not value 1')]).toEqual([true, false, true]);
  });

  it.each(['A.mappings > 3', 'fault six', 'ok 3', 'peer nobody', 'value', 'constructor', '&&'])('%s is refused in words, and stops nowhere', async (condition) => {
    const { client, placed } = await session([{ line: lineOf('attach nic'), condition }]);
    expect(placed).toEqual([expect.objectContaining({ verified: false, line: lineOf('attach nic'), message: expect.stringContaining(`“${condition}” is no outcome`) })]);
    expect(client.event('stopped')).toBeUndefined();
  });

  it('knows the outcomes of the language', () => expect(Object.keys(OUTCOMES).sort()).toEqual(Object.keys(EXPECTATION_WORDS).sort()));

  it('of `never` is ok while it holds', () => {
    const never = (holds: boolean) => ({ kind: 'never' as const, id: 'n', text: 'never', holds, why: '' }) as never;
    expect([conditionOf('ok', () => undefined)(never(true)), conditionOf('ok', () => undefined)(never(false)), conditionOf('not ok', () => undefined)(never(false))]).toEqual([true, false, true]);
  });
});

describe('a hit count', () => {
  it('stops at that call among those that meet the condition, and there again on the way back', async () => {
    const line = lineOf('assign nic');
    const names: string[] = [];
    for (const hitCondition of ['1', '2', '3']) names.push((await (await session([{ line, condition: 'ok', hitCondition }], { host: 'desk' })).client.frames())[0]!.name);
    expect(new Set(names).size).toBe(3);
    const { client } = await session([{ line, condition: 'ok', hitCondition: '% 2' }], { host: 'desk' });
    expect((await client.frames())[0]!.name).toBe(names[1]);
    await client.go('continue');
    expect(await client.go('reverseContinue')).toBe(`breakpoint ${line} ${names[1]!}`);
  });

  it('is never reached where a statement is played once', async () => {
    const { client, placed } = await session([{ line: lineOf('attach nic'), hitCondition: '> 1' }]);
    expect(placed[0]!.verified).toBe(true);
    expect(client.event('stopped')).toBeUndefined();
  });

  it.each([['3', [3]], ['= 3', [3]], ['==3', [3]], ['> 3', [4, 5]], ['>=3', [3, 4, 5]], ['< 3', [1, 2]], ['<= 3', [1, 2, 3]], ['%2', [2, 4]]])('%s', (text, hits) => {
    expect([1, 2, 3, 4, 5].filter(hitConditionOf(text))).toEqual(hits);
  });

  it.each(['', 'x', '% 0', '3 4', '-1', '!= 2'])('“%s” is refused', (text) => expect(() => hitConditionOf(text)).toThrow('no hit count'));
});

describe('a log message', () => {
  it('is said on the way past, with what is there and the answer that comes', async () => {
    const line = lineOf('dma nic write');
    const { client } = await session([{ line, logMessage: '{statement}: {result}, {A}, {nobody}' }]);
    expect(client.event('stopped')).toBeUndefined();
    expect(client.output).toContain('dma nic write 0x10_0000 size 64 expect ok: memory, ');
    expect(client.output).toContain('(nothing is called “nobody”)\n');
    expect(client.events.find(({ body }) => (body as { output?: string })?.output?.startsWith('dma nic write') === true)?.body).toMatchObject({ category: 'console', line, source: { path: FILE } });
  });

  it('is said once by steps, and not on the way back', async () => {
    const client = new DapClient(SAMPLE);
    await client.start({ scenario: 'maps', stopOnEntry: true }, { breakpoints: [{ line: lineOf('ioas-alloc'), logMessage: 'here' }], filters: [] });
    await client.go('next');
    expect(client.output).not.toContain('here');
    expect(await client.go('next')).toContain('step');
    expect(client.output.match(/here/g)).toHaveLength(1);
    await client.go('stepBack');
    expect(client.output.match(/here/g)).toHaveLength(1);
  });

  it('of a condition is said only where that is met', async () => {
    const { client } = await session([{ line: AGAIN, condition: 'EBUSY', logMessage: 'taken: {call}' }], { host: 'desk' }, TAKEN);
    expect(client.output.match(/taken: open\("\/dev\/vfio\/GROUP"\)/g)).toHaveLength(1);
  });

  it('leaves what is in no braces as it is', () => expect(logText('a } {x} { b', (name) => name.toUpperCase())).toBe('a } X { b'));
});
