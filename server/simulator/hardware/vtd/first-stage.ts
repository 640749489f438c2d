/**
 * The first-stage walk (VTD-43): entries as a processor's long mode has them; and the nested walk (VTD-44), where every
 * table address goes through the second stage first.
 */
import type { SubjectId } from '../../description.js';
import { addressOf, frameOfEntry, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink, Verdict } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import { EXECUTE_DISABLE_HIGH, LEAF_RESERVED, LONG_MODE } from '../long-mode.js';
import type { VtdCapabilities } from './capabilities.js';
import { FIRST_STAGE_ENTRY } from './layouts.js';
import type { SecondStage, WalkCodes } from './second-stage.js';

const NO_PAGE = new Uint32Array(1024);

/** What a request asks of the first stage. */
export interface FirstStageAccess {
  readonly address: bigint;
  /** READ | WRITE; 0 takes what there is. */
  readonly need: number;
  readonly privileged: boolean;
  /** To execute, where XD counts (NXE). */
  readonly execute: boolean;
  /** To execute with privilege, where that is not for pages of users (SMEP). */
  readonly avoidsUserPages: boolean;
}

/** How an entry that is looked up below a second stage fails; the top entry's read permission has its own number. */
const NESTED_TOP: WalkCodes = { topUnreadable: 0x7b, unreadable: 0x78, noWrite: 0x77, noRead: 0x75, reserved: 0x7a };
const NESTED_LOWER: WalkCodes = { ...NESTED_TOP, noRead: 0x76 };

/** The second stage below a nested walk. */
export interface Below {
  readonly table: number;
  readonly levels: number;
  /** Frames that an input of the second stage may be in. */
  readonly frames: number;
  /** Its leaves get dirty bits, also by what the unit writes into tables (VTD-32, DRT-01). */
  readonly setsDirty: boolean;
}

export class FirstStage {
  /** Frame that the address maps to: physical, or what the second stage still has to translate. */
  frame = 0;
  level = 0;
  /** READ | WRITE that every entry of the way agreed to. */
  allowed = 0;
  private readonly beyond: number;

  constructor(private readonly memory: PhysicalMemory, capabilities: VtdCapabilities, private readonly secondStage: SecondStage, private readonly unit: SubjectId) {
    this.beyond = capabilities.physicalWidth >= 52 ? 0 : ((-1 << (capabilities.physicalWidth - 32)) & 0xf_ffff) >>> 0;
  }

  /** @returns 0 or the fault reason; for `need` 0 a missing page is no fault but `allowed` 0. */
  walk(table: number, levels: number, access: FirstStageAccess, writeProtect: boolean, below: Below | null, sink: TraceSink | null): number {
    const high = highHalf(access.address);
    const below4 = ((high & 0x7f) << 20) | (lowHalf(access.address) >>> 12);
    const above3 = high >>> 7;
    this.allowed = READ | WRITE;
    let users = LONG_MODE.user;
    for (let level = levels; ; level--) {
      const index = level > 3 ? (above3 >>> (9 * (level - 4))) & 511 : (below4 >>> (9 * (level - 1))) & 511;
      if (below !== null) {
        const code = this.locate(table, index, level === levels, below, sink);
        if (code !== 0) return code;
        table = this.secondStage.frame;
      }
      const page = this.memory.page(table) ?? (this.memory.answers(table) ? NO_PAGE : null);
      if (page === null) return this.unreadable(sink, table, level, index, level === levels ? 0x73 : 0x70);
      const low = page[2 * index]!;
      const entryHigh = page[2 * index + 1]!;
      if ((low & LONG_MODE.writable) === 0 && (!access.privileged || writeProtect)) this.allowed &= ~WRITE;
      const leaf = level === 1 || (level <= 3 && (low & LONG_MODE.pageSize) !== 0);
      users &= low;
      let code = this.check(low, entryHigh, level, leaf, access);
      if (code === 0 && leaf && users !== 0 && access.avoidsUserPages) code = 0x82;
      // VTD-61: who is told that it may write makes the page dirty at once.
      if (code === 0) code = this.mark(table, index, low, leaf && ((access.need === 0 ? this.allowed : access.need) & WRITE) !== 0, below);
      const missing = access.need === 0 && (code === 0x71 || code === 0x81);
      if (sink !== null) this.trace(sink, table, level, index, [low, entryHigh], leaf, missing ? 0 : code);
      if (missing) this.allowed = 0;
      if (missing || code !== 0) return missing ? 0 : code;
      table = frameOfEntry(low, entryHigh);
      if (leaf) {
        this.level = level;
        this.frame = level === 1 ? table : table - (table & ((1 << (9 * (level - 1))) - 1)) + (below4 & ((1 << (9 * (level - 1))) - 1));
        return 0;
      }
    }
  }

  /** Nested: where the second stage puts the table that the first stage calls `table`. */
  private locate(table: number, index: number, top: boolean, below: Below, sink: TraceSink | null): number {
    if (table >= below.frames) return 0x74;
    return this.secondStage.walk(below.table, below.levels, addressOf(table, 8 * index), READ, top ? NESTED_TOP : NESTED_LOWER, sink);
  }

  /** The unit sets accessed bits on its way and the dirty bit of what is written; below a second stage, where that allows writing the table. */
  private mark(table: number, index: number, low: number, dirty: boolean, below: Below | null): number {
    const bits = dirty ? LONG_MODE.accessed | LONG_MODE.dirty : LONG_MODE.accessed;
    if ((low & bits) === bits) return 0;
    if (below !== null && (this.secondStage.allowed & WRITE) === 0) return 0x77;
    this.memory.pageForWriting(table)[2 * index]! |= bits;
    if (below?.setsDirty === true) this.secondStage.markDirty(true);
    return 0;
  }

  private check(low: number, high: number, level: number, leaf: boolean, access: FirstStageAccess): number {
    if ((low & LONG_MODE.present) === 0) return 0x71;
    if (!access.privileged && (low & LONG_MODE.user) === 0) return 0x81;
    if ((access.need & ~this.allowed) !== 0) return 0x85;
    if (access.execute && (high & EXECUTE_DISABLE_HIGH) !== 0) return 0x82;
    const reserved = leaf ? low & LEAF_RESERVED[level]! : low & (level >= 4 ? LONG_MODE.pageSize : 0);
    return reserved !== 0 || (high & this.beyond) !== 0 ? 0x72 : 0;
  }

  private unreadable(sink: TraceSink | null, table: number, level: number, index: number, code: number): number {
    sink?.push(new EntryRead(this.unit, FIRST_STAGE_ENTRY[level]!, table, 8 * index, index, [], 'fault', 'nothing answers at this address', ['VTD-43']));
    return code;
  }

  private trace(sink: TraceSink, table: number, level: number, index: number, halves: readonly number[], leaf: boolean, code: number): void {
    const verdict: Verdict = code !== 0 ? 'fault' : leaf ? 'done' : 'continue';
    const note = NOTES[code] ?? (leaf ? 'maps a page' : 'points to the next table');
    sink.push(new EntryRead(this.unit, FIRST_STAGE_ENTRY[level]!, table, 8 * index, index, halves, verdict, note, ['VTD-43'], this.allowed));
  }
}

const NOTES: Readonly<Record<number, string>> = {
  0x71: 'P is clear: nothing is mapped here',
  0x72: 'a reserved bit is set',
  0x77: 'A or D is to be set here, and the second stage allows no writing',
  0x81: 'U/S is clear: privileged requests only',
  0x82: 'no execution here: XD is set, or the page is a user\'s and the request privileged',
  0x85: 'R/W is clear: no writing here',
};
