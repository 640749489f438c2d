/** One VFIO_IOMMU_MAP_DMA: the record that type1 keeps, and what is pinned and dirty in it. */
import type { Permission, SubjectId } from '../../../description.js';
import { PAGE_SHIFT, type AddressRange, type PhysicalAddress } from '../../../memory/address.js';
import type { MemoryPiece, Process } from '../../process.js';
import { DirtyPages } from './dirty-pages.js';

/** A page that a mediating driver holds (`struct vfio_pfn`). */
export interface ExternalPin {
  readonly physical: PhysicalAddress;
  readonly device: boolean;
  /** Counted against the limit when it was pinned. */
  readonly charged: boolean;
  times: number;
}

/** `struct vfio_dma`. */
export class Mapping {
  /** The IOMMU translates it; false while only mediated devices are in the container (VFT-25). */
  iommuMapped = false;
  /** VFT-53: the user took its address away and has not told the new one. */
  staleAddress = false;
  /** What is pinned for the IOMMU, in order from `iova`. */
  pinned: readonly MemoryPiece[] = [];
  /** What a mediating driver holds, by page of the mapping. */
  readonly externalPins = new Map<number, ExternalPin>();
  /** Pages of it that are counted as locked. */
  lockedPages = 0;
  /** While dirty tracking is on (VFT-56). */
  dirty: DirtyPages | null = null;

  constructor(
    readonly range: AddressRange,
    public vaddr: bigint,
    readonly permission: Permission,
    /** Its memory, and whose limit it counts against. */
    public process: Process,
    /** CAP_IPC_LOCK when it was made (VFT-45). */
    readonly exempt: boolean,
    readonly origin?: SubjectId,
  ) {}

  get iova(): bigint {
    return this.range.start;
  }

  get size(): bigint {
    return this.range.last - this.range.start + 1n;
  }

  /** Index of the page that holds `iova`, from the start of the mapping. */
  pageOf(iova: bigint): number {
    return Number((iova - this.range.start) >> BigInt(PAGE_SHIFT));
  }

  /** VFT-60: pages of [offset, offset+size) that a mediating driver holds already; they are not counted again. */
  externallyPinned(offset: bigint, size: bigint): number {
    if (this.externalPins.size === 0) return 0;
    const first = Number(offset >> BigInt(PAGE_SHIFT));
    const pages = Number(size >> BigInt(PAGE_SHIFT));
    let held = 0;
    if (pages < this.externalPins.size) for (let page = first; page < first + pages; page++) held += this.externalPins.has(page) ? 1 : 0;
    else for (const page of this.externalPins.keys()) held += page >= first && page < first + pages ? 1 : 0;
    return held;
  }

  /** VFT-56: tracking begins with the pages that are pinned now. */
  trackDirty(): void {
    this.dirty = new DirtyPages(this.externalPins.keys());
  }
}
