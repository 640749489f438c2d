import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IommuArchitectureName } from '../../server/simulator/description.js';
import type { IommuUnit, PageTable } from '../../server/simulator/hardware/architecture.js';
import { Iotlb, IOTLB_ENTRIES } from '../../server/simulator/hardware/iotlb.js';
import type { TableWalker } from '../../server/simulator/hardware/iotlb-translation.js';
import { architectureOf } from '../../server/simulator/hardware/registry.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription } from './request.js';

const READ = 1;
const BOTH = 3;
const SHIFTS = [12, 21, 30] as const;
const ARCHITECTURES = ['vtd', 'amd-vi'] as const;
const DEVICE = 0x0300;
const OTHER = 0x0400;

type Cached = IommuUnit & TableWalker;

function createUnit(name: IommuArchitectureName, cachingMode = false): Cached {
  const entry = architectureOf(name);
  if (!entry.modelled) throw new Error(entry.reason);
  const unit = entry.architecture.createUnit(unitDescription(name, { cachingMode }), new PhysicalMemory(), kernel(6012));
  unit.useIotlb?.();
  return unit as Cached;
}

const attach = (unit: IommuUnit, requesterId: number, table: PageTable, domainId: number): void => unit.setDeviceEntry(requesterId, { kind: 'paging', table, domainId, ats: false });

/** The answer in words; `stale` is only said to who traces. */
const said = (unit: IommuUnit, requesterId: number, address: bigint, access: 'read' | 'write' = 'read'): string => outcome(unit, request(requesterId, access, address));

describe('VTD-70: the table of translations', () => {
  test('finds every page of a leaf, in its domain only', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 30 }), fc.constantFrom(...SHIFTS), fc.nat(), fc.integer({ min: 1, max: 0xffff }), (page, shift, within, domain) => {
      const iotlb = new Iotlb();
      const frames = 2 ** (shift - 12);
      const first = page * frames;
      iotlb.insert(domain, first + (within % frames), 7 * frames + (within % frames), shift, READ, 0);
      const slot = iotlb.find(domain, first + frames - 1);
      expect(iotlb.frameIn(slot, first + frames - 1)).toBe(7 * frames + frames - 1);
      expect(iotlb.entry(slot)).toEqual({ frame: first, target: 7 * frames, shift, read: true, write: false, filler: 0 });
      expect([iotlb.find(domain + 1, first), iotlb.find(domain, first + frames), first === 0 ? -1 : iotlb.find(domain, first - 1)]).toEqual([-1, -1, -1]);
    }), { numRuns: 200 });
  });

  test('an invalidation takes exactly the leaves that it touches', () => {
    const leaf = fc.record({ page: fc.integer({ min: 0, max: 40 }), shift: fc.constantFrom(12, 14, 21), domain: fc.integer({ min: 1, max: 2 }) });
    fc.assert(fc.property(fc.array(leaf, { maxLength: 12 }), fc.integer({ min: 0, max: 2 ** 14 }), fc.integer({ min: 0, max: 2 ** 14 }), (leaves, first, more) => {
      const iotlb = new Iotlb();
      const [other, range] = [1, { first, last: first + more }];
      for (const { page, shift, domain } of leaves) iotlb.insert(domain, page * 2 ** (shift - 12), page, shift, BOTH, 0);
      const one = leaves.filter(({ domain }) => domain === other);
      iotlb.invalidate(2, range.first, range.last);
      for (const { page, shift } of one) expect(iotlb.find(other, page * 2 ** (shift - 12))).not.toBe(-1);
      for (let frame = range.first; frame <= range.last; frame += 61) expect(iotlb.find(2, frame)).toBe(-1);
      for (const { page, shift, domain } of leaves) {
        const start = page * 2 ** (shift - 12);
        const end = start + 2 ** (shift - 12) - 1;
        if (domain === 2 && (end < range.first || start > range.last)) expect(iotlb.find(2, start)).not.toBe(-1);
      }
    }), { numRuns: 200 });
  });

  test('it is bounded: the oldest of a set go, and never another page answers', () => {
    const iotlb = new Iotlb();
    const pages = 4 * IOTLB_ENTRIES;
    for (let page = 0; page < pages; page++) iotlb.insert(1, page, page + 5, 12, BOTH, 0);
    let found = 0;
    for (let page = 0; page < pages; page++) {
      const slot = iotlb.find(1, page);
      if (slot === -1) continue;
      found++;
      expect(iotlb.frameIn(slot, page)).toBe(page + 5);
    }
    expect(found).toBeLessThanOrEqual(IOTLB_ENTRIES);
    expect(found).toBeGreaterThan(IOTLB_ENTRIES / 2);
    expect(iotlb.find(1, pages - 1)).not.toBe(-1);
    iotlb.invalidateDomain(1);
    for (let page = 0; page < pages; page++) expect(iotlb.find(1, page)).toBe(-1);
  });

  test('a neighbourhood as large as a run of buffers fits without loss', () => {
    const iotlb = new Iotlb();
    for (let page = 0; page < IOTLB_ENTRIES / 2; page++) iotlb.insert(3, 0xfff00 - page, page, 12, BOTH, 0);
    for (let page = 0; page < IOTLB_ENTRIES / 2; page++) expect(iotlb.find(3, 0xfff00 - page)).not.toBe(-1);
  });
});

describe.each(ARCHITECTURES)('VTD-70: %s with an IOTLB', (name) => {
  function mapped(): { unit: Cached; table: PageTable } {
    const unit = createUnit(name);
    const table = unit.createPageTable();
    attach(unit, DEVICE, table, 2);
    table.map(iova(0x1000n), physical(0x9000n), 0x1000n, READ_WRITE);
    return { unit, table };
  }

  test('answers from before, until somebody invalidates', () => {
    const { unit, table } = mapped();
    expect(said(unit, DEVICE, 0x1010n)).toBe('0x9010 rw');
    table.unmap(iova(0x1000n), 0x1000n);
    expect(said(unit, DEVICE, 0x1010n)).toBe('0x9010 rw');
    unit.cache!.invalidate(2, 0x1000n, 0x1000n);
    expect(said(unit, DEVICE, 0x1010n)).toMatch(/^fault/);
  });

  test('remembers only what was asked for before it went', () => {
    const { unit, table } = mapped();
    table.unmap(iova(0x1000n), 0x1000n);
    expect(said(unit, DEVICE, 0x1010n)).toMatch(/^fault/);
    table.map(iova(0x1000n), physical(0xa000n), 0x1000n, READ_WRITE);
    expect(said(unit, DEVICE, 0x1010n)).toBe('0xa010 rw');
  });

  test('the entry serves whoever is in the domain, and nobody else', () => {
    const { unit, table } = mapped();
    const other = unit.createPageTable();
    attach(unit, OTHER, table, 2);
    attach(unit, 0x0500, other, 3);
    said(unit, DEVICE, 0x1010n);
    table.unmap(iova(0x1000n), 0x1000n);
    expect(said(unit, OTHER, 0x1010n)).toBe('0x9010 rw');
    expect(said(unit, 0x0500, 0x1010n)).toMatch(/^fault/);
  });

  test('LNX-05: leaving a domain invalidates it', () => {
    const { unit, table } = mapped();
    attach(unit, OTHER, table, 2);
    said(unit, DEVICE, 0x1010n);
    table.unmap(iova(0x1000n), 0x1000n);
    unit.setDeviceEntry(DEVICE, { kind: 'blocked' });
    expect(said(unit, OTHER, 0x1010n)).toMatch(/^fault/);
    expect(said(unit, DEVICE, 0x1010n)).toMatch(/^fault/);
  });

  test('4.3: an invalidation covers the enclosing power of two; one that is too large, the domain', () => {
    const { unit, table } = mapped();
    const pages = [0x1000n, 0x4000n, 0x5000n, 0x8000n];
    for (const at of pages.slice(1)) table.map(iova(at), physical(at + 0x8000n), 0x1000n, READ_WRITE);
    for (const at of pages) said(unit, DEVICE, at);
    for (const at of pages) table.unmap(iova(at), 0x1000n);
    unit.cache!.invalidate(2, 0x5000n, 0x2000n);
    expect(pages.map((at) => said(unit, DEVICE, at).startsWith('fault'))).toEqual([false, true, true, false]);
    unit.cache!.invalidate(2, 1n << 32n, 1n << 31n);
    expect(pages.map((at) => said(unit, DEVICE, at).startsWith('fault'))).toEqual(name === 'vtd' ? [true, true, true, true] : [false, true, true, false]);
  });

  test('a current hit still shows the walk; a stale one says what it is and reads nothing', () => {
    const { unit, table } = mapped();
    const trace = (): { reads: number; texts: string } => {
      const recorder = new Recorder();
      outcome(unit, request(DEVICE, 'write', 0x1010n), recorder);
      return { reads: recorder.reads().length, texts: recorder.events.filter((event) => event.kind !== 'read').map((event) => event.text).join(' ') };
    };
    const first = trace();
    const second = trace();
    expect(first).toEqual({ reads: second.reads, texts: '' });
    expect(second.texts).toContain('The IOTLB has page 0x1000 (4 KiB) of domain 2 too');
    table.unmap(iova(0x1000n), 0x1000n);
    const stale = trace();
    expect(stale.reads).toBe(0);
    expect(stale.texts).toContain('IOTLB hit: page 0x1000 (4 KiB) of domain 2 leads to 0x9000, filled by a write of 03:00.0');
    expect(stale.texts).toContain('the entry is stale');
    expect(unit.translate(request(DEVICE, 'read', 0x1010n), new Recorder())).toMatchObject({ kind: 'address', address: 0x9010n, stale: true });
  });

  test('an entry that somebody changes by hand is not seen; a page that leads elsewhere is stale too', () => {
    const { unit, table } = mapped();
    const recorder = new Recorder();
    outcome(unit, request(DEVICE, 'read', 0x1000n), recorder);
    const leaf = recorder.reads().at(-1)!;
    poke(unit.memory, { [leaf.address.toString()]: (leaf.words[0]! & ~0xf_f000n) | 0xb000n });
    expect(table.lookup(iova(0x1000n))?.physical).toBe(0xb000n);
    const after = new Recorder();
    expect(outcome(unit, request(DEVICE, 'read', 0x1000n), after)).toBe('0x9000 rw');
    expect(after.events.map((event) => event.text).join(' ')).toContain('they lead to 0xb000 now');
  });

  test('2.11, 3.10: in caching mode a page that was not there stays away until an invalidation', () => {
    const unit = createUnit(name, true);
    const table = unit.createPageTable();
    attach(unit, DEVICE, table, 2);
    const before = said(unit, DEVICE, 0x1000n);
    expect(before).toMatch(/^fault/);
    table.map(iova(0x1000n), physical(0x9000n), 0x1000n, READ_WRITE);
    const recorder = new Recorder();
    expect(outcome(unit, request(DEVICE, 'read', 0x1000n), recorder)).toBe(before);
    expect(recorder.events.map((event) => event.kind)).toEqual(['note', 'fault']);
    unit.cache!.mapped(2, 0x1000n, 0x1000n);
    expect(said(unit, DEVICE, 0x1000n)).toBe('0x9000 rw');
  });

  test.each([[false], [true]])('caching mode %s: with the invalidations of the driver every answer is the cold walk\'s', (cachingMode) => {
    const page = fc.bigInt(0n, 15n).map((n) => n << 12n);
    const step = fc.oneof(
      fc.record({ do: fc.constant('map' as const), domain: fc.nat(1), at: page, pages: fc.bigInt(1n, 4n), to: fc.bigInt(0n, 63n), write: fc.boolean() }),
      fc.record({ do: fc.constant('unmap' as const), domain: fc.nat(1), at: page, pages: fc.bigInt(1n, 8n) }),
      fc.record({ do: fc.constant('attach' as const), device: fc.constantFrom(DEVICE, OTHER), domain: fc.option(fc.nat(1), { nil: null }) }),
      fc.record({ do: fc.constant('ask' as const), device: fc.constantFrom(DEVICE, OTHER), at: page, access: fc.constantFrom('read' as const, 'write' as const, 'atomic' as const) }),
    );
    let answers = 0;
    fc.assert(fc.property(fc.array(step, { minLength: 40, maxLength: 120 }), (steps) => {
      const unit = createUnit(name, cachingMode);
      const tables = [unit.createPageTable(), unit.createPageTable()];
      for (const each of steps) {
        if (each.do === 'map') {
          // Older AMD code replaces what is there and tells nobody: the core's users never map what is mapped.
          const isFree = [0n, 1n, 2n, 3n].every((page) => tables[each.domain]!.lookup(iova(each.at + (page << 12n))) === null);
          if (!isFree) continue;
          tables[each.domain]!.map(iova(each.at), physical((each.to << 12n) + 0x10_0000n), each.pages << 12n, { read: true, write: each.write });
          unit.cache!.mapped(each.domain + 2, each.at, each.pages << 12n);
        } else if (each.do === 'unmap') {
          const size = each.pages << 12n;
          const removed = tables[each.domain]!.unmap(iova(each.at), size);
          unit.cache!.invalidate(each.domain + 2, each.at, removed > size ? removed : size);
        } else if (each.do === 'attach') {
          if (each.domain === null) unit.setDeviceEntry(each.device, { kind: 'blocked' });
          else attach(unit, each.device, tables[each.domain]!, each.domain + 2);
        } else {
          const asked = request(each.device, each.access, each.at + 8n);
          const cold = unit.walk(asked, null);
          expect(unit.translate(asked, null)).toEqual(cold);
          answers += cold.kind === 'address' ? 1 : 0;
        }
      }
    }), { numRuns: 150 });
    expect(answers).toBeGreaterThan(100);
  });
});
