/**
 * A user-space process as VFIO and iommufd see it: file descriptors, memory, limits, capabilities (SRC-10).
 */
import { Refusal } from '../errno.js';
import type { Permission, SubjectId } from '../description.js';
import type { PhysicalAddress, VirtualAddress } from '../memory/address.js';

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

export class Process {
  readonly areas: MemoryArea[] = [];
  readonly files = new Map<number, OpenFile>();
  /** mm.locked_vm and mm.pinned_vm, in pages. */
  lockedPages = 0;
  pinnedPages = 0;
  private nextFile = 3;

  constructor(
    readonly name: string,
    readonly user: User,
    readonly capabilities: Set<Capability>,
    /** RLIMIT_MEMLOCK in bytes; null = unlimited. */
    public memlock: bigint | null,
  ) {}

  has(capability: Capability): boolean {
    return this.capabilities.has(capability);
  }

  open(file: OpenFile): number {
    const fd = this.nextFile++;
    this.files.set(fd, file);
    return fd;
  }

  close(fd: number): void {
    const file = this.files.get(fd);
    if (file === undefined) throw new Refusal('EBADF', 'VFG-13', `file descriptor ${fd} is not open`);
    this.files.delete(fd);
    file.release();
  }

  /** Everything the kernel does for a process that dies: files close in descriptor order. */
  exit(): void {
    for (const fd of [...this.files.keys()].sort((a, b) => a - b)) this.close(fd);
    this.areas.length = 0;
  }

  areaAt(address: bigint): MemoryArea | undefined {
    return this.areas.find((area) => area.start <= address && address < area.start + area.size);
  }

  /**
   * The physical pieces behind [start, start+size), in order.
   * @throws Refusal EFAULT where no area is mapped, or where `need.write` meets a read-only area.
   */
  pieces(start: VirtualAddress, size: bigint, need: Permission): MemoryPiece[] {
    const found: MemoryPiece[] = [];
    let at: bigint = start;
    const end = start + size;
    while (at < end) {
      const area = this.areaAt(at);
      if (area === undefined) throw new Refusal('EFAULT', 'VFT-40', `nothing is mapped at virtual address 0x${at.toString(16)} of ${this.name}`);
      if (need.write && !area.writable) throw new Refusal('EFAULT', 'VFT-43', `${area.name} of ${this.name} is read-only`);
      at = collectPieces(area, at, end, found);
    }
    return found;
  }
}

/** Adds the pieces of `area` that lie in [from, end); returns where it stopped. */
function collectPieces(area: MemoryArea, from: bigint, end: bigint, found: MemoryPiece[]): bigint {
  let pieceStart: bigint = area.start;
  for (const piece of area.pieces) {
    const pieceEnd = pieceStart + piece.size;
    if (from < pieceEnd && from < end) {
      const last = end < pieceEnd ? end : pieceEnd;
      found.push({ physical: (piece.physical + (from - pieceStart)) as PhysicalAddress, size: last - from });
      from = last;
    }
    pieceStart = pieceEnd;
  }
  return from;
}
