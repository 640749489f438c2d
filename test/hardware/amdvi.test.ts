/** AMD-Vi: device table entries, host (version 1) tables, special ranges, interrupts, events. */
import { describe, expect, it } from 'vitest';
import { AmdUnit } from '../../server/simulator/hardware/amdvi/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription } from './request.js';

/** 41:00.0 */
const GPU = 0x4100;
const DTE = 0x1082000;

function unitWith(words: Readonly<Record<number, bigint>>, changes: Parameters<typeof unitDescription>[1] = {}) {
  const memory = new PhysicalMemory();
  const unit = new AmdUnit(unitDescription('amd-vi', changes), memory, kernel(6012));
  unit.registers.deviceTable = 0x10001ffn;
  poke(memory, words);
  return unit;
}

/** Three levels, a 4 KiB page at 0xfedc1000, a 2 MiB page at 0x40200000, a 64 KiB page at 0x40410000. */
const LARGE_64K = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [0x1104080 + 8 * i, 0x7000_0005_0001_7e01n]));
const TABLES: Readonly<Record<number, bigint>> = {
  [DTE]: 0x6000_0000_0110_0603n, [DTE + 8]: 0x17n,
  0x1100018: 0x6000_0000_0110_1401n, 0x1101fb0: 0x6000_0000_0110_2201n, 0x1102e08: 0x7000_0076_5432_1001n,
  0x1100008: 0x6000_0000_0110_3401n, 0x1103008: 0x7000_0080_0020_0001n, 0x1103010: 0x6000_0000_0110_4201n, ...LARGE_64K,
};
const on = (words: Readonly<Record<number, bigint>> = {}, changes = {}) => unitWith({ ...TABLES, ...words }, changes);

describe('AMD-20, AMD-21: the host table walk', () => {
  it('reads the device table entry and one entry per level', () => {
    const trace = new Recorder();
    expect(outcome(on(), request(GPU, 'write', 0xfedc_1040n), trace)).toBe('0x7654321040 rw');
    expect(trace.reads().map(({ address }) => address)).toEqual([BigInt(DTE), 0x1100018n, 0x1101fb0n, 0x1102e08n]);
  });

  it.each([
    ['2 MiB', request(GPU, 'read', 0x4021_2345n), '0x8000212345 rw'],
    ['64 KiB, any of its sixteen entries', request(GPU, 'write', 0x4041_5678n), '0x500015678 rw'],
    ['64 KiB, last', request(GPU, 'write', 0x4041_ffffn, { size: 1 }), '0x50001ffff rw'],
    ['nothing, write', request(GPU, 'write', 0xfedc_2000n), 'fault 0x02 flags 0x020'],
    ['nothing, read', request(GPU, 'read', 0xfedc_2000n), 'fault 0x02 flags 0x000'],
    ['beyond the levels', request(GPU, 'write', 1n << 39n), 'fault 0x02 flags 0x020'],
    ['a request with PASID and no guest tables', request(GPU, 'read', 0xfedc_1000n, { pasid: 1 }), 'fault 0x08 flags 0x000'],
  ])('%s', (_what, asked, expected) => expect(outcome(on(), asked)).toBe(expected));

  it.each<[string, Record<number, bigint>, string]>([
    ['a page without IW (AMD-30)', { 0x1102e08: 0x3000_0076_5432_1001n }, 'fault 0x02 flags 0x070'],
    ['a pointer without IW', { 0x1101fb0: 0x2000_0000_0110_2201n }, 'fault 0x02 flags 0x070'],
    ['a device table entry without IW', { [DTE]: 0x2000_0000_0110_0603n }, 'fault 0x02 flags 0x070'],
    ['a reserved bit (AMD-30)', { 0x1102e08: 0x7010_0076_5432_1001n }, 'fault 0x02 flags 0x0b0'],
    ['NextLevel that does not go down', { 0x1101fb0: 0x6000_0000_0110_2401n }, 'fault 0x02 flags 0x030'],
    ['NextLevel of a lowest entry', { 0x1102e08: 0x6000_0076_5432_1201n }, 'fault 0x02 flags 0x030'],
    ['a size below its level', { 0x1101fb0: 0x7000_0080_0000_0e01n }, 'fault 0x02 flags 0x030'],
    ['no host translation', { [DTE]: 0x6000_0000_0110_0003n }, '0xfedc1040 rw'],
    ['more levels than the unit has', { [DTE]: 0x6000_0000_0110_0e03n }, 'fault 0x02 flags 0x030'],
    ['AMD-10: V clear', { [DTE]: 0n }, '0xfedc1040 rw'],
    ['AMD-10: TV clear', { [DTE]: 1n }, 'fault 0x02 flags 0x020'],
    ['a reserved bit of the device table entry', { [DTE]: 0x6000_0000_0110_0643n }, 'fault 0x01 flags 0x0a0'],
    ['AMD-31: SA', { [DTE + 8]: 0x4_0000_0017n, 0x1102e08: 0n }, 'fault 0x02 flags 0x020 unrecorded'],
  ])('%s', (_what, words, expected) => expect(outcome(on(words), request(GPU, 'write', 0xfedc_1040n))).toBe(expected));

  it('AMD-31: SE logs one fault until the entry is programmed again', () => {
    const unit = on({ [DTE + 8]: 0x2_0000_0017n });
    const ask = () => outcome(unit, request(GPU, 'read', 0xfedc_2000n));
    expect([ask(), ask()]).toEqual(['fault 0x02 flags 0x000', 'fault 0x02 flags 0x000 unrecorded']);
  });

  it('levels are skipped when the bits that would index them are 0', () => {
    const unit = on({ [DTE]: 0x6000_0000_0120_0803n, 0x1200000: 0x6000_0000_0120_1201n, 0x1201090: 0x6000_0000_0099_9001n });
    const trace = new Recorder();
    expect(outcome(unit, request(GPU, 'write', 0x12000n), trace)).toBe('0x999000 rw');
    expect(trace.reads()).toHaveLength(3);
    expect(outcome(unit, request(GPU, 'write', 0x4001_2000n))).toBe('fault 0x02 flags 0x030');
  });

  it('six levels index all 64 bits', () => {
    const words: Record<number, bigint> = { [DTE]: 0x6000_0000_0120_0c03n };
    for (let level = 6; level > 1; level--) words[0x1200000 + 0x1000 * (6 - level) + 8 * (level === 6 ? 127 : 511)] = 0x6000_0000_0000_0001n | BigInt(0x1201000 + 0x1000 * (6 - level)) | BigInt((level - 1) << 9);
    words[0x1205000 + 8 * 511] = 0x6000_0000_0099_9001n;
    expect(outcome(on(words), request(GPU, 'read', 0xffff_ffff_ffff_f123n))).toBe('0x999123 rw');
  });

  it('the device table has an end, and so has memory', () => {
    const unit = on();
    unit.registers.deviceTable = 0x1000000n;
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x02 flags 0x000');
    const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(0xfffn) }] });
    const bare = new AmdUnit(unitDescription('amd-vi'), memory, kernel(6012));
    bare.registers.deviceTable = 0x5000_0000n | 0x1ffn;
    expect(outcome(bare, request(GPU, 'read', 0n))).toBe('fault 0x03 flags 0x200');
    poke(memory, { 0x1082000: 0x6000_0000_5000_0603n });
    bare.registers.deviceTable = 0x10001ffn;
    expect(outcome(bare, request(GPU, 'read', 0n))).toBe('fault 0x04 flags 0x200');
  });

  it('the unit can be off, and a range can be excluded', () => {
    const unit = on();
    unit.registers.exclusion = { range: { start: 0xfedc_2000n, last: 0xfedc_2000n }, all: true };
    expect(outcome(unit, request(GPU, 'read', 0xfedc_2ffcn))).toBe('0xfedc2ffc rw');
    unit.registers.enabled = false;
    expect(outcome(unit, request(GPU, 'read', 0x1234_5000n))).toBe('0x12345000 rw');
  });
});

describe('AMD-22: accessed and dirty bits', () => {
  const HAD = 0x180n;
  const leaf = 0x1102e08n;
  const dirtyAfter = (access: 'read' | 'write', had: bigint, changes: Parameters<typeof unitDescription>[1]) => {
    const unit = on({ [DTE]: TABLES[DTE]! | had }, changes);
    const answer = outcome(unit, request(GPU, access, 0xfedc_1040n));
    return [answer, unit.memory.readWord(physical(leaf))];
  };

  it('a write makes the leaf dirty, a read is told that it may not be written to without asking again', () => {
    expect(dirtyAfter('write', HAD, { dirtyTracking: true })).toEqual(['0x7654321040 rw', 0x7000_0076_5432_1061n]);
    expect(dirtyAfter('read', HAD, { dirtyTracking: true })).toEqual(['0x7654321040 r-', 0x7000_0076_5432_1001n]);
  });

  it('so does a device that asks for a translation to write with', () => {
    const unit = on({ [DTE]: TABLES[DTE]! | HAD, [DTE + 8]: 0x1_0000_0017n }, { dirtyTracking: true });
    const ask = (access: 'read' | 'write') => outcome(unit, request(GPU, access, 0xfedc_1040n, { addressType: 'translation-request' }));
    expect([ask('read'), ask('write'), ask('read')]).toEqual(['0x7654321040 r-', '0x7654321040 rw', '0x7654321040 rw']);
  });

  it.each([['without HAD', 0n, true], ['with accessed bits only', 0x80n, true], ['where the unit has no such bits', HAD, false]])('%s nothing is written', (_what, had, dirtyTracking) => {
    expect(dirtyAfter('write', had, { dirtyTracking })).toEqual(['0x7654321040 rw', 0x7000_0076_5432_1001n]);
  });
});

describe('ATS (A7, A10, AMD-31)', () => {
  const translated = request(GPU, 'read', 0x1234_5000n, { addressType: 'translated' });
  const asks = (address: bigint) => request(GPU, 'read', address, { addressType: 'translation-request' });

  it('refused without I', () => {
    expect(outcome(on(), translated)).toBe('fault 0x08 flags 0x200');
    expect(outcome(on(), asks(0xfedc_1000n))).toBe('fault 0x08 flags 0x100');
    expect(outcome(on({ [DTE]: 0n }), translated)).toBe('fault 0x08 flags 0x200');
  });

  it('a missing page is an answer without permissions, not an event', () => {
    const unit = on({ [DTE + 8]: 0x1_0000_0017n });
    expect([outcome(unit, translated), outcome(unit, asks(0xfedc_1000n)), outcome(unit, asks(0xfedc_2000n))]).toEqual(['0x12345000 rw', '0x7654321000 rw', '0x0 --']);
  });
});

describe('PCIE-53: interrupts', () => {
  const remap = { [DTE + 16]: 0x2000_0000_0140_0013n, 0x1400250: 0x101n, 0x1400258: 0x31n };
  const message = (data?: number) => request(GPU, 'write', 0xfee0_0000n, { ...(data !== undefined && { data }) });

  it.each<[string, Record<number, bigint>, ReturnType<typeof message>, string]>([
    ['IV clear: passes', {}, message(0x31), 'interrupt 0x31'],
    ['the index is in the data', remap, message(0x25), 'interrupt 0x31 remapped'],
    ['data not known', remap, message(), 'interrupt remapped'],
    ['an entry that is off', remap, message(0x26), 'fault 0x02 flags 0x008'],
    ['an index beyond the table', remap, message(0x300), 'fault 0x02 flags 0x008'],
    ['IntCtl 0', { [DTE + 16]: 0x13n }, message(0x25), 'fault 0x08 flags 0xa00'],
    ['IntCtl 1', { [DTE + 16]: 0x1000_0000_0000_0013n }, message(0x25), 'interrupt 0x25'],
    ['IntCtl 3', { [DTE + 16]: 0x3000_0000_0000_0013n }, message(0x25), 'fault 0x01 flags 0x028'],
    ['a read', remap, request(GPU, 'read', 0xfee0_0000n), 'fault 0x08 flags 0x000'],
  ])('%s', (_what, words, asked, expected) => expect(outcome(on(words), asked)).toBe(expected));

  it('32-bit entries', () => {
    const unit = on({ ...remap, 0x1400090: 0x0031_0001n << 32n });
    unit.registers.wideInterruptEntries = false;
    expect(outcome(unit, message(0x25))).toBe('interrupt 0x31 remapped');
  });
});

describe('special ranges (hw-x86 3.8)', () => {
  it.each([
    ['reserved, write', request(GPU, 'write', 0xfd_0000_0000n), 'fault 0x08 flags 0x600'],
    ['reserved, read', request(GPU, 'read', 0xfe_2000_0000n), 'fault 0x08 flags 0x800'],
    ['interrupt range', request(GPU, 'write', 0xfd_f800_0000n), 'interrupt'],
    ['port I/O', request(GPU, 'write', 0xfd_fc00_0000n), 'fault 0x08 flags 0x400'],
    ['configuration', request(GPU, 'read', 0xfd_fe00_0000n), 'blocked'],
    ['system management', request(GPU, 'write', 0xfd_f910_0000n), 'blocked'],
    ['just above', request(GPU, 'read', 0x100_0000_0000n), 'fault 0x02 flags 0x000'],
  ])('%s', (_what, asked, expected) => expect(outcome(on(), asked)).toBe(expected));
});

describe('what Linux prints (hw-x86 3.12)', () => {
  const asked = request(GPU, 'write', 0xfedc_2040n);
  const lines = (version: number, device: { name: string; driver: string | null } | null, question = asked) => {
    const unit = new AmdUnit(unitDescription('amd-vi', { name: 'ivhd0' }), new PhysicalMemory(), kernel(version));
    unit.setDeviceEntry(GPU, { kind: 'paging', table: unit.createPageTable(), domainId: 0x17, ats: false });
    const answer = unit.translate(question, null);
    return answer.kind === 'fault' ? unit.faultMessages(answer, question, device) : [];
  };

  it.each([
    ['a bound device', lines(6012, { name: '0000:41:00.0', driver: 'vfio-pci' }), 'vfio-pci 0000:41:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0017 address=0xfedc2040 flags=0x0020]'],
    ['an unbound device', lines(6012, { name: '0000:41:00.0', driver: null }), 'pci 0000:41:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0017 address=0xfedc2040 flags=0x0020]'],
    ['an unknown device', lines(6012, null), 'AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:41:00.0 domain=0x0017 address=0xfedc2040 flags=0x0020]'],
    ['the same in older kernels', lines(5010, null), 'AMD-Vi: Event logged [IO_PAGE_FAULT device=41:00.0 domain=0x0017 address=0xfedc2040 flags=0x0020]'],
    ['an invalid request', lines(6012, null, request(GPU, 'write', 0xfd_fc00_0000n)), 'iommu ivhd0: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0000:41:00.0 pasid=0x00000 address=0xfdfc000000 flags=0x0400]'],
  ])('%s', (_what, printed, line) => expect(printed).toEqual([line]));
});

describe('what Linux programs (hw-x86 4.1, 4.2)', () => {
  const newUnit = (version = 6012, changes = {}, options = {}) => new AmdUnit(unitDescription('amd-vi', changes), new PhysicalMemory(), kernel(version, options));

  it('a device without domain, a blocked one, an identity one', () => {
    for (const [version, blocked] of [[5010, 'fault 0x02 flags 0x050'], [6019, 'fault 0x02 flags 0x000']] as const) {
      const unit = newUnit(version);
      unit.setDeviceEntry(0x4108, { kind: 'identity' });
      expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x02 flags 0x050');
      unit.setDeviceEntry(GPU, { kind: 'blocked' });
      expect(outcome(unit, request(GPU, 'read', 0n))).toBe(blocked);
      unit.setDeviceEntry(GPU, { kind: 'identity' });
      expect(outcome(unit, request(GPU, 'write', 0x1234_5678n))).toBe('0x12345678 rw');
    }
  });

  it('LNX-02: identity with I in newer kernels', () => {
    const translated = request(GPU, 'read', 0x1000n, { addressType: 'translated' });
    const answer = (version: number, ats: boolean) => {
      const unit = newUnit(version);
      unit.setDeviceEntry(GPU, { kind: 'identity', ats });
      return outcome(unit, translated);
    };
    expect([answer(6012, false), answer(6012, true), answer(6019, false)]).toEqual(['fault 0x08 flags 0x200', '0x1000 rw', '0x1000 rw']);
  });

  it('a table starts with three levels and grows, and attached devices follow', () => {
    const unit = newUnit();
    const table = unit.createPageTable();
    unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 1, ats: false });
    table.map(iova(0x1000n), physical(0x5000n), 4096n, READ_WRITE);
    expect(table.levels).toBe(3);
    expect(table.map(iova(0xffff_ffff_ffff_f000n), physical(0x7000n), 4096n, READ_WRITE)).toBeNull();
    expect(table.levels).toBe(6);
    expect([outcome(unit, request(GPU, 'write', 0x1000n)), outcome(unit, request(GPU, 'write', 0xffff_ffff_ffff_f000n))]).toEqual(['0x5000 rw', '0x7000 rw']);
    expect(table.runs(9)).toMatchObject({ total: 2, runs: [{ physical: 0x5000n }, { iova: { last: 0xffff_ffff_ffff_ffffn }, physical: 0x7000n }] });
  });

  it('AMD-20: sizes between the levels', () => {
    const unit = newUnit();
    const table = unit.createPageTable();
    unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 1, ats: false });
    for (let shift = 12; shift <= 38; shift++) {
      const size = 1n << BigInt(shift);
      expect(table.map(iova(size), physical(size * 2n), size, READ_WRITE)).toBeNull();
      expect(table.lookup(iova(size))?.pageSize).toBe(size);
      const inside = size + size / 2n + 0x120n;
      expect(unit.translate(request(GPU, 'read', inside), null)).toMatchObject({ kind: 'address', address: inside + size, pageSize: size });
      expect(table.unmap(iova(size), size)).toBe(size);
      expect(table.lookup(iova(size))).toBeNull();
    }
  });

  it('PGS-04: what is reported, and the options that limit it', () => {
    const sizes = (version: number, option?: string) => newUnit(version, {}, option === undefined ? {} : { amd_iommu: option }).createPageTable().pageSizes;
    expect([sizes(5010), sizes(6012)]).toEqual([0xffff_ff7f_ffff_f000n, 0xf_ff7f_ffff_f000n]);
    expect([sizes(6019, 'nohugepages'), sizes(6019, 'v2_pgsizes_only')]).toEqual([0x1000n, 0x4020_1000n]);
    expect(newUnit(6019, { levels: [4] }).createPageTable().aperture.last).toBe((1n << 48n) - 1n);
  });

  it('MAP-05: the older code replaces, the newer refuses', () => {
    for (const [version, result, then] of [[6012, null, 0x8000n], [6019, 'EADDRINUSE', 0x6000n]] as const) {
      const table = newUnit(version).createPageTable();
      table.map(iova(0x2000n), physical(0x6000n), 0x2000n, READ_WRITE);
      expect(table.map(iova(0x2000n), physical(0x8000n), 4096n, READ_WRITE)).toBe(result);
      expect(table.lookup(iova(0x2000n))?.physical).toBe(then);
      expect(table.lookup(iova(0x3000n))?.physical).toBe(result === null ? undefined : 0x7000n);
    }
  });
});
