/** Addresses for the DMA API (LNX-11): from the top down, aligned to their size, around what is reserved. */
import type { AddressRange } from '../memory/address.js';
import { IntervalMap } from '../memory/interval-map.js';

const PAGE = 4096n;
/** Ranges up to this many bytes are rounded up to a power of two and kept for the next request of their size. */
const LARGEST_CACHED = 32n * PAGE;

export class IovaAllocator {
  private readonly taken = new IntervalMap<true>();
  /** The search goes down from here. */
  private from: bigint;
  /** By size: ranges given back, the latest last; it is the next one given out. */
  private readonly cached = new Map<bigint, bigint[]>();

  /** @param limit first address that is too high; `reserved` are disjoint ranges */
  constructor(readonly limit: bigint, reserved: readonly AddressRange[]) {
    this.from = limit;
    for (const range of reserved) this.taken.insert(range, true);
  }

  /** @returns null when there is no room. Page 0 is never given out. */
  allocate(size: bigint): bigint | null {
    const length = lengthOf(size);
    const cached = this.cached.get(length)?.pop();
    if (cached !== undefined) return cached;
    const alignment = powerOfTwoAbove(length);
    for (let start = alignDown(this.from - length, alignment); start > 0n; ) {
      const range = { start, last: start + length - 1n };
      const inTheWay = this.taken.firstOverlap(range);
      if (inTheWay === undefined) {
        this.taken.insert(range, true);
        this.from = start;
        return start;
      }
      start = alignDown(inTheWay.start - length, alignment);
    }
    return null;
  }

  /** Keeps the allocator away from a range that somebody chose without it. @returns false when some of it is taken already */
  reserve(start: bigint, size: bigint): boolean {
    return this.taken.insert({ start, last: start + size - 1n }, true);
  }

  /** Takes back what `allocate` gave for `size` bytes. */
  free(start: bigint, size: bigint): void {
    const length = lengthOf(size);
    if (length <= LARGEST_CACHED) {
      const known = this.cached.get(length);
      if (known === undefined) this.cached.set(length, [start]);
      else known.push(start);
    } else {
      this.release(start, length);
    }
  }

  /** Takes back what was reserved. */
  release(start: bigint, size: bigint): void {
    this.taken.remove(start);
    const end = start + size;
    if (end > this.from && end <= this.limit) this.from = end;
  }
}

const lengthOf = (size: bigint): bigint => (size <= LARGEST_CACHED ? powerOfTwoAbove(size) : (size + PAGE - 1n) & ~(PAGE - 1n));
const alignDown = (value: bigint, alignment: bigint): bigint => (value < 0n ? 0n : value & ~(alignment - 1n));

/** The power of two that is not below `size`, at least a page. */
function powerOfTwoAbove(size: bigint): bigint {
  let power = PAGE;
  while (power < size) power <<= 1n;
  return power;
}
