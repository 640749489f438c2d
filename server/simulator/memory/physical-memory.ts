/**
 * Sparse physical memory: 4 KiB pages of 64-bit words, made when first written. Words are held as two 32-bit halves,
 * because walkers split addresses and entries that way without BigInt.
 */
import { type AddressRange, type PhysicalAddress } from './address.js';
import { frameOf, highHalf, lowHalf, wordOf } from './frame.js';

/** More simulated memory was asked for than one run may use. */
export class ResourceLimit extends Error {}

/** Table and data pages that one run may touch: 1 GiB of simulated words. */
export const MAX_PAGES = 262_144;

/** Table pages are taken from here downwards: 512 GiB, which every unit with 39 physical bits reaches. */
export const TABLE_TOP = 0x80_0000_0000n as PhysicalAddress;

const WORD_HALVES = 1024;
/** Pages are cut from pieces of up to so many: one piece is made in the time of a page or two. */
const MAX_PIECE = 64;
/** Frames per block. Tables are allocated side by side, so a walk mostly stays in the block that it used last. */
const BLOCK_SHIFT = 12;
const BLOCK = 2 ** BLOCK_SHIFT;
/** Frames below this, 16 TiB of memory, fit 32 bits: their block is a shift away, which costs less than a division. */
const SHIFTABLE = 2 ** 32;

const blockOf = (pfn: number): number => (pfn < SHIFTABLE ? pfn >>> BLOCK_SHIFT : Math.floor(pfn / BLOCK));
const withinBlock = (pfn: number): number => pfn & (BLOCK - 1);

type Block = (Uint32Array | undefined)[];

export interface MemoryOptions {
  /** Where memory answers at all; a read elsewhere is an error for whoever reads. Undefined: everywhere. */
  readonly installed?: readonly AddressRange<PhysicalAddress>[];
  /** End (exclusive) of the region that tables are allocated from, downwards. */
  readonly tableTop?: PhysicalAddress;
}

export class PhysicalMemory {
  private readonly blocks = new Map<number, Block>();
  private used = 0;
  /** The block that was used last. */
  private block: Block = [];
  private blockNumber = -1;
  private readonly installedFrames: readonly { first: number; last: number }[] | null;
  /** Frames given back, most recent last. */
  private readonly released: number[] = [];
  private readonly tableEnd: number;
  private nextFrame: number;
  /** What fresh pages are cut from; the next piece has twice the pages, so that a small machine stays small. */
  private piece = new Uint32Array(WORD_HALVES);
  private cut = 0;

  constructor(private readonly maxPages = MAX_PAGES, options: MemoryOptions = {}) {
    this.installedFrames = options.installed?.map(({ start, last }) => ({ first: frameOf(start), last: frameOf(last) })) ?? null;
    this.tableEnd = frameOf(options.tableTop ?? TABLE_TOP);
    this.nextFrame = this.tableEnd;
  }

  /** The 1024 halves (low, high, low, ...) of page frame `pfn` if anything was ever written there. */
  page(pfn: number): Uint32Array | undefined {
    const number = blockOf(pfn);
    if (number !== this.blockNumber && !this.select(number)) return undefined;
    return this.block[withinBlock(pfn)];
  }

  /** As `page`, made on demand. @throws ResourceLimit */
  pageForWriting(pfn: number): Uint32Array {
    const known = this.page(pfn);
    if (known !== undefined) return known;
    if (this.used >= this.maxPages) throw new ResourceLimit(`more than ${this.maxPages} pages of simulated memory are in use`);
    const number = blockOf(pfn);
    if (!this.select(number)) {
      this.blocks.set(number, new Array<Uint32Array | undefined>(BLOCK));
      this.select(number);
    }
    const fresh = this.freshPage();
    this.block[withinBlock(pfn)] = fresh;
    this.used++;
    return fresh;
  }

  private freshPage(): Uint32Array {
    if (this.cut === this.piece.length) {
      this.piece = new Uint32Array(Math.min(2 * this.piece.length, MAX_PIECE * WORD_HALVES));
      this.cut = 0;
    }
    const page = this.piece.subarray(this.cut, this.cut + WORD_HALVES);
    this.cut += WORD_HALVES;
    return page;
  }

  /** Makes a block the one used last; false when it does not exist. */
  private select(number: number): boolean {
    const block = this.blocks.get(number);
    if (block === undefined) return false;
    this.block = block;
    this.blockNumber = number;
    return true;
  }

  /** Whether a read of frame `pfn` is answered: by RAM, or by anything when the RAM is not described. */
  answers(pfn: number): boolean {
    return this.installedFrames === null || this.page(pfn) !== undefined || this.isTable(pfn) || this.installedFrames.some(({ first, last }) => first <= pfn && pfn <= last);
  }

  /** In the region that tables are allocated from: untouched tables answer as well. */
  private isTable(pfn: number): boolean {
    return this.nextFrame <= pfn && pfn < this.tableEnd;
  }

  /** The word at `address`, rounded down to 8 bytes; untouched memory reads as 0. */
  readWord(address: PhysicalAddress): bigint {
    const page = this.page(frameOf(address));
    if (page === undefined) return 0n;
    const half = halfIndex(address);
    return wordOf(page[half]!, page[half + 1]!);
  }

  writeWord(address: PhysicalAddress, value: bigint): void {
    const page = this.pageForWriting(frameOf(address));
    const half = halfIndex(address);
    page[half] = lowHalf(value);
    page[half + 1] = highHalf(value);
  }

  /** Makes the page untouched again. */
  forget(pfn: number): void {
    if (this.page(pfn) === undefined) return;
    this.block[withinBlock(pfn)] = undefined;
    this.used--;
  }

  /**
   * `count` consecutive frames for tables, untouched; returns the first. Single frames are reused after `release`.
   * Deterministic: the same calls give the same frames.
   * @param alignment the first frame's number is a multiple of it
   */
  allocate(count = 1, alignment = 1): number {
    if (count === 1) {
      const reused = this.released.pop();
      if (reused !== undefined) return reused;
    }
    this.nextFrame -= count;
    this.nextFrame -= this.nextFrame % alignment;
    return this.nextFrame;
  }

  /** Gives a frame of `allocate` back. */
  release(pfn: number): void {
    this.forget(pfn);
    this.released.push(pfn);
  }
}

/** Index of the low half of the word at `address` within its page. */
function halfIndex(address: bigint): number {
  return ((lowHalf(address) & 0xfff) >>> 3) << 1;
}
