/** Intel VT-d in legacy mode: the worked examples of the manual's structures, entry by entry. */
import { describe, expect, it } from 'vitest';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription, iova } from './request.js';

const GPU = 0x0300;

/** Root table 0x100000, device 03:00.0, four levels at 0x120000; a 4 KiB, a 2 MiB and a 1 GiB page. */
const TABLES = {
  0x100030: 0x110001n, 0x110000: 0x120001n, 0x110008: 0x502n, 0x120000: 0x121003n, 0x121018: 0x122003n, 0x121028: 0x4_c000_0083n,
  0x122ff8: 0x123003n, 0x122ff0: 0x2_4000_0083n, 0x123ff8: 0x1_2345_6003n, 0x123fe8: 0x1_2345_7001n,
};

function unitWith(words: Readonly<Record<number, bigint>> = {}, changes: Parameters<typeof unitDescription>[1] = {}, version = 6012) {
  const memory = new PhysicalMemory();
  const unit = new VtdUnit(unitDescription('vtd', { physicalWidth: 46, addressWidth: 48, levels: [4], ...changes }), memory, kernel(version));
  poke(memory, { ...TABLES, ...words });
  unit.registers.rootTable = 0x100000n;
  return unit;
}

describe('VTD-30: the second-stage walk', () => {
  it('reads root, context and one entry per level', () => {
    const trace = new Recorder();
    expect(outcome(unitWith(), request(GPU, 'write', 0xffff_f123n), trace)).toBe('0x123456123 rw');
    expect(trace.reads()).toEqual([
      { address: 0x100030n, words: [0x110001n, 0n] }, { address: 0x110000n, words: [0x120001n, 0x502n] }, { address: 0x120000n, words: [0x121003n] },
      { address: 0x121018n, words: [0x122003n] }, { address: 0x122ff8n, words: [0x123003n] }, { address: 0x123ff8n, words: [0x1_2345_6003n] },
    ]);
  });

  it.each([[0xffc1_2345n, '0x240012345 rw', 5], [0x1_4000_1000n, '0x4c0001000 rw', 4]])('ends at a large page: %s', (address, expected, reads) => {
    const trace = new Recorder();
    expect(outcome(unitWith(), request(GPU, 'write', address), trace)).toBe(expected);
    expect(trace.reads()).toHaveLength(reads);
  });

  it.each([
    ['read of nothing', request(GPU, 'read', 0xffff_e000n), 'fault 0x06'],
    ['write to nothing', request(GPU, 'write', 0xffff_e000n), 'fault 0x05'],
    ['atomic on nothing', request(GPU, 'atomic', 0xffff_e000n), 'fault 0x05'],
    ['write to a read-only page', request(GPU, 'write', 0xffff_d000n), 'fault 0x05'],
    ['atomic on a read-only page', request(GPU, 'atomic', 0xffff_d000n), 'fault 0x05'],
    ['read of a read-only page', request(GPU, 'read', 0xffff_d000n), '0x123457000 r-'],
    ['device without context entry', request(0x0308, 'read', 0n), 'fault 0x02'],
    ['bus without context table', request(0x0500, 'read', 0n), 'fault 0x01'],
    ['beyond the input width', request(GPU, 'read', 1n << 48n), 'fault 0x04'],
    ['a request with PASID', request(GPU, 'read', 0xffff_f000n, { pasid: 5 }), 'fault 0x31'],
    ['translated, ATS off', request(GPU, 'read', 0x1_2345_6000n, { addressType: 'translated' }), 'fault 0x0d'],
    ['translation request, ATS off', request(GPU, 'read', 0xffff_f000n, { addressType: 'translation-request' }), 'fault 0x0d'],
  ])('%s', (_what, asked, expected) => expect(outcome(unitWith(), asked)).toBe(expected));

  it.each<[string, Record<number, bigint>, string]>([
    ['address bit beyond the physical width', { 0x123ff8: 0x1_2345_6003n | (1n << 46n) }, 'fault 0x0c'],
    ['the same without permissions', { 0x123ff8: 1n << 46n }, 'fault 0x05'],
    ['bit 11 of a pointer', { 0x122ff8: 0x123803n }, 'fault 0x0c'],
    ['bit 7 at level 4', { 0x120000: 0x121083n }, 'fault 0x0c'],
    ['bit 62, which has no meaning since revision 3.2', { 0x123ff8: 0x1_2345_6003n | (1n << 62n) }, 'fault 0x0c'],
    ['bit 62 of a pointer', { 0x122ff8: 0x123003n | (1n << 62n) }, 'fault 0x0c'],
    ['ignored bits 52 to 61 and 63', { 0x123ff8: 0x1_2345_6003n | (0xbffn << 52n) }, '0x123456123 rw'],
    ['reserved bit of the root entry', { 0x100030: 0x110003n }, 'fault 0x0a'],
    ['second word of the root entry', { 0x100038: 1n }, 'fault 0x0a'],
    ['reserved bit of the context entry', { 0x110000: 0x120011n }, 'fault 0x0b'],
    ['reserved translation type', { 0x110000: 0x12000dn }, 'fault 0x03'],
    ['levels that the unit has not', { 0x110008: 0x501n }, 'fault 0x03'],
    ['permissions are those of every level', { 0x121018: 0x122001n }, 'fault 0x05'],
    ['output in the interrupt range (VTD-23)', { 0x123ff8: 0xfee0_0003n }, 'fault 0x0e'],
    ['FPD: nothing is recorded', { 0x110000: 0x120003n, 0x123ff8: 0n }, 'fault 0x05 unrecorded'],
    ['FPD in an entry that is not present', { 0x110000: 0x2n }, 'fault 0x02 unrecorded'],
  ])('%s', (_what, words, expected) => expect(outcome(unitWith(words), request(GPU, 'write', 0xffff_f123n))).toBe(expected));

  it('a large page around the interrupt range faults everywhere (VTD-23)', () => {
    expect(outcome(unitWith({ 0x122ff0: 0xfee0_0083n }), request(GPU, 'write', 0xffd0_0000n))).toBe('fault 0x0e');
  });

  it('SNP is reserved in a page where the unit has no snoop control', () => {
    const ask = (snoopControl: boolean) => outcome(unitWith({ 0x123ff8: 0x1_2345_6803n }, { snoopControl }), request(GPU, 'read', 0xffff_f000n));
    expect([ask(true), ask(false)]).toEqual(['0x123456000 rw', 'fault 0x0c']);
  });

  it('sizes that the unit lacks are reserved', () => {
    const only4k = { pageSizes: [4096n] };
    expect(outcome(unitWith({}, only4k), request(GPU, 'read', 0xffc1_2345n))).toBe('fault 0x0c');
    expect(outcome(unitWith({}, only4k), request(GPU, 'read', 0xffff_f000n))).toBe('0x123456000 rw');
  });

  it('three levels end at 39 bits', () => {
    const unit = unitWith({ 0x110000: 0x121001n, 0x110008: 0x501n }, { levels: [3, 4] });
    expect(outcome(unit, request(GPU, 'write', 0xffff_f123n))).toBe('0x123456123 rw');
    expect(outcome(unit, request(GPU, 'write', 1n << 39n))).toBe('fault 0x04');
  });

  it('five levels index bits 56 to 48', () => {
    const unit = unitWith({ 0x110000: 0x124001n, 0x110008: 0x503n, 0x124ff8: 0x120003n }, { addressWidth: 57, levels: [4, 5] });
    expect(outcome(unit, request(GPU, 'write', 0x1ff_0000_ffff_f123n))).toBe('0x123456123 rw');
    expect(outcome(unit, request(GPU, 'write', 0xffff_f123n))).toBe('fault 0x05');
  });

  it('memory that does not answer', () => {
    const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(0xfffn) }] });
    const unit = new VtdUnit(unitDescription('vtd', { levels: [4] }), memory, kernel(6012));
    const ask = () => outcome(unit, request(GPU, 'read', 0n));
    unit.registers.rootTable = 0x5000_0000n;
    expect(ask()).toBe('fault 0x08');
    unit.registers.rootTable = 0x100000n;
    poke(memory, { 0x100030: 0x5000_0001n });
    expect(ask()).toBe('fault 0x09');
    poke(memory, { 0x100030: 0x110001n, 0x110000: 0x5000_0001n, 0x110008: 0x502n });
    expect(ask()).toBe('fault 0x03');
    poke(memory, { 0x110000: 0x120001n, 0x120000: 0x5000_0003n });
    expect(ask()).toBe('fault 0x07');
  });
});

describe('translation types and ATS', () => {
  const withAts = { 0x110000: 0x120005n };

  it('VTD-60, VTD-61: a translation request gets the permissions that there are, and no fault for a missing page', () => {
    const unit = unitWith(withAts);
    const ask = (address: bigint) => outcome(unit, request(GPU, 'read', address, { addressType: 'translation-request' }));
    expect([ask(0xffff_f000n), ask(0xffff_d000n), ask(0xffff_e000n)]).toEqual(['0x123456000 rw', '0x123457000 r-', '0x0 --']);
  });

  it('VTD-62: a translated request is not walked', () => {
    const trace = new Recorder();
    expect(outcome(unitWith(withAts), request(GPU, 'write', 0xdead_f000n, { addressType: 'translated' }), trace)).toBe('0xdeadf000 rw');
    expect(trace.reads()).toHaveLength(2);
  });

  it('ATS needs a unit with device TLBs', () => expect(outcome(unitWith(withAts, { deviceTlb: false }), request(GPU, 'read', 0n))).toBe('fault 0x03'));

  it('pass-through uses the address, whatever its width', () => {
    const unit = unitWith({ 0x110000: 0x9n, 0x110008: 0x102n });
    const trace = new Recorder();
    expect(outcome(unit, request(GPU, 'write', 0x7f_0000_1000n), trace)).toBe('0x7f00001000 rw');
    expect(trace.reads()).toHaveLength(2);
    expect(outcome(unit, request(GPU, 'write', 1n << 46n))).toBe('0x400000000000 rw');
    expect(outcome(unit, request(GPU, 'read', 0n, { addressType: 'translation-request' }))).toBe('fault 0x0d');
    expect(outcome(unitWith({ 0x110000: 0x9n, 0x110008: 0x102n }, { passThrough: false }), request(GPU, 'read', 0n))).toBe('fault 0x03');
  });

  it('VTD-10: translation off, table mode abort, table mode reserved', () => {
    const unit = unitWith();
    unit.registers.rootTable = 0x100c00n;
    expect(outcome(unit, request(GPU, 'read', 0xffff_f000n))).toBe('blocked');
    unit.registers.rootTable = 0x100800n;
    expect(outcome(unit, request(GPU, 'read', 0xffff_f000n))).toBe('fault 0x30');
    unit.registers.translationEnabled = false;
    expect(outcome(unit, request(GPU, 'read', 0xffff_e000n))).toBe('0xffffe000 rw');
  });

  it('VTD-24: protected regions block what is not translated by pages', () => {
    const unit = unitWith({ 0x110000: 0x9n, 0x110008: 0x102n });
    unit.registers.protectedMemory = [{ start: physical(0x1000n), last: physical(0x1fffn) }];
    expect(outcome(unit, request(GPU, 'read', 0x1ffcn))).toBe('blocked');
    expect(outcome(unit, request(GPU, 'read', 0x2000n))).toBe('0x2000 rw');
  });
});

describe('interrupts', () => {
  const toTable = 0xfee0_04b8n; // subhandle valid, handle 0x25
  const entry = { 0x400250: 0x0000_0100_0031_0001n, 0x400258: 0x4_0300n };

  function remapping(words: Readonly<Record<number, bigint>> = {}) {
    const unit = unitWith({ ...entry, ...words });
    unit.registers.interruptTable = 0x40000fn;
    return unit;
  }
  const write = (address: bigint, data: number, requesterId = GPU) => request(requesterId, 'write', address, { data });

  it('PCIE-51: without remapping a device chooses its vector; page tables are never asked', () => {
    const unit = unitWith({}, { interruptRemapping: false });
    expect(outcome(unit, write(0xfee0_1000n, 0x4031))).toBe('interrupt 0x31');
  });

  it.each([
    ['PCIE-52: handle plus subhandle', write(toTable, 0), 'interrupt 0x31 remapped'],
    ['another requester', write(toTable, 0, 0x0301), 'fault 0x26'],
    ['not present', write(toTable, 1), 'fault 0x22'],
    ['reserved data bits', write(toTable, 0x1_0000), 'fault 0x20'],
    ['compatibility format', write(0xfee0_1000n, 0x31), 'fault 0x25'],
    ['VTD-21: a read', request(GPU, 'read', toTable), 'blocked'],
    ['VTD-21: eight bytes', request(GPU, 'write', toTable, { size: 8 }), 'blocked'],
    ['VTD-21: a translation request', request(GPU, 'read', toTable, { addressType: 'translation-request' }), 'fault 0x87'],
  ])('%s', (_what, asked, expected) => expect(outcome(remapping(), asked)).toBe(expected));

  it('an index beyond the table', () => {
    const unit = remapping();
    unit.registers.interruptTable = 0x400003n;
    expect(outcome(unit, write(toTable, 0))).toBe('fault 0x21');
  });

  it('reserved bits and FPD of the entry', () => {
    expect(outcome(remapping({ 0x400250: entry[0x400250] | 0x1000n }), write(toTable, 0))).toBe('fault 0x24');
    expect(outcome(remapping({ 0x400250: entry[0x400250] | 0x2n }), write(toTable, 0, 0x0301))).toBe('fault 0x26 unrecorded');
  });

  it('source checks: none, under a mask, a range of buses', () => {
    const from = (second: bigint, requesterId: number) => outcome(remapping({ 0x400258: second }), write(toTable, 0, requesterId));
    expect(from(0n, 0x1234)).toBe('interrupt 0x31 remapped');
    expect(from(0x7_0300n, 0x0307)).toBe('interrupt 0x31 remapped');
    expect(from(0x7_0300n, 0x0308)).toBe('fault 0x26');
    expect(from(0x8_0503n, 0x0412)).toBe('interrupt 0x31 remapped');
    expect(from(0x8_0503n, 0x0600)).toBe('fault 0x26');
  });

  it('entries of the kernel that nobody described: remapped, vector unknown', () => {
    expect(outcome(unitWith(), write(toTable, 0))).toBe('interrupt remapped');
  });

  it('`intremap=off` leaves it off', () => {
    const unit = new VtdUnit(unitDescription('vtd'), new PhysicalMemory(), kernel(6012, { intremap: 'off' }));
    expect(unit.capabilities().isolatedMsi).toBe(false);
    expect(outcome(unit, write(0xfee0_1000n, 0x31))).toBe('interrupt 0x31');
  });
});

describe('what Linux prints (hw-x86 2.9)', () => {
  const lines = (version: number, asked: Parameters<typeof outcome>[1]) => {
    const unit = unitWith({}, {}, version);
    const answer = unit.translate(asked, null);
    return answer.kind === 'fault' ? unit.faultMessages(answer, asked) : [];
  };

  it.each([
    [5013, request(GPU, 'read', 0xffff_e123n), 'DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr ffffe000 [fault reason 06] PTE Read access is not set'],
    [6012, request(GPU, 'read', 0xffff_e123n), 'DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0xffffe000 [fault reason 0x06] PTE Read access is not set'],
    [7003, request(GPU, 'read', 0xffff_e123n), 'DMAR: [DMA Read NO_PASID] Request device [0000:03:00.0] fault addr 0xffffe000 [fault reason 0x06] PTE Read access is not set'],
    [6012, request(GPU, 'write', 0xffff_d000n), 'DMAR: [DMA Write NO_PASID] Request device [03:00.0] fault addr 0xffffd000 [fault reason 0x05] PTE Write access is not set'],
    [6012, request(0x0a10, 'atomic', 0n), 'DMAR: [DMA Read NO_PASID] Request device [0a:02.0] fault addr 0x0 [fault reason 0x01] Present bit in root entry is clear'],
    [6012, request(GPU, 'read', 0n, { pasid: 0x105 }), 'DMAR: [DMA Read PASID 0x105] Request device [03:00.0] fault addr 0x0 [fault reason 0x31] SM: TTM 0 for request with PASID'],
    [6012, request(0x0301, 'write', 0xfee0_1000n), 'DMAR: [INTR-REMAP] Request device [03:00.1] fault index 0x0 [fault reason 0x25] Blocked a compatibility format interrupt request'],
  ])('%s', (version, asked, line) => expect(lines(version, asked)).toEqual(['DMAR: DRHD: handling fault status reg 2', line]));

  it('prints nothing for what is not recorded', () => {
    const unit = unitWith({ 0x110000: 0x120003n });
    const asked = request(GPU, 'read', 0n);
    const answer = unit.translate(asked, null);
    expect(answer.kind === 'fault' && unit.faultMessages(answer, asked)).toEqual([]);
  });
});

describe('what Linux programs (hw-x86 4.1, 4.2)', () => {
  const newUnit = (changes = {}, version = 6012, options = {}, log?: (line: string) => void) =>
    new VtdUnit(unitDescription('vtd', { physicalWidth: 46, ...changes }), new PhysicalMemory(), kernel(version, options, log));
  const attached = (unit: VtdUnit, ats = false) => {
    const table = unit.createPageTable();
    unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 5, ats });
    return table;
  };

  it('a device that was never attached, a blocked one, an identity one', () => {
    const unit = newUnit();
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x01');
    unit.setDeviceEntry(GPU, { kind: 'blocked' });
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x02');
    unit.setDeviceEntry(GPU, { kind: 'identity' });
    expect(outcome(unit, request(GPU, 'write', 0x1234_5678n))).toBe('0x12345678 rw');
    expect(outcome(unit, request(GPU, 'read', 0n, { addressType: 'translated' }))).toBe('fault 0x0d'); // LNX-03
  });

  it('identity without pass-through is a one-to-one table', () => {
    const unit = newUnit({ passThrough: false });
    unit.setDeviceEntry(GPU, { kind: 'identity' });
    const trace = new Recorder();
    expect(outcome(unit, request(GPU, 'write', 0x1234_5678n), trace)).toBe('0x12345678 rw');
    expect(trace.reads()).toHaveLength(4);
    expect([newUnit({ passThrough: false }).capabilities().identityDomain, newUnit({ passThrough: false }, 6019).capabilities().identityDomain]).toEqual([true, false]);
  });

  it('LNX-10, MAP-02: the largest leaf that fits, then smaller ones', () => {
    const unit = newUnit();
    const table = attached(unit);
    expect(table.map(iova(0x1f_f000n), physical(0x1f_f000n), 0x40_2000n, READ_WRITE)).toBeNull();
    expect(table.lookup(iova(0x1f_f000n))?.pageSize).toBe(4096n);
    expect(table.lookup(iova(0x20_0000n))?.pageSize).toBe(0x20_0000n);
    expect(table.lookup(iova(0x60_0000n))?.pageSize).toBe(4096n);
    expect(table.runs(10)).toMatchObject({ total: 1, runs: [{ iova: { start: 0x1f_f000n, last: 0x60_0fffn }, physical: 0x1f_f000n, pageSizes: [4096n, 0x20_0000n] }] });
    expect(outcome(unit, request(GPU, 'write', 0x40_0000n))).toBe('0x400000 rw');
  });

  it('ATS is programmed when both sides have it', () => {
    const translated = request(GPU, 'read', 0x5000n, { addressType: 'translated' });
    for (const [deviceTlb, ats, expected] of [[true, true, '0x5000 rw'], [true, false, 'fault 0x0d'], [false, true, 'fault 0x0d']] as const) {
      const unit = newUnit({ deviceTlb });
      attached(unit, ats);
      expect(outcome(unit, translated)).toBe(expected);
    }
  });

  it('a write-only mapping is readable from 5.13 until the driver took the generic page tables', () => {
    for (const [version, expected] of [[5010, 'fault 0x06'], [5013, '0x5000 rw'], [6012, '0x5000 rw'], [6019, 'fault 0x06']] as const) {
      const unit = newUnit({}, version);
      attached(unit).map(iova(0x1000n), physical(0x5000n), 4096n, { read: false, write: true });
      expect(outcome(unit, request(GPU, 'read', 0x1000n))).toBe(expected);
      expect(outcome(unit, request(GPU, 'write', 0x1000n))).toMatch(/^0x5000 .w$/);
    }
  });

  it('PGS-01, PGS-02, PGS-03: what is reported', () => {
    expect(newUnit({}, 5013).createPageTable().pageSizes).toBe(0xffff_ffff_ffff_f000n);
    expect(newUnit().createPageTable().pageSizes).toBe(0x4020_1000n);
    expect(newUnit({ pageSizes: [4096n, 0x20_0000n] }).createPageTable().pageSizes).toBe(0x20_1000n);
    const small = newUnit({}, 6019, { intel_iommu: 'on,sp_off' }).createPageTable();
    expect(small.pageSizes).toBe(0x1000n);
    small.map(iova(0n), physical(0n), 0x20_0000n, READ_WRITE);
    expect(small.lookup(iova(0n))?.pageSize).toBe(4096n);
  });

  it('LNX-13: levels by what the unit has, aperture also by its input width', () => {
    const shape = (changes: object) => {
      const { levels, aperture } = newUnit(changes).createPageTable();
      return [levels, aperture.last];
    };
    expect(shape({ addressWidth: 39, levels: [4] })).toEqual([4, (1n << 39n) - 1n]);
    expect(shape({ addressWidth: 39, levels: [3] })).toEqual([3, (1n << 39n) - 1n]);
    expect(shape({ addressWidth: 57 })).toEqual([5, (1n << 57n) - 1n]);
    expect(shape({ addressWidth: 48, levels: [3, 4] })).toEqual([4, (1n << 48n) - 1n]);
  });

  it('MAP-05: collisions and addresses beyond the table, by version', () => {
    for (const [version, collides, beyond, then] of [[6012, null, 'EFAULT', 0x5000n], [6019, 'EADDRINUSE', 'ERANGE', 0x5000n]] as const) {
      const log: string[] = [];
      const table = newUnit({ addressWidth: 39, levels: [3] }, version, {}, (line) => log.push(line)).createPageTable();
      table.map(iova(0x3000n), physical(0x5000n), 4096n, READ_WRITE);
      expect(table.map(iova(0x1000n), physical(0x8000n), 0x4000n, READ_WRITE)).toBe(collides);
      expect(table.lookup(iova(0x3000n))?.physical).toBe(then);
      expect(table.lookup(iova(0x1000n)) === null).toBe(collides !== null);
      expect(table.map(iova(1n << 39n), physical(0n), 4096n, READ_WRITE)).toBe(beyond);
      expect(log).toEqual(version === 6019 ? [] : [
        'DMAR: ERROR: DMA PTE for vPFN 0x3 already set (to 5000)',
        'DMAR: intel_iommu_map: iommu width (39) is not sufficient for the mapped address (8000001000)',
      ]);
    }
  });

  it('a large page replaces an empty table', () => {
    const table = newUnit({}, 6019).createPageTable();
    table.map(iova(0x1000n), physical(0x5000n), 4096n, READ_WRITE);
    expect(table.map(iova(0n), physical(0n), 0x20_0000n, READ_WRITE)).toBe('EADDRINUSE');
    table.unmap(iova(0x1000n), 4096n);
    expect(table.map(iova(0n), physical(0n), 0x20_0000n, READ_WRITE)).toBeNull();
    expect(table.lookup(iova(0x1000n))).toMatchObject({ physical: 0x1000n, pageSize: 0x20_0000n });
  });

  it('COH-03: leaves carry SNP once the domain enforces it', () => {
    const unit = newUnit();
    const table = attached(unit);
    table.snooped = true;
    table.map(iova(0n), physical(0n), 4096n, READ_WRITE);
    const trace = new Recorder();
    unit.translate(request(GPU, 'read', 0n), trace);
    expect(trace.reads().at(-1)?.words).toEqual([0x803n]);
  });

  it('capabilities by description and version', () => {
    expect(newUnit({ snoopControl: false }, 5013).capabilities()).toMatchObject({ cacheCoherency: false, enforceCacheCoherency: false, blockedDomain: false });
    expect(newUnit({ snoopControl: false }, 6012).capabilities()).toMatchObject({ cacheCoherency: true, enforceCacheCoherency: false, blockedDomain: true });
  });
});
