/**
 * A user-space process as VFIO and iommufd see it: file descriptors, memory, limits, capabilities (SRC-10).
 */
import { Refusal } from '../errno.js';
import type { NodeAccess, Permission, SubjectId } from '../description.js';
import { hex, type PhysicalAddress, type VirtualAddress } from '../memory/address.js';

export type Capability = 'IPC_LOCK' | 'SYS_RAWIO' | 'SYS_RESOURCE' | 'SYS_ADMIN';

/** One virtual memory area. */
export interface MemoryArea {
  readonly start: VirtualAddress;
  /** Bytes. */
  readonly size: bigint;
  /** `device`: a mapped BAR (PFNMAP). */
  readonly kind: 'anonymous' | 'hugetlb' | 'file' | 'device';
  readonly writable: boolean;
  /** Physically contiguous pieces in virtual order, covering the whole area. */
  readonly pieces: readonly { readonly physical: PhysicalAddress; readonly size: bigint }[];
  readonly subject?: SubjectId;
  readonly name: string;
}

/** Physically contiguous memory behind a virtual range. */
export interface MemoryPiece {
  readonly physical: PhysicalAddress;
  readonly size: bigint;
  /** A mapped BAR: no `struct page`, so nothing is counted as locked for it (VFT-43). */
  readonly device?: boolean;
}

/** Anything a file descriptor stands for. */
export interface OpenFile {
  readonly kind: 'container' | 'group' | 'device' | 'cdev' | 'iommufd' | 'event' | 'other';
  /** Last reference dropped. */
  release(): void;
}

/** Users are counted apart from processes: iommufd charges locked memory to the user (IOP-30). */
export interface User {
  lockedPages: number;
}

/** Input, output and errors of every program. */
const STANDARD_FILES = 3;
const TERMINAL: OpenFile = { kind: 'other', release: () => undefined };

export class Process {
  readonly areas: MemoryArea[] = [];
  readonly files = new Map<number, OpenFile>();
  /** mm.locked_vm and mm.pinned_vm, in pages. */
  lockedPages = 0;
  pinnedPages = 0;
  /** What stands between the program and device nodes before their drivers hear of it. */
  nodes: NodeAccess = 'granted';
  /** No descriptor below it is free. */
  private lowestFree = 0;

  constructor(
    readonly name: string,
    /** Changes with setuid. */
    public user: User,
    readonly capabilities: Set<Capability>,
    /** RLIMIT_MEMLOCK in bytes; null = unlimited. */
    public memlock: bigint | null,
  ) {
    for (let i = 0; i < STANDARD_FILES; i++) this.open(TERMINAL);
  }

  has(capability: Capability): boolean {
    return this.capabilities.has(capability);
  }

  /** @returns the lowest descriptor that is free */
  open(file: OpenFile): number {
    while (this.files.has(this.lowestFree)) this.lowestFree++;
    this.files.set(this.lowestFree, file);
    return this.lowestFree;
  }

  /** Takes a descriptor out of the table without closing the file: another process has it from now on. @throws Refusal EBADF */
  giveUp(fd: number): OpenFile {
    const file = this.file(fd);
    this.files.delete(fd);
    this.lowestFree = Math.min(this.lowestFree, fd);
    return file;
  }

  close(fd: number): void {
    const file = this.file(fd);
    this.files.delete(fd);
    this.lowestFree = Math.min(this.lowestFree, fd);
    const others = shared.get(file) ?? 0;
    if (others > 0) shared.set(file, others - 1);
    else file.release();
  }

  /** A child with the same files open, and with a copy of the memory that is not told apart here. */
  fork(name: string): Process {
    const child = new Process(name, this.user, new Set(this.capabilities), this.memlock);
    child.files.clear();
    for (const [fd, file] of this.files) {
      child.files.set(fd, file);
      shared.set(file, (shared.get(file) ?? 0) + 1);
    }
    child.areas.push(...this.areas);
    return child;
  }

  /** `munmap()`: what is left of areas that the range cuts stays. */
  unmap(start: bigint, size: bigint): void {
    const end = start + size;
    const kept = this.areas.flatMap((area) => [partOf(area, area.start, start < area.start ? area.start : start), partOf(area, end > area.start ? end : area.start, area.start + area.size)]);
    this.areas.splice(0, this.areas.length, ...kept.filter((area) => area !== null));
  }

  /** Everything the kernel does for a process that dies: files close in descriptor order. */
  exit(): void {
    for (const fd of [...this.files.keys()].sort((a, b) => a - b)) this.close(fd);
    this.areas.length = 0;
  }

  areaAt(address: bigint): MemoryArea | undefined {
    return this.areas.find((area) => area.start <= address && address < area.start + area.size);
  }

  /** The file behind a descriptor. @throws Refusal EBADF */
  file(fd: number): OpenFile {
    const file = this.files.get(fd);
    if (file === undefined) throw new Refusal('EBADF', 'VFG-13', `file descriptor ${fd} is not open in ${this.name}`);
    return file;
  }

  /**
   * The host memory behind [start, start+size) in order, as large as it is contiguous. Pieces before a bad page are
   * given out before it throws, so that a caller who counts them meets its limit where the kernel would.
   * @throws Refusal EFAULT where no area is mapped, or where `need.write` meets a read-only area.
   */
  *eachPiece(start: bigint, size: bigint, need: Permission): Generator<MemoryPiece> {
    let joined: MemoryPiece | undefined;
    for (const next of this.piecesAsMapped(start, start + size, need)) {
      if (next instanceof Refusal) {
        if (joined !== undefined) yield joined;
        throw next;
      }
      if (joined !== undefined && continues(joined, next)) {
        joined = { physical: joined.physical, size: joined.size + next.size, device: joined.device };
        continue;
      }
      if (joined !== undefined) yield joined;
      joined = next;
    }
    if (joined !== undefined) yield joined;
  }

  /** All of `eachPiece`. @throws Refusal EFAULT */
  pieces(start: bigint, size: bigint, need: Permission): MemoryPiece[] {
    return [...this.eachPiece(start, size, need)];
  }

  /** The pieces one by one; at the first page that cannot be had, the reason, and no more. */
  private *piecesAsMapped(start: bigint, end: bigint, need: Permission): Generator<MemoryPiece | Refusal> {
    for (let at = start; at < end; ) {
      const area = this.areaAt(at);
      if (area === undefined) return yield new Refusal('EFAULT', 'VFT-40', `nothing is mapped at virtual address ${hex(at)} of ${this.name}`);
      if (need.write && !area.writable) return yield new Refusal('EFAULT', 'VFT-43', `${area.name} of ${this.name} is read-only`);
      const stop = area.start + area.size < end ? area.start + area.size : end;
      yield* piecesWithin(area, at, stop);
      at = stop;
    }
  }
}

/** How many descriptors an open file has beside one: after a fork, one more in the child. */
const shared = new WeakMap<OpenFile, number>();

/** The part of an area in [from, end); null when there is none. */
function partOf(area: MemoryArea, from: bigint, end: bigint): MemoryArea | null {
  const stop = end < area.start + area.size ? end : area.start + area.size;
  if (from >= stop) return null;
  if (from === area.start && stop === area.start + area.size) return area;
  return { ...area, start: from as VirtualAddress, size: stop - from, pieces: [...piecesWithin(area, from, stop)] };
}

const continues = (before: MemoryPiece, next: MemoryPiece): boolean => before.device === next.device && before.physical + before.size === next.physical;

/** Where each piece of an area begins in it; computed once, because a VM's memory has thousands of pieces. */
const offsets = new WeakMap<MemoryArea['pieces'], readonly bigint[]>();

function pieceOffsets(pieces: MemoryArea['pieces']): readonly bigint[] {
  let known = offsets.get(pieces);
  if (known === undefined) {
    let at = 0n;
    known = pieces.map((piece) => {
      const begins = at;
      at += piece.size;
      return begins;
    });
    offsets.set(pieces, known);
  }
  return known;
}

/** The parts of the area's pieces that lie in [from, stop), which is inside the area. */
function* piecesWithin(area: MemoryArea, from: bigint, stop: bigint): Generator<MemoryPiece> {
  const begins = pieceOffsets(area.pieces);
  for (let i = lastNotAbove(begins, from - area.start); from < stop; i++) {
    const piece = area.pieces[i]!;
    const skipped = from - area.start - begins[i]!;
    const size = piece.size - skipped < stop - from ? piece.size - skipped : stop - from;
    yield { physical: (piece.physical + skipped) as PhysicalAddress, size, device: area.kind === 'device' };
    from += size;
  }
}

/** Index of the last number that is not above `value`; the numbers ascend and the first is not above it. */
function lastNotAbove(numbers: readonly bigint[], value: bigint): number {
  let low = 0;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
