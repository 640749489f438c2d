/** Reading structures of several words from memory: nothing is allocated for a read. */
import type { PhysicalMemory } from '../../memory/physical-memory.js';

const NO_PAGE = new Uint32Array(1024);
const PAGE = 4096;

/** What was read last: `half(i)` of it. Structures are aligned to their size, so none crosses a page. */
export class Words {
  /** Frame and byte offset in it. */
  frame = 0;
  offset = 0;
  private page: Uint32Array = NO_PAGE;

  constructor(private readonly memory: PhysicalMemory) {}

  /** @returns false when nothing answers at `address` (an external abort) */
  read(address: number): boolean {
    this.frame = Math.floor(address / PAGE);
    this.offset = address - this.frame * PAGE;
    const page = this.memory.page(this.frame) ?? (this.memory.answers(this.frame) ? NO_PAGE : null);
    this.page = page ?? NO_PAGE;
    return page !== null;
  }

  half(i: number): number {
    return this.page[(this.offset >>> 2) + i]!;
  }

  /** The first `count` halves, for an event. */
  halves(count: number): readonly number[] {
    return [...this.page.subarray(this.offset >>> 2, (this.offset >>> 2) + count)];
  }

  /** Changes bits of one half of what was read last. */
  update(i: number, set: number, clear = 0): void {
    const page = this.memory.pageForWriting(this.frame);
    page[(this.offset >>> 2) + i] = (page[(this.offset >>> 2) + i]! & ~clear) | set;
  }
}
