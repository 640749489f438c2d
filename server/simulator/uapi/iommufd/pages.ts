/**
 * The memory behind areas: a range of a process (or of a file), pinned page by page as domains and accesses need it and
 * charged once however often it is mapped from the same object (IOP-30, IOP-31, ACC-12).
 */
import { Refusal } from '../../errno.js';
import { PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import { memlockPages } from '../locked-memory.js';
import type { MemoryPiece, OpenFile, Process } from '../process.js';
import type { DmaBuffer } from './dma-buffer.js';
import { pagesOf, PinnedRuns, type PinnedRun } from './pinned-runs.js';

/** IFD-12: locked pages are counted for the user, or for the process's memory as type1 does. */
export type AccountMode = 'user' | 'mm';

/** Pinned bytes, contiguous in physical memory. */
export interface PinnedPiece {
  physical: PhysicalAddress;
  size: bigint;
}

const pageOf = (byte: bigint): number => Number(byte / PAGE_SIZE);

/** Where the pages come from: addresses of a process, or offsets of a file. */
export interface PageSource {
  /** Another process may be charged for them (IFD-22). */
  readonly movable: boolean;
  /** The dma-buf that they belong to: nobody pins such memory, and nobody is charged (IFD-19). */
  readonly dmaBuffer?: DmaBuffer;
  /** Address or offset of the first byte that was asked for. */
  readonly start: bigint;
  /** Physical pieces behind whole pages. `from` counts from `start` rounded down to a page. @throws Refusal EFAULT, EINVAL */
  pieces(from: bigint, size: bigint, write: boolean): Iterable<MemoryPiece>;
}

/** Memory of a process, by virtual address (IOMMU_IOAS_MAP). */
export class UserMemory implements PageSource {
  readonly movable = false;

  constructor(
    private readonly process: Process,
    readonly start: bigint,
  ) {}

  /** CMP-13: unlike type1 (VFT-43), iommufd pins no BAR that a device file maps. */
  *pieces(from: bigint, size: bigint, write: boolean): Iterable<MemoryPiece> {
    const first = this.start - (this.start % PAGE_SIZE) + from;
    try {
      for (const piece of this.process.pieces(first, size, { read: true, write })) {
        if (piece.device) throw new Refusal('EFAULT', 'CMP-13', `${this.process.name} has device memory there, which cannot be pinned`);
        yield piece;
      }
    } catch (refusal) {
      throw refusal instanceof Refusal && refusal.rule !== 'CMP-13' ? new Refusal(refusal.errno, 'IOP-30', refusal.reason, refusal.offenders) : refusal;
    }
  }
}

/** A file whose memory can be pinned: a memfd, a file on hugetlbfs (IFD-19). */
export interface MemoryFile extends OpenFile {
  /** Bytes. */
  readonly size: bigint;
  pieces(from: bigint, size: bigint): Iterable<MemoryPiece>;
}
const isMemoryFile = (file: OpenFile): file is MemoryFile => 'pieces' in file && 'size' in file;

/** Memory of a file, by offset (IOMMU_IOAS_MAP_FILE). */
export class FileMemory implements PageSource {
  readonly movable = true;

  constructor(
    private readonly file: OpenFile,
    readonly start: bigint,
  ) {}

  pieces(from: bigint, size: bigint): Iterable<MemoryPiece> {
    const first = this.start - (this.start % PAGE_SIZE) + from;
    if (isMemoryFile(this.file) && first + size <= this.file.size) return this.file.pieces(first, size);
    throw new Refusal('EINVAL', 'IFD-19', isMemoryFile(this.file) ? 'the range is beyond the end of the file' : 'the file is none whose memory can be pinned');
  }
}

/** One memory object; areas of several address spaces may share it (IFD-16). */
export class Pages {
  /** Bytes of the first page before the first byte that was asked for. */
  readonly offset: bigint;
  private readonly runs = new PinnedRuns();
  /** Pages pinned now. */
  pinnedPages = 0;
  /** IOP-30: who may lock anything when the object is made is never checked afterwards. */
  private readonly exempt: boolean;

  private payer: Payer;

  /** @param process who is charged */
  constructor(
    readonly source: PageSource,
    process: Process,
    readonly writable: boolean,
    private readonly mode: AccountMode,
  ) {
    this.offset = source.start % PAGE_SIZE;
    this.exempt = process.has('IPC_LOCK');
    this.payer = payerFor(process, mode);
  }

  /** The process that is charged. */
  get process(): Process {
    return this.payer.process;
  }

  /**
   * Holds the pages under [first, last], bytes counted from the start of the first page.
   * @returns their physical pieces, byte exact and in order. @throws Refusal EFAULT, ENOMEM; nothing is held then
   */
  pin(first: bigint, last: bigint): PinnedPiece[] {
    const fresh = this.missing(pageOf(first), pageOf(last));
    this.charge(pagesOf(fresh));
    this.runs.hold(pageOf(first), pageOf(last), fresh);
    return this.cut(first, last);
  }

  /** The opposite of `pin`, for exactly the same pages or a part of them. */
  unpin(first: bigint, last: bigint): void {
    this.charge(-this.runs.release(pageOf(first), pageOf(last)));
  }

  /** Looks at the memory without holding it, as a copy by the CPU would. @throws Refusal EFAULT */
  touch(first: bigint, last: bigint): void {
    this.missing(pageOf(first), pageOf(last));
  }

  /** Pages of the range that nobody holds yet, with what is behind them. */
  private missing(first: number, last: number): PinnedRun[] {
    const found: PinnedRun[] = [];
    let at = first;
    const collect = (end: number): void => {
      if (at >= end) return;
      for (const { physical, size } of this.source.pieces(BigInt(at) * PAGE_SIZE, BigInt(end - at) * PAGE_SIZE, this.writable)) {
        const pages = pageOf(size);
        found.push({ first: at, last: at + pages - 1, physical, holders: 0 });
        at += pages;
      }
    };
    for (const run of this.runs.overlapping(first, last)) {
      collect(run.first);
      at = run.last + 1;
    }
    collect(last + 1);
    return found;
  }

  /** Physical pieces of pinned bytes, neighbours joined. */
  private cut(first: bigint, last: bigint): PinnedPiece[] {
    const pieces: PinnedPiece[] = [];
    for (const run of this.runs.overlapping(pageOf(first), pageOf(last))) {
      const runFirst = BigInt(run.first) * PAGE_SIZE;
      const from = first > runFirst ? first : runFirst;
      const runLast = BigInt(run.last + 1) * PAGE_SIZE - 1n;
      const size = (last < runLast ? last : runLast) - from + 1n;
      const physical = (run.physical + (from - runFirst)) as PhysicalAddress;
      const before = pieces.at(-1);
      if (before !== undefined && before.physical + before.size === physical) before.size += size;
      else pieces.push({ physical, size });
    }
    return pieces;
  }

  /** IFD-22: from now on `process` pays for what is pinned. @throws Refusal ENOMEM; nothing changes then */
  chargeInstead(process: Process): void {
    const before = this.payer;
    const next = payerFor(process, this.mode);
    this.count(next, this.pinnedPages);
    this.count(before, -this.pinnedPages);
    this.payer = next;
  }

  private charge(pages: number): void {
    this.count(this.payer, pages);
    this.pinnedPages += pages;
  }

  /** IOP-30: `pages` more, or fewer. @throws Refusal ENOMEM beyond RLIMIT_MEMLOCK */
  private count({ process, counter }: Payer, pages: number): void {
    if (pages > 0 && !this.exempt && this.source.dmaBuffer === undefined && counter.lockedPages + pages > memlockPages(process)) {
      const whose = this.mode === 'user' ? `the user of ${process.name}` : process.name;
      throw new Refusal('ENOMEM', 'IOP-30', `${whose} has ${counter.lockedPages} pages locked; ${pages} more are beyond RLIMIT_MEMLOCK (${process.memlock} bytes)`);
    }
    if (this.source.dmaBuffer !== undefined) return;
    if (!this.exempt) counter.lockedPages += pages;
    process.pinnedPages += pages;
  }
}

/** Who is charged: the user as it was then, because a process may change its own. */
interface Payer {
  readonly process: Process;
  readonly counter: { lockedPages: number };
}

const payerFor = (process: Process, mode: AccountMode): Payer => ({ process, counter: mode === 'user' ? process.user : process });
