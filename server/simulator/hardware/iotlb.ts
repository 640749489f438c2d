/**
 * The IOTLB of one unit: leaves that walks have found, by domain number and page. Four-way sets in typed arrays, so that a
 * hit costs no allocation and no `bigint`; a full set gives up its oldest entry. Works on page frame numbers.
 * */
import { permissionOf } from './entry-read.js';

const WAYS = 4;
const SETS = 256;
/** Leaves that one unit remembers. */
export const IOTLB_ENTRIES = WAYS * SETS;

const EMPTY = -1;
const SMALLEST_SHIFT = 12;
/** By log2 of a page's bytes: frames. */
const FRAMES = Array.from({ length: 65 }, (_, shift) => 2 ** (shift - SMALLEST_SHIFT));

/** One entry, for people. */
export interface IotlbEntry {
  /** First frame of the page, as devices address it and in memory. */
  readonly frame: number;
  readonly target: number;
  /** log2 of the page's bytes. */
  readonly shift: number;
  readonly read: boolean;
  readonly write: boolean;
  /** Whatever `insert` was told. */
  readonly filler: number;
}

export class Iotlb {
  /** Page number in pages of the entry's size; EMPTY where there is no entry. */
  private readonly pages = new Float64Array(IOTLB_ENTRIES).fill(EMPTY);
  /** Domain number and log2 of the page's bytes. */
  private readonly tags = new Int32Array(IOTLB_ENTRIES);
  private readonly targets = new Float64Array(IOTLB_ENTRIES);
  private readonly permissions = new Uint8Array(IOTLB_ENTRIES);
  private readonly fillers = new Float64Array(IOTLB_ENTRIES);
  /** By set: the way that was filled longest ago. */
  private readonly oldest = new Uint8Array(SETS);
  /** Page sizes of entries since the table was last empty, as log2. */
  private shifts: number[] = [];
  private count = 0;

  /** The slot whose page contains `frame`, or -1. */
  find(domain: number, frame: number): number {
    const { shifts } = this;
    for (let i = 0; i < shifts.length; i++) {
      const slot = this.slotOf(domain, frame, shifts[i]!);
      if (slot !== EMPTY) return slot;
    }
    return EMPTY;
  }

  /** READ | WRITE that the walk allowed. */
  allowed(slot: number): number {
    return this.permissions[slot]!;
  }

  /** The frame in memory that `frame` of the slot's page leads to. */
  frameIn(slot: number, frame: number): number {
    const shift = this.shiftOf(slot);
    return shift === SMALLEST_SHIFT ? this.targets[slot]! : this.targets[slot]! + (frame % FRAMES[shift]!);
  }

  /** log2 of the bytes of the slot's page. */
  shiftOf(slot: number): number {
    return this.tags[slot]! & 0x3f;
  }

  entry(slot: number): IotlbEntry {
    const shift = this.shiftOf(slot);
    return { frame: this.pages[slot]! * FRAMES[shift]!, target: this.targets[slot]!, shift, ...permissionOf(this.permissions[slot]!), filler: this.fillers[slot]! };
  }

  /**
   * @param frame any frame of the page
   * @param target the frame in memory that `frame` leads to
   * @param filler kept for `entry`: who caused the walk
   * @returns the slot
   */
  insert(domain: number, frame: number, target: number, shift: number, allowed: number, filler: number): number {
    if (this.count === 0) this.shifts = [];
    if (!this.shifts.includes(shift)) this.shifts.push(shift);
    const slot = this.slotFor(domain, frame, shift);
    if (this.pages[slot] === EMPTY) this.count++;
    this.pages[slot] = pageOf(frame, shift);
    this.tags[slot] = tagOf(domain, shift);
    this.targets[slot] = target - (frame % FRAMES[shift]!);
    this.permissions[slot] = allowed;
    this.fillers[slot] = filler;
    return slot;
  }

  /** Drops the domain's entries whose page shares a frame with first .. last. */
  invalidate(domain: number, first: number, last: number): void {
    if (this.count === 0) return;
    for (const shift of this.shifts) {
      const from = pageOf(first, shift);
      const to = pageOf(last, shift);
      if (to - from >= IOTLB_ENTRIES) this.sweep((slot) => this.tags[slot] === tagOf(domain, shift) && this.pages[slot]! >= from && this.pages[slot]! <= to);
      else for (let page = from; page <= to; page++) this.drop(this.slotOf(domain, page * FRAMES[shift]!, shift));
    }
  }

  /** Drops all entries of the domain. */
  invalidateDomain(domain: number): void {
    if (this.count > 0) this.sweep((slot) => this.tags[slot]! >> 6 === domain);
  }

  private sweep(goes: (slot: number) => boolean): void {
    for (let slot = 0; slot < IOTLB_ENTRIES; slot++) if (this.pages[slot] !== EMPTY && goes(slot)) this.drop(slot);
  }

  private drop(slot: number): void {
    if (slot === EMPTY) return;
    this.pages[slot] = EMPTY;
    this.count--;
  }

  private slotOf(domain: number, frame: number, shift: number): number {
    const page = pageOf(frame, shift);
    const tag = tagOf(domain, shift);
    const first = firstOfSet(page, tag);
    for (let slot = first; slot < first + WAYS; slot++) if (this.pages[slot] === page && this.tags[slot] === tag) return slot;
    return EMPTY;
  }

  /** Where an entry goes: its own slot, a free one of its set, or the oldest. */
  private slotFor(domain: number, frame: number, shift: number): number {
    const known = this.slotOf(domain, frame, shift);
    if (known !== EMPTY) return known;
    const first = firstOfSet(pageOf(frame, shift), tagOf(domain, shift));
    for (let slot = first; slot < first + WAYS; slot++) if (this.pages[slot] === EMPTY) return slot;
    const set = first / WAYS;
    const way = this.oldest[set]!;
    this.oldest[set] = (way + 1) % WAYS;
    return first + way;
  }
}

const pageOf = (frame: number, shift: number): number => (shift === SMALLEST_SHIFT ? frame : Math.floor(frame / FRAMES[shift]!));
const tagOf = (domain: number, shift: number): number => (domain << 6) | shift;

/** Neighbouring pages fall into neighbouring sets, as in silicon; the rest is mixed in. */
function firstOfSet(page: number, tag: number): number {
  const mixed = (page | 0) ^ Math.imul(page / SETS, 0x9e37_79b1) ^ Math.imul(tag, 0x85eb_ca6b);
  return ((mixed ^ (mixed >>> 16)) & (SETS - 1)) * WAYS;
}
