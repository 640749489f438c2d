/** What Linux writes for an SMMUv3, and that the unit reads it as it was meant. Names are those of the sections of the specification. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IommuDescription } from '../../server/simulator/description.js';
import type { PageTable, TableUse, UnitFault } from '../../server/simulator/hardware/architecture.js';
import { smmuCapabilities } from '../../server/simulator/hardware/smmuv3/capabilities.js';
import { SmmuUnit } from '../../server/simulator/hardware/smmuv3/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, READ_WRITE, Recorder, request, unitDescription } from './request.js';

const SID = 0x0300;

function make(changes: Partial<IommuDescription> = {}, version = 6019, streamBits = 32) {
  const log: string[] = [];
  const memory = new PhysicalMemory();
  const description = unitDescription('smmuv3', changes);
  const unit = new SmmuUnit(description, memory, kernel(version, {}, (line) => void log.push(line)), { ...smmuCapabilities(description), streamBits });
  return { unit, memory, log };
}

/** A unit whose stream `SID` is in a domain with this kind of table. */
function attached(changes: Partial<IommuDescription> = {}, version = 6019, use: TableUse = 'user') {
  const made = make(changes, version);
  const table = made.unit.createPageTable(use);
  made.unit.setDeviceEntry(SID, { kind: 'paging', table, domainId: 5, ats: false }, 2 ** (changes.pasidBits ?? 0));
  return { ...made, table };
}

/** Words of the STE that a request reads, and of the CD. */
function structures(unit: SmmuUnit, pasid?: number): { readonly ste: readonly bigint[]; readonly cd: readonly bigint[] | undefined; readonly names: readonly string[] } {
  const recorder = new Recorder();
  unit.translate(request(SID, 'read', 0x1000n, pasid === undefined ? {} : { pasid }), recorder);
  const reads = recorder.events.filter((event) => event.kind === 'read');
  return { ste: reads.find(({ entry }) => entry === 'STE')!.words, cd: reads.find(({ entry }) => entry === 'CD')?.words, names: reads.map(({ entry }) => entry) };
}

const config = (ste: readonly bigint[]): bigint => (ste[0]! >> 1n) & 7n;

describe('SMMU 2.2: stream table entries by domain', () => {
  it('LA-P1: a stream that nobody knows has no entry; its neighbours on the bus abort', () => {
    const { unit } = make();
    expect(outcome(unit, request(SID, 'read', 0n))).toBe('fault 0x02');
    unit.setDeviceEntry(SID + 8, { kind: 'identity' });
    expect(outcome(unit, request(SID, 'read', 0n))).toBe('blocked');
    expect(outcome(unit, request(SID + 8, 'read', 0n))).toBe('0x0 rw');
  });

  it('LA-P1: streams beyond the 2^25 that the table is made for', () => {
    const { unit } = make();
    unit.setDeviceEntry(2 ** 25, { kind: 'identity' });
    expect(outcome(unit, request(2 ** 25, 'read', 0n))).toBe('fault 0x02');
    unit.setDeviceEntry(2 ** 25 - 1, { kind: 'identity' });
    expect(outcome(unit, request(2 ** 25 - 1, 'read', 0n))).toBe('0x0 rw');
  });

  it('LA-P2: few streams have a linear table', () => {
    const { unit } = make({}, 6019, 8);
    unit.setDeviceEntry(0x42, { kind: 'identity' });
    expect(unit.registers.twoLevel).toBe(false);
    expect(outcome(unit, request(0x42, 'read', 0n))).toBe('0x0 rw');
    expect(outcome(unit, request(0x43, 'read', 0n))).toBe('fault 0x04');
  });

  it('identity, blocked, stage 1, stage 2', () => {
    const { unit } = make();
    unit.setDeviceEntry(SID, { kind: 'identity' });
    expect(structures(unit).ste.slice(0, 2)).toEqual([9n, 1n << 44n]);
    unit.setDeviceEntry(SID, { kind: 'blocked' });
    expect(structures(unit).ste[0]).toBe(1n);
    expect(config(structures(attached().unit).ste)).toBe(5n);
    expect(config(structures(attached({}, 6019, 'nest-parent').unit).ste)).toBe(6n);
  });

  it('LA-D6, LA-D8: the context descriptor of a domain', () => {
    const { unit, table } = attached();
    const { ste, cd } = structures(unit);
    expect(ste[1]! & 3n).toBe(2n); // S1DSS
    expect([cd![0]! & 63n, (cd![0]! >> 30n) & 3n, (cd![0]! >> 45n) & 7n, cd![0]! >> 48n]).toEqual([16n, 3n, 7n, 5n]);
    expect([cd![1], cd![3]]).toEqual([table.root, 0x4_ff44n]);
  });

  it('LA-D5: EATS only where unit and device have ATS', () => {
    const { unit, table } = attached({ deviceTlb: true });
    unit.setDeviceEntry(SID, { kind: 'paging', table, domainId: 5, ats: true });
    expect((structures(unit).ste[1]! >> 28n) & 3n).toBe(1n);
    const without = attached({ deviceTlb: false });
    without.unit.setDeviceEntry(SID, { kind: 'paging', table: without.table, domainId: 5, ats: true });
    expect((structures(without.unit).ste[1]! >> 28n) & 3n).toBe(0n);
  });

  it('LA-D5: PASIDs may use ATS while the device itself is blocked', () => {
    const { unit, table } = attached({ deviceTlb: true, pasidBits: 4 });
    unit.setDeviceEntry(SID, { kind: 'blocked' }, 16);
    unit.setPasidEntry(SID, 3, { kind: 'paging', table, domainId: 5, ats: true });
    expect((structures(unit).ste[1]! >> 28n) & 3n).toBe(1n);
    unit.setPasidEntry(SID, 3, { kind: 'blocked' });
    expect(structures(unit).ste.slice(0, 2)).toEqual([1n, 0n]);
  });
});

describe('LA-D2: PASIDs', () => {
  const withPasids = (version = 6019, pasidBits = 16) => {
    const made = attached({ pasidBits }, version);
    const table = made.unit.createPageTable('pasid');
    table.map(iova(0x1000n), physical(0x9000n), 0x1000n, READ_WRITE);
    made.unit.setPasidEntry(SID, 7, { kind: 'paging', table, domainId: 6, ats: false });
    return { ...made, own: table };
  };

  it.each([[10, 0n, ['L1 stream table descriptor', 'STE', 'CD']], [16, 2n, ['L1 stream table descriptor', 'STE', 'L1 CD descriptor', 'CD']]])('%i bits of PASID', (bits, format, names) => {
    const { unit } = withPasids(6019, bits);
    const found = structures(unit, 7);
    expect([(found.ste[0]! >> 4n) & 3n, found.ste[0]! >> 59n]).toEqual([format, BigInt(bits)]);
    expect(found.names.slice(0, names.length)).toEqual(names);
    expect(outcome(unit, request(SID, 'read', 0x1004n, { pasid: 7 }))).toBe('0x9004 rw');
    expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('fault 0x10');
    expect(outcome(unit, request(SID, 'read', 0x1000n, { pasid: 2 ** bits }))).toBe('fault 0x08');
  });

  it('they go on while the device itself is in an identity or blocked domain, and are not in the way of either', () => {
    const { unit } = withPasids();
    unit.setDeviceEntry(SID, { kind: 'identity' }, 2 ** 16);
    expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('0x1000 rw');
    expect(outcome(unit, request(SID, 'read', 0x1000n, { pasid: 7 }))).toBe('0x9000 rw');
    unit.setDeviceEntry(SID, { kind: 'blocked' }, 2 ** 16);
    expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('fault 0x06');
    unit.setPasidEntry(SID, 7, { kind: 'blocked' });
    expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('blocked');
  });

  it('PAS-16: not beside stage 2, and before 6.11 not beside an identity domain', () => {
    expect(withPasids().unit.checkPasid(SID)).toBeNull();
    expect(attached({ pasidBits: 16 }, 6019, 'nest-parent').unit.checkPasid(SID)).toBe('EINVAL');
    expect(make({ pasidBits: 16 }).unit.checkPasid(SID)).toBe('EINVAL');
    for (const [version, expected] of [[6010, 'EINVAL'], [6011, null]] as const) {
      const { unit } = make({ pasidBits: 16 }, version);
      unit.setDeviceEntry(SID, { kind: 'identity' }, 2 ** 16);
      expect(unit.checkPasid(SID)).toBe(expected);
    }
  });

  it('SVA: the tables of a process share its ASID with the processors', () => {
    const { unit } = attached({ pasidBits: 16 });
    unit.setPasidEntry(SID, 3, { kind: 'paging', table: unit.createProcessTable!(), domainId: 9, ats: false });
    expect((structures(unit, 3).cd![0]! >> 47n) & 1n).toBe(0n);
    expect((structures(unit).cd![0]! >> 47n) & 1n).toBe(1n);
    expect(make().unit.createProcessTable).toBeUndefined();
    expect(make({ pasidBits: 16, coherent: false }).unit.createProcessTable).toBeUndefined();
  });
});

describe('what the driver reports', () => {
  it.each([[5013, false, false, false], [6011, false, true, false], [6012, true, true, true]])('in %i', (version, blockedDomain, pasidAttach, dirtyTracking) => {
    const capabilities = make({ dirtyTracking: true, pasidBits: 8 }, version).unit.capabilities();
    expect(capabilities).toMatchObject({ blockedDomain, pasidAttach, dirtyTracking, isolatedMsi: true, deferredFlush: true, identityDomain: true, nested: false, maxPasids: 256, cacheCoherency: true });
  });

  it('DRT-01: dirty state needs coherent walks', () => {
    expect(make({ dirtyTracking: true, coherent: false }).unit.capabilities().dirtyTracking).toBe(false);
  });
});

interface Shape {
  readonly name: string;
  readonly changes: Partial<IommuDescription>;
  readonly use: TableUse;
  readonly granule: bigint;
  readonly block: bigint;
  readonly width: number;
}

const granules: readonly { readonly size: bigint; readonly block: bigint }[] = [{ size: 12n, block: 21n }, { size: 14n, block: 25n }, { size: 16n, block: 29n }];
const SHAPES: readonly Shape[] = [
  ...granules.flatMap(({ size, block }) => (['user', 'nest-parent'] as const).map((use): Shape => ({
    name: `${use === 'user' ? 'stage 1' : 'stage 2'}, granule 2^${size}`, use, granule: 1n << size, block: 1n << block, width: 48, changes: { pageSizes: [1n << size, 1n << block] },
  }))),
  { name: 'stage 1 of 39 bits', use: 'user', granule: 1n << 12n, block: 1n << 21n, width: 39, changes: { addressWidth: 39 } },
  { name: 'stage 1 of 52 bits', use: 'user', granule: 1n << 16n, block: 1n << 29n, width: 52, changes: { addressWidth: 52, physicalWidth: 52, pageSizes: [1n << 16n, 1n << 29n] } },
  { name: 'stage 2 of 42 bits, tables side by side', use: 'nest-parent', granule: 1n << 12n, block: 1n << 21n, width: 42, changes: { physicalWidth: 42 } },
];

describe.each(SHAPES)('LA-P3, LA-P4: $name', ({ changes, use, granule, block, width }) => {
  const limit = 1n << BigInt(Math.min(width, changes.physicalWidth ?? 48));
  const place = (bits: number) => fc.bigInt(0n, (1n << BigInt(bits)) - 1n);
  const aligned = (address: bigint): bigint => address & -granule;

  it('what is mapped is found by the walk, and nothing else', () => {
    fc.assert(fc.property(place(width), place(Math.min(width, 48)), fc.constantFrom(1n, 3n, block / granule, block / granule + 2n), fc.constantFrom(READ_WRITE, { read: true, write: false }), place(width), (at, to, pages, permission, probe) => {
      const { unit, table } = attached(changes, 6019, use);
      const size = pages * granule;
      // Blocks only where both addresses allow them.
      const start = pages < 4n ? aligned(at) : at & -block;
      const target = pages < 4n ? aligned(to) : to & -block;
      if (start + size > 1n << BigInt(width) || target + size > limit) return;
      expect(table.map(iova(start), physical(target), size, permission)).toBeNull();
      for (const address of [start, start + size - 1n, start + size, probe, start === 0n ? 1n : start - 1n]) {
        const known = address >> BigInt(width) === 0n ? table.lookup(iova(address)) : null;
        const inside = address >= start && address < start + size;
        expect(known?.physical).toBe(inside ? address - start + target : undefined);
        const answer = unit.translate(request(SID, 'read', address, { size: 1 }), null);
        expect(answer).toMatchObject(inside ? { kind: 'address', address: known!.physical, pageSize: known!.pageSize, ...permission } : { kind: 'fault' });
      }
      expect(table.runs(9)).toMatchObject({ total: 1, runs: [{ iova: { start, last: start + size - 1n }, physical: target, permission }] });
      expect(table.unmap(iova(start), size)).toBe(size);
      expect(table.runs(9).total).toBe(0);
    }), { numRuns: 60 });
  });

  it('MAP-05, UNM-02: collisions, the end of the table, holes', () => {
    const { table } = attached(changes, 6019, use);
    expect(table.map(iova(0n), physical(granule), granule, READ_WRITE)).toBeNull();
    expect(table.map(iova(0n), physical(0n), 2n * granule, READ_WRITE)).toBe('EEXIST');
    expect(table.map(iova(-granule & (block - 1n)), physical(0n), 2n * granule, READ_WRITE)).toBeNull();
    expect(table.map(iova(0n), physical(0n), block, READ_WRITE)).toBe('EEXIST');
    expect(table.map(iova(1n << BigInt(width)), physical(0n), granule, READ_WRITE)).toBe('ERANGE');
    expect(table.map(iova(2n * granule), physical(0n), granule, { read: false, write: false })).toBe('EINVAL');
    expect(table.unmap(iova(0n), 3n * granule)).toBe(granule);
    expect(table.unmap(iova(0n), granule)).toBe(0n);
  });

  it.each([[6013, true], [6014, false]])('UNM-02, UNM-03: part of a block in %i', (version, splits) => {
    const { unit, table, log } = attached(changes, version, use);
    table.map(iova(block), physical(block), 2n * block, READ_WRITE);
    expect(table.unmap(iova(block + granule), granule)).toBe(splits ? granule : 0n);
    expect(log).toEqual(splits ? [] : ['Unmap of a partial large IOPTE is not allowed']);
    expect(unit.translate(request(SID, 'read', block + granule), null).kind).toBe(splits ? 'fault' : 'address');
    expect(unit.translate(request(SID, 'write', block + 2n * granule), null)).toMatchObject({ kind: 'address', address: block + 2n * granule, pageSize: splits ? granule : block });
    expect(table.unmap(iova(2n * block), block)).toBe(block);
  });

  it('a block takes the place of a table that is empty by now', () => {
    const { table } = attached(changes, 6019, use);
    table.map(iova(block), physical(0n), granule, READ_WRITE);
    table.unmap(iova(block), granule);
    expect(table.map(iova(block), physical(block), block, READ_WRITE)).toBeNull();
    expect(table.lookup(iova(block))?.pageSize).toBe(block);
  });

  it('gives every table page back', () => {
    const { table, memory } = attached(changes, 6019, use);
    const before = memory.page(Number(table.root >> 12n));
    table.map(iova(granule), physical(granule), granule, READ_WRITE);
    expect(memory.page(Number(table.root >> 12n))).toBeDefined();
    table.free();
    expect(memory.page(Number(table.root >> 12n))).toBeUndefined();
    expect(before).toBeUndefined();
  });
});

it('LA-D6: stage 1 has no write-only leaves, stage 2 has', () => {
  const writeOnly = { read: false, write: true };
  const permissionOf = (table: PageTable) => {
    table.map(iova(0n), physical(0n), 0x1000n, writeOnly);
    return table.lookup(iova(0n))?.permission;
  };
  expect(permissionOf(attached().table)).toEqual(READ_WRITE);
  expect(permissionOf(attached({}, 6019, 'nest-parent').table)).toEqual(writeOnly);
});

it('MAP-05: addresses that the unit cannot put out', () => {
  expect(attached({ physicalWidth: 40 }).table.map(iova(0n), physical(1n << 40n), 0x1000n, READ_WRITE)).toBe('ERANGE');
});

it('UNM-02, MAP-02: it is as if mappings were pages, whatever leaves they have', () => {
  const page = fc.bigInt(0n, 1500n);
  fc.assert(fc.property(fc.array(fc.tuple(page, fc.bigInt(1n, 700n), fc.boolean()), { maxLength: 8 }), (steps) => {
    const { table } = attached({}, 6012);
    const pages = new Map<bigint, bigint>();
    for (const [at, count, maps] of steps) {
      const range = Array.from({ length: Number(count) }, (_, i) => at + BigInt(i));
      if (maps) {
        const free = range.every((each) => !pages.has(each));
        expect(table.map(iova(at << 12n), physical((at + 512n) << 12n), count << 12n, READ_WRITE)).toBe(free ? null : 'EEXIST');
        if (free) range.forEach((each) => pages.set(each, each + 512n));
      } else {
        const hole = range.findIndex((each) => !pages.has(each));
        const removed = hole === -1 ? range : range.slice(0, hole);
        expect(table.unmap(iova(at << 12n), count << 12n)).toBe(BigInt(removed.length) << 12n);
        removed.forEach((each) => pages.delete(each));
      }
    }
    for (let each = 0n; each < 2300n; each += 7n) {
      const target = pages.get(each);
      expect(table.lookup(iova(each << 12n))?.physical).toBe(target === undefined ? undefined : target << 12n);
    }
  }), { numRuns: 40 });
});

it('DRT-01: dirty state begins set, is cleared, and set again by a write', () => {
  const { unit, table } = attached({ dirtyTracking: true }, 6019, 'dirty-tracking');
  table.map(iova(0x1000n), physical(0x5000n), 0x3000n, READ_WRITE);
  const dirty = (clear: boolean) => table.takeDirty!(iova(0n), 0x10000n, clear).map(({ start }) => start);
  expect(dirty(true)).toEqual([0x1000n, 0x2000n, 0x3000n]);
  expect(dirty(false)).toEqual([]);
  expect(outcome(unit, request(SID, 'read', 0x2000n))).toBe('0x6000 r-');
  expect(outcome(unit, request(SID, 'write', 0x2000n))).toBe('0x6000 rw');
  expect(dirty(false)).toEqual([0x2000n]);
  expect(table.lookup(iova(0x1000n))?.permission).toEqual(READ_WRITE);
});

it('VTD-70: what the IOTLB has answers until it is invalidated', () => {
  const { unit, table } = attached();
  unit.useIotlb();
  unit.setDeviceEntry(SID, { kind: 'paging', table, domainId: 5, ats: false });
  table.map(iova(0x1000n), physical(0x5000n), 0x1000n, READ_WRITE);
  expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('0x5000 rw');
  table.unmap(iova(0x1000n), 0x1000n);
  expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('0x5000 rw');
  unit.cache!.invalidate(5, 0x1000n, 0x1000n);
  expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('fault 0x10');
});

describe('SMMU 2.3: what Linux prints', () => {
  const device = { name: '0000:03:00.0', driver: null };
  const faultOf = (unit: SmmuUnit, pasid?: number): UnitFault => unit.translate(request(SID, 'write', 0xffff_f000n, pasid === undefined ? {} : { pasid }), null) as UnitFault;
  const lines = (version: number, known: typeof device | null = device) => {
    const { unit } = attached({}, version);
    return unit.faultMessages(faultOf(unit), request(SID, 'write', 0xffff_f000n), known);
  };
  const RAW = ['event 0x10 received:', '\t0x0000030000000010', '\t0x0000020000000000', '\t0x00000000fffff000', '\t0x0000000000000000'].map((text) => `arm-smmu-v3 unit0: ${text}`);

  it('up to 6.13 the words', () => {
    expect(lines(6013)).toEqual(RAW);
  });

  it('then two lines that say what they mean', () => {
    expect(lines(6014)).toEqual([...RAW, 'arm-smmu-v3 unit0: event: F_TRANSLATION client: 0000:03:00.0 sid: 0x300 ssid: 0 iova: 0xfffff000 ipa: 0', 'arm-smmu-v3 unit0: unpriv data write s1 "Input address caused fault" stag: 0']);
    expect(lines(6014, null)[5]).toContain('client: (unassigned sid)');
  });

  it('one line for a configuration error; of fetches the address', () => {
    const { unit } = attached({ pasidBits: 4 });
    expect(unit.faultMessages(faultOf(unit, 9), request(SID, 'write', 0n), device).slice(5)).toEqual(['arm-smmu-v3 unit0: event: C_BAD_CD client: 0000:03:00.0 sid: 0x300 ssid: 0x9']);
    const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(0xfffn) }] });
    const empty = new SmmuUnit(unitDescription('smmuv3'), memory, kernel(6019));
    empty.registers.streamTable = 0x10_0000_0000n;
    empty.registers.streamTableConfig = 10;
    expect(empty.faultMessages(faultOf(empty), request(SID, 'write', 0n), device).at(-1)).toBe('arm-smmu-v3 unit0: event: F_STE_FETCH client: 0000:03:00.0 sid: 0x300 ssid: 0 fetch_addr: 0x100000c000');
  });

  it('nothing of what is not recorded', () => {
    const { unit } = attached();
    expect(unit.faultMessages({ ...faultOf(unit), recorded: false }, request(SID, 'write', 0n), device)).toEqual([]);
  });
});
