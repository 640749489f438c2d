/**
 * Linux's page tables for Arm (io-pgtable-arm): stage 1 or stage 2, of any granule (LA-D6, LA-D7). Works on 4 KiB frame numbers, as
 * the simulated memory does; a table of a larger granule is several frames side by side.
 */
import type { Permission, SubjectId } from '../../description.js';
import type { Errno } from '../../errno.js';
import type { AddressRange, Iova, PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameHigh, frameLow, frameOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { PageTable } from '../architecture.js';
import { permissionOf, READ, WRITE } from '../entry-read.js';
import { Origins } from '../origins.js';
import { RunCollector } from '../runs.js';
import { addressIn, blockMap, INVALID, kindOf, LAST_LEVEL, LEAF, POWER, spanShift, TABLE } from './descriptors.js';
import type { LeafFormat } from './leaf-format.js';

export interface ArmTableShape {
  readonly format: LeafFormat;
  /** log2 of a table's bytes. */
  readonly granule: number;
  readonly startLevel: number;
  /** Bits of input address that the tables resolve. */
  readonly inputBits: number;
  /** Bits of output address. */
  readonly outputBits: number;
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  /** UNM-02: an unmap of part of a larger leaf splits it, or is refused with a line in the log. */
  readonly splitsLeaves: boolean;
  log(line: string): void;
}

/** UNM-02: io-pgtable-arm's words. */
const PARTIAL_UNMAP = 'Unmap of a partial large IOPTE is not allowed';
const FRAME_SHIFT = 12;
const PAGE_ENTRIES = 512;
const NO_ENTRIES = new Uint32Array(1024);

/** What is left to be removed. */
interface Span {
  at: number;
  readonly end: number;
  refused: boolean;
}

export class ArmPageTable implements PageTable {
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  readonly levels: number;
  private readonly rootFrame: number;
  private readonly origins = new Origins();
  private readonly blocks: number;
  private readonly wide: boolean;
  /** By level: 4 KiB frames that a descriptor spans, whether it may be a leaf, and descriptors in a table. */
  private readonly frames: readonly number[];
  private readonly mayBeLeaf: readonly boolean[];
  private readonly entries: readonly number[];

  constructor(private readonly memory: PhysicalMemory, readonly shape: ArmTableShape) {
    const { granule, startLevel, inputBits, outputBits, pageSizes } = shape;
    this.pageSizes = pageSizes;
    this.aperture = shape.aperture;
    this.levels = LAST_LEVEL + 1 - startLevel;
    this.wide = outputBits > 48 && granule === 16;
    this.blocks = blockMap(granule, this.wide);
    const byLevel = [0, 1, 2, 3];
    this.frames = byLevel.map((level) => POWER[spanShift(granule, level) - FRAME_SHIFT]!);
    this.mayBeLeaf = byLevel.map((level) => level === LAST_LEVEL || ((this.blocks & (1 << level)) !== 0 && ((pageSizes >> BigInt(spanShift(granule, level))) & 1n) === 1n));
    this.entries = byLevel.map((level) => (level === startLevel ? POWER[inputBits - spanShift(granule, level)]! : POWER[granule - 3]!));
    this.rootFrame = this.newTable(startLevel);
  }

  get root(): PhysicalAddress {
    return addressOf(this.rootFrame) as PhysicalAddress;
  }

  /** MAP-05: ERANGE beyond the table, EEXIST over another mapping, and nothing is left then. */
  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): Errno | null {
    if (size === 0n) return null; // MAP-06
    const last = (iova + size - 1n) as Iova;
    if (iova < this.aperture.start || last > this.aperture.last || (physical + size - 1n) >> BigInt(this.shape.outputBits) !== 0n) return 'ERANGE';
    const bits = (permission.read ? READ : 0) | (permission.write ? WRITE : 0);
    if (bits === 0) return 'EINVAL';
    const first = frameOf(iova);
    const end = first + Number(size >> 12n);
    for (let at = first, to = frameOf(physical); at < end;) {
      const level = this.leafLevel(at, to, end - at);
      if (!this.place(at, to, level, bits)) {
        this.clear(first, at);
        return 'EEXIST';
      }
      at += this.frames[level]!;
      to += this.frames[level]!;
    }
    this.origins.record({ start: iova, last }, origin);
    return null;
  }

  /** UNM-02: stops at the first hole, and at a leaf of which only a part is to go where leaves are not split. */
  unmap(iova: Iova, size: bigint): bigint {
    if (size === 0n || iova > this.aperture.last) return 0n;
    const last = iova + size - 1n > this.aperture.last ? this.aperture.last : iova + size - 1n;
    return BigInt(this.clear(frameOf(iova), frameOf(last) + 1)) << 12n;
  }

  lookup(iova: Iova): ReturnType<PageTable['lookup']> {
    if (iova < this.aperture.start || iova > this.aperture.last) return null;
    const frame = frameOf(iova);
    for (let level = this.shape.startLevel, table = this.rootFrame; ; level++) {
      const index = this.indexOf(frame, level);
      const { low, high } = this.entry(table, index);
      const kind = kindOf(low, level, this.blocks);
      if (kind === INVALID) return null;
      const target = this.target(low, high);
      if (kind === LEAF) {
        const span = this.frames[level]!;
        return { physical: addressOf(target + (frame % span), Number(iova & 0xfffn)) as PhysicalAddress, pageSize: 1n << BigInt(spanShift(this.shape.granule, level)), permission: permissionOf(this.shape.format.permission(low, high)) };
      }
      table = target;
    }
  }

  runs(limit: number): ReturnType<PageTable['runs']> {
    const collector = new RunCollector(limit, (iova) => this.origins.at(iova));
    this.eachLeaf((page, half, start, level) => {
      const low = page[half]!;
      const high = page[half + 1]!;
      collector.add(start, this.target(low, high), spanShift(this.shape.granule, level), this.shape.format.permission(low, high));
    });
    return collector.finish();
  }

  free(): void {
    this.freeTable(this.rootFrame, this.shape.startLevel);
  }

  /** DRT-01: leaves that were written to since they were clean. */
  takeDirty(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[] {
    const found: AddressRange<Iova>[] = [];
    this.eachLeaf((page, half, frame, level) => {
      const start = addressOf(frame) as Iova;
      const last = addressOf(frame + this.frames[level]! - 1, 0xfff) as Iova;
      if (last < iova || start >= iova + size || !this.shape.format.isDirty(page, half)) return;
      if (clear) this.shape.format.clean(page, half);
      found.push({ start, last });
    });
    return found;
  }

  // ---------------------------------------------------------------------------------------------- reading

  private indexOf(frame: number, level: number): number {
    return Math.floor(frame / this.frames[level]!) % this.entries[level]!;
  }

  /** Frame that a descriptor names. */
  private target(low: number, high: number): number {
    return addressIn(low, high, this.shape.granule, this.wide) / POWER[FRAME_SHIFT]!;
  }

  private entry(table: number, index: number): { low: number; high: number } {
    const page = this.memory.page(table + (index >>> 9));
    const half = 2 * (index % PAGE_ENTRIES);
    return page === undefined ? EMPTY_ENTRY : { low: page[half]!, high: page[half + 1]! };
  }

  /** In order of address. */
  private eachLeaf(see: (page: Uint32Array, half: number, start: number, level: number) => void): void {
    this.visit(this.rootFrame, this.shape.startLevel, 0, see);
  }

  private visit(table: number, level: number, base: number, see: (page: Uint32Array, half: number, start: number, level: number) => void): void {
    const count = this.entries[level]!;
    for (let index = 0; index < count; index++) {
      const page = this.memory.page(table + (index >>> 9));
      if (page === undefined) {
        index |= PAGE_ENTRIES - 1;
        continue;
      }
      const half = 2 * (index % PAGE_ENTRIES);
      const kind = kindOf(page[half]!, level, this.blocks);
      const start = base + index * this.frames[level]!;
      if (kind === LEAF) see(page, half, start, level);
      else if (kind === TABLE) this.visit(this.target(page[half]!, page[half + 1]!), level + 1, start, see);
    }
  }

  // ---------------------------------------------------------------------------------------------- mapping

  /** MAP-02: the largest leaf that both addresses and the rest of the range allow. */
  private leafLevel(at: number, to: number, rest: number): number {
    for (let level = this.shape.startLevel; level < LAST_LEVEL; level++) {
      const span = this.frames[level]!;
      if (this.mayBeLeaf[level]! && at % span === 0 && to % span === 0 && rest >= span) return level;
    }
    return LAST_LEVEL;
  }

  /** @returns false when something is mapped there */
  private place(at: number, to: number, level: number, bits: number): boolean {
    let table = this.rootFrame;
    for (let above = this.shape.startLevel; above < level; above++) {
      const { page, half } = this.forWriting(table, this.indexOf(at, above));
      const kind = kindOf(page[half]!, above, this.blocks);
      if (kind === LEAF) return false;
      if (kind === INVALID) this.writeTable(page, half, this.newTable(above + 1));
      table = this.target(page[half]!, page[half + 1]!);
    }
    const { page, half } = this.forWriting(table, this.indexOf(at, level));
    const kind = kindOf(page[half]!, level, this.blocks);
    if (kind === LEAF) return false;
    if (kind === TABLE) {
      const child = this.target(page[half]!, page[half + 1]!);
      if (!this.isEmpty(child, level + 1)) return false;
      this.freeTable(child, level + 1);
    }
    this.writeLeaf(page, half, level, to, bits);
    return true;
  }

  private forWriting(table: number, index: number): { page: Uint32Array; half: number } {
    return { page: this.memory.pageForWriting(table + (index >>> 9)), half: 2 * (index % PAGE_ENTRIES) };
  }

  private writeTable(page: Uint32Array, half: number, child: number): void {
    page[half] = this.addressLow(child) | 3;
    page[half + 1] = frameHigh(child) & 0xffff;
  }

  private writeLeaf(page: Uint32Array, half: number, level: number, frame: number, bits: number): void {
    page[half] = this.addressLow(frame) | this.shape.format.leafLow(bits) | (level === LAST_LEVEL ? 3 : 1);
    page[half + 1] = (frameHigh(frame) & 0xffff) | this.shape.format.leafHigh(bits);
  }

  /** Bits 31:12; with addresses of 52 bits the highest four are in 15:12, which the granule leaves free. */
  private addressLow(frame: number): number {
    return this.wide ? frameLow(frame) | ((frameHigh(frame) >>> 16) << 12) : frameLow(frame);
  }

  /** Untouched: a table takes memory when its first entry is written. */
  private newTable(level: number): number {
    const frames = this.tableFrames(level);
    return this.memory.allocate(frames, frames);
  }

  private tableFrames(level: number): number {
    return Math.max(1, Math.ceil(this.entries[level]! / PAGE_ENTRIES));
  }

  private isEmpty(table: number, level: number): boolean {
    let empty = true;
    this.visit(table, level, 0, () => {
      empty = false;
    });
    return empty;
  }

  // ---------------------------------------------------------------------------------------------- removing

  /** @returns frames removed, from `from` on */
  private clear(from: number, to: number): number {
    const span: Span = { at: from, end: to, refused: false };
    this.clearBelow(this.rootFrame, this.shape.startLevel, span);
    if (span.refused) this.shape.log(PARTIAL_UNMAP);
    if (span.at > from) this.origins.forget({ start: addressOf(from) as Iova, last: addressOf(span.at - 1, 0xfff) as Iova });
    return span.at - from;
  }

  /** @returns false at a hole, or at a leaf that stays */
  private clearBelow(table: number, level: number, span: Span): boolean {
    const frames = this.frames[level]!;
    const count = this.entries[level]!;
    for (let index = this.indexOf(span.at, level); index < count && span.at < span.end; index++) {
      const page = this.memory.page(table + (index >>> 9)) ?? NO_ENTRIES;
      const half = 2 * (index % PAGE_ENTRIES);
      const kind = kindOf(page[half]!, level, this.blocks);
      if (kind === INVALID) return false;
      const start = span.at - (span.at % frames);
      const whole = span.at === start && span.end >= start + frames;
      if (kind === LEAF && whole) {
        page.fill(0, half, half + 2);
        span.at = start + frames;
        continue;
      }
      if (kind === LEAF && !this.shape.splitsLeaves) {
        span.refused = true;
        return false;
      }
      if (kind === LEAF) this.split(page, half, level);
      const child = this.target(page[half]!, page[half + 1]!);
      if (!this.clearBelow(child, level + 1, span)) return false;
      if (whole) {
        this.freeTable(child, level + 1);
        page.fill(0, half, half + 2);
      }
    }
    return true;
  }

  /** A table of smaller leaves takes the place of a leaf. */
  private split(page: Uint32Array, half: number, level: number): void {
    const bits = this.shape.format.permission(page[half]!, page[half + 1]!);
    const frame = this.target(page[half]!, page[half + 1]!);
    const child = this.newTable(level + 1);
    const count = this.entries[level + 1]!;
    for (let index = 0; index < count; index++) {
      const entry = this.forWriting(child, index);
      this.writeLeaf(entry.page, entry.half, level + 1, frame + index * this.frames[level + 1]!, bits);
    }
    this.writeTable(page, half, child);
  }

  private freeTable(table: number, level: number): void {
    for (let index = 0; level < LAST_LEVEL && index < this.entries[level]!; index++) {
      const { low, high } = this.entry(table, index);
      if (kindOf(low, level, this.blocks) === TABLE) this.freeTable(this.target(low, high), level + 1);
    }
    const count = this.tableFrames(level);
    for (let i = 0; i < count; i++) this.memory.release(table + i);
  }
}

const EMPTY_ENTRY = { low: 0, high: 0 } as const;
