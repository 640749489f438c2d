/** What the emulator that was asked does where the architecture says something else. These stay differences, with a name. */
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import type { ReadEvent } from '../../server/simulator/trace/events.js';
import type { Asked } from './vector-case.js';

/** What decides which deviation it is. */
export interface Situation {
  readonly expected: string;
  readonly answer: UnitAnswer;
  readonly asked: Asked;
  /** What the walk read, in order. */
  readonly reads: readonly ReadEvent[];
}

/** Entries of one table, by S2TG. */
const ENTRIES = [512, 8192, 2048, Infinity];
/** By S2PS, as far as the emulator goes. */
const OUTPUT_BITS = [32, 36, 40, 42, 44, 44, 44, 44];
const STAGE_TWO = 1n << 39n;
const READS = 1n << 35n;
const ADDRESS_FIELD = 0xf_ffff_ffff_f000n;

/** Tables and targets of the cases lie between; below are devices, firmware and what the machine itself has put at the start of its RAM. */
const TABLES_START = 0x4020_0000n;
/** Where the emulated machine has devices that answer: configuration space, and what PCI devices may decode. */
const DEVICES = [{ start: 0x40_0000_0000n, end: 0x40_2000_0000n }, { start: 0x80_0000_0000n, end: 0x100_0000_0000n }];

const field = (read: ReadEvent, name: string): bigint => read.fields.find((each) => each.name === name)?.value ?? 0n;
const wordsOf = (expected: string): bigint[] => (/ w=([\w,]+)/.exec(expected)?.[1] ?? '').split(',').filter((word) => word !== '').map((word) => BigInt(`0x${word}`));
const codeOf = (expected: string): number => Number.parseInt(/type=(\w+)/.exec(expected)?.[1] ?? '0', 16);
const isSilent = (expected: string): boolean => expected === 'OK wrote=nothing' || expected === 'OK wrote=?' || /^OK data=(0|f+)$/.test(expected);
const codeIs = (answer: UnitAnswer, ...codes: readonly number[]): boolean => answer.kind === 'fault' && codes.includes(answer.code);
const fullPointer = (word: bigint): boolean => word >> 52n !== 0n;

const isDescriptor = (read: ReadEvent): boolean => read.entry === 'L1 stream table descriptor' && field(read, 'Span') > 0n;
const isTable = ({ level = 3, words }: ReadEvent): boolean => level < 3 && (words[0]! & 3n) === 3n;

/** What has to stand in a structure for our unit to do as the emulator does with the structure as it is. */
interface Amendment {
  readonly name: string;
  /** @param wordAt what memory has elsewhere. @returns the first word as it should be; null = it may stay */
  amend(read: ReadEvent, entry: ReadEvent | undefined, wordAt: (address: bigint) => bigint): bigint | null;
}

const AP_UNPRIVILEGED = 1n << 6n;
const TABLE_PERMISSIONS = 0xfn << 59n;

/** Each is made once in each structure. */
export const AMENDMENTS: readonly Amendment[] = [
  {
    name: 'a level 1 descriptor covers twice as many stream IDs as its span says',
    amend: (read) => (isDescriptor(read) && read.verdict === 'fault' ? read.words[0]! + 1n : null),
  },
  {
    name: 'of concatenated tables of stage 2 only the first is read',
    amend: ({ stage, index = 0, address }, entry, wordAt) => {
      const entries = entry === undefined ? Infinity : ENTRIES[Number(field(entry, 'S2TG'))]!;
      return stage !== 'stage 2' || index < entries ? null : wordAt(address - 8n * BigInt(index - (index % entries)));
    },
  },
  {
    name: 'unprivileged requests are not kept from privileged pages, and table permissions are not looked at',
    amend: (read) => {
      if (read.stage !== 'stage 1' || (read.words[0]! & 1n) === 0n) return null;
      return isTable(read) ? read.words[0]! & ~TABLE_PERMISSIONS : read.words[0]! | AP_UNPRIVILEGED;
    },
  },
];

interface Deviation {
  readonly name: string;
  /** @param entry the STE, if one was read. @param last what was read last */
  applies(situation: Situation, entry: ReadEvent | undefined, last: ReadEvent | undefined): boolean;
}

const DEVIATIONS: readonly Deviation[] = [
  {
    name: 'below the tables and in its device windows the emulated machine has something that answers',
    applies: ({ reads }) => reads.some(({ address }) => address < TABLES_START || DEVICES.some(({ start, end }) => address >= start && address < end)),
  },
  {
    name: 'a stream ID beyond the span of its level 1 descriptor is C_BAD_STE',
    applies: ({ expected, answer, reads }) => codeIs(answer, 0x02) && codeOf(expected) === 0x04 && reads.some(isDescriptor),
  },
  {
    name: 'bits above 51 of a pointer to STEs or CDs count',
    applies: ({ expected }) => [0x03, 0x09].includes(codeOf(expected)) && wordsOf(expected).slice(2).some(fullPointer),
  },
  {
    name: 'the fetch address of F_CD_FETCH is in the third word',
    applies: ({ expected, answer }) => codeIs(answer, 0x09) && codeOf(expected) === 0x09,
  },
  {
    name: 'a start level of stage 2 that resolves no bit is accepted',
    applies: ({ answer }, entry) => codeIs(answer, 0x04) && entry !== undefined && (field(entry, 'Config') & 2n) !== 0n && resolvedBits(entry) < 1,
  },
  {
    name: 'S2T0SZ is bound by S2PS and not by what the unit can put out',
    applies: ({ expected }, entry) => codeOf(expected) === 0x04 && entry !== undefined && (field(entry, 'Config') & 2n) !== 0n && 64 - Number(field(entry, 'S2T0SZ')) > OUTPUT_BITS[Number(field(entry, 'S2PS'))]!,
  },
  {
    name: 'an address that is too wide for stage 2 without stage 1 is refused without event',
    applies: ({ expected, answer, asked }, entry) => codeIs(answer, 0x11) && isSilent(expected) && entry !== undefined && field(entry, 'Config') === 6n && asked.address >> 44n !== 0n,
  },
  {
    name: 'the address in a table descriptor is judged when it is used, and not at all without stage 2',
    applies: ({ answer }, _entry, last) => codeIs(answer, 0x11) && last !== undefined && last.level !== undefined && last.level < 3 && (last.words[0]! & 2n) !== 0n,
  },
  {
    name: 'access flag and permission are judged before the address size',
    applies: ({ expected, answer }, _entry, last) => codeIs(answer, 0x11) && [0x12, 0x13].includes(codeOf(expected)) && last !== undefined && (last.words[0]! & 1n) === 1n,
  },
  {
    name: 'a cached translation that does not allow the access loses stage and address of the fault, and with the stage who decides about its record',
    applies: ({ expected, answer }) => codeIs(answer, 0x13) && (isSilent(expected) || (codeOf(expected) === 0x13 && wordsOf(expected)[3] === 0n)),
  },
  {
    name: 'what stage 2 says of a table that a descriptor names is recorded without S2 and with the direction of the request',
    applies: ({ expected, answer }) => answer.kind === 'fault' && isTableFetch(answer.record) && (isSilent(expected) || (answer.code === codeOf(expected) && samePlace(answer.record ?? [], wordsOf(expected)))),
  },
  {
    name: 'a cached translation is not asked whether stage 2 allows reading',
    applies: ({ expected, answer, asked }) => codeIs(answer, 0x13) && !asked.write && expected.startsWith('OK pa='),
  },
  {
    name: 'a block descriptor is a leaf at every level above the last',
    applies: ({ answer }, _entry, last) => codeIs(answer, 0x10) && last?.level !== undefined && last.level < 3 && (last.words[0]! & 3n) === 1n,
  },
  {
    name: 'some writes that stage 1 refuses for another reason are recorded as permission faults',
    applies: ({ expected, answer, asked }, entry) => codeIs(answer, 0x0b, 0x10, 0x12) && asked.write && codeOf(expected) === 0x13 && entry !== undefined && field(entry, 'Config') === 5n,
  },
];

/** Bits of input that the start level of stage 2 resolves, with the 4 KiB granule's shape where S2TG is illegal. */
function resolvedBits(entry: ReadEvent): number {
  const granule = [12, 16, 14, 12][Number(field(entry, 'S2TG'))]!;
  const level = (granule === 12 ? 2 : 3) - Number(field(entry, 'S2SL0'));
  return 64 - Number(field(entry, 'S2T0SZ')) - granule - (granule - 3) * (3 - level);
}

/** A stage 2 fault for a table of stage 1. */
const isTableFetch = (record: readonly bigint[] = []): boolean => ((record[1] ?? 0n) & STAGE_TWO) !== 0n && (((record[1] ?? 0n) >> 40n) & 3n) === 1n;

function samePlace(ours: readonly bigint[], recorded: readonly bigint[]): boolean {
  const rest = (word: bigint): bigint => word & ~(STAGE_TWO | READS);
  return ours[2] === recorded[2] && rest(ours[1] ?? 0n) === rest(recorded[1] ?? 0n) && ((ours[3] ?? 0n) & ADDRESS_FIELD) === ((recorded[3] ?? 0n) & ADDRESS_FIELD);
}

export function deviationOf(situation: Situation): string | undefined {
  const entry = situation.reads.find((read) => read.entry === 'STE');
  return DEVIATIONS.find((deviation) => deviation.applies(situation, entry, situation.reads.at(-1)))?.name;
}
