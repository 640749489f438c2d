/** Tests of the kernel (7.1 and later) whose visible behaviour can be said in a scenario: `fixture.test` of iommufd.c, then of the folder vfio. */
export const SELFTEST_ROWS: readonly string[] = [
  'iommufd.simple_close', 'iommufd.cmd_fail', 'iommufd.cmd_length', 'iommufd.cmd_ex_fail', 'iommufd.global_options', 'iommufd.simple_ioctls', 'iommufd.unmap_cmd',
  'iommufd.map_cmd', 'iommufd.info_cmd', 'iommufd.set_iommu_cmd', 'iommufd.vfio_ioas', 'change_process.basic', 'ioas.ioas_auto_destroy', 'ioas.ioas_destroy',
  'ioas.alloc_hwpt_nested', 'ioas.hwpt_attach', 'ioas.ioas_area_destroy', 'ioas.ioas_area_auto_destroy', 'ioas.get_hw_info', 'ioas.area',
  'ioas.unmap_fully_contained_areas', 'ioas.area_auto_iova', 'ioas.reserved_overflow', 'ioas.area_allowed', 'ioas.copy_area', 'ioas.iova_ranges',
  'ioas.access_domain_destory', 'ioas.access_pin', 'ioas.access_pin_unmap', 'ioas.access_rw', 'ioas.access_rw_unaligned', 'ioas.fork_gone', 'ioas.fork_present',
  'ioas.ioas_option_huge_pages', 'ioas.ioas_iova_alloc', 'ioas.ioas_align_change', 'ioas.copy_sweep', 'ioas.dmabuf_simple', 'ioas.dmabuf_revoke', 'mock_domain.basic',
  'mock_domain.all_aligns', 'mock_domain.all_aligns_copy', 'mock_domain.user_copy', 'mock_domain.replace', 'mock_domain.alloc_hwpt', 'dirty.enforce_dirty',
  'dirty.set_dirty_tracking', 'dirty.pasid_set_dirty_tracking', 'dirty.device_dirty_capability', 'dirty.get_dirty_bitmap', 'dirty.get_dirty_bitmap_no_clear',
  'compat.simple_close', 'compat.option_huge_pages', 'compat.get_info', 'compat.map', 'compat.huge_map', 'viommu.viommu_auto_destroy', 'viommu.viommu_negative_tests',
  'viommu.viommu_alloc_nested_iopf', 'viommu.viommu_alloc_with_data', 'viommu.vdevice_alloc', 'viommu.vdevice_cache', 'viommu.hw_queue', 'viommu.vdevice_tombstone',
  'device_pasid.pasid_attach', 'vfio.dma_mapping.dma_map_unmap', 'vfio.limit.unmap_range', 'vfio.limit.unmap_all', 'vfio.limit.overflow', 'vfio.mmio.map_full_bar',
  'vfio.mmio.map_partial_bar', 'vfio.mmio.map_bar_misaligned', 'vfio.setup.bind', 'vfio.setup.get_info_without_bind_fails', 'vfio.setup.bind_bad_iommufd_fails',
  'vfio.setup.repeated_bind_fails', 'vfio.setup.attach_detatch_pt', 'vfio.setup.attach_invalid_pt_fails', 'vfio.sriov_uapi.init_token_match',
  'vfio.sriov_uapi.pf_early_close', 'vfio.sriov_uapi.override_token',
];
