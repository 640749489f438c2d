/** Intel VT-d in scalable mode: PASID tables, first stage, nesting. */
import { describe, expect, it } from 'vitest';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription } from './request.js';

const GPU = 0x0300;
const CAPABLE = { scalableMode: true, firstStage: true, nested: true, pasidBits: 20, levels: [4], addressWidth: 48, physicalWidth: 46 };

/** Root 0x200000, context 0x210000, PASID directory 0x220000, PASID table 0x230000; PASID 0 by `entry`. */
function unitWith(entry: readonly [q0: bigint, q1: bigint, q2?: bigint], words: Readonly<Record<number, bigint>> = {}, changes = {}) {
  const memory = new PhysicalMemory();
  const unit = new VtdUnit(unitDescription('vtd', { ...CAPABLE, ...changes }), memory, kernel(6012, { intel_iommu: 'on,sm_on' }));
  poke(memory, { 0x200030: 0x210001n, 0x210000: 0x220001n, 0x220000: 0x230001n, 0x230000: entry[0], 0x230008: entry[1], 0x230010: entry[2] ?? 0n, ...words });
  unit.registers.rootTable = 0x200400n;
  return unit;
}

const FIRST = [0x41n, 0x5n, 0x240000n] as const;
/** Levels 4 to 1 for address 0x1000. */
const FIRST_TABLES = { 0x240000: 0x241007n, 0x241000: 0x242007n, 0x242000: 0x243007n, 0x243008: 0x5007n };

describe('hw-x86 2.5: from requester ID and PASID to an entry', () => {
  const ask = (words: Readonly<Record<number, bigint>>, changes: Parameters<typeof request>[3] = {}) =>
    outcome(unitWith(FIRST, { ...FIRST_TABLES, ...words }), request(GPU, 'read', 0x1000n, changes));

  it.each<[string, Record<number, bigint>, Parameters<typeof request>[3], string]>([
    ['a mapped page', {}, {}, '0x5000 rw'],
    ['root entry not present', { 0x200030: 0n }, {}, 'fault 0x39'],
    ['root entry, reserved bit', { 0x200030: 0x210003n }, {}, 'fault 0x3a'],
    ['context entry not present', { 0x210000: 0n }, {}, 'fault 0x41'],
    ['context entry, reserved bit', { 0x210008: 1n << 40n }, {}, 'fault 0x42'],
    ['VTD-40: pointers end at the physical width: root entry', { 0x200030: 0x210001n | (1n << 46n) }, {}, 'fault 0x3a'],
    ['VTD-40: ... context entry', { 0x210000: 0x220001n | (1n << 46n) }, {}, 'fault 0x42'],
    ['VTD-40: ... directory entry', { 0x220000: 0x230001n | (1n << 46n) }, {}, 'fault 0x52'],
    ['VTD-40: ... second-stage table of the PASID entry', { 0x230000: 0x41n | (1n << 46n) }, {}, 'fault 0x5a'],
    ['VTD-40: ... first-stage table of the PASID entry', { 0x230010: 0x240000n | (1n << 46n) }, {}, 'fault 0x5a'],
    ['a PASID although PASIDE is clear', {}, { pasid: 0x105 }, 'fault 0x45'],
    ['a PASID beyond the directory', { 0x210000: 0x220009n }, { pasid: 0x2000 }, 'fault 0x46'],
    ['RID_PASID beyond the directory', { 0x210008: 0x2000n }, {}, 'fault 0x48'],
    ['a PASID without table', { 0x210000: 0x220009n }, { pasid: 0x105 }, 'fault 0x51'],
    ['a PASID without entry', { 0x210000: 0x220009n, 0x220020: 0x231001n }, { pasid: 0x105 }, 'fault 0x59'],
    ['ATS although DTE is clear', {}, { addressType: 'translated' }, 'fault 0x44'],
    ['ATS', { 0x210000: 0x220005n }, { addressType: 'translated' }, '0x1000 rw'],
    ['entry not present', { 0x230000: 0n }, {}, 'fault 0x59'],
    ['table type 0', { 0x230000: 1n }, {}, 'fault 0x5b'],
    ['VTD-40: FPD of the directory entry', { 0x220000: 0x230003n, 0x243008: 0n }, {}, 'fault 0x71 unrecorded'],
    ['VTD-40: FPD does not hold for the root', { 0x200030: 0x2n }, {}, 'fault 0x39'],
  ])('%s', (_what, words, changes, expected) => expect(ask(words, changes)).toBe(expected));

  it('devices 16 to 31 use the second half of the root entry; PASID 5 its own entry', () => {
    const trace = new Recorder();
    const unit = unitWith(FIRST, { 0x200038: 0x211001n, 0x211020: 0x220009n, 0x220020: 0x231001n });
    expect(outcome(unit, request(0x0381, 'read', 0x1000n, { pasid: 0x105 }), trace)).toBe('fault 0x59');
    expect(trace.reads().map(({ address }) => address)).toEqual([0x200038n, 0x211020n, 0x220020n, 0x231140n]);
  });

  it('without the capability the table mode is invalid', () => {
    expect(outcome(unitWith(FIRST, {}, { scalableMode: false }), request(GPU, 'read', 0n))).toBe('fault 0x30');
  });
});

describe('VTD-43: the first stage', () => {
  it.each<[string, Record<number, bigint>, ReturnType<typeof request>, string]>([
    ['not canonical', {}, request(GPU, 'read', 0x8000_0000_0000n), 'fault 0x80'],
    ['canonical, upper half, nothing there', {}, request(GPU, 'read', 0xffff_8000_0000_0000n), 'fault 0x71'],
    ['privileged page', { 0x243008: 0x5003n }, request(GPU, 'read', 0x1000n), 'fault 0x81'],
    ['read-only page', { 0x243008: 0x5005n }, request(GPU, 'write', 0x1000n), 'fault 0x85'],
    ['read-only page, read', { 0x243008: 0x5005n }, request(GPU, 'read', 0x1000n), '0x5000 r-'],
    ['nothing', { 0x243008: 0n }, request(GPU, 'read', 0x1000n), 'fault 0x71'],
    ['reserved', { 0x243008: 0x5007n | (1n << 50n) }, request(GPU, 'read', 0x1000n), 'fault 0x72'],
    ['2 MiB', { 0x242000: 0x8020_0087n }, request(GPU, 'read', 0x1234n), '0x80201234 rw'],
    ['1 GiB, reserved bits', { 0x241000: 0x4000_2087n }, request(GPU, 'read', 0x1234n), 'fault 0x72'],
    ['output in the interrupt range', { 0x243008: 0xfee0_0007n }, request(GPU, 'read', 0x1000n), 'fault 0x87'],
  ])('%s', (_what, words, asked, expected) => expect(outcome(unitWith(FIRST, { ...FIRST_TABLES, ...words }), asked)).toBe(expected));

  it('VTD-60: a translation request for nothing has an answer without permissions', () => {
    const unit = unitWith(FIRST, { ...FIRST_TABLES, 0x210000: 0x220005n });
    const ask = (address: bigint) => outcome(unit, request(GPU, 'read', address, { addressType: 'translation-request' }));
    expect([ask(0x1000n), ask(0x2000n)]).toEqual(['0x5000 rw', '0x0 --']);
  });
});

describe('VTD-42, VTD-45: pass-through and second stage', () => {
  it('pass-through ends at the physical width', () => {
    const unit = unitWith([0x109n, 1n]);
    expect(outcome(unit, request(GPU, 'write', 0x1234n))).toBe('0x1234 rw');
    expect(outcome(unit, request(GPU, 'write', 1n << 46n))).toBe('fault 0x83');
  });

  it('VTD-30: SNP of a page is no reserved bit in scalable mode, without snoop control either; that of a pointer is', () => {
    const ask = (words: Record<number, bigint>) => outcome(unitWith([0x300089n, 5n], { 0x300000: 0x301003n, 0x301000: 0x4000_0883n, ...words }, { snoopControl: false }), request(GPU, 'read', 0x1234n));
    expect(ask({})).toBe('0x40001234 rw');
    expect(ask({ 0x300000: 0x301803n })).toBe('fault 0x7a');
  });

  it('second stage', () => {
    const unit = unitWith([0x300089n, 5n], { 0x300000: 0x301003n, 0x301000: 0x4000_0081n });
    expect(outcome(unit, request(GPU, 'read', 0x1234n))).toBe('0x40001234 r-');
    expect(outcome(unit, request(GPU, 'write', 0x1234n))).toBe('fault 0x79');
    expect(outcome(unit, request(GPU, 'write', 1n << 48n))).toBe('fault 0x84');
  });
});

describe('VTD-44: nested', () => {
  const ENTRY = [0x3000c9n, 5n, 0x1000n] as const;
  const TABLES = {
    0x300000: 0x301003n, 0x301000: 0x302003n, 0x301008: 0x2_4000_0083n, 0x302000: 0x8000_0083n,
    0x8000_17f0: 0x2007n, 0x8000_2240: 0x3007n, 0x8000_3d10: 0x4007n, 0x8000_4b38: 0x4000_5007n,
  };
  const asked = request(GPU, 'write', 0x7f12_3456_7abcn);

  it('every first-stage table address goes through the second stage', () => {
    const trace = new Recorder();
    expect(outcome(unitWith(ENTRY, TABLES), asked, trace)).toBe('0x240005abc rw');
    expect(trace.reads()).toHaveLength(18 + 4);
  });

  it.each<[string, Record<number, bigint>, string]>([
    ['no read permission for the top table', { 0x302000: 0x8000_0082n }, 'fault 0x75'],
    ['no page below the final address', { 0x301008: 0n }, 'fault 0x79'],
    ['a reserved bit of a first-stage entry', { 0x8000_17f0: (1n << 48n) | 0x2007n }, 'fault 0x72'],
  ])('%s', (_what, words, expected) => expect(outcome(unitWith(ENTRY, { ...TABLES, ...words }), asked)).toBe(expected));
});

describe('VTD-44: how many entries a nested walk reads', () => {
  const LOWEST = 0x300000;
  /** Second stage of `levels`, 1:1 for the first eight pages; first stage of `upper` levels in pages 1 to `upper`, its page 0 is page 6. */
  function tables(upper: number, levels: number) {
    const words: Record<number, bigint> = {};
    for (let level = levels; level > 1; level--) words[LOWEST + 0x1000 * (level - 1)] = BigInt(LOWEST + 0x1000 * (level - 2)) | 3n;
    for (let page = 0; page < 8; page++) words[LOWEST + 8 * page] = BigInt(0x1000 * page) | 3n;
    for (let level = upper; level >= 1; level--) words[0x1000 * (upper - level + 1)] = BigInt(level === 1 ? 0x6000 : 0x1000 * (upper - level + 2)) | 0x67n;
    return words;
  }

  it.each([[4, 3], [4, 4], [4, 5], [5, 3], [5, 4], [5, 5]])('%i levels above %i', (upper, levels) => {
    const trace = new Recorder();
    const entry = [BigInt(LOWEST + 0x1000 * (levels - 1)) | BigInt((levels - 2) << 2) | 0xc1n, 5n, 0x1000n | BigInt((upper - 4) << 2)] as const;
    const unit = unitWith(entry, tables(upper, levels), { levels: [3, 4, 5], addressWidth: 57, physicalWidth: 52 });
    expect(outcome(unit, request(GPU, 'write', 0x123n), trace)).toBe('0x6123 rw');
    expect(trace.reads()).toHaveLength(4 + upper * (levels + 1) + levels);
  });
});

describe('VTD-44: the second stage has an end', () => {
  it('for tables and for pages', () => {
    const wide = { physicalWidth: 52 };
    const entry = [0x3000c9n, 5n, 0x1000n] as const;
    const tables = { 0x300000: 0x301003n, 0x301000: 0x302003n, 0x302000: 0x8000_0083n };
    const beyond = (1n << 48n) | 0x7n;
    expect(outcome(unitWith(entry, { ...tables, 0x8000_1000: beyond }, wide), request(GPU, 'read', 0n))).toBe('fault 0x74');
    expect(outcome(unitWith(entry, { ...tables, 0x8000_1000: 0x2007n, 0x8000_2000: beyond | 0x80n }, wide), request(GPU, 'read', 0n))).toBe('fault 0x84');
  });
});

describe('what Linux programs (LNX-04)', () => {
  const newUnit = (changes = {}, options = { intel_iommu: 'on,sm_on' }) =>
    new VtdUnit(unitDescription('vtd', { ...CAPABLE, ...changes }), new PhysicalMemory(), kernel(6012, options));

  it('blocked, identity, paging', () => {
    const unit = newUnit();
    unit.setDeviceEntry(GPU, { kind: 'blocked' });
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x59');
    unit.setDeviceEntry(GPU, { kind: 'identity' });
    expect(outcome(unit, request(GPU, 'read', 0x1234n))).toBe('0x1234 rw');
    const table = unit.createPageTable();
    unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 2, ats: false });
    table.map(iova(0x10_0000n), physical(0x5000n), 4096n, { read: false, write: true });
    expect(outcome(unit, request(GPU, 'read', 0x10_0000n))).toBe('0x5000 rw'); // a first-stage entry always reads
    expect(table.aperture.last).toBe(0x7fff_ffff_ffffn);
    expect(unit.capabilities().maxPasids).toBe(1 << 20);
  });

  it('fault line of the first stage', () => {
    const unit = newUnit();
    unit.setDeviceEntry(GPU, { kind: 'paging', table: unit.createPageTable(), domainId: 2, ats: false });
    const asked = request(GPU, 'read', 0x10_0000n);
    const answer = unit.translate(asked, null);
    expect(answer.kind === 'fault' && unit.faultMessages(answer, asked)[1]).toBe(
      'DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x100000 [fault reason 0x71] SM: Present bit in first-level paging entry is clear');
  });

  it('a unit with only a first stage has nothing for iommufd in older kernels', () => {
    const users = (version: number) => new VtdUnit(unitDescription('vtd', { ...CAPABLE, nested: false }), new PhysicalMemory(), kernel(version, { intel_iommu: 'on,sm_on' })).capabilities().userDomains;
    expect([users(6012), users(6013), newUnit({ nested: true }).capabilities().userDomains]).toEqual([false, true, true]);
  });

  it('CMD-03: legacy tables without `sm_on`', () => {
    const unit = newUnit({}, { intel_iommu: 'on' });
    unit.setDeviceEntry(GPU, { kind: 'blocked' });
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x02');
    expect(unit.createPageTable().aperture.last).toBe((1n << 48n) - 1n);
  });

  it('second stage when the unit has no first', () => {
    const unit = newUnit({ firstStage: false, nested: false });
    const table = unit.createPageTable();
    unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 2, ats: false });
    table.map(iova(0n), physical(0x4000_0000n), 0x4000_0000n, READ_WRITE);
    expect(outcome(unit, request(GPU, 'write', 0x1234_5678n))).toBe('0x52345678 rw');
    expect(outcome(unit, request(GPU, 'write', 0x4000_0000n))).toBe('fault 0x79');
  });
});
