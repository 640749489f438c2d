/**
 * The driver's side of a page table: a tree of 4 KiB tables with 512 entries, in simulated memory. The tree is the same
 * for every vendor; how an entry is written is the `EntryFormat`'s business, what the driver does on a collision the
 * `TableRules`'. Works on page frame numbers.
 */
import type { Permission, SubjectId } from '../description.js';
import type { Errno } from '../errno.js';
import { hex, sizeOf, type AddressRange, type Iova, type PhysicalAddress } from '../memory/address.js';
import { addressOf, floorLog2, frameOf, frameOfEntry, trailingZeros } from '../memory/frame.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { MappedRun, PageTable } from './architecture.js';
import { permissionOf, READ, WRITE } from './entry-read.js';
import { Origins } from './origins.js';
import { RunCollector } from './runs.js';

export const EMPTY = 0;
export const TABLE = 1;
export const LEAF = 2;

/** How a vendor writes an entry. `page` holds 32-bit halves; `index` is the entry's, 0 .. 511. */
export interface EntryFormat {
  /** EMPTY, TABLE or LEAF. */
  kind(page: Uint32Array, index: number, level: number): number;
  /** log2 of a leaf's bytes. */
  leafShift(page: Uint32Array, index: number, level: number): number;
  /** First frame that a leaf maps. */
  leafFrame(page: Uint32Array, index: number, level: number): number;
  /** READ | WRITE. */
  permission(page: Uint32Array, index: number): number;
  /** Frame of the table that an entry points to; absent = in bits 51:12. */
  child?(page: Uint32Array, index: number): number;
  /** `level` is that of the entry; `child` the frame of the table below it. */
  writeTable(page: Uint32Array, index: number, level: number, child: number): void;
  /** One entry of a leaf; the caller repeats it for leaves that take several entries. */
  writeLeaf(page: Uint32Array, index: number, level: number, shift: number, frame: number, permission: number): void;
}

export interface TableRules {
  readonly format: EntryFormat;
  readonly levels: number;
  /** More than `levels`: a longer address adds levels on top. */
  readonly maxLevels: number;
  /** Leaf sizes that the code writes, bit n = 2^n bytes. */
  readonly leafSizes: bigint;
  /** Sizes that the driver reports (PGS-*); may be more than it writes. */
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  /**
   * MAP-05, a leaf that meets an entry: the call fails and leaves nothing (generic page tables), the new leaf replaces
   * the old one (old AMD-Vi code), or the old one stays, with a line in the log and no error (old VT-d code).
   */
  readonly collision: 'refuse' | 'replace' | 'keep';
  /** Errno where a leaf larger than the new one is in the way, whatever `collision` says of others. */
  readonly largerLeaf?: Errno;
  /** Errno beyond the aperture. */
  readonly beyond: Errno;
  /** Whether unmapping gives tables back that it emptied. */
  readonly freesTables: boolean;
  /** Called after the root table has moved. */
  readonly rootMoved?: () => void;
  readonly log?: (line: string) => void;
  /** Log lines of this driver. */
  readonly lines?: {
    readonly beyond: (width: number, end: bigint) => string;
    readonly alreadySet: (frame: number, old: bigint) => string;
  };
}

/** Sees a leaf: its entry, the first frame that it maps from, its level. */
export type LeafVisitor = (page: Uint32Array, index: number, start: number, level: number) => void;

/** What a table that nobody has written to reads as. */
const NO_ENTRIES = new Uint32Array(1024);

const FRAMES_BELOW_LEVEL_4 = 0x800_0000;

/** log2 of the bytes that one entry of `level` spans. */
export const levelShift = (level: number): number => 12 + 9 * (level - 1);
/** By log2 of bytes, 12 ..: frames. */
const FRAMES = Array.from({ length: 65 }, (_, shift) => 2 ** (shift - 12));
const framesOf = (shift: number): number => FRAMES[shift]!;
/** By levels: frames that they index; six levels index all. */
const FRAMES_REACHED = [1, 2 ** 9, 2 ** 18, 2 ** 27, 2 ** 36, 2 ** 45, Infinity];

/** Which entry of a table of `level` is on the way to `frame`. */
export function indexAt(frame: number, level: number): number {
  return level <= 3
    ? ((frame % FRAMES_BELOW_LEVEL_4) >>> (9 * (level - 1))) & 511
    : (Math.floor(frame / FRAMES_BELOW_LEVEL_4) >>> (9 * (level - 4))) & 511;
}

export class RadixTable implements PageTable {
  levels: number;
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  private rootFrame: number;
  private readonly origins = new Origins();
  /** By log2 of the bytes that alignment and length allow: log2 of the leaf to use. */
  private readonly leafFor: readonly number[];
  private readonly childOf: (page: Uint32Array, index: number) => number;

  constructor(private readonly memory: PhysicalMemory, private readonly rules: TableRules) {
    this.levels = rules.levels;
    this.pageSizes = rules.pageSizes;
    this.aperture = rules.aperture;
    this.childOf = rules.format.child ?? childOf;
    this.rootFrame = this.newTable();
    this.leafFor = largestUpTo(rules.leafSizes);
  }

  get root(): PhysicalAddress {
    return addressOf(this.rootFrame) as PhysicalAddress;
  }

  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): Errno | null {
    if (size === 0n) return null; // MAP-06
    const range = { start: iova, last: (iova + size - 1n) as Iova };
    if (iova < this.aperture.start || range.last > this.aperture.last) return this.refuseBeyond(range.last);
    const first = frameOf(iova);
    const end = first + Number(size >> 12n);
    const bits = (permission.read ? READ : 0) | (permission.write ? WRITE : 0);
    if (bits === 0) return 'EINVAL';
    this.growTo(end - 1);
    for (let at = first, to = frameOf(physical); at < end;) {
      // LNX-10, MAP-02: the largest leaf that both addresses and the rest of the range allow.
      const room = Math.min(trailingZeros(at), trailingZeros(to), floorLog2(end - at));
      const shift = this.leafFor[12 + room]!;
      if (!this.placeLeaf(at, to, shift, bits)) {
        if (at > first) this.clear(first, at);
        return this.rules.largerLeaf ?? 'EADDRINUSE';
      }
      at += framesOf(shift);
      to += framesOf(shift);
    }
    this.origins.record(range, origin);
    return null;
  }

  unmap(iova: Iova, size: bigint): bigint {
    if (size === 0n || iova < this.aperture.start || iova > this.aperture.last) return 0n;
    const last = iova + size - 1n > this.aperture.last ? this.aperture.last : iova + size - 1n;
    const first = frameOf(iova);
    const removed = this.clear(first, frameOf(last) + 1);
    return removed === 0 ? 0n : BigInt(removed) << 12n;
  }

  lookup(iova: Iova): ReturnType<PageTable['lookup']> {
    if (iova < this.aperture.start || iova > this.aperture.last) return null;
    const frame = frameOf(iova);
    if (!this.reaches(frame)) return null;
    for (let level = this.levels, table = this.rootFrame; ; level--) {
      const page = this.memory.page(table) ?? NO_ENTRIES;
      const index = indexAt(frame, level);
      const kind = this.rules.format.kind(page, index, level);
      if (kind === EMPTY) return null;
      if (kind === LEAF) {
        const shift = this.rules.format.leafShift(page, index, level);
        const offset = Number(iova & 0xfffn);
        const physical = addressOf(this.rules.format.leafFrame(page, index, level) + (frame % framesOf(shift)), offset);
        return { physical: physical as PhysicalAddress, pageSize: 1n << BigInt(shift), permission: permissionOf(this.rules.format.permission(page, index)) };
      }
      table = this.childOf(page, index);
    }
  }

  runs(limit: number): { runs: readonly MappedRun[]; total: number } {
    const collector = new RunCollector(limit, (iova) => this.origins.at(iova));
    const { format } = this.rules;
    this.eachLeaf((page, index, start, level) => collector.add(start, format.leafFrame(page, index, level), format.leafShift(page, index, level), format.permission(page, index)));
    return collector.finish();
  }

  free(): void {
    this.freeTable(this.rootFrame, this.levels);
  }

  // ---------------------------------------------------------------------------------------------- growing

  /** Untouched: a table takes memory when its first entry is written. */
  private newTable(): number {
    return this.memory.allocate();
  }

  /** Whether an address of `frame` has no bits above those that the levels index. */
  private reaches(frame: number): boolean {
    return frame < FRAMES_REACHED[this.levels]!;
  }

  /** AMD-Vi: new tables on top, whose entry 0 is the old root, until `frame` can be indexed. */
  private growTo(frame: number): void {
    if (this.reaches(frame)) return;
    while (!this.reaches(frame) && this.levels < this.rules.maxLevels) {
      const top = this.newTable();
      this.rules.format.writeTable(this.memory.pageForWriting(top), 0, this.levels + 1, this.rootFrame);
      this.rootFrame = top;
      this.levels++;
    }
    this.rules.rootMoved?.();
  }

  private refuseBeyond(last: bigint): Errno {
    const width = floorLog2(frameOf(this.aperture.last) + 1) + 12;
    if (this.rules.lines !== undefined) this.rules.log?.(this.rules.lines.beyond(width, last + 1n));
    return this.rules.beyond;
  }

  // ---------------------------------------------------------------------------------------------- placing leaves

  /** @returns false when an entry is in the way and the code refuses. */
  private placeLeaf(at: number, to: number, shift: number, bits: number): boolean {
    const { format } = this.rules;
    const level = Math.floor((shift - 12) / 9) + 1;
    const table = this.tableFor(at, level);
    if (table === null) return this.rules.largerLeaf === undefined && this.rules.collision !== 'refuse';
    const page = this.memory.pageForWriting(table);
    const first = indexAt(at, level);
    const end = first + 2 ** (shift - levelShift(level));
    for (let index = first; index < end; index++) {
      if (!this.makeRoom(page, index, level, at)) return this.rules.collision !== 'refuse';
    }
    for (let index = first; index < end; index++) format.writeLeaf(page, index, level, shift, to, bits);
    return true;
  }

  /** The table of `level` on the way to `frame`, made where missing; null when a larger leaf is in the way and stays. */
  private tableFor(frame: number, level: number): number | null {
    const { format } = this.rules;
    let table = this.rootFrame;
    for (let at = this.levels; at > level; at--) {
      const page = this.memory.pageForWriting(table);
      const index = indexAt(frame, at);
      let kind = format.kind(page, index, at);
      if (kind === LEAF) {
        if (this.rules.largerLeaf !== undefined || !this.makeRoom(page, index, at, frame)) return null;
        kind = EMPTY;
      }
      if (kind === EMPTY) format.writeTable(page, index, at, this.newTable());
      table = this.childOf(page, index);
    }
    return table;
  }

  /** Empties one entry for a new leaf or table; false when what is there stays. */
  private makeRoom(page: Uint32Array, index: number, level: number, frame: number): boolean {
    const { format, collision } = this.rules;
    const kind = format.kind(page, index, level);
    if (kind === EMPTY) return true;
    if (kind === TABLE) {
      const child = this.childOf(page, index);
      if (collision === 'refuse' && !this.isEmpty(child, level - 1)) return false;
      this.freeTable(child, level - 1);
      clearEntry(page, index);
      return true;
    }
    if (collision === 'replace') this.clearLeaf(page, index, level);
    if (collision === 'keep' && this.rules.lines !== undefined) this.rules.log?.(this.rules.lines.alreadySet(frame, addressOf(format.leafFrame(page, index, level))));
    return collision === 'replace';
  }

  private isEmpty(table: number, level: number): boolean {
    const page = this.memory.page(table) ?? NO_ENTRIES;
    for (let index = 0; index < 512; index++) {
      const kind = this.rules.format.kind(page, index, level);
      if (kind === LEAF || (kind === TABLE && !this.isEmpty(this.childOf(page, index), level - 1))) return false;
    }
    return true;
  }

  // ---------------------------------------------------------------------------------------------- removing

  /** Removes the leaves of [from, to), whole ones, up to the first hole (UNM-02). @returns frames removed */
  private clear(from: number, to: number): number {
    if (!this.reaches(from)) return 0;
    const span = { at: from, end: to, removed: 0 };
    this.clearBelow(this.rootFrame, this.levels, span);
    if (span.removed > 0) this.origins.forget({ start: addressOf(from) as Iova, last: addressOf(Math.max(span.at, to) - 1, 0xfff) as Iova });
    return span.removed;
  }

  /** @returns false at a hole. */
  private clearBelow(table: number, level: number, span: { at: number; end: number; removed: number }): boolean {
    const { format, freesTables } = this.rules;
    const page = this.memory.page(table) ?? NO_ENTRIES;
    const frames = framesOf(levelShift(level));
    for (let index = indexAt(span.at, level); index < 512 && span.at < span.end; index++) {
      const kind = format.kind(page, index, level);
      if (kind === EMPTY) return false;
      if (kind === LEAF) {
        const leaf = this.clearLeaf(page, index, level);
        const count = leaf / frames;
        span.removed += leaf;
        span.at += leaf - (span.at % leaf);
        index += count - 1 - (index % count);
        continue;
      }
      const start = span.at - (span.at % frames);
      const whole = span.at === start && span.end >= start + frames;
      const child = this.childOf(page, index);
      if (!this.clearBelow(child, level - 1, span)) return false;
      if (whole && freesTables) {
        this.freeTable(child, level - 1);
        clearEntry(page, index);
      }
    }
    return true;
  }

  /** Clears every entry of the leaf that `index` belongs to. @returns frames it mapped */
  private clearLeaf(page: Uint32Array, index: number, level: number): number {
    const shift = this.rules.format.leafShift(page, index, level);
    const count = 2 ** (shift - levelShift(level));
    const first = index - (index % count);
    for (let i = first; i < first + count; i++) clearEntry(page, i);
    return framesOf(shift);
  }

  private freeTable(table: number, level: number): void {
    const page = this.memory.page(table) ?? NO_ENTRIES;
    for (let index = 0; level > 1 && index < 512; index++) {
      if (this.rules.format.kind(page, index, level) === TABLE) this.freeTable(this.childOf(page, index), level - 1);
    }
    this.memory.release(table);
  }

  // ---------------------------------------------------------------------------------------------- reading back

  /** In order of address; a leaf that takes several entries is seen once, by its first. */
  protected eachLeaf(see: LeafVisitor): void {
    this.visit(this.rootFrame, this.levels, 0, see);
  }

  private visit(table: number, level: number, base: number, see: LeafVisitor): void {
    const { format } = this.rules;
    const page = this.memory.page(table) ?? NO_ENTRIES;
    const frames = framesOf(levelShift(level));
    for (let index = 0; index < 512; index++) {
      const kind = format.kind(page, index, level);
      if (kind === EMPTY) continue;
      const start = base + index * frames;
      if (kind === TABLE) this.visit(this.childOf(page, index), level - 1, start, see);
      else {
        const shift = format.leafShift(page, index, level);
        see(page, index, start, level);
        index += 2 ** (shift - levelShift(level)) - 1;
      }
    }
  }
}

function childOf(page: Uint32Array, index: number): number {
  return frameOfEntry(page[2 * index]!, page[2 * index + 1]!);
}

function clearEntry(page: Uint32Array, index: number): void {
  page[2 * index] = 0;
  page[2 * index + 1] = 0;
}

/** By sizes: many tables have the same. */
const largestKnown = new Map<bigint, readonly number[]>();

/** For n = 0 .. 64: the highest bit of `sizes` that is not above bit n (12 where there is none). */
function largestUpTo(sizes: bigint): readonly number[] {
  const known = largestKnown.get(sizes);
  if (known !== undefined) return known;
  let largest = 12;
  const answer = Array.from({ length: 65 }, (_, n) => {
    if ((sizes >> BigInt(n)) & 1n) largest = n;
    return largest;
  });
  largestKnown.set(sizes, answer);
  return answer;
}

/** "0 .. 2^width - 1". */
export function apertureOf(width: number): AddressRange<Iova> {
  const aperture = { start: 0n as Iova, last: ((1n << BigInt(width)) - 1n) as Iova };
  if (sizeOf(aperture) > 1n << 64n) throw new RangeError(`no address has ${width} bits (${hex(aperture.last)})`);
  return aperture;
}
