/**
 * The memory behind areas: a range of a process (or of a file), pinned page by page as domains and accesses need it and
 * charged once however often it is mapped from the same object (IOP-30, IOP-31, ACC-12).
 */
import { Refusal } from '../../errno.js';
import { PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import { IntervalMap } from '../../memory/interval-map.js';
import { memlockPages } from '../locked-memory.js';
import type { MemoryPiece, OpenFile, Process } from '../process.js';

/** IFD-12: locked pages are counted for the user, or for the process's memory as type1 does. */
export type AccountMode = 'user' | 'mm';

/** Pinned bytes, contiguous in physical memory. */
export interface PinnedPiece {
  physical: PhysicalAddress;
  size: bigint;
}

/** Consecutive pinned pages, contiguous in physical memory. */
interface PinnedRun {
  /** Of the first page. */
  readonly physical: PhysicalAddress;
  /** Domains' areas and accesses that hold these pages. */
  readonly holders: number;
}

const pageOf = (byte: bigint): bigint => byte / PAGE_SIZE;

/** Where the pages come from: addresses of a process, or offsets of a file. */
export interface PageSource {
  /** Another process may be charged for them (IFD-22). */
  readonly movable: boolean;
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
  /** Key: page numbers within the object. */
  private readonly pinned = new IntervalMap<PinnedRun>();
  /** Pages pinned now. */
  pinnedPages = 0;
  /** IOP-30: who may lock anything when the object is made is never checked afterwards. */
  private readonly exempt: boolean;

  /** @param process who is charged */
  constructor(
    readonly source: PageSource,
    public process: Process,
    readonly writable: boolean,
    private readonly mode: AccountMode,
  ) {
    this.offset = source.start % PAGE_SIZE;
    this.exempt = process.has('IPC_LOCK');
  }

  /**
   * Holds the pages under [first, last], bytes counted from the start of the first page.
   * @returns their physical pieces, byte exact and in order. @throws Refusal EFAULT, ENOMEM; nothing is held then
   */
  pin(first: bigint, last: bigint): PinnedPiece[] {
    const firstPage = pageOf(first);
    const lastPage = pageOf(last);
    const fresh = this.missing(firstPage, lastPage);
    this.charge(fresh.reduce((sum, run) => sum + Number(run.pages), 0));
    this.hold(firstPage, lastPage);
    for (const run of fresh) this.pinned.insert({ start: run.page, last: run.page + run.pages - 1n }, { physical: run.physical, holders: 1 });
    return this.cut(first, last);
  }

  /** The opposite of `pin`, for exactly the same pages or a part of them. */
  unpin(first: bigint, last: bigint): void {
    let given = 0;
    for (const run of this.separated(pageOf(first), pageOf(last))) {
      this.pinned.remove(run.start);
      if (run.value.holders > 1) this.pinned.insert(run, { ...run.value, holders: run.value.holders - 1 });
      else given += Number(run.last - run.start + 1n);
    }
    this.charge(-given);
  }

  /** Reads the pieces without holding them, as a copy through the process would. @throws Refusal EFAULT */
  touch(first: bigint, last: bigint): void {
    this.missing(pageOf(first), pageOf(last));
  }

  /** Pages of the range that nobody holds yet, with what is behind them. */
  private missing(firstPage: bigint, lastPage: bigint): { page: bigint; pages: bigint; physical: PhysicalAddress }[] {
    const found: { page: bigint; pages: bigint; physical: PhysicalAddress }[] = [];
    let at = firstPage;
    const collect = (end: bigint): void => {
      if (at >= end) return;
      let page = at;
      for (const piece of this.source.pieces(at * PAGE_SIZE, (end - at) * PAGE_SIZE, this.writable)) {
        found.push({ page, pages: piece.size / PAGE_SIZE, physical: piece.physical });
        page += piece.size / PAGE_SIZE;
      }
    };
    for (const run of this.pinned.overlapping({ start: firstPage, last: lastPage })) {
      collect(run.start);
      at = run.last + 1n;
    }
    collect(lastPage + 1n);
    return found;
  }

  /** One holder more for the pages of the range that are pinned already. */
  private hold(firstPage: bigint, lastPage: bigint): void {
    for (const run of this.separated(firstPage, lastPage)) {
      this.pinned.remove(run.start);
      this.pinned.insert(run, { ...run.value, holders: run.value.holders + 1 });
    }
  }

  /** The pinned runs of the range, cut so that none reaches over its ends. */
  private separated(firstPage: bigint, lastPage: bigint) {
    this.cutAt(firstPage);
    this.cutAt(lastPage + 1n);
    return [...this.pinned.overlapping({ start: firstPage, last: lastPage })];
  }

  private cutAt(page: bigint): void {
    const run = this.pinned.at(page);
    if (run === undefined || run.start === page) return;
    this.pinned.remove(run.start);
    this.pinned.insert({ start: run.start, last: page - 1n }, run.value);
    const physical = (run.value.physical + (page - run.start) * PAGE_SIZE) as PhysicalAddress;
    this.pinned.insert({ start: page, last: run.last }, { ...run.value, physical });
  }

  /** Physical pieces of pinned bytes, neighbours joined. */
  private cut(first: bigint, last: bigint): MemoryPiece[] {
    const pieces: PinnedPiece[] = [];
    for (const run of this.pinned.overlapping({ start: pageOf(first), last: pageOf(last) })) {
      const runFirst = run.start * PAGE_SIZE;
      const from = first > runFirst ? first : runFirst;
      const runLast = (run.last + 1n) * PAGE_SIZE - 1n;
      const size = (last < runLast ? last : runLast) - from + 1n;
      const physical = (run.value.physical + (from - runFirst)) as PhysicalAddress;
      const before = pieces.at(-1);
      if (before !== undefined && before.physical + before.size === physical) before.size += size;
      else pieces.push({ physical, size });
    }
    return pieces;
  }

  /** IFD-22: from now on `process` pays for what is pinned. @throws Refusal ENOMEM; nothing changes then */
  chargeInstead(process: Process): void {
    const pages = this.pinnedPages;
    const from = this.process;
    this.count(process, pages);
    this.count(from, -pages);
    this.process = process;
  }

  private charge(pages: number): void {
    this.count(this.process, pages);
    this.pinnedPages += pages;
  }

  /** IOP-30: `pages` more, or fewer. @throws Refusal ENOMEM beyond RLIMIT_MEMLOCK */
  private count(process: Process, pages: number): void {
    const counter = this.mode === 'user' ? process.user : process;
    if (pages > 0 && !this.exempt && counter.lockedPages + pages > memlockPages(process)) {
      const whose = this.mode === 'user' ? `the user of ${process.name}` : process.name;
      throw new Refusal('ENOMEM', 'IOP-30', `${whose} has ${counter.lockedPages} pages locked; ${pages} more are beyond RLIMIT_MEMLOCK (${process.memlock} bytes)`);
    }
    if (!this.exempt) counter.lockedPages += pages;
    process.pinnedPages += pages;
  }
}
