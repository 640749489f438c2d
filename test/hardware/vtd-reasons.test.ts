/** Every fault reason of VT-d has a request that ends in it, and FPD silences exactly those that the manual calls qualified (hw-x86 2.7). */
import { describe, expect, it } from 'vitest';
import { faultReasons } from '../../server/simulator/hardware/vtd/faults.js';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, poke, READ_WRITE, Recorder, request, unitDescription } from './request.js';

const GPU = 0x0300;
type Words = Readonly<Record<number, bigint>>;
type Changes = Parameters<typeof unitDescription>[1];
type Way = readonly [code: number, words: Words, asked: ReturnType<typeof request>, rootTable?: bigint];

/** 12 GiB of RAM; nothing answers at NOWHERE. */
const RAM_LAST = 0x2_ffff_ffffn;
const NOWHERE = 0x20_0000_0000n;
const FAULTS_DISABLED = 2n;

function unitWith(rootTable: bigint, words: Words, changes: Changes) {
  const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(RAM_LAST) }] });
  const unit = new VtdUnit(unitDescription('vtd', { physicalWidth: 46, addressWidth: 48, levels: [4], ...changes }), memory, kernel(6012));
  poke(memory, words);
  unit.registers.rootTable = rootTable;
  unit.registers.interruptTable = 0x400007n; // 256 entries
  return unit;
}

// ------------------------------------------------------------------------------------------------ legacy mode

/** Root table 0x100000, context 0x110000, tables from 0x120000 on: page 0x1000 is at 0x5000. */
const LEGACY: Words = { 0x100030: 0x110001n, 0x110000: 0x120001n, 0x110008: 0x502n, 0x120000: 0x121003n, 0x121000: 0x122003n, 0x122000: 0x123003n, 0x123008: 0x5003n };
const read = (address: bigint, changes: Parameters<typeof request>[3] = {}) => request(GPU, 'read', address, changes);
const write = (address: bigint) => request(GPU, 'write', address);
const message = (index: number, data = 0, requesterId = GPU) => request(requesterId, 'write', 0xfee0_0018n | BigInt(index << 5), { data });
const ENTRY: Words = { 0x400050: 0x31_0001n, 0x400058: 0x4_0300n };

const LEGACY_WAYS: readonly Way[] = [
  [0x01, { 0x100030: 0n }, read(0x1000n)],
  [0x02, { 0x110000: 0x120000n }, read(0x1000n)],
  [0x03, { 0x110000: 0x12000dn }, read(0x1000n)],
  [0x04, {}, read(1n << 48n)],
  [0x05, { 0x123008: 0x5001n }, write(0x1000n)],
  [0x06, { 0x123008: 0x5002n }, read(0x1000n)],
  [0x07, { 0x121000: NOWHERE | 3n }, read(0x1000n)],
  [0x08, {}, read(0x1000n), NOWHERE],
  [0x09, { 0x100030: NOWHERE | 1n }, read(0x1000n)],
  [0x0a, { 0x100038: 1n }, read(0x1000n)],
  [0x0b, { 0x110008: 0x582n }, read(0x1000n)],
  [0x0c, { 0x123008: 0x5003n | (1n << 62n) }, read(0x1000n)], // once the transient mapping bit
  [0x0d, {}, read(0x1000n, { addressType: 'translated' })],
  [0x0e, { 0x123008: 0xfee0_1003n }, read(0x1000n)],
  [0x31, {}, read(0x1000n, { pasid: 1 })],
];

/** An interrupt's FPD is in its own entry. */
const INTERRUPT_WAYS: readonly Way[] = [
  [0x20, {}, message(5, 0x1_0000)],
  [0x21, {}, message(0x100)],
  [0x22, { 0x400050: 0x31_0000n }, message(5)],
  [0x23, {}, message(5)],
  [0x24, { 0x400050: 0x31_4001n }, message(5)],
  [0x25, {}, request(GPU, 'write', 0xfee0_0000n, { data: 0x31 })],
  [0x26, {}, message(5, 0, 0x0308)],
];

// ------------------------------------------------------------------------------------------------ scalable mode

/** Root 0x200000, context 0x210000 (PASIDE), PASID directory 0x220000, PASID table 0x230000; page 0x1000 is at 0x5000 in both stages. */
const SCALABLE: Words = {
  0x200030: 0x210001n, 0x210000: 0x220009n, 0x220000: 0x230001n,
  0x240000: 0x241007n, 0x241000: 0x242007n, 0x242000: 0x243007n, 0x243008: 0x5007n, 0x300000: 0x301003n, 0x301000: 0x302003n, 0x302000: 0x303003n, 0x303008: 0x5003n,
};
const FIRST: Words = { 0x230000: 0x41n, 0x230008: 5n, 0x230010: 0x240000n };
const SECOND: Words = { 0x230000: 0x300089n, 0x230008: 5n };
const PASS: Words = { 0x230000: 0x109n, 0x230008: 5n };
/** First-stage tables at 0x1000, 0x2000, 0x3000, 0x4000 of the second stage, which is 1:1 in the first 2 MiB. */
const NESTED: Words = { 0x230000: 0x3000c9n, 0x230008: 5n, 0x230010: 0x1000n, 0x302000: 0x83n, 0x1000: 0x2027n, 0x2000: 0x3027n, 0x3000: 0x4027n, 0x4008: 0x5067n };
const far = 1n << 47n;

const SCALABLE_WAYS: readonly Way[] = [
  [0x38, {}, read(0x1000n), NOWHERE | 0x400n],
  [0x39, { 0x200030: 0n }, read(0x1000n)],
  [0x3a, { 0x200030: 0x210001n | far }, read(0x1000n)],
  [0x40, { 0x200030: NOWHERE | 1n }, read(0x1000n)],
  [0x41, { 0x210000: 0n }, read(0x1000n)],
  [0x42, { 0x210000: 0x220009n | far }, read(0x1000n)],
  [0x44, {}, read(0x1000n, { addressType: 'translated' })],
  [0x45, { 0x210000: 0x220001n }, read(0x1000n, { pasid: 1 })],
  [0x46, {}, read(0x1000n, { pasid: 0x2000 })],
  [0x48, { 0x210008: 0x2000n }, read(0x1000n)],
  [0x50, { 0x210000: NOWHERE | 9n }, read(0x1000n)],
  [0x51, { 0x220000: 0n }, read(0x1000n)],
  [0x52, { 0x220000: 0x230001n | far }, read(0x1000n)],
  [0x58, { 0x220000: NOWHERE | 1n }, read(0x1000n)],
  [0x59, { 0x230000: 0x40n }, read(0x1000n)],
  [0x5a, { ...SECOND, 0x230000: 0x300089n | far }, read(0x1000n)],
  [0x5b, { 0x230000: 0x1n }, read(0x1000n)],
  [0x5c, FIRST, read(0x1000n, { pasid: 0, execute: true })],
  [0x5d, FIRST, read(0x1000n, { pasid: 0, privileged: true })],
  [0x70, { ...FIRST, 0x241000: NOWHERE | 7n }, read(0x1000n)],
  [0x71, FIRST, read(0x2000n)],
  [0x72, { ...FIRST, 0x243008: 0x5007n | far }, read(0x1000n)],
  [0x73, { ...FIRST, 0x230010: NOWHERE }, read(0x1000n)],
  [0x74, { ...NESTED, 0x230010: 1n << 48n }, read(0x1000n)],
  [0x75, { ...NESTED, 0x302000: 0x82n }, read(0x1000n)],
  [0x76, { ...NESTED, 0x1000: 0x20_2027n, 0x302008: 0x20_0082n }, read(0x1000n)],
  [0x77, { ...NESTED, 0x302000: 0x81n, 0x1000: 0x2007n }, read(0x1000n)],
  [0x78, { ...SECOND, 0x301000: NOWHERE | 3n }, read(0x1000n)],
  [0x79, { ...SECOND, 0x303008: 0x5001n }, write(0x1000n)],
  [0x7a, { ...SECOND, 0x303008: 0x5003n | far }, read(0x1000n)],
  [0x7b, { ...SECOND, 0x230000: NOWHERE | 0x89n }, read(0x1000n)],
  [0x80, FIRST, read(far)],
  [0x81, { ...FIRST, 0x243008: 0x5003n }, read(0x1000n)],
  [0x82, { ...FIRST, 0x230010: 0x240022n, 0x243008: 0x5007n | (1n << 63n) }, read(0x1000n, { pasid: 0, execute: true })],
  [0x83, PASS, read(1n << 46n)],
  [0x84, SECOND, read(1n << 48n)],
  [0x85, { ...FIRST, 0x243008: 0x5005n }, write(0x1000n)],
  [0x87, { ...FIRST, 0x243008: 0xfee0_1007n }, read(0x1000n)],
  [0x30, {}, read(0x1000n), 0x200800n],
];

/** Reasons without a request that could end in them here. */
const NEVER: Readonly<Record<number, string>> = {
  0x32: 'a page request in legacy mode: devices send them with ATS in scalable mode only',
  0x43: 'nothing of a context entry can be wrong that has no number of its own',
  0x47: 'the driver sets PRE where it answers page requests, and nobody else is asked',
  0x7c: 'a walker that does not snoop',
  0x86: 'every present entry of a first stage can be read',
  0x90: 'a walker that does not snoop',
};
/** VTD-40 and the C2 row of the table: recorded whatever FPD says. */
const ALWAYS_RECORDED = new Set([0x01, 0x08, 0x09, 0x0a, 0x0b, 0x20, 0x21, 0x23, 0x25, 0x30, 0x31, 0x38, 0x39, 0x3a, 0x40, 0x50, 0x58]);

const SCALABLE_UNIT = { scalableMode: true, firstStage: true, nested: true, pasidBits: 20 };
const hexCode = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`;
/** 0x23: the table is where no memory is. */
const tableOf = (unit: VtdUnit, code: number): VtdUnit => {
  if (code === 0x23) unit.registers.interruptTable = NOWHERE | 7n;
  return unit;
};

/** What a way ends in, by whether faults are disabled in the context entry or, for interrupts, in their own entry. */
const MODES: readonly (readonly [name: string, ways: readonly Way[], ask: (way: Way, disabled: boolean) => string])[] = [
  ['legacy', LEGACY_WAYS, ([, words, asked, rootTable], disabled) => {
    const all = { ...LEGACY, ...words };
    return outcome(unitWith(rootTable ?? 0x100000n, disabled ? { ...all, 0x110000: all[0x110000]! | FAULTS_DISABLED } : all, {}), asked);
  }],
  ['interrupts', INTERRUPT_WAYS, ([code, words, asked], disabled) => {
    const all = { ...LEGACY, ...ENTRY, ...words };
    return outcome(tableOf(unitWith(0x100000n, disabled ? { ...all, 0x400050: all[0x400050]! | FAULTS_DISABLED } : all, {}), code), asked);
  }],
  ['scalable', SCALABLE_WAYS, ([, words, asked, rootTable], disabled) => {
    const all = { ...SCALABLE, ...FIRST, ...words };
    return outcome(unitWith(rootTable ?? 0x200400n, disabled ? { ...all, 0x210000: all[0x210000]! | FAULTS_DISABLED } : all, SCALABLE_UNIT), asked);
  }],
];

describe.each(MODES)('VTD-30, VTD-40, VTD-41, VTD-42, VTD-43, VTD-44: fault reasons, %s', (_name, ways, ask) => {
  it.each(ways.map((way) => [hexCode(way[0]), way] as const))('%s', (code, way) => {
    expect(ask(way, false)).toBe(`fault ${code}`);
    expect(ask(way, true)).toBe(`fault ${code}${ALWAYS_RECORDED.has(way[0]) ? '' : ' unrecorded'}`);
  });
});

it('every reason that the unit knows has a way or a reason to have none', () => {
  const reached = new Set([...LEGACY_WAYS, ...INTERRUPT_WAYS, ...SCALABLE_WAYS].map(([code]) => code));
  const known = [...faultReasons()].map(({ code }) => code);
  expect(known.filter((code) => !reached.has(code)).map(hexCode)).toEqual(Object.keys(NEVER).map((code) => hexCode(Number(code))));
  for (const { code, qualified } of faultReasons()) if (!(code in NEVER)) expect([hexCode(code), qualified]).toEqual([hexCode(code), !ALWAYS_RECORDED.has(code)]);
});

describe('VTD-41: PASID entries that the unit cannot follow', () => {
  it.each<[string, Words, Changes]>([
    ['types 0, 5, 6, 7', { 0x230000: 0x141n }, {}],
    ['first stage without FSTS', FIRST, { firstStage: false }],
    ['five first-stage levels where the input has 48 bits', { ...FIRST, 0x230010: 0x240004n }, {}],
    ['six first-stage levels', { ...FIRST, 0x230010: 0x240008n }, { addressWidth: 57, levels: [4, 5] }],
    ['second stage without SSTS', SECOND, { nested: false }],
    ['second-stage levels that the unit lacks', { ...SECOND, 0x230000: 0x300085n }, {}],
    ['nested without NEST', NESTED, { nested: false }],
    ['nested with second-stage levels that the unit lacks', { ...NESTED, 0x230000: 0x3000c5n }, {}],
    ['pass-through without PT', PASS, { passThrough: false }],
  ])('%s', (_what, words, changes) => {
    expect(outcome(unitWith(0x200400n, { ...SCALABLE, ...words }, { ...SCALABLE_UNIT, ...changes }), read(0x1000n))).toBe('fault 0x5b');
  });
});

describe('VTD-43, VTD-46: who asks', () => {
  const ask = (words: Words, asked: ReturnType<typeof request>) => outcome(unitWith(0x200400n, { ...SCALABLE, ...FIRST, ...words }, SCALABLE_UNIT), asked);
  const PRIVILEGED = { 0x210008: 1n << 20n };

  it('VTD-46: requests without PASID are a user\'s, or privileged if RID_PRIV says so', () => {
    const page = { 0x243008: 0x5003n };
    expect(ask(page, read(0x1000n, { privileged: true }))).toBe('fault 0x81');
    expect(ask({ ...page, ...PRIVILEGED }, read(0x1000n))).toBe('0x5000 rw');
    expect(ask({ ...page, 0x230010: 0x240001n }, read(0x1000n, { pasid: 0, privileged: true }))).toBe('0x5000 rw');
  });

  it('VTD-46: write protection is for users, for the privileged with WPE', () => {
    const page = { 0x243008: 0x5005n };
    expect(ask(page, write(0x1000n))).toBe('fault 0x85');
    expect(ask({ ...page, ...PRIVILEGED }, write(0x1000n))).toBe('0x5000 rw');
    expect(ask({ ...page, ...PRIVILEGED, 0x230010: 0x240010n }, write(0x1000n))).toBe('fault 0x85');
  });

  it('XD counts with NXE, for requests with PASID that want to execute', () => {
    const page = { 0x243008: 0x5007n | (1n << 63n) };
    const executes = read(0x1000n, { pasid: 0, execute: true });
    expect(ask({ ...page, 0x230010: 0x240002n }, executes)).toBe('0x5000 rw');
    expect(ask({ ...page, 0x230010: 0x240022n }, executes)).toBe('fault 0x82');
    expect(ask({ ...page, 0x230010: 0x240022n }, read(0x1000n, { execute: true }))).toBe('0x5000 rw'); // PCIE-12
  });

  it('with SMEP the privileged execute no page of a user', () => {
    const executes = read(0x1000n, { pasid: 0, execute: true, privileged: true });
    expect(ask({ 0x230010: 0x240003n }, executes)).toBe('0x5000 rw');
    expect(ask({ 0x230010: 0x240043n }, executes)).toBe('fault 0x82');
    expect(ask({ 0x230010: 0x240043n, 0x242000: 0x243003n }, executes)).toBe('0x5000 rw');
  });
});

describe('VTD-43, VTD-44: accessed and dirty bits', () => {
  const after = (words: Words, asked: ReturnType<typeof request>, addresses: readonly bigint[]) => {
    const unit = unitWith(0x200400n, { ...SCALABLE, ...words }, SCALABLE_UNIT);
    const answer = outcome(unit, asked);
    return [answer, ...addresses.map((address) => unit.memory.readWord(physical(address)))];
  };

  it('A is set in every entry of the way, D in the page that is written', () => {
    const way = [0x240000n, 0x242000n, 0x243008n];
    expect(after(FIRST, read(0x1000n), way)).toEqual(['0x5000 rw', 0x241027n, 0x243027n, 0x5027n]);
    expect(after(FIRST, write(0x1000n), way)).toEqual(['0x5000 rw', 0x241027n, 0x243027n, 0x5067n]);
  });

  it('VTD-61: a translation that allows writing makes the page dirty, one that does not leaves it clean', () => {
    const asked = read(0x1000n, { addressType: 'translation-request' });
    const ats = { 0x210000: 0x22000dn };
    expect(after({ ...FIRST, ...ats }, asked, [0x243008n])).toEqual(['0x5000 rw', 0x5067n]);
    expect(after({ ...FIRST, ...ats, 0x243008: 0x5005n }, asked, [0x243008n])).toEqual(['0x5000 r-', 0x5025n]);
  });

  it('a fault leaves the entry that it is about as it was', () => {
    expect(after({ ...FIRST, 0x243008: 0x5005n }, write(0x1000n), [0x242000n, 0x243008n])).toEqual(['fault 0x85', 0x243027n, 0x5005n]);
  });

  it('VTD-44: below a second stage that allows no writing there, what is set already is enough', () => {
    const readOnly = { ...NESTED, 0x302000: 0x81n };
    expect(after(readOnly, read(0x1000n), [])).toEqual(['0x5000 r-']);
    expect(after({ ...readOnly, 0x4008: 0x5047n }, read(0x1000n), [0x4008n])).toEqual(['fault 0x77', 0x5047n]);
    expect(after({ ...NESTED, 0x4008: 0x5007n }, write(0x1000n), [0x4008n])).toEqual(['0x5000 rw', 0x5067n]);
  });
});

describe('VTD-32: accessed and dirty bits of the second stage, with SSADE', () => {
  const SSADE = 0x200n;
  const unitOf = (words: Words, entry: bigint) => unitWith(0x200400n, { ...SCALABLE, ...words, 0x230000: words[0x230000]! | entry }, { ...SCALABLE_UNIT, dirtyTracking: true });
  const bits = (unit: VtdUnit, addresses: readonly bigint[]) => addresses.map((address) => unit.memory.readWord(physical(address)) & 0x300n);
  const way = [0x300000n, 0x301000n, 0x302000n, 0x303008n];

  it('A in every entry of the way, D in the page that is written', () => {
    const unit = unitOf(SECOND, SSADE);
    expect(outcome(unit, read(0x1000n))).toBe('0x5000 r-'); // who remembers the page asks again before it writes
    expect(bits(unit, way)).toEqual([0x100n, 0x100n, 0x100n, 0x100n]);
    expect(outcome(unit, write(0x1000n))).toBe('0x5000 rw');
    expect(bits(unit, way)).toEqual([0x100n, 0x100n, 0x100n, 0x300n]);
  });

  it('VTD-61: a device that asks for a translation to write with has made the page dirty', () => {
    const ask = (access: 'read' | 'write') => {
      const unit = unitOf({ ...SECOND, 0x210000: 0x22000dn }, SSADE);
      return [outcome(unit, request(GPU, access, 0x1000n, { addressType: 'translation-request' })), ...bits(unit, [0x303008n])];
    };
    expect([ask('read'), ask('write')]).toEqual([['0x5000 r-', 0x100n], ['0x5000 rw', 0x300n]]);
  });

  it('nothing without', () => {
    const unit = unitOf(SECOND, 0n);
    expect(outcome(unit, write(0x1000n))).toBe('0x5000 rw');
    expect(bits(unit, way)).toEqual([0n, 0n, 0n, 0n]);
  });

  /** Pages of 4 KiB instead of the large one: tables at 0x1000 to 0x4000, the target at 0x5000. */
  const SMALL = { ...NESTED, 0x302000: 0x303003n, 0x303008: 0x1003n, 0x303010: 0x2003n, 0x303018: 0x3003n, 0x303020: 0x4003n, 0x303028: 0x5003n };

  it('VTD-44, DRT-01: nested, a page is also written by setting A and D of the first stage in it', () => {
    const leaves = [0x303008n, 0x303010n, 0x303018n, 0x303020n, 0x303028n];
    const unit = unitOf(SMALL, SSADE);
    expect(outcome(unit, write(0x1000n))).toBe('0x5000 rw');
    expect(bits(unit, leaves)).toEqual([0x100n, 0x100n, 0x100n, 0x100n, 0x300n]);
    const fresh = unitOf({ ...SMALL, 0x3000: 0x4007n, 0x4008: 0x5007n }, SSADE);
    expect(outcome(fresh, write(0x1000n))).toBe('0x5000 rw');
    expect(bits(fresh, leaves)).toEqual([0x100n, 0x100n, 0x300n, 0x300n, 0x300n]);
  });
});

describe('the interrupt window', () => {
  it.each<[string, Words, bigint, Changes]>([
    ['a page is mapped there', { ...LEGACY, 0x123008: 0x5003n }, 0x100000n, {}],
    ['no context entry', { ...LEGACY, 0x110000: 0n }, 0x100000n, {}],
    ['scalable mode', { ...SCALABLE, ...FIRST }, 0x200400n, SCALABLE_UNIT],
    ['all DMA is aborted', {}, 0x200c00n, {}],
  ])('VTD-20, PCIE-50, PCIE-54: a write there is an interrupt, whatever the tables say: %s', (_what, words, rootTable, changes) => {
    const trace = new Recorder();
    const unit = unitWith(rootTable, words, { ...changes, interruptRemapping: false });
    expect(outcome(unit, request(GPU, 'write', 0xfee0_1000n, { data: 0x4031 }), trace)).toBe('interrupt 0x31');
    expect(trace.reads()).toEqual([]);
    unit.registers.translationEnabled = false;
    expect(outcome(unit, request(GPU, 'write', 0xfee0_1000n, { data: 0x4031 }))).toBe('interrupt 0x31');
  });

  it('VTD-22: with PASID it is an address like others, but not to pass through', () => {
    const mapped = { 0x240000: 0x241007n, 0x241018: 0x242007n, 0x242fb8: 0x243007n, 0x243008: 0x5007n };
    const asked = request(GPU, 'write', 0xfee0_1010n, { pasid: 0, data: 0x31 });
    const ask = (words: Words) => outcome(unitWith(0x200400n, { ...SCALABLE, ...words }, SCALABLE_UNIT), asked);
    expect(ask({ ...FIRST, ...mapped })).toBe('0x5010 rw');
    expect(ask(PASS)).toBe('fault 0x87');
  });
});

it('VTD-63: the answer to a translation request is the device\'s to keep, the unit asks its tables again', () => {
  const unit = new VtdUnit(unitDescription('vtd'), new PhysicalMemory(), kernel(6012));
  unit.useIotlb();
  const table = unit.createPageTable();
  unit.setDeviceEntry(GPU, { kind: 'paging', table, domainId: 2, ats: true });
  table.map(iova(0x1000n), physical(0x5000n), 4096n, READ_WRITE);
  const ask = (addressType: 'translation-request' | 'untranslated') => outcome(unit, read(0x1000n, { addressType }));
  expect(ask('translation-request')).toBe('0x5000 rw');
  table.unmap(iova(0x1000n), 4096n);
  expect([ask('translation-request'), ask('untranslated')]).toEqual(['0x0 --', 'fault 0x06']);
});
