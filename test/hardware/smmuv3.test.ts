/** What an SMMUv3 makes of tables that are written by hand. Names are those of the sections of the specification. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { smmuCapabilities, type SmmuCapabilities } from '../../server/simulator/hardware/smmuv3/capabilities.js';
import { SmmuUnit } from '../../server/simulator/hardware/smmuv3/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, outcome, physical, poke, Recorder, request, unitDescription } from './request.js';

const SID = 0x18;
const STREAMS = 0x10_0000n;
const STE = STREAMS + BigInt(SID) * 64n;
const CONTEXTS = 0x20_0000n;
const TABLES = 0x80_0000n;
/** Where stage 2 has its tables. */
const LOWER = 0x40_0000n;

/** A CD of 39 bits of address, 4 KiB granule, IPS 48 bits, TTB1 not walked; R, A, AA64, V. */
const CD0 = 25n | (1n << 30n) | (1n << 31n) | (5n << 32n) | (1n << 41n) | (1n << 45n) | (1n << 46n);
/** STE word 0 by Config. */
const CONFIG = { abort: 1n, bypass: 1n | (4n << 1n), stageOne: 1n | (5n << 1n) | CONTEXTS, stageTwo: 1n | (6n << 1n), nested: 1n | (7n << 1n) | CONTEXTS };
/** STE word 2: 40 bits from level 1 (two tables), 4 KiB granule, S2PS 48 bits, S2AA64, S2R. */
const STE2 = (24n << 32n) | (1n << 38n) | (5n << 48n) | (1n << 51n) | (1n << 58n);
const PAGE = 0x743n | (1n << 6n); // AP[1], AF, inner shareable, AttrIndx 0
const LOWER_PAGE = 0x7ffn;

const LINEAR = 8;
const ALL = { ...smmuCapabilities(unitDescription('smmuv3')), substreamBits: 20, ats: true };

function make(changes: Partial<SmmuCapabilities> = {}, words: Readonly<Record<string, bigint>> = {}) {
  const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical((1n << 28n) - 1n) }] });
  const unit = new SmmuUnit(unitDescription('smmuv3'), memory, kernel(6019), { ...ALL, ...changes });
  unit.registers.streamTable = STREAMS;
  unit.registers.streamTableConfig = LINEAR;
  poke(memory, words);
  return { unit, memory, ask: (access: UnitRequest['access'], address: bigint, more: Partial<UnitRequest> = {}) => outcome(unit, request(SID, access, address, more)) };
}

/** Address 0x12345000 leads through three tables to `leaf`. */
const stageOne = (leaf: bigint, cd = CD0, ste: readonly bigint[] = [CONFIG.stageOne, 2n]): Record<string, bigint> => ({
  ...Object.fromEntries(ste.map((word, i) => [`${STE + 8n * BigInt(i)}`, word])),
  [`${CONTEXTS}`]: cd, [`${CONTEXTS + 8n}`]: TABLES,
  [`${TABLES}`]: (TABLES + 0x1000n) | 3n, [`${TABLES + 0x1000n + 8n * 0x91n}`]: (TABLES + 0x2000n) | 3n, [`${TABLES + 0x2000n + 8n * 0x145n}`]: leaf,
});
const IOVA = 0x1234_5000n;
const TARGET = 0x500_0000n;

describe('SMMU 1.2.1: the stream table', () => {
  it('a linear one has as many entries as LOG2SIZE says', () => {
    const { unit } = make({}, { [`${STE}`]: CONFIG.bypass });
    expect(outcome(unit, request(SID, 'read', 0x1000n))).toBe('0x1000 rw');
    expect(outcome(unit, request(0x100, 'read', 0x1000n))).toBe('fault 0x02');
    unit.registers.recordsBadStreams = false;
    expect(outcome(unit, request(0x100, 'read', 0x1000n))).toBe('fault 0x02 unrecorded');
  });

  it.each([[5n, 'fault 0x02'], [6n, '0x1000 rw'], [0n, 'fault 0x02'], [10n, 'fault 0x02']])('a level 1 descriptor with span %s', (span, expected) => {
    const leaf = 0x18_0000n;
    const { unit, ask } = make({}, { [`${STREAMS}`]: leaf | span, [`${leaf + BigInt(SID) * 64n}`]: CONFIG.bypass });
    unit.registers.streamTableConfig = 10 | (8 << 6) | (1 << 16);
    expect(ask('read', 0x1000n)).toBe(expected);
  });

  it('what cannot be read is F_STE_FETCH, with its address', () => {
    const { unit } = make();
    unit.registers.streamTable = 1n << 40n;
    const answer = unit.translate(request(SID, 'read', 0n), null);
    expect(answer).toMatchObject({ kind: 'fault', code: 3, record: [0x18_0000_0003n, 0n, 0n, (1n << 40n) + 0x600n] });
  });

  it('while SMMUEN is clear, GBPA decides', () => {
    const { unit, ask } = make();
    unit.registers.enabled = false;
    expect(ask('write', 0x1000n)).toBe('0x1000 rw');
    unit.registers.abortsWhenDisabled = true;
    expect(ask('write', 0x1000n)).toBe('blocked');
  });
});

describe('SMMU 1.2.3: stream table entries', () => {
  it.each([
    ['SM-S1: V is clear', 0n, 0n, 0n, 'fault 0x04'], ['Config 0 aborts, without event', CONFIG.abort, 0n, 0n, 'blocked'], ['so do 1 to 3', 3n, 0n, 0n, 'blocked'], ['bypass', CONFIG.bypass, 0n, 0n, '0x12345000 rw'],
    ['SM-S3: S1Fmt is reserved', CONFIG.stageOne | (3n << 4n) | (4n << 59n), 2n, 0n, 'fault 0x04'], ['SM-S3: but says nothing with one CD', CONFIG.stageOne | (3n << 4n), 2n, 0n, '0x5000000 rw'],
    ['SM-S3: more CDs than SSIDSIZE', CONFIG.stageOne | (21n << 59n), 2n, 0n, 'fault 0x04'],
    ['SM-S4: VMSAv8-32', CONFIG.stageTwo, 0n, STE2 & ~(1n << 51n), 'fault 0x04'], ['SM-S4: S2TG is reserved', CONFIG.stageTwo, 0n, STE2 | (3n << 46n), 'fault 0x04'], ['SM-S4: S2SL0 is reserved', CONFIG.stageTwo, 0n, STE2 | (3n << 38n), 'fault 0x04'],
    ['SM-S5: S2T0SZ is too large', CONFIG.stageTwo, 0n, STE2 + (16n << 32n), 'fault 0x04'], ['SM-S5: and too small', CONFIG.stageTwo, 0n, STE2 - (9n << 32n), 'fault 0x04'],
    ['SM-S6: more than sixteen tables', CONFIG.stageTwo, 0n, STE2 - (4n << 32n), 'fault 0x04'], ['SM-S6: a start level that resolves nothing', CONFIG.stageTwo, 0n, STE2 + (1n << 32n) + (1n << 38n), 'fault 0x04'],
    ['SM-S8: big-endian tables', CONFIG.stageTwo, 0n, STE2 | (1n << 52n), 'fault 0x04'], ['SM-S8: access flags that nobody sets', CONFIG.stageTwo, 0n, STE2 | (1n << 56n), 'fault 0x04'],
    ['SM-S9: split-stage ATS without nesting', CONFIG.stageOne, 2n | (2n << 28n), 0n, 'fault 0x04'],
    ['nothing wrong with stage 2', CONFIG.stageTwo, 0n, STE2, 'fault 0x10'],
  ])('%s', (_name, word0, word1, word2, expected) => {
    const { ask } = make({}, { ...stageOne(TARGET | PAGE, CD0, [word0, word1, word2, LOWER]) });
    expect(ask('read', IOVA)).toBe(expected);
  });

  it('SM-S2, SM-S7, SM-S10: what the unit has not', () => {
    expect(make({ stageOne: false }, stageOne(TARGET | PAGE)).ask('read', IOVA)).toBe('fault 0x04');
    expect(make({ stageTwo: false }, stageOne(0n, CD0, [CONFIG.stageTwo, 0n, STE2, LOWER])).ask('read', IOVA)).toBe('fault 0x04');
    expect(make({}, stageOne(0n, CD0, [CONFIG.stageTwo, 0n, STE2 & ~(7n << 48n), 1n << 33n])).ask('read', IOVA)).toBe('fault 0x04');
    expect(make({ stallModel: 1 }, stageOne(0n, CD0, [CONFIG.stageOne, 2n | (1n << 27n)])).ask('read', IOVA)).toBe('fault 0x04');
  });
});

describe('SMMU 1.3, 1.4: SubstreamIDs and context descriptors', () => {
  /** Sixteen CDs, the first and the fifth valid. */
  const withPasids = (dss: bigint, format = 0n) => make({}, { ...stageOne(TARGET | PAGE, CD0, [CONFIG.stageOne | (format << 4n) | (4n << 59n), dss]), [`${CONTEXTS + 5n * 64n}`]: CD0, [`${CONTEXTS + 5n * 64n + 8n}`]: TABLES });

  it.each([
    ['no PASID, S1DSS 0', 0n, undefined, 'fault 0x06'], ['no PASID, S1DSS 1', 1n, undefined, '0x12345000 rw'], ['no PASID, S1DSS 2', 2n, undefined, '0x5000000 rw'], ['no PASID, S1DSS 3', 3n, undefined, 'fault 0x06'],
    ['PASID 0, S1DSS 2', 2n, 0, 'fault 0x06'], ['PASID 0, S1DSS 0', 0n, 0, '0x5000000 rw'], ['a PASID', 2n, 5, '0x5000000 rw'], ['a PASID without CD', 2n, 6, 'fault 0x0a'], ['a PASID beyond S1CDMax', 2n, 16, 'fault 0x08'],
  ])('%s', (_name, dss, pasid, expected) => {
    expect(withPasids(dss).ask('read', IOVA, { pasid })).toBe(expected);
  });

  it('a PASID where there is one CD, or no stage 1', () => {
    expect(make({}, stageOne(TARGET | PAGE)).ask('read', IOVA, { pasid: 1 })).toBe('fault 0x08');
    expect(make({}, { [`${STE}`]: CONFIG.bypass }).ask('read', IOVA, { pasid: 1 })).toBe('fault 0x08');
  });

  it.each([[1n, 6n], [2n, 10n]])('SMMU 1.4.1: two levels, S1Fmt %s', (format, bits) => {
    const leaf = 0x28_0000n;
    const pasid = (3n << bits) + 5n;
    const { ask } = make({}, {
      ...stageOne(TARGET | PAGE, CD0, [CONFIG.stageOne | (format << 4n) | (16n << 59n), 2n]), [`${CONTEXTS + 24n}`]: leaf | 1n, [`${leaf + 5n * 64n}`]: CD0, [`${leaf + 5n * 64n + 8n}`]: TABLES,
    });
    expect(ask('read', IOVA, { pasid: Number(pasid) })).toBe('0x5000000 rw');
    expect(ask('read', IOVA, { pasid: Number(4n << bits) })).toBe('fault 0x08');
  });

  it('what cannot be read is F_CD_FETCH', () => {
    expect(make({}, { [`${STE}`]: CONFIG.stageOne | (1n << 40n), [`${STE + 8n}`]: 2n }).ask('read', IOVA)).toBe('fault 0x09');
  });

  it.each([
    ['SM-C1: V is clear', CD0 & ~(1n << 31n), {}], ['SM-C1: VMSAv8-32', CD0 & ~(1n << 41n), {}], ['SM-C2: A is clear', CD0 & ~(1n << 46n), {}], ['SM-C3: S without stalls', CD0 | (1n << 44n), { stallModel: 1 as const }],
    ['SM-C4: HA', CD0 | (1n << 43n), {}], ['SM-C5: T0SZ 15', CD0 - 10n, {}], ['SM-C5: T0SZ 40', CD0 + 15n, {}], ['SM-C5: TG0 is reserved', CD0 | (3n << 6n), {}], ['SM-C5: a granule that the unit has not', CD0 | (1n << 6n), { granules: [12] }],
    ['SM-C6: big-endian tables', CD0 | (1n << 15n), {}], ['SM-C8: TTB1 counts when it is walked', CD0 & ~(1n << 30n), {}],
  ])('SMMU 1.4.3: %s', (_name, cd, hardware) => {
    expect(make(hardware, stageOne(TARGET | PAGE, cd)).ask('read', IOVA)).toBe('fault 0x0a');
  });

  it('SM-C7: TTB0 beyond IPS', () => {
    expect(make({}, { ...stageOne(0n, CD0 & ~(7n << 32n)), [`${CONTEXTS + 8n}`]: 1n << 32n }).ask('read', IOVA)).toBe('fault 0x0a');
  });

  it('SM-C2, SM-C3, SM-C4: legal where the unit can do it', () => {
    expect(make({ abortsOnly: false }, stageOne(TARGET | PAGE, CD0 & ~(1n << 46n))).ask('read', IOVA)).toBe('0x5000000 rw');
    expect(make({ hardwareUpdate: 2 }, stageOne(TARGET | PAGE, CD0 | (3n << 42n))).ask('read', IOVA)).toBe('0x5000000 rw');
  });
});

describe('SMMU 1.5: which half translates', () => {
  const UPPER_TABLES = 0x60_0000n;
  /** T1SZ 25, TG1 4 KiB: 39 bits from the top. */
  const both = (CD0 & ~(1n << 30n)) | (25n << 16n) | (2n << 22n);
  const words = (cd: bigint) => ({ ...stageOne(TARGET | PAGE, cd), [`${CONTEXTS + 16n}`]: UPPER_TABLES, [`${UPPER_TABLES + 8n * 511n}`]: 0x4000_0000n | 0x741n });

  it.each([
    ['bits 63:39 clear: TTB0', 0n, IOVA, '0x5000000 rw'], ['bits 63:39 set: TTB1', 0n, 0xffff_ffff_c000_1000n, '0x40001000 rw'], ['neither', 0n, 0x80_1234_5000n, 'fault 0x10'], ['a tag is an address bit', 0n, 0x5500_0000_1234_5000n, 'fault 0x10'],
    ['with TBI0 it is not', 1n << 38n, 0x5500_0000_1234_5000n, '0x5000000 rw'], ['bit 55 still decides', 1n << 38n, 0x5580_0000_1234_5000n, 'fault 0x10'], ['with TBI1', 1n << 39n, 0x12ff_ffff_c000_1000n, '0x40001000 rw'],
    ['EPD1: TTB1 is not walked', 1n << 30n, 0xffff_ffff_c000_1000n, 'fault 0x10'], ['EPD0', 1n << 14n, IOVA, 'fault 0x10'],
  ])('%s', (_name, flags, address, expected) => {
    expect(make({}, words(both | flags)).ask('read', address)).toBe(expected);
  });
});

describe('SMMU 1.6: stage 1', () => {
  const leaf = (low: bigint, high = 0n) => TARGET | low | (high << 32n);
  it.each([
    ['AP 01', leaf(PAGE), '0x5000000 rw', '0x5000000 rw'], ['AP 11', leaf(PAGE | 0x80n), '0x5000000 r-', 'fault 0x13'], ['AP 00', leaf(PAGE & ~0x40n), 'fault 0x13', 'fault 0x13'], ['invalid', leaf(PAGE & ~1n), 'fault 0x10', 'fault 0x10'],
    ['bits 1:0 = 01 at level 3', leaf(PAGE & ~2n), 'fault 0x10', 'fault 0x10'], ['AF is clear', leaf(PAGE & ~0x400n), 'fault 0x12', 'fault 0x12'], ['AF before permission', leaf((PAGE & ~0x400n) | 0x80n), 'fault 0x12', 'fault 0x12'],
  ])('SMMU 1.6.3, 1.6.4: %s', (_name, descriptor, read, write) => {
    const { ask } = make({}, stageOne(descriptor));
    expect([ask('read', IOVA), ask('write', IOVA)]).toEqual([read, write]);
  });

  it('an address beyond IPS comes before the access flag; a table pointer counts as well', () => {
    const narrow = CD0 & ~(7n << 32n);
    expect(make({}, stageOne((1n << 33n) | 0x343n, narrow)).ask('read', IOVA)).toBe('fault 0x11');
    expect(make({}, { ...stageOne(0n, narrow), [`${TABLES}`]: (1n << 33n) | 3n }).ask('read', IOVA)).toBe('fault 0x11');
  });

  it('F_WALK_EABT has the address of the descriptor', () => {
    const { unit } = make({}, { ...stageOne(0n), [`${TABLES}`]: (1n << 40n) | 3n });
    expect(unit.translate(request(SID, 'write', IOVA), null)).toMatchObject({ code: 0x0b, record: [0x18_0000_000bn, 0x100_0000_0000n, IOVA, (1n << 40n) + 8n * 0x91n] });
  });

  it.each([[0x61n, 'privileged only, read-only'], [0x20n, 'privileged only']])('APTable 0x%s restricts what is below, unless HAD says no', (table, _name) => {
    const words = { ...stageOne(leaf(PAGE)), [`${TABLES}`]: (TABLES + 0x1000n) | 3n | (table << 56n) };
    expect(make({}, words).ask('read', IOVA)).toBe('fault 0x13');
    expect(make({}, { ...words, [`${CONTEXTS + 8n}`]: TABLES | (1n << 60n) }).ask('write', IOVA)).toBe('0x5000000 rw');
  });

  it('privilege and execution come with a PASID', () => {
    const words = stageOne(leaf(PAGE & ~0x40n, 1n << 22n), CD0, [CONFIG.stageOne | (4n << 59n), 0n]);
    const { ask } = make({}, words);
    expect(ask('read', IOVA, { pasid: 0 })).toBe('fault 0x13');
    expect(ask('write', IOVA, { pasid: 0, privileged: true })).toBe('0x5000000 rw');
    expect(ask('read', IOVA, { pasid: 0, privileged: true, execute: true })).toBe('0x5000000 rw');
    const never = make({}, stageOne(leaf(PAGE | 0x80n, 1n << 22n), CD0, [CONFIG.stageOne | (4n << 59n), 0n]));
    expect(never.ask('read', IOVA, { pasid: 0, execute: true })).toBe('fault 0x13');
    expect(never.ask('read', IOVA, { pasid: 0 })).toBe('0x5000000 r-');
  });

  it('PAN keeps privileged requests off the pages of the others; WXN lets nothing writable be executed', () => {
    const pasid = [CONFIG.stageOne | (4n << 59n), 0n];
    expect(make({}, stageOne(leaf(PAGE), CD0 | (1n << 40n), pasid)).ask('read', IOVA, { pasid: 0, privileged: true })).toBe('fault 0x13');
    expect(make({}, stageOne(leaf(PAGE), CD0 | (1n << 36n), pasid)).ask('read', IOVA, { pasid: 0, execute: true })).toBe('fault 0x13');
    expect(make({}, stageOne(leaf(PAGE), CD0, pasid)).ask('read', IOVA, { pasid: 0, execute: true })).toBe('0x5000000 rw');
  });

  it('HTTU: the access flag is set, and what is writable becomes dirty', () => {
    const at = physical(TABLES + 0x2000n + 8n * 0x145n);
    const { ask, memory } = make({ hardwareUpdate: 2 }, stageOne(leaf((PAGE & ~0x400n) | 0x80n, 1n << 19n), CD0 | (3n << 42n)));
    expect(ask('read', IOVA)).toBe('0x5000000 r-');
    expect(memory.readWord(at) & 0x480n).toBe(0x480n);
    expect(ask('write', IOVA)).toBe('0x5000000 rw');
    expect(memory.readWord(at) & 0x480n).toBe(0x400n);
  });

  it.each([[12n, 0n, 25, 30n], [12n, 0n, 25, 21n], [14n, 2n, 28, 25n], [16n, 1n, 22, 29n]])('SMMU 1.6.1: granule 2^%s, a block of 2^%4$s bytes', (granule, tg, tsz, block) => {
    const cd = (CD0 & ~0xffn) | BigInt(tsz) | (tg << 6n);
    const bits = 64n - BigInt(tsz);
    const stride = granule - 3n;
    const words: Record<string, bigint> = { [`${STE}`]: CONFIG.stageOne, [`${STE + 8n}`]: 2n, [`${CONTEXTS}`]: cd, [`${CONTEXTS + 8n}`]: TABLES };
    let shift = granule;
    while (shift + stride < bits) shift += stride;
    let table = TABLES;
    const address = (1n << block) + 0x1234n;
    for (; shift > block; shift -= stride, table += 0x1_0000n) words[`${table + 8n * (address >> shift)}`] = (table + 0x1_0000n) | 3n;
    words[`${table + 8n * ((address >> block) & ((1n << stride) - 1n))}`] = (3n << block) | 0x741n;
    const { unit } = make({}, words);
    expect(unit.translate(request(SID, 'read', address), null)).toMatchObject({ kind: 'address', address: (3n << block) + 0x1234n, pageSize: 1n << block });
  });
});

describe('SMMU 1.7: two stages', () => {
  /** Stage 2 leaves everything where it is, but for the leaf that `changed` is about. */
  const nested = (changed: Record<string, bigint> = {}, ste2 = STE2, cd = CD0) => make({}, {
    ...stageOne(TARGET | PAGE, cd, [CONFIG.nested, 2n, ste2, LOWER]), [`${LOWER}`]: (LOWER + 0x2000n) | 3n,
    ...Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`${LOWER + 0x2000n + 8n * BigInt(i)}`, (BigInt(i) << 21n) | 0x7fdn])), ...changed,
  });
  const lowerBlock = (address: bigint): string => `${LOWER + 0x2000n + 8n * (address >> 21n)}`;

  it('SM-N1: both stages have to allow it', () => {
    expect(nested().ask('write', IOVA)).toBe('0x5000000 rw');
    const readOnly = nested({ [lowerBlock(TARGET)]: (TARGET & ~0x1f_ffffn) | 0x77dn });
    expect(readOnly.ask('read', IOVA)).toBe('0x5000000 r-');
    expect(readOnly.unit.translate(request(SID, 'write', IOVA), null)).toMatchObject({ code: 0x13, record: [0x18_0000_0013n, 0x280_0000_0000n, IOVA, TARGET] });
  });

  it('the second stage puts the page elsewhere', () => {
    expect(nested({ [lowerBlock(TARGET)]: 0x0a00_0000n | 0x7fdn }).ask('read', IOVA)).toBe('0xa000000 rw');
  });

  it('SM-N3: an intermediate address beyond stage 2, and beyond IPS', () => {
    const beyond = { [`${TABLES + 0x2000n + 8n * 0x145n}`]: (1n << 41n) | PAGE };
    expect(nested(beyond).unit.translate(request(SID, 'read', IOVA), null)).toMatchObject({ code: 0x10, record: [0x18_0000_0010n, 0x288_0000_0000n, IOVA, 1n << 41n] });
    expect(nested(beyond, STE2, CD0 & ~(7n << 32n)).unit.translate(request(SID, 'read', IOVA), null)).toMatchObject({ code: 0x11, record: [0x18_0000_0011n, 0x208_0000_0000n, IOVA, 0n] });
  });

  it.each([['the context descriptor', CONTEXTS, 0x88n], ['a stage 1 table', TABLES, 0x188n]])('%s where stage 2 maps nothing', (_name, address, flags) => {
    const { unit } = nested({ [lowerBlock(address)]: 0n });
    expect(unit.translate(request(SID, 'write', IOVA), null)).toMatchObject({ code: 0x10, record: [0x18_0000_0010n, flags << 32n, IOVA, address] });
  });

  it('S2PTW: no stage 1 tables in device memory', () => {
    const { ask } = nested({ [lowerBlock(TABLES)]: (TABLES & ~0x1f_ffffn) | 0x7c5n }, STE2 | (1n << 54n));
    expect(ask('read', IOVA)).toBe('fault 0x13');
  });

  it('without S2R nothing is recorded', () => {
    expect(nested({ [lowerBlock(TARGET)]: 0n }, STE2 & ~(1n << 58n)).ask('read', IOVA)).toBe('fault 0x10 unrecorded');
    expect(make({}, stageOne(0n, CD0 & ~(1n << 45n))).ask('read', IOVA)).toBe('fault 0x10 unrecorded');
  });

  it('SM-N4: what a walk reads', () => {
    const { unit } = nested();
    const recorder = new Recorder();
    unit.translate(request(SID, 'read', IOVA), recorder);
    // STE; CD and three descriptors, each behind two of stage 2; two for the page.
    expect(recorder.reads()).toHaveLength(1 + 4 * (2 + 1) + 2);
  });

  it('S1DSS = 1: without PASID only stage 2 translates; alone it takes what the unit can put out', () => {
    const { ask } = make({}, { [`${STE}`]: CONFIG.nested | (4n << 59n), [`${STE + 8n}`]: 1n, [`${STE + 16n}`]: STE2, [`${STE + 24n}`]: LOWER, [`${LOWER}`]: 0x4000_0000n | 0x7fdn });
    expect(ask('read', 0x1000n)).toBe('0x40001000 rw');
    expect(ask('read', 1n << 40n)).toBe('fault 0x10');
    expect(ask('read', 1n << 48n)).toBe('fault 0x11');
  });

  it('tables of the start level lie side by side', () => {
    const { ask } = make({}, { [`${STE}`]: CONFIG.stageTwo, [`${STE + 16n}`]: STE2, [`${STE + 24n}`]: LOWER, [`${LOWER + 8n * 0x201n}`]: 0x4000_0000n | 0x7fdn });
    expect(ask('read', (0x201n << 30n) + 5n)).toBe('0x40000005 rw');
    expect(ask('read', (1n << 30n) + 5n)).toBe('fault 0x10');
  });

  it.each([[LOWER_PAGE, '0x12000 rw'], [LOWER_PAGE & ~0x40n, 'fault 0x13'], [LOWER_PAGE & ~0x400n, 'fault 0x12']])('stage 2 has read and write bits: 0x%s', (attributes, expected) => {
    const { ask } = make({}, { [`${STE}`]: CONFIG.stageTwo, [`${STE + 16n}`]: STE2, [`${STE + 24n}`]: LOWER, [`${LOWER}`]: (LOWER + 0x2000n) | 3n, [`${LOWER + 0x2000n}`]: (LOWER + 0x3000n) | 3n, [`${LOWER + 0x3000n}`]: 0x1_2000n | attributes });
    expect(ask('read', 0n)).toBe(expected);
  });
});

describe('SMMU 1.10: ATS', () => {
  const ask = (ste: readonly bigint[], more: Partial<UnitRequest>, hardware = {}): string => make(hardware, stageOne(TARGET | PAGE | 0x80n, CD0, ste)).ask('read', IOVA, more);
  const asks = { addressType: 'translation-request' } as const;
  const translated = { addressType: 'translated' } as const;
  const FULL = 1n << 28n;

  it('EATS = 1: an answer with what there is, without fault', () => {
    expect(ask([CONFIG.stageOne, 2n | FULL], asks)).toBe('0x5000000 r-');
    expect(make({}, stageOne(0n, CD0, [CONFIG.stageOne, 2n | FULL])).ask('write', IOVA, asks)).toBe('0x0 --'); // SM-F6
    expect(ask([CONFIG.stageOne, 2n | FULL], translated)).toBe('0x12345000 rw');
  });

  it('SM-F7: who may not use it', () => {
    expect(ask([CONFIG.stageOne, 2n], asks)).toBe('fault 0x05 unrecorded');
    expect(ask([CONFIG.stageOne, 2n], translated)).toBe('fault 0x07');
    expect(ask([CONFIG.bypass, FULL], translated)).toBe('fault 0x07');
    expect(ask([CONFIG.abort], translated)).toBe('blocked');
    expect(ask([0n], translated)).toBe('fault 0x04');
    expect(ask([0n], asks)).toBe('fault 0x04 unrecorded');
    expect(ask([CONFIG.stageOne, 2n | FULL], asks, { ats: false })).toBe('blocked');
  });

  it('without ATSCHK translated requests are not looked at', () => {
    const { unit, ask: plain } = make({}, { [`${STE}`]: 0n });
    unit.registers.checksTranslated = false;
    expect(plain('write', IOVA, translated)).toBe('0x12345000 rw');
  });
});

describe('SMMU 11.2: whatever the tables say', () => {
  const word = fc.bigInt(0n, (1n << 64n) - 1n);
  const anywhere = fc.oneof(fc.constantFrom(STE, STE + 8n, STE + 16n, STE + 24n, CONTEXTS, CONTEXTS + 8n, CONTEXTS + 16n, TABLES, TABLES + 0x1000n + 8n * 0x91n, TABLES + 0x2000n + 8n * 0x145n), fc.bigInt(0n, 0x6_0000n).map((n) => STREAMS + 8n * n));

  it('a walk ends, and reading changes nothing without HTTU', () => {
    fc.assert(fc.property(fc.array(fc.tuple(anywhere, word), { maxLength: 12 }), word, fc.constantFrom('read' as const, 'write' as const), fc.boolean(), (words, address, access, both) => {
      const { unit, memory } = make({}, stageOne(TARGET | PAGE, CD0, [both ? CONFIG.nested : CONFIG.stageOne, 2n, STE2, LOWER]));
      for (const [at, value] of words) memory.writeWord(physical(at), value);
      const before = words.map(([at]) => memory.readWord(physical(at)));
      const recorder = new Recorder();
      const answer = unit.translate(request(SID, access, address), recorder);
      expect(recorder.reads().length).toBeLessThan(40);
      expect(JSON.parse(JSON.stringify(recorder.events, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)))).toBeDefined();
      expect(unit.translate(request(SID, access, address), null)).toEqual(answer);
      expect(words.map(([at]) => memory.readWord(physical(at)))).toEqual(before);
    }));
  });

  it('clearing a valid bit never lets a request through', () => {
    const bits = fc.constantFrom<readonly [bigint, bigint]>([STE, 0n], [CONTEXTS, 31n], [TABLES, 0n], [TABLES + 0x1000n + 8n * 0x91n, 0n], [TABLES + 0x2000n + 8n * 0x145n, 0n]);
    fc.assert(fc.property(bits, word, ([at, bit], address) => {
      const { unit, memory, ask } = make({}, stageOne(TARGET | PAGE));
      memory.writeWord(physical(at), memory.readWord(physical(at)) & ~(1n << bit));
      expect(unit.translate(request(SID, 'read', address), null).kind).toBe('fault');
      expect(ask('read', IOVA)).toMatch(/^fault/);
    }));
  });
});
