import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import type { TableWalker } from '../../server/simulator/hardware/iotlb-translation.js';
import { FLUSH_QUEUE_SIZE, FLUSH_TIMEOUT_MS, FlushQueue } from '../../server/simulator/kernel/flush-queue.js';
import { IovaAllocator } from '../../server/simulator/kernel/iova-allocator.js';
import { physical } from '../../server/simulator/memory/address.js';
import type { IommuArchitectureName } from '../../server/simulator/description.js';
import { request } from '../hardware/request.js';
import { simulateText, dmasOf } from '../scenario/simulate-text.js';
import { boot, fn, rootPort } from './hosts.js';

const functions = [rootPort('rp', '00:01.0', 1), fn('nic', '01:00.0', { under: 'rp', driver: 'e1000e' })];
const rw = { read: true, write: true };
const MEMORY = 0x1_2340_0000n;

/** A machine whose network card maps and unmaps, asked as the card would ask. */
function machine(options: { architecture?: IommuArchitectureName; commandLine?: string; version?: string; unit?: { cachingMode: boolean } }) {
  const { dmaApi, device } = boot({ functions, ...options });
  const nic = device('nic');
  const unit = nic.unit! as NonNullable<typeof nic.unit> & TableWalker;
  const asked = (address: bigint) => request(nic.requesterIds[0]!, 'write', address);
  return {
    dmaApi, nic,
    map: (size = 0x1000n, to = MEMORY) => dmaApi.map(nic, physical(to), size, rw, undefined, 'step'),
    dma: (address: bigint): UnitAnswer => unit.translate(asked(address), null),
    walk: (address: bigint): UnitAnswer => unit.walk(asked(address), null),
  };
}

describe('DOM-04: the flush queue', () => {
  test('the timer fires once, 10 ms after the first range, and takes what came meanwhile', () => {
    const flushed: number[][] = [];
    const queue = new FlushQueue<number>((ranges) => flushed.push([...ranges]));
    queue.add(1, 100);
    queue.add(2, 105);
    expect(queue.advance(100 + FLUSH_TIMEOUT_MS - 1)).toBeNull();
    expect(queue.advance(100 + FLUSH_TIMEOUT_MS)).toBe(2);
    expect(queue.advance(1000)).toBeNull();
    expect(flushed).toEqual([[1, 2]]);
  });

  test('a full ring flushes before it takes the next; one place stays free', () => {
    const flushed: number[] = [];
    const queue = new FlushQueue<number>((ranges) => flushed.push(ranges.length));
    const answers = Array.from({ length: FLUSH_QUEUE_SIZE }, (_, i) => queue.add(i, 0));
    expect(answers.filter((count) => count > 0)).toEqual([FLUSH_QUEUE_SIZE - 1]);
    expect(answers.at(-1)).toBe(FLUSH_QUEUE_SIZE - 1);
    expect([flushed, queue.length]).toEqual([[255], 1]);
  });
});

describe('LNX-11: addresses of the DMA API', () => {
  test('none is given out twice, none overlaps what is reserved, all are aligned to their rounded size', () => {
    const sizes = fc.bigInt(1n, 80n).map((pages) => pages << 12n);
    const step = fc.oneof(fc.record({ size: sizes }), fc.record({ give: fc.nat() }));
    fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => {
      const reserved = { start: 0xf0_0000n, last: 0xf7_ffffn };
      const allocator = new IovaAllocator(0x100_0000n, [reserved]);
      const live: { start: bigint; size: bigint }[] = [];
      for (const each of steps) {
        if ('give' in each) {
          const [gone] = live.length === 0 ? [] : live.splice(each.give % live.length, 1);
          if (gone !== undefined) allocator.free(gone.start, gone.size);
          continue;
        }
        const start = allocator.allocate(each.size);
        if (start === null) continue;
        let alignment = 4096n;
        while (alignment < each.size) alignment <<= 1n;
        expect(start % alignment).toBe(0n);
        expect(start).toBeGreaterThan(0n);
        for (const other of [...live, { start: reserved.start, size: 0x8_0000n }]) expect(start + each.size <= other.start || other.start + other.size <= start).toBe(true);
        live.push({ start, size: each.size });
      }
    }), { numRuns: 200 });
  });

  test('what was given back last goes out first; large ranges are found again from the top', () => {
    const allocator = new IovaAllocator(0x1_0000_0000n, []);
    const small = [allocator.allocate(0x1000n), allocator.allocate(0x1000n)];
    const large = allocator.allocate(0x20_0000n);
    for (const each of small) allocator.free(each!, 0x1000n);
    expect([allocator.allocate(0x1000n), allocator.allocate(0x1000n), allocator.allocate(0x1000n)]).toEqual([small[1], small[0], large! - 0x1000n]);
    allocator.free(large!, 0x20_0000n);
    expect(allocator.allocate(0x20_0000n)).toBe(large);
  });
});

describe('4.3: strict and lazy unmaps', () => {
  const KINDS: readonly [string, Parameters<typeof machine>[0], boolean][] = [
    ['VT-d by default', {}, true],
    ['AMD-Vi by default', { architecture: 'amd-vi' }, true],
    ['iommu.strict=1', { commandLine: 'iommu.strict=1' }, false],
    ['CMD-04', { commandLine: 'intel_iommu=on,strict' }, false],
    ['CMD-10', { architecture: 'amd-vi', commandLine: 'amd_iommu=fullflush' }, false],
    ['caching mode', { unit: { cachingMode: true } }, false],
    ['DOM-02: 5.13', { version: '5.13' }, true],
    ['DOM-02: 5.13, CMD-04', { version: '5.13', commandLine: 'intel_iommu=strict' }, false],
    ['DOM-02: 5.13, caching mode', { version: '5.13', unit: { cachingMode: true } }, false],
    ['DOM-02: 5.13, CMD-10', { version: '5.13', architecture: 'amd-vi', commandLine: 'amd_iommu=fullflush' }, false],
  ];

  test.each(KINDS)('%s', (_, options, lazy) => {
    const { map, dma, dmaApi, nic } = machine({ commandLine: 'intel_iommu=on', ...options });
    const address = map();
    expect(dma(address)).toMatchObject({ kind: 'address', address: MEMORY });
    expect(dmaApi.unmap(nic, undefined).kind).toBe(lazy ? 'queued' : 'invalidated');
    expect(dma(address).kind).toBe(lazy ? 'address' : 'fault');
    expect(dmaApi.wait(FLUSH_TIMEOUT_MS).map(({ ranges }) => ranges)).toEqual(lazy ? [1] : []);
    expect(dma(address).kind).toBe('fault');
  });

  test('what was never mapped cannot be unmapped', () => {
    const { dmaApi, nic, map } = machine({});
    expect(dmaApi.unmap(nic, undefined)).toEqual({ kind: 'not-mapped', address: undefined });
    const address = map();
    expect(dmaApi.unmap(nic, address).kind).toBe('queued');
    expect(dmaApi.unmap(nic, address)).toEqual({ kind: 'not-mapped', address });
  });

  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('map' as const), pages: fc.bigInt(1n, 3n) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('unmap' as const), which: fc.nat() }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('dma' as const), which: fc.nat(), page: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 12 }) }) },
  );

  test.each([['strict', 'intel_iommu=on iommu.strict=1'], ['lazy', 'intel_iommu=on']] as const)('%s: an answer differs from the cold walk only in the window, and then it is the answer from before', (mode, commandLine) => {
    let differing = 0;
    fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
      const { dmaApi, nic, map, dma, walk } = machine({ commandLine });
      const live: bigint[] = [];
      const everUsed: bigint[] = [];
      /** By page: where it led when it was unmapped and not flushed yet. */
      const window = new Map<bigint, bigint>();
      const target = new Map<bigint, { to: bigint; pages: bigint }>();
      let memory = MEMORY;
      for (const each of steps) {
        if (each.do === 'map') {
          const address = map(each.pages << 12n, memory);
          for (let page = 0n; page < each.pages; page++) expect(window.has(address + (page << 12n))).toBe(false);
          target.set(address, { to: memory, pages: each.pages });
          live.push(address);
          everUsed.push(address);
          memory += 0x4000n;
        } else if (each.do === 'unmap') {
          const [address] = live.length === 0 ? [] : live.splice(each.which % live.length, 1);
          if (address === undefined) continue;
          const { to, pages } = target.get(address)!;
          dmaApi.unmap(nic, address);
          if (mode === 'lazy') for (let page = 0n; page < pages; page++) window.set(address + (page << 12n), to + (page << 12n));
        } else if (each.do === 'wait') {
          if (dmaApi.wait(each.time).length > 0) window.clear();
        } else if (everUsed.length > 0) {
          const at = everUsed[each.which % everUsed.length]! + BigInt(each.page) * 4096n;
          const [answer, cold] = [dma(at), walk(at)];
          const before = window.get(at);
          if (before === undefined || answer.kind !== 'address') expect(answer).toEqual(cold);
          else {
            expect(cold.kind).toBe('fault');
            expect(answer).toMatchObject({ address: before });
            differing++;
          }
        }
      }
    }), { numRuns: 100 });
    if (mode === 'strict') expect(differing).toBe(0);
    else expect(differing).toBeGreaterThan(20);
  });
});

const FOLDER = join(import.meta.dirname, '../fixtures/invalidation');

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.iommu')))('%s', async (name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const { report, problems } = await simulateText(text);
  const runs = report.runs.filter((run) => run.kind === 'scenario');
  test('is understood by the language', () => expect(problems).toEqual([]));
  test.each(runs.map((run) => [run.name, run] as const))('%s', (_, run) => {
    expect(run.stopped).toBeUndefined();
    const surprises = run.actions.filter((action) => (action.kind !== 'never' && action.expectation !== undefined ? !action.expectation.met : action.kind === 'step' && action.result !== 'ok'));
    expect(surprises.map((action) => action.text)).toEqual([]);
  });
  test('exactly the DMAs that its comments call stale are stale', () => {
    const written = text.split('\n').filter((line) => /^\s*dma /.test(line)).map((line) => line.includes('// stale'));
    expect(runs.flatMap((run) => dmasOf(run)).map((dma) => dma.stale !== undefined)).toEqual(written);
  });
});
