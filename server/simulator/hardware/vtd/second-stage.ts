/** The second-stage walk (VTD-30): levels in order, none skipped, permissions tested before reserved bits. */
import type { SubjectId } from '../../description.js';
import { frameOfEntry, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink, Verdict } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import type { VtdCapabilities } from './capabilities.js';
import { SECOND_STAGE_ENTRY } from './layouts.js';

/** Reasons that a walk can fail for; which numbers they have depends on the table mode. */
export interface WalkCodes {
  readonly topUnreadable: number;
  readonly unreadable: number;
  readonly noWrite: number;
  readonly noRead: number;
  readonly reserved: number;
}

export const LEGACY_CODES: WalkCodes = { topUnreadable: 0x03, unreadable: 0x07, noWrite: 0x05, noRead: 0x06, reserved: 0x0c };

const PAGE_SIZE_BIT = 0x80;
const ACCESSED_BIT = 0x100;
export const DIRTY_BIT = 0x200;
/** Bit 62, of the high half. */
const TRANSIENT = 1 << 30;
/** VTD-30: revision 3.2 of the manual took the transient mapping bit back, which units with device TLBs let software set before. */
const TRANSIENT_IS_RESERVED = true;
const NO_PAGE = new Uint32Array(1024);

/** Walks; where the last walk ended is in the fields, so that nothing is allocated for a request. */
export class SecondStage {
  /** Frame that the address maps to. */
  frame = 0;
  /** Level of the leaf: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB. */
  level = 0;
  /** READ | WRITE that every entry of the way agreed to. */
  allowed = 0;
  /** VTD-32: accessed bits are set in every entry of the way (SSADE). */
  setsAccessed = false;
  /** Where the leaf is: frame of its table, its index. */
  private leafTable = 0;
  private leafIndex = 0;

  /** By level: bits of the low half that must be clear in a pointer, and in a leaf; bits of the high half in either. */
  private readonly tableReserved: readonly number[];
  private readonly leafReserved: readonly number[];
  private readonly reservedHigh: number;
  /** By level: bit 7 makes a leaf, and the unit has the size. */
  private readonly hasSize: readonly boolean[];

  constructor(private readonly memory: PhysicalMemory, capabilities: VtdCapabilities, private readonly unit: SubjectId) {
    const { physicalWidth, pageSizes, snoopControl, scalableMode } = capabilities;
    const snoop = 1 << 11;
    const beyond = physicalWidth >= 52 ? 0 : ((-1 << (physicalWidth - 32)) & 0xf_ffff) >>> 0;
    this.tableReserved = [0, 0, snoop, snoop, snoop | PAGE_SIZE_BIT, snoop | PAGE_SIZE_BIT];
    // VTD-30: units with scalable mode know SNP whether they have snoop control or not.
    this.leafReserved = [0, 0, 0x1f_f000, 0x3fff_f000].map((bits) => bits | (snoopControl || scalableMode ? 0 : snoop));
    this.reservedHigh = beyond | (TRANSIENT_IS_RESERVED ? TRANSIENT : 0);
    this.hasSize = [false, true, (pageSizes & (1n << 21n)) !== 0n, (pageSizes & (1n << 30n)) !== 0n];
  }

  /**
   * @param table frame of the top table
   * @param need READ | WRITE of the request; 0 for a translation request, which accepts whatever there is
   * @returns 0 or a reason of `codes`; for `need` 0 a missing page is no fault but `allowed` 0
   */
  walk(table: number, levels: number, address: bigint, need: number, codes: WalkCodes, sink: TraceSink | null): number {
    const high = highHalf(address);
    const below4 = ((high & 0x7f) << 20) | (lowHalf(address) >>> 12);
    const above3 = high >>> 7;
    this.allowed = READ | WRITE;
    for (let level = levels; ; level--) {
      const index = level > 3 ? (above3 >>> (9 * (level - 4))) & 511 : (below4 >>> (9 * (level - 1))) & 511;
      const page = this.memory.page(table) ?? this.emptyPage(table);
      if (page === null) return this.unreadable(sink, table, level, index, level === levels ? codes.topUnreadable : codes.unreadable);
      const entryLow = page[2 * index]!;
      const entryHigh = page[2 * index + 1]!;
      this.allowed &= entryLow;
      const leaf = level === 1 || (level <= 3 && (entryLow & PAGE_SIZE_BIT) !== 0);
      const code = this.check(entryLow, entryHigh, level, leaf, need, codes);
      if (sink !== null) this.trace(sink, table, level, index, [entryLow, entryHigh], leaf, noteOf(entryLow, need, code, leaf ? level : 0), code);
      if (code !== 0 || this.allowed === 0) return code;
      if (this.setsAccessed && (entryLow & ACCESSED_BIT) === 0) this.memory.pageForWriting(table)[2 * index]! |= ACCESSED_BIT;
      if (leaf) {
        this.leafTable = table;
        this.leafIndex = index;
      }
      table = frameOfEntry(entryLow, entryHigh);
      if (leaf) {
        this.level = level;
        this.frame = level === 1 ? table : table + (below4 & ((1 << (9 * (level - 1))) - 1));
        return 0;
      }
    }
  }

  /** DRT-01, VTD-32: the leaf that the last walk ended at says dirty from now on. @returns whether it did before */
  markDirty(on: boolean): boolean {
    const before = ((this.memory.page(this.leafTable)?.[2 * this.leafIndex] ?? 0) & DIRTY_BIT) !== 0;
    if (on && !before) this.memory.pageForWriting(this.leafTable)[2 * this.leafIndex]! |= DIRTY_BIT | ACCESSED_BIT;
    return before;
  }

  private check(low: number, high: number, level: number, leaf: boolean, need: number, codes: WalkCodes): number {
    const missing = need & ~low;
    if (missing !== 0) return (missing & WRITE) !== 0 ? codes.noWrite : codes.noRead;
    if ((low & (READ | WRITE)) === 0) return 0;
    if (!leaf) return (low & this.tableReserved[level]!) !== 0 || (high & this.reservedHigh) !== 0 ? codes.reserved : 0;
    return (low & this.leafReserved[level]!) !== 0 || (high & this.reservedHigh) !== 0 || !this.hasSize[level]! ? codes.reserved : 0;
  }

  private emptyPage(table: number): Uint32Array | null {
    return this.memory.answers(table) ? NO_PAGE : null;
  }

  private unreadable(sink: TraceSink | null, table: number, level: number, index: number, code: number): number {
    sink?.push(new EntryRead(this.unit, SECOND_STAGE_ENTRY[level]!, table, 8 * index, index, [], 'fault', 'nothing answers at this address', ['VTD-30']));
    return code;
  }

  private trace(sink: TraceSink, table: number, level: number, index: number, halves: readonly number[], leaf: boolean, note: string, code: number): void {
    const verdict: Verdict = code !== 0 ? 'fault' : leaf ? 'done' : 'continue';
    sink.push(new EntryRead(this.unit, SECOND_STAGE_ENTRY[level]!, table, 8 * index, index, halves, verdict, note, ['VTD-30'], this.allowed));
  }
}

/** By level of a leaf; 0 for a pointer. */
const LEADS_TO = ['points to the next table', 'maps a 4 KiB page', 'maps a 2 MiB page', 'maps a 1 GiB page'];

/** What follows from an entry; `leafLevel` is 0 when it points to a table. */
function noteOf(low: number, need: number, code: number, leafLevel: number): string {
  if ((low & (READ | WRITE)) === 0) return 'R and W are clear: nothing is mapped here';
  if (code === 0) return LEADS_TO[leafLevel]!;
  const missing = need & ~low;
  if (missing === 0) return 'a reserved bit is set';
  return (missing & WRITE) !== 0 ? 'W is clear: no writing here' : 'R is clear: no reading here';
}
