/** AMD-Vi guest translation: GCR3 tables, version 2 page tables, both stages together, and what Linux's driver writes of them (hw-x86 3.6). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { levelsFor } from '../../server/simulator/hardware/amdvi/guest-writer.js';
import { AmdUnit } from '../../server/simulator/hardware/amdvi/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription } from './request.js';

/** 41:00.0 */
const GPU = 0x4100;
const DTE = 0x1082000;
/** Bits in each of the three pieces of its address. */
const GCR3 = 0x12_3456_7000n;

const BOTH = 0x6000_0000_0000_0003n;
const GV = 1n << 55n;
const GIOV = 1n << 54n;

/** A device table entry with a GCR3 table, by the manual's bit numbers. */
function entry({ glx = 0n, flags = GV | GIOV, host = 0n, paging = 0n, at = GCR3 } = {}): Record<number, bigint> {
  return {
    [DTE]: BOTH | flags | host | (glx << 56n) | (((at >> 12n) & 7n) << 58n),
    [DTE + 8]: 0x17n | (((at >> 15n) & 0xffffn) << 16n) | ((at >> 31n) << 43n),
    [DTE + 16]: paging << 54n,
  };
}

/** Four levels from 0x2000000: 4 KiB at 0x12_3456_7000, and next to it a read-only, a privileged and a non-executable page; 2 MiB at 0x12_3460_0000; 1 GiB at 0x40_0000_0000. */
const TABLES: Record<number, bigint> = {
  [Number(GCR3)]: 0x200_0001n,
  0x2000000: 0x2001027n, 0x2001240: 0x2002027n, 0x2001800: 0x7_4000_00e7n,
  0x2002d10: 0x2003027n, 0x2002d18: 0x5_00e0_00e7n,
  0x2003b38: 0x7654_3067n, 0x2003b40: 0x7654_4025n, 0x2003b48: 0x7654_5063n, 0x2003b50: 0x8000_0000_7654_6067n,
};

function on(dte: Readonly<Record<number, bigint>>, words: Readonly<Record<number, bigint>> = {}): AmdUnit {
  const memory = new PhysicalMemory();
  const unit = new AmdUnit(unitDescription('amd-vi'), memory, kernel(6012));
  unit.registers.deviceTable = 0x10001ffn;
  poke(memory, { ...TABLES, ...dte, ...words });
  return unit;
}

describe('a request without PASID, by GIoV', () => {
  it('reads the device table entry, the GCR3 entry and one entry per level', () => {
    const trace = new Recorder();
    expect(outcome(on(entry()), request(GPU, 'write', 0x12_3456_7abcn), trace)).toBe('0x76543abc rw');
    expect(trace.reads().map(({ address }) => address)).toEqual([BigInt(DTE), GCR3, 0x2000000n, 0x2001240n, 0x2002d10n, 0x2003b38n]);
    const events = trace.events.filter((event) => event.kind === 'read');
    expect(events.map((event) => event.entry)).toEqual(['device table entry', 'GCR3 entry', 'guest PML4E', 'guest PDPE', 'guest PDE', 'guest PTE']);
    expect(events.at(-1)).toMatchObject({ stage: 'stage 1', level: 1, verdict: 'done', fields: expect.arrayContaining([expect.objectContaining({ name: 'ADDR', meaning: '0x76543000' })]) });
    expect(events[0]!.fields).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'GIoV', value: 1n }), expect.objectContaining({ name: 'GCR3[51:31]', value: GCR3 >> 31n })]));
  });

  it.each([
    ['2 MiB', request(GPU, 'read', 0x12_3461_2345n), '0x500e12345 rw'],
    ['1 GiB', request(GPU, 'write', 0x40_0001_0abcn), '0x740010abc rw'],
    ['nothing, read', request(GPU, 'read', 0x12_3457_0000n), 'fault 0x02 flags 0x001'],
    ['nothing, write', request(GPU, 'write', 0x12_3457_0000n), 'fault 0x02 flags 0x021'],
    ['a read-only page', request(GPU, 'write', 0x12_3456_8000n), 'fault 0x02 flags 0x071'],
    ['... which can be read', request(GPU, 'read', 0x12_3456_8000n), '0x76544000 r-'],
    ['a privileged page (AMD-33)', request(GPU, 'read', 0x12_3456_9000n, { privileged: true }), 'fault 0x02 flags 0x055'],
    ['a non-executable page: without PASID nobody executes (PCIE-12)', request(GPU, 'read', 0x12_3456_a000n, { execute: true }), '0x76546000 rw'],
    ['beyond the levels', request(GPU, 'read', 1n << 48n), 'fault 0x02 flags 0x001'],
  ])('%s', (_what, asked, expected) => expect(outcome(on(entry()), asked)).toBe(expected));

  it.each<[string, Record<number, bigint>, Record<number, bigint>, string]>([
    ['the GCR3 entry is not valid', entry(), { [Number(GCR3)]: 0n }, 'fault 0x02 flags 0x021'],
    ['a reserved bit of a leaf', entry(), { 0x2002d10: 0x5_0000_20e7n }, 'fault 0x02 flags 0x0b1'],
    ['PS of a level that has no leaves', entry(), { 0x2000000: 0x20010a7n }, 'fault 0x02 flags 0x0b1'],
    ['a pointer that cannot be written through', entry(), { 0x2002d10: 0x2003025n }, 'fault 0x02 flags 0x071'],
    ['A12: the device table entry denies writing', { ...entry(), [DTE]: entry()[DTE]! & ~(1n << 62n) }, {}, 'fault 0x02 flags 0x071'],
    ['GIoV clear: not translated', entry({ flags: GV }), {}, '0x1234567abc rw'],
    ['GV clear: not translated', entry({ flags: 0n }), {}, '0x1234567abc rw'],
    ['GLX is reserved', entry({ glx: 3n }), {}, 'fault 0x01 flags 0x021'],
    ['GuestPagingMode is reserved', entry({ paging: 2n }), {}, 'fault 0x01 flags 0x021'],
  ])('%s', (_what, dte, words, expected) => expect(outcome(on(dte, words), request(GPU, 'write', 0x12_3456_7abcn))).toBe(expected));

  it('five levels', () => {
    const words = { [Number(GCR3)]: 0x210_0001n, [0x2100000 + 8 * 0x101]: 0x2000027n };
    expect(outcome(on(entry({ paging: 1n }), words), request(GPU, 'write', (0x101n << 48n) | 0x12_3456_7abcn))).toBe('0x76543abc rw');
  });

  it('a translation request takes what there is, and logs nothing', () => {
    const dte = entry();
    const unit = on({ ...dte, [DTE + 8]: dte[DTE + 8]! | (1n << 32n) });
    const asks = (address: bigint) => outcome(unit, request(GPU, 'read', address, { addressType: 'translation-request' }));
    expect([asks(0x12_3456_8000n), asks(0x12_3457_0000n)]).toEqual(['0x76544000 r-', '0x0 --']);
  });

  it('nothing answers', () => {
    const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0x1000000n), last: physical(0x1ffffffn) }] });
    const unit = new AmdUnit(unitDescription('amd-vi'), memory, kernel(6012));
    unit.registers.deviceTable = 0x10001ffn;
    poke(memory, entry());
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x04 flags 0x201');
  });
});

describe('PASIDs', () => {
  const asks = (pasid: number, address = 0x12_3456_7abcn, changes = {}) => request(GPU, 'read', address, { pasid, ...changes });

  it.each<[string, bigint, number, Record<number, bigint>]>([
    ['one level', 0n, 0x105, { [Number(GCR3) + 8 * 0x105]: 0x200_0001n }],
    ['two levels', 1n, 0x3_8105, { [Number(GCR3) + 8 * 0x1c0]: 0x220_0001n, [0x2200000 + 8 * 0x105]: 0x200_0001n }],
    ['three levels', 2n, 0xf_8105, { [Number(GCR3) + 8 * 3]: 0x220_0001n, [0x2200000 + 8 * 0x1c0]: 0x221_0001n, [0x2210000 + 8 * 0x105]: 0x200_0001n }],
  ])('GCR3 table of %s', (_what, glx, pasid, words) => {
    const trace = new Recorder();
    expect(outcome(on(entry({ glx, flags: GV }), words), asks(pasid), trace)).toBe('0x76543abc rw');
    expect(trace.reads()).toHaveLength(1 + Number(glx) + 1 + 4);
  });

  it('beyond the GCR3 table, without table, without guest tables', () => {
    expect(outcome(on(entry()), asks(0x200))).toBe('fault 0x02 flags 0x001');
    expect(outcome(on(entry()), asks(0x105))).toBe('fault 0x02 flags 0x001');
    expect(outcome(on(entry({ flags: 0n })), asks(0))).toBe('fault 0x08 flags 0x000');
  });

  it('addresses are signed, but for PASID 0', () => {
    const upper = { [Number(GCR3) + 8]: 0x200_0001n, [0x2000000 + 8 * 0x1ff]: 0x2001027n };
    const unit = on(entry(), upper);
    expect(outcome(unit, asks(1, 0xffff_ff92_3456_7abcn))).toBe('0x76543abc rw');
    expect(outcome(unit, asks(1, 0xff92_3456_7abcn))).toBe('fault 0x02 flags 0x001');
    expect(outcome(unit, asks(0, 0xff92_3456_7abcn))).toBe('0x76543abc rw');
    expect(outcome(unit, asks(0, 0xffff_ff92_3456_7abcn))).toBe('fault 0x02 flags 0x001');
  });

  it('privileged and executing requests', () => {
    const unit = on(entry());
    expect(outcome(unit, asks(0, 0x12_3456_9000n))).toBe('fault 0x02 flags 0x055');
    expect(outcome(unit, asks(0, 0x12_3456_9000n, { privileged: true }))).toBe('0x76545000 rw');
    expect(outcome(unit, asks(0, 0x12_3456_a000n))).toBe('0x76546000 rw');
    expect(outcome(unit, asks(0, 0x12_3456_a000n, { execute: true }))).toBe('fault 0x02 flags 0x053');
  });

  it('the event names the PASID where it has the domain otherwise', () => {
    const unit = on(entry());
    const asked = asks(0x105);
    const answer = unit.translate(asked, null);
    expect(answer).toMatchObject({ kind: 'fault', domainId: 0x105 });
    expect(answer.kind === 'fault' && unit.faultMessages(answer, asked, null)).toEqual(['AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:41:00.0 domain=0x0105 address=0x1234567abc flags=0x0001]']);
  });
});

describe('guest tables over a host table', () => {
  /** Mode 3 at 0x3000000: guest pages at 32 MiB and above are 1:1 by a 2 MiB page, guest page 0x7654_3000 is at 0x9999_9000. */
  const HOST = { 0x3000000: 0x6000_0000_0300_1401n, 0x3000008: 0x6000_0000_0300_2401n, 0x3001080: 0x7000_0000_0200_0001n, 0x3002d90: 0x6000_0000_0300_3201n, 0x3003a18: 0x7000_0000_9999_9001n };
  const both = entry({ host: 0x300_0600n });

  it('every table address goes through the host table first', () => {
    const trace = new Recorder();
    expect(outcome(on(both, HOST), request(GPU, 'write', 0x12_3456_7abcn), trace)).toBe('0x99999abc rw');
    // Two host entries to find each of four tables, the table's entry, three host entries for the page.
    expect(trace.reads()).toHaveLength(2 + 4 * (2 + 1) + 3);
  });

  it('what the host table lacks or denies is a fault too', () => {
    expect(outcome(on(both, { ...HOST, 0x3001080: 0n }), request(GPU, 'read', 0x12_3456_7abcn))).toBe('fault 0x02 flags 0x001');
    expect(outcome(on(both, { ...HOST, 0x3003a18: 0x3000_0000_9999_9001n }), request(GPU, 'write', 0x12_3456_7abcn))).toBe('fault 0x02 flags 0x071');
    expect(outcome(on(entry({ host: 0x300_0e00n }), HOST), request(GPU, 'read', 0x12_3456_7abcn))).toBe('fault 0x02 flags 0x011');
  });
});

describe('what the driver writes', () => {
  const v2 = { amd_iommu: 'pgtbl_v2' };
  const create = (version: number, options: Readonly<Record<string, string>> = v2, changes: Parameters<typeof unitDescription>[1] = { firstStage: true }) => new AmdUnit(unitDescription('amd-vi', changes), new PhysicalMemory(), kernel(version, options));
  const sizes = (unit: AmdUnit, use?: Parameters<AmdUnit['createPageTable']>[0]) => unit.createPageTable(use).pageSizes;
  const V2_SIZES = 0x4020_1000n;

  it('PGS-05: 4 KiB, 2 MiB and 1 GiB, since 6.1 and where the unit has guest tables', () => {
    expect([5019, 6001, 6019].map((version) => sizes(create(version)) === V2_SIZES)).toEqual([false, true, true]);
    expect(sizes(create(6019, v2, {}))).not.toBe(V2_SIZES);
    expect(sizes(create(6019, { amd_iommu: 'pgtbl_v2,pgtbl_v1' }))).not.toBe(V2_SIZES);
    expect(sizes(create(6019, { amd_iommu: 'pgtbl_v2,nohugepages' }))).toBe(V2_SIZES);
  });

  it('one unit without guest tables, or without page requests, is enough', () => {
    const good = unitDescription('amd-vi', { firstStage: true, pasidBits: 16, pageRequests: true });
    const beside = (changes: Parameters<typeof unitDescription>[1]) => new AmdUnit(good, new PhysicalMemory(), { ...kernel(6019, v2), units: [good, unitDescription('amd-vi', changes)] });
    expect([beside({}), beside({ firstStage: true })].map((unit) => [sizes(unit) === V2_SIZES, unit.createProcessTable !== undefined])).toEqual([[false, false], [true, false]]);
  });

  it('users get them since 6.14, dirty tracking never does', () => {
    expect([6012, 6014].map((version) => sizes(create(version), 'user') === V2_SIZES)).toEqual([false, true]);
    expect(sizes(create(6019), 'dirty-tracking')).not.toBe(V2_SIZES);
  });

  it('PGS-05: the aperture is by levels, without the sign since 6.17', () => {
    const last = (version: number, addressWidth?: number) => create(version, v2, { firstStage: true, ...(addressWidth && { addressWidth }) }).createPageTable().aperture.last;
    expect([last(6012), last(6016), last(6017), last(6019, 57), last(6001, 57)]).toEqual([48, 48, 47, 56, 48].map((width) => (1n << BigInt(width)) - 1n));
  });

  it('a table for a process only where PASIDs and page requests are', () => {
    const has = (version: number, changes = {}) => create(version, {}, { pasidBits: 16, pageRequests: true, ...changes }).createProcessTable !== undefined;
    expect([has(6009), has(6010), has(6010, { pasidBits: 0 }), has(6010, { pageRequests: false })]).toEqual([false, true, false, false]);
  });

  it('an identity domain keeps a GCR3 table beside it; another domain begins with an empty one', () => {
    const unit = create(6012, {}, { pasidBits: 16, pageRequests: true });
    const asks = (pasid?: number) => outcome(unit, request(GPU, 'read', 0x1000n, { size: 1, ...(pasid !== undefined && { pasid }) }));
    unit.setDeviceEntry(GPU, { kind: 'identity' });
    expect([asks(), asks(7), unit.checkPasid(GPU)]).toEqual(['0x1000 rw', 'fault 0x08 flags 0x000', 'EINVAL']);
    unit.setDeviceEntry(GPU, { kind: 'blocked' }, 2 ** 16);
    expect(unit.checkPasid(GPU)).toBe('EINVAL');
    unit.setDeviceEntry(GPU, { kind: 'identity' }, 2 ** 16);
    expect([asks(), asks(7), unit.checkPasid(GPU)]).toEqual(['0x1000 rw', 'fault 0x02 flags 0x001', null]);
    const table = unit.createProcessTable!();
    table.map(iova(0x1000n), physical(0x5000n), 0x1000n, READ_WRITE);
    unit.setPasidEntry(GPU, 0x7007, { kind: 'paging', table, domainId: 1, ats: false });
    expect([asks(), asks(0x7007), asks(7)]).toEqual(['0x1000 rw', '0x5000 rw', 'fault 0x02 flags 0x001']);
    unit.setDeviceEntry(GPU, { kind: 'identity' }, 2 ** 16);
    expect(asks(0x7007)).toBe('0x5000 rw');
    unit.setDeviceEntry(GPU, { kind: 'paging', table: unit.createPageTable('pasid'), domainId: 3, ats: false }, 2 ** 16);
    expect([asks(), asks(0x7007), unit.checkPasid(GPU)]).toEqual(['fault 0x02 flags 0x001', 'fault 0x02 flags 0x001', null]);
    unit.setDeviceEntry(GPU, { kind: 'paging', table: unit.createPageTable('dirty-tracking'), domainId: 3, ats: false }, 2 ** 16);
    expect([asks(7), unit.checkPasid(GPU)]).toEqual(['fault 0x08 flags 0x000', 'EINVAL']);
  });

  it('GCR3 writer and walker agree on every PASID and on where the table is', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.uniqueArray(fc.nat(2 ** 20 - 1), { minLength: 1, maxLength: 8 }), (bits, wanted) => {
      const unit = create(6019, {}, { pasidBits: bits, pageRequests: true });
      unit.setDeviceEntry(GPU, { kind: 'identity' }, 2 ** bits);
      const pasids = [...new Set(wanted.map((each) => each % 2 ** bits))].filter((each) => each !== 0);
      for (const pasid of pasids) {
        const table = unit.createProcessTable!();
        table.map(iova(0x1000n), physical(BigInt(pasid) << 12n), 0x1000n, READ_WRITE);
        unit.setPasidEntry(GPU, pasid, { kind: 'paging', table, domainId: 1, ats: false });
      }
      const asks = (pasid: number) => outcome(unit, request(GPU, 'read', 0x1000n, { pasid, size: 1 }));
      for (const pasid of pasids) expect(asks(pasid)).toBe(`0x${(BigInt(pasid) << 12n).toString(16)} rw`);
      expect(asks(0)).toBe('fault 0x02 flags 0x001');
      for (const pasid of pasids) unit.setPasidEntry(GPU, pasid, { kind: 'blocked' });
      for (const pasid of pasids) expect(asks(pasid)).toBe('fault 0x02 flags 0x001');
    }), { numRuns: 60 });
  });

  it('levels of a GCR3 table, by PASIDs', () => {
    expect([1, 2, 512, 513, 2 ** 16, 2 ** 18, 2 ** 18 + 1, 2 ** 20].map(levelsFor)).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
  });
});
