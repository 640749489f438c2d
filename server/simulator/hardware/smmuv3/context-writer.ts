/** The tables of context descriptors that Linux keeps for the streams of a unit (LA-D2, SMMU 2.2). */
import { frameHigh, frameLow, frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { OUTPUT_WIDTHS, type SmmuCapabilities } from './capabilities.js';
import { LEAF_BITS } from './context-table.js';
import { MAIR } from './leaf-format.js';
import { GRANULE_BY_TG0 } from './stream-entry.js';
import type { StageOneTable } from './tables.js';

const DESCRIPTOR_HALVES = 16;
/** Descriptors in a 4 KiB frame. */
const PER_FRAME = 64;
/** Descriptors that one table has at most; with more PASIDs it gets two levels. */
const LARGEST_LINEAR_BITS = 10;
const LINEAR = 0;
const TWO_LEVELS = 2;

/** CD word 0: EPD1, V; high half AA64, R, A, HD and HA. */
const NO_UPPER_HALF = 1 << 30;
const VALID = 1 << 31;
const AARCH64 = 1 << 9;
const RECORDS = 1 << 13;
const ABORTS = 1 << 14;
/** ASET: the ASID is not one of the processors'. */
const OWN_ASID = 1 << 15;
const SETS_DIRTY = 3 << 10;
/** IR0, OR0: write-back, read and write allocate; SH0: inner shareable. */
const WALK_ATTRIBUTES = (1 << 8) | (1 << 10) | (3 << 12);

/** One stream's table. */
export class ContextWriter {
  /** S1Fmt. */
  readonly format: number;
  /** Frame of the table. */
  readonly root: number;
  private readonly used = new Set<number>();

  /** @param bits S1CDMax: PASIDs of the device are below 2^bits */
  constructor(private readonly memory: PhysicalMemory, private readonly hardware: SmmuCapabilities, readonly bits: number) {
    const twoLevels = hardware.twoLevelContexts && bits > LARGEST_LINEAR_BITS;
    this.format = twoLevels ? TWO_LEVELS : LINEAR;
    this.root = memory.allocate(twoLevels ? Math.ceil(2 ** (bits - LEAF_BITS[TWO_LEVELS]) / 512) : framesFor(2 ** bits));
  }

  /** Some PASID other than 0 has a descriptor. */
  get hasPasids(): boolean {
    return this.used.size > (this.used.has(0) ? 1 : 0);
  }

  /** @param table null: the PASID leads nowhere any more */
  write(pasid: number, table: StageOneTable | null, asid: number): void {
    const { page, at } = this.place(pasid);
    page.fill(0, at, at + DESCRIPTOR_HALVES);
    this.used.delete(pasid);
    if (table === null) return;
    this.used.add(pasid);
    const { granule, inputBits } = table.shape;
    const frame = frameOf(table.root);
    page[at] = (64 - inputBits) | (GRANULE_BY_TG0.findIndex((known) => known === granule) << 6) | WALK_ATTRIBUTES | NO_UPPER_HALF | VALID;
    page[at + 1] = OUTPUT_WIDTHS.indexOf(this.hardware.outputWidth as (typeof OUTPUT_WIDTHS)[number]) | AARCH64 | RECORDS | ABORTS | (table.use === 'process' ? 0 : OWN_ASID) | (table.use === 'dirty' ? SETS_DIRTY : 0) | (asid << 16);
    page[at + 2] = frameLow(frame);
    page[at + 3] = frameHigh(frame);
    page[at + 6] = MAIR.low;
    page[at + 7] = MAIR.high;
  }

  private place(pasid: number): { page: Uint32Array; at: number } {
    let first = this.root;
    let index = pasid;
    if (this.format !== LINEAR) {
      first = this.leaf(pasid >>> LEAF_BITS[TWO_LEVELS]);
      index = pasid % 2 ** LEAF_BITS[TWO_LEVELS];
    }
    return { page: this.memory.pageForWriting(first + Math.floor(index / PER_FRAME)), at: DESCRIPTOR_HALVES * (index % PER_FRAME) };
  }

  /** Frame of the leaf table of 1024 descriptors, made when first needed. */
  private leaf(slot: number): number {
    const page = this.memory.pageForWriting(this.root + Math.floor(slot / 512));
    const half = 2 * (slot % 512);
    if ((page[half]! & 1) === 0) {
      const fresh = this.memory.allocate(framesFor(2 ** LEAF_BITS[TWO_LEVELS]));
      page[half] = frameLow(fresh) | 1;
      page[half + 1] = frameHigh(fresh);
    }
    return frameOfEntry(page[half]!, page[half + 1]!);
  }
}

const framesFor = (descriptors: number): number => Math.max(1, descriptors / PER_FRAME);
