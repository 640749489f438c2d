/** Linux's page tables for Arm (io-pgtable-arm): stage 1 or stage 2, of any granule (LA-D6, LA-D7). */
import type { Permission, SubjectId } from '../../description.js';
import type { Errno } from '../../errno.js';
import type { Iova, PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameHigh, frameLow, frameOf } from '../../memory/frame.js';
import type { PageTable } from '../architecture.js';
import { READ, WRITE } from '../entry-read.js';
import { INVALID, kindOf, LAST_LEVEL, LEAF, TABLE } from './descriptors.js';
import { FRAME_ENTRIES, TableTree } from './table-tree.js';

/** UNM-02: io-pgtable-arm's words. */
const PARTIAL_UNMAP = 'Unmap of a partial large IOPTE is not allowed';
const NO_ENTRIES = new Uint32Array(1024);

/** What is left to be removed. */
interface Span {
  at: number;
  readonly end: number;
  refused: boolean;
}

export class ArmPageTable extends TableTree implements PageTable {
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

  free(): void {
    this.freeTable(this.rootFrame, this.shape.startLevel);
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
    return { page: this.memory.pageForWriting(table + (index >>> 9)), half: 2 * (index % FRAME_ENTRIES) };
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
      const half = 2 * (index % FRAME_ENTRIES);
      const kind = kindOf(page[half]!, level, this.blocks);
      if (kind === INVALID) return false;
      const start = span.at - (span.at % frames);
      const whole = level === LAST_LEVEL || (span.at === start && span.end >= start + frames);
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
