/** The host (version 1) walk: levels may be skipped, pages may have any power of two as size (hw-x86 3.5, AMD-20, AMD-21). */
import type { SubjectId } from '../../description.js';
import { frameOf, frameOfEntry, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead } from '../entry-read.js';
import { levelShift } from '../radix-table.js';
import { FLAG } from './events.js';
import { HOST_ENTRY } from './layouts.js';

export const PRESENT = 1;
const ACCESSED = 0x20;
export const DIRTY = 0x40;
/** NextLevel of a leaf whose size is in its address field. */
export const SIZE_IN_ADDRESS = 7;
/** IR is bit 61, IW bit 62: with READ | WRITE at this position of the high half. */
export const PERMISSION_SHIFT = 29;
/** Reserved in the high half: 58:52 of a page, 60:52 of a pointer. */
const PAGE_RESERVED = 0x07f0_0000;
const POINTER_RESERVED = 0x1ff0_0000;
const NO_PAGE = new Uint32Array(1024);

export const nextLevel = (low: number): number => (low >>> 9) & 7;

/** log2 of the bytes of a leaf with NextLevel 7: the trailing ones of the address field say it. */
export function encodedShift(low: number, high: number): number {
  const zeros = ~(low | 0xfff);
  if (zeros !== 0) return 32 - Math.clz32(zeros & -zeros);
  const above = ~(high & 0xf_ffff);
  return 64 - Math.clz32(above & -above);
}

/** The first frame of a leaf of 2^`shift` bytes whose address field contains its size. */
export function frameOfLeaf(low: number, high: number, shift: number): number {
  const frames = 2 ** (shift - 12);
  return Math.floor(frameOfEntry(low, high) / frames) * frames;
}

export const OK = -1;
/** Nothing answered where the entry should be. */
export const UNREADABLE = -2;

/** Walks; where the last walk ended is in the fields, so that nothing is allocated for a request. */
export class HostTable {
  /** Frame that the address maps to. */
  frame = 0;
  /** log2 of the leaf's bytes. */
  shift = 0;
  /** READ | WRITE that the device table entry and every entry of the way agreed to. */
  allowed = 0;

  private leafTable = 0;
  private leafIndex = 0;
  private below4 = 0;
  private above3 = 0;

  constructor(private readonly memory: PhysicalMemory, private readonly unit: SubjectId) {}

  /**
   * @param need READ | WRITE of the request; 0 takes what there is
   * @returns OK, UNREADABLE, or the flags of an IO_PAGE_FAULT without the direction
   */
  walk(table: number, levels: number, address: bigint, allowed: number, need: number, sink: TraceSink | null): number {
    const addressHigh = highHalf(address);
    this.below4 = ((addressHigh & 0x7f) << 20) | (lowHalf(address) >>> 12);
    this.above3 = addressHigh >>> 7;
    this.allowed = allowed;
    for (let level = levels; ;) {
      const index = this.indexAt(level);
      const page = this.memory.page(table) ?? (this.memory.answers(table) ? NO_PAGE : null);
      if (page === null) return this.unreadable(sink, table, level, index);
      const low = page[2 * index]!;
      const high = page[2 * index + 1]!;
      const next = nextLevel(low);
      this.allowed &= (low & PRESENT) === 0 ? 0 : high >>> PERMISSION_SHIFT;
      const flags = this.check(low, high, level, next, need);
      if (sink !== null) this.trace(sink, table, level, index, [low, high], flags);
      if (flags !== OK || (low & PRESENT) === 0) return flags;
      if (next === 0 || next === SIZE_IN_ADDRESS) {
        this.leafTable = table;
        this.leafIndex = index;
        this.finish(low, high, next === 0 ? levelShift(level) : encodedShift(low, high), address);
        return OK;
      }
      table = frameOfEntry(low, high);
      level = next;
    }
  }

  /** AMD-22: the entry that the last walk ended at says dirty from now on; others of the same leaf do not. @returns whether it did before */
  markDirty(on: boolean): boolean {
    const before = ((this.memory.page(this.leafTable)?.[2 * this.leafIndex] ?? 0) & DIRTY) !== 0;
    if (on && !before) this.memory.pageForWriting(this.leafTable)[2 * this.leafIndex]! |= DIRTY | ACCESSED;
    return before;
  }

  private indexAt(level: number): number {
    return level > 3 ? (this.above3 >>> (9 * (level - 4))) & 511 : (this.below4 >>> (9 * (level - 1))) & 511;
  }

  private finish(low: number, high: number, shift: number, address: bigint): void {
    this.shift = shift;
    if (shift === 12) {
      this.frame = frameOfEntry(low, high);
      return;
    }
    const frames = 2 ** (shift - 12);
    const within = shift <= 39 ? this.below4 % frames : frameOf(address) % frames;
    this.frame = frameOfLeaf(low, high, shift) + within;
  }

  private check(low: number, high: number, level: number, next: number, need: number): number {
    if ((low & PRESENT) === 0) return need === 0 ? OK : 0;
    const leaf = next === 0 || next === SIZE_IN_ADDRESS;
    if ((high & (leaf ? PAGE_RESERVED : POINTER_RESERVED)) !== 0) return FLAG.present | FLAG.reserved;
    if ((need & ~this.allowed) !== 0) return FLAG.present | FLAG.permission;
    return this.shapeFits(low, high, level, next) ? OK : FLAG.present;
  }

  /** NextLevel must go down, a skipped level's index must be 0, an encoded size must lie between this level's and the next's. */
  private shapeFits(low: number, high: number, level: number, next: number): boolean {
    if (next === 0) return level < 6;
    if (next === SIZE_IN_ADDRESS) {
      const shift = encodedShift(low, high);
      return shift > levelShift(level) && shift < levelShift(level + 1);
    }
    if (next >= level) return false;
    for (let skipped = level - 1; skipped > next; skipped--) if (this.indexAt(skipped) !== 0) return false;
    return true;
  }

  private unreadable(sink: TraceSink | null, table: number, level: number, index: number): number {
    sink?.push(new EntryRead(this.unit, HOST_ENTRY[level]!, table, 8 * index, index, [], 'fault', 'nothing answers at this address', ['AMD-20']));
    return UNREADABLE;
  }

  private trace(sink: TraceSink, table: number, level: number, index: number, halves: readonly number[], flags: number): void {
    const [low] = halves as [number, number];
    const leaf = nextLevel(low) === 0 || nextLevel(low) === SIZE_IN_ADDRESS;
    const verdict = flags !== OK ? 'fault' : leaf ? 'done' : 'continue';
    sink.push(new EntryRead(this.unit, HOST_ENTRY[level]!, table, 8 * index, index, halves, verdict, noteOf(low, flags, leaf), ['AMD-20', 'AMD-21'], this.allowed));
  }
}

function noteOf(low: number, flags: number, leaf: boolean): string {
  if ((low & PRESENT) === 0) return 'PR is clear: nothing is mapped here';
  if (flags === OK) return leaf ? 'maps a page' : `points to a table of level ${nextLevel(low)}`;
  if ((flags & FLAG.reserved) !== 0) return 'a reserved bit is set';
  return (flags & FLAG.permission) !== 0 ? 'this access is not allowed here' : 'NextLevel does not fit this level or address';
}
