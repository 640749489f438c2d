/** Numbers of the user API, `include/uapi/linux/vfio.h`. */

/** What VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU count. */
export const EXTENSION = {
  TYPE1: 1, SPAPR_TCE: 2, TYPE1V2: 3, DMA_CC: 4, EEH: 5, TYPE1_NESTING: 6, SPAPR_TCE_V2: 7, NOIOMMU: 8, UNMAP_ALL: 9, UPDATE_VADDR: 10,
} as const;

/** The words of the `set-iommu` step. */
export const IOMMU_MODELS: ReadonlyMap<string, number> = new Map([
  ['type1', EXTENSION.TYPE1], ['type1v2', EXTENSION.TYPE1V2], ['nesting', EXTENSION.TYPE1_NESTING], ['spapr', EXTENSION.SPAPR_TCE], ['noiommu', EXTENSION.NOIOMMU],
]);

export const GROUP_STATUS = { SIZE: 8, VIABLE: 1, CONTAINER_SET: 2 } as const;
export const INFO = { SIZE: 16, FULL_SIZE: 24, PAGE_SIZES: 1, CAPABILITIES: 2 } as const;
export const DMA_MAP = { SIZE: 32, READ: 1, WRITE: 2, VADDR: 4, ALL: 7 } as const;
export const DMA_UNMAP = { SIZE: 24, BITMAP_SIZE: 24, GET_DIRTY_BITMAP: 1, ALL: 2, VADDR: 4, ANY: 7 } as const;
export const DIRTY_PAGES = { SIZE: 8, GET_SIZE: 48, START: 1, STOP: 2, GET_BITMAP: 4, ANY: 7 } as const;

/** Bytes of a dirty bitmap at most. */
export const MAX_BITMAP_SIZE = 1 << 28;
