/** Numbers of iommufd's own tests (`iommufd_test.h`; CNF-04). */

/** IOTLB entries of a nested page table, cache entries of a device. */
export const MOCK_IOTLB_ENTRIES = 4;
export const MOCK_CACHE_ENTRIES = 4;
/** What a device's cache holds at first. */
export const MOCK_CACHE_VALUE = 0xbeefdead;
/** IOMMU_TEST_INVALIDATE_FLAG_ALL. */
export const MOCK_INVALIDATE_ALL = 1n;
/** MOCK_FLAGS_DEVICE_*. */
export const MOCK_DEVICE = { NO_DIRTY: 1, HUGE_IOVA: 2, PASID: 4 } as const;
/** IOMMU_VIOMMU_TYPE_SELFTEST, IOMMU_HW_QUEUE_TYPE_SELFTEST, IOMMU_VEVENTQ_TYPE_SELFTEST. */
export const MOCK_TYPE = { VIOMMU: 0xdeadbeef, HW_QUEUE: 0xdeadbeef, EVENT_QUEUE: 0xbeefbeef } as const;
/** Bytes of `struct iommu_viommu_selftest`, which is optional, and of `struct iommu_viommu_invalidate_selftest`. */
export const MOCK_VIOMMU_DATA = { type: MOCK_TYPE.VIOMMU, size: 24 } as const;
export const MOCK_VIOMMU_INVALIDATE = { type: 0xdeadbeef, size: 12 } as const;
/** Command queues of a vIOMMU. */
export const MOCK_HW_QUEUES = 2;
