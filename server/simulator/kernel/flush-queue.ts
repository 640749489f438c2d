/**
 * The flush queue of a lazy DMA domain (4.3, DOM-04): unmapped ranges wait until one invalidation of the whole domain
 * covers them all. Until then the IOTLB may still answer for them, and their addresses are not given out again.
 *
 * Steps run on one processor, so there is one queue for each domain, not one for each processor too.
 */

/** Places of the ring; one stays free, because a full ring must differ from an empty one. */
export const FLUSH_QUEUE_SIZE = 256;
export const FLUSH_TIMEOUT_MS = 10;

export class FlushQueue<R> {
  private waiting: R[] = [];
  /** When the timer fires, in milliseconds since boot. */
  private deadline: number | null = null;

  /** @param flush invalidates the domain; the ranges are free from then on */
  constructor(private readonly flush: (ranges: readonly R[]) => void) {}

  /** Ranges that wait now. */
  get length(): number {
    return this.waiting.length;
  }

  /** @returns how many ranges had to be flushed to make room */
  add(range: R, now: number): number {
    const flushed = this.waiting.length === FLUSH_QUEUE_SIZE - 1 ? this.flushAll() : 0;
    this.waiting.push(range);
    this.deadline ??= now + FLUSH_TIMEOUT_MS;
    return flushed;
  }

  /** Lets the timer fire if it is due. @returns how many ranges it flushed; null when it did not fire */
  advance(now: number): number | null {
    if (this.deadline === null || now < this.deadline) return null;
    this.deadline = null;
    return this.flushAll();
  }

  private flushAll(): number {
    const ranges = this.waiting;
    this.waiting = [];
    this.flush(ranges);
    return ranges.length;
  }
}
