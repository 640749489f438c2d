import { describe, expect, it } from 'vitest';
import { DapClient } from './dap-client.js';
import { lineOf, SAMPLE } from './sample.js';

const at = async (line: string, launch: object = { scenario: 'maps' }): Promise<DapClient> => {
  const client = new DapClient(SAMPLE);
  await client.start(launch, { lines: [lineOf(line)], filters: [] });
  return client;
};

describe('scopes', () => {
  it('are the statement and what exists before it, by kind', async () => {
    const client = await at('dma nic write');
    const [top] = await client.frames();
    const scopes = await client.scopes(top!.id);
    expect(scopes.map(({ name }) => name)).toEqual(['Statement', 'Mappings', 'Programs', 'Containers', 'iommufd', 'IOAS', 'HWPT', 'Groups', 'Domains', 'Devices', 'Drivers']);
    expect(await client.inScope('Statement')).toEqual([
      { name: 'statement', value: 'dma nic write 0x10_0000 size 64 expect ok', variablesReference: 0 }, { name: 'result', value: 'not yet', variablesReference: 0 },
    ]);
  });

  it('at the start show the machine as it was booted', async () => {
    const client = await at('open-iommufd');
    expect((await client.inScope('Devices')).map(({ name }) => name)).toContain('nic');
    expect(await client.inScope('IOAS')).toEqual([]);
  });

  it('of the run name host and kernel', async () => {
    const client = await at('attach nic');
    const run = (await client.frames()).at(-1)!;
    const [scope] = await client.scopes(run.id);
    expect((await client.variables(scope!.variablesReference)).map(({ name, value }) => `${name} ${value}`)).toEqual(['host desk', 'kernel 6.6', 'played 3 of 9']);
  });
});

describe('objects', () => {
  it('list their mappings', async () => {
    const client = await at('dma nic write');
    const [ioas] = await client.inScope('Mappings');
    expect(ioas).toMatchObject({ name: 'A', value: '1 mapping', indexedVariables: 1 });
    expect((await client.variables(ioas!.variablesReference)).map(({ name, value }) => `${name} ${value}`)).toEqual([expect.stringMatching(/^\[0\] 0x100000 64KiB rw → /)]);
    expect(await client.variables(ioas!.variablesReference, { filter: 'indexed', start: 1, count: 5 })).toEqual([]);
  });

  it('lead to what they are linked to, and back again under the same reference', async () => {
    const client = await at('dma nic write');
    const [group] = await client.inScope('Groups');
    const inside = await client.variables(group!.variablesReference);
    const domain = inside.find(({ name }) => name === 'translates through')!;
    expect(domain).toMatchObject({ type: 'domain' });
    const back = (await client.variables(domain.variablesReference)).find(({ name }) => name === '← translates through')!;
    expect(back.variablesReference).toBe(group!.variablesReference);
    expect(inside.find(({ name }) => name === 'owned by')?.value).toBe('fd');
  });

  it('keep their references as long as the program stands still, and lose them when it moves', async () => {
    const client = await at('dma nic write');
    const [first] = await client.inScope('IOAS');
    const [again] = await client.inScope('IOAS');
    expect(again).toEqual(first);
    await client.go('next');
    const { success, message } = await client.send('variables', { variablesReference: first!.variablesReference });
    expect([success, message]).toEqual([false, 'This belongs to a stop that is over.']);
  });

  it('of a VM through type1 are a container with its groups', async () => {
    const client = await at('dma nic read 0x1000', { host: 'desk' });
    const containers = await client.inScope('Containers');
    expect(containers.map(({ type }) => type)).toEqual(expect.arrayContaining(['container', 'vfio-group']));
    expect((await client.inScope('Programs')).map(({ name }) => name)).toContain('dpdk');
  });
});

describe('evaluate', () => {
  it('finds an object by the name that the file gives it', async () => {
    const client = await at('dma nic write');
    const found = await client.ask<{ result: string; type: string; variablesReference: number }>('evaluate', { expression: ' A ', context: 'hover' });
    expect(found).toMatchObject({ type: 'ioas', result: expect.stringContaining('mappings 1') });
    expect((await client.variables(found.variablesReference)).length).toBeGreaterThan(2);
    expect(await client.ask('evaluate', { expression: 'nic', context: 'watch' })).toMatchObject({ type: 'device' });
    expect(await client.ask('evaluate', { expression: 'result', context: 'repl' })).toMatchObject({ result: 'not yet' });
  });

  it('says so when nothing has the name', async () => {
    const client = await at('dma nic write');
    expect(await client.send('evaluate', { expression: 'gpu9', context: 'repl' })).toMatchObject({ success: false, message: 'Nothing is called “gpu9” at this point.' });
  });
});
