/**
 * The tree of translation tables in memory, of any granule, and how it is read back. Works on 4 KiB frame numbers, as the simulated
 * memory does; a table of a larger granule is several frames side by side.
 */
import type { AddressRange, Iova, PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { PageTable } from '../architecture.js';
import { permissionOf } from '../entry-read.js';
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

const FRAME_SHIFT = 12;
/** Descriptors in a 4 KiB frame. */
export const FRAME_ENTRIES = 512;
const EMPTY_ENTRY = { low: 0, high: 0 } as const;

/** Sees a leaf: where its descriptor is, and the first frame that it maps from. */
type LeafVisitor = (page: Uint32Array, half: number, start: number, level: number) => void;

export class TableTree {
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  readonly levels: number;
  protected readonly rootFrame: number;
  protected readonly origins = new Origins();
  protected readonly blocks: number;
  protected readonly wide: boolean;
  /** By level: 4 KiB frames that a descriptor spans, whether it may be a leaf, and descriptors in a table. */
  protected readonly frames: readonly number[];
  protected readonly mayBeLeaf: readonly boolean[];
  protected readonly entries: readonly number[];

  constructor(protected readonly memory: PhysicalMemory, readonly shape: ArmTableShape) {
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

  protected indexOf(frame: number, level: number): number {
    return Math.floor(frame / this.frames[level]!) % this.entries[level]!;
  }

  /** Frame that a descriptor names. */
  protected target(low: number, high: number): number {
    return addressIn(low, high, this.shape.granule, this.wide) / POWER[FRAME_SHIFT]!;
  }

  protected entry(table: number, index: number): { low: number; high: number } {
    const page = this.memory.page(table + (index >>> 9));
    const half = 2 * (index % FRAME_ENTRIES);
    return page === undefined ? EMPTY_ENTRY : { low: page[half]!, high: page[half + 1]! };
  }

  /** In order of address. */
  protected eachLeaf(see: LeafVisitor): void {
    this.visit(this.rootFrame, this.shape.startLevel, 0, see);
  }

  protected visit(table: number, level: number, base: number, see: LeafVisitor): void {
    const count = this.entries[level]!;
    for (let index = 0; index < count; index++) {
      const page = this.memory.page(table + (index >>> 9));
      if (page === undefined) {
        index |= FRAME_ENTRIES - 1;
        continue;
      }
      const half = 2 * (index % FRAME_ENTRIES);
      const kind = kindOf(page[half]!, level, this.blocks);
      const start = base + index * this.frames[level]!;
      if (kind === LEAF) see(page, half, start, level);
      else if (kind === TABLE) this.visit(this.target(page[half]!, page[half + 1]!), level + 1, start, see);
    }
  }

  /** Untouched: a table takes memory when its first entry is written. */
  protected newTable(level: number): number {
    const frames = this.tableFrames(level);
    return this.memory.allocate(frames, frames);
  }

  protected tableFrames(level: number): number {
    return Math.max(1, Math.ceil(this.entries[level]! / FRAME_ENTRIES));
  }
}
