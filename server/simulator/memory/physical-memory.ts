/**
 * Sparse physical memory: 4 KiB pages of 64-bit words, made when first written. Words are held as two 32-bit halves,
 * because walkers split addresses and entries that way without BigInt.
 */
import { PAGE_SHIFT, type PhysicalAddress } from './address.js';

/** More simulated memory was asked for than one run may use. */
export class ResourceLimit extends Error {}

/** Table and data pages that one run may touch: 1 GiB of simulated words. */
export const MAX_PAGES = 262_144;

const WORD_HALVES = 1024;

export class PhysicalMemory {
  private readonly pages = new Map<number, Uint32Array>();

  constructor(private readonly maxPages = MAX_PAGES) {}

  /** The 1024 halves (low, high, low, ...) of page frame `pfn` if anything was ever written there. */
  page(pfn: number): Uint32Array | undefined {
    return this.pages.get(pfn);
  }

  /** As `page`, made on demand. @throws ResourceLimit */
  pageForWriting(pfn: number): Uint32Array {
    const known = this.pages.get(pfn);
    if (known !== undefined) return known;
    if (this.pages.size >= this.maxPages) throw new ResourceLimit(`more than ${this.maxPages} pages of simulated memory are in use`);
    const fresh = new Uint32Array(WORD_HALVES);
    this.pages.set(pfn, fresh);
    return fresh;
  }

  /** The word at `address`, rounded down to 8 bytes; untouched memory reads as 0. */
  readWord(address: PhysicalAddress): bigint {
    const page = this.pages.get(Number(address >> BigInt(PAGE_SHIFT)));
    if (page === undefined) return 0n;
    const half = (Number(address & 0xfffn) >> 3) << 1;
    return (BigInt(page[half + 1]!) << 32n) | BigInt(page[half]!);
  }

  writeWord(address: PhysicalAddress, value: bigint): void {
    const page = this.pageForWriting(Number(address >> BigInt(PAGE_SHIFT)));
    const half = (Number(address & 0xfffn) >> 3) << 1;
    page[half] = Number(value & 0xffff_ffffn);
    page[half + 1] = Number((value >> 32n) & 0xffff_ffffn);
  }

  forget(pfn: number): void {
    this.pages.delete(pfn);
  }
}
