/** The state of one type1 back end: `struct vfio_iommu` with its domains. */
import type { Kernel, PagingDomain, ReservedRegion } from '../../../kernel/core.js';
import { ADDRESS_MAX, PAGE_SIZE, type AddressRange } from '../../../memory/address.js';
import type { VfioGroup } from '../registry.js';
import type { Attachment } from './attachment.js';
import type { IovaList } from './iova-list.js';
import { SortedRecords, type MappingRecords } from './records.js';
import { SearchTree } from './search-tree.js';

/** `struct vfio_domain`: an IOMMU domain and the groups that translate through it. */
export interface HardwareDomain {
  readonly domain: PagingDomain;
  /** Snooping is promised: IOMMU_CACHE in 2021, enforced coherency since (VFT-10, VFT-15). */
  readonly coherent: boolean;
  /** Newest first (VFG-06). */
  attachments: readonly Attachment[];
}

/** Pages of every power of two that holds at least one page of the CPU. */
export const ALL_PAGE_SIZES = ADDRESS_MAX & ~(PAGE_SIZE - 1n);

export class Type1State {
  /** Newest first (VFG-06). */
  domains: readonly HardwareDomain[] = [];
  /** Groups without an IOMMU domain: the external domain of 2021, the list of emulated groups since (VFT-11, VFT-15). */
  readonly softwareGroups = new Set<VfioGroup>();
  iovaList: IovaList = [];
  readonly mappings: MappingRecords;
  /** VFT-41: records that may still be made. */
  available: number;
  /** VFT-02: 0 until the first group came, in 2021. */
  pageSizes = ALL_PAGE_SIZES;
  dirtyTracking = false;
  /** Records whose address is stale (VFT-53). */
  staleAddresses = 0;
  /** VFT-59: groups that have never pinned a page, so that all they can reach counts as dirty. */
  nonPinningGroups = 0;
  readonly pinningGroups = new Set<VfioGroup>();

  constructor(
    readonly kernel: Kernel,
    /** VFT-01: unmapping never splits a record; version 1 then frees more than it was asked to. */
    readonly version: 1 | 2,
    readonly nesting: boolean,
    readonly name: string,
  ) {
    this.mappings = kernel.profile.type1Search === 'exact' ? new SortedRecords() : new SearchTree();
    this.available = Number(kernel.moduleParameter('vfio_iommu_type1', 'dma_entry_limit') ?? 65535);
  }

  get pagingDomains(): readonly PagingDomain[] {
    return this.domains.map((each) => each.domain);
  }

  get attachments(): readonly Attachment[] {
    return this.domains.flatMap((each) => each.attachments);
  }

  /** Smallest page: what MAP, UNMAP and dirty bitmaps count in (VFT-02). */
  get granule(): bigint {
    return this.pageSizes & -this.pageSizes;
  }

  isMapped(range: AddressRange): boolean {
    return this.mappings.overlap(range) !== undefined;
  }

  /** VFT-02: what all domains support; a page of the CPU stands for everything smaller. */
  updatePageSizes(): void {
    const common = this.pagingDomains.reduce((bits, domain) => bits & domain.pageSizes, ADDRESS_MAX);
    const below = common & (PAGE_SIZE - 1n);
    this.pageSizes = below === 0n ? common : (common & ~(PAGE_SIZE - 1n)) | PAGE_SIZE;
  }

  contains(group: VfioGroup): boolean {
    return this.softwareGroups.has(group) || this.attachments.some((attachment) => attachment.group === group);
  }

  reservedRegions(): readonly ReservedRegion[] {
    return this.attachments.flatMap((attachment) => attachment.reservedRegions);
  }
}
