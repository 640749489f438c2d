/**
 * The real calls behind the steps, for hovers: number, structure and flags as the kernel's headers (linux/vfio.h,
 * linux/iommufd.h, linux/kvm.h) define them.
 */

/** The parts of an ioctl's command, as the macro that defines it takes them. */
export interface UapiNumber {
  /** Which way its structure is copied: VFIO and iommufd say nothing of it (`_IO`). */
  readonly macro: '_IO' | '_IOW' | '_IOWR';
  /** The letter of the subsystem, as a number. */
  readonly type: number;
  readonly number: number;
  /** Bytes of the structure; 0 with `_IO`. */
  readonly size: number;
}

export interface UapiCall {
  readonly ioctl: UapiNumber;
  /** What its third argument points to, or is. */
  readonly argument: string;
  /** Its members, inputs and outputs, after `argsz` or `size`. */
  readonly members?: string;
  /** Bits of `flags`, by the ends of their names. */
  readonly flags?: string;
}

/** VFIO and iommufd share a letter; their numbers begin at 100 and at 0x80. */
const SHARED_TYPE = 0x3b;
const KVM_TYPE = 0xae;
const DIRECTIONS: Readonly<Record<UapiNumber['macro'], number>> = { _IO: 0, _IOW: 1, _IOWR: 3 };

/** What ioctl(2) is given: direction, size, type and number in 2, 14, 8 and 8 bits (asm-generic/ioctl.h). */
export const ioctlCommand = ({ macro, type, number, size }: UapiNumber): number => ((DIRECTIONS[macro] << 30) | (size << 16) | (type << 8) | number) >>> 0;

const vfio = (number: number, argument: string, members?: string, flags?: string): UapiCall => ({ ioctl: { macro: '_IO', type: SHARED_TYPE, number, size: 0 }, argument, members, flags });
const iommufd = (number: number, structure: string, members: string, flags?: string): UapiCall => vfio(number, `struct ${structure}`, members, flags);
const CREATE_DEVICE: UapiNumber = { macro: '_IOWR', type: KVM_TYPE, number: 0xe0, size: 12 };
const SET_DEVICE_ATTR: UapiNumber = { macro: '_IOW', type: KVM_TYPE, number: 0xe1, size: 24 };
const kvm = (ioctl: UapiNumber, argument: string, members: string): UapiCall => ({ ioctl, argument, members });

export const UAPI_CALLS: Readonly<Record<string, UapiCall>> = {
  VFIO_GET_API_VERSION: vfio(100, 'no argument'),
  VFIO_CHECK_EXTENSION: vfio(101, 'the number of the extension', 'TYPE1 1, SPAPR_TCE 2, TYPE1v2 3, DMA_CC 4, EEH 5, TYPE1_NESTING 6, SPAPR_TCE_v2 7, NOIOMMU 8, UNMAP_ALL 9, UPDATE_VADDR 10'),
  VFIO_SET_IOMMU: vfio(102, 'the number of the back end', 'TYPE1 1, TYPE1v2 3, TYPE1_NESTING 6, NOIOMMU 8'),
  VFIO_GROUP_GET_STATUS: vfio(103, 'struct vfio_group_status', 'flags (out)', 'VIABLE 1, CONTAINER_SET 2'),
  VFIO_GROUP_SET_CONTAINER: vfio(104, 'int: file descriptor of the container'),
  VFIO_GROUP_UNSET_CONTAINER: vfio(105, 'no argument'),
  VFIO_GROUP_GET_DEVICE_FD: vfio(106, 'char *: name of the device, such as 0000:01:00.0'),
  VFIO_DEVICE_GET_INFO: vfio(107, 'struct vfio_device_info', 'flags, num_regions, num_irqs, cap_offset (all out)', 'RESET 1, PCI 2, PLATFORM 4, AMBA 8, CCW 0x10, AP 0x20, FSL_MC 0x40, CAPS 0x80, CDX 0x100'),
  VFIO_DEVICE_GET_REGION_INFO: vfio(108, 'struct vfio_region_info', 'index (in), flags, cap_offset, size, offset (out)', 'READ 1, WRITE 2, MMAP 4, CAPS 8'),
  VFIO_DEVICE_GET_IRQ_INFO: vfio(109, 'struct vfio_irq_info', 'index (in), flags, count (out)', 'EVENTFD 1, MASKABLE 2, AUTOMASKED 4, NORESIZE 8'),
  VFIO_DEVICE_SET_IRQS: vfio(110, 'struct vfio_irq_set', 'flags, index, start, count, data[]', 'DATA_NONE 1, DATA_BOOL 2, DATA_EVENTFD 4, ACTION_MASK 8, ACTION_UNMASK 0x10, ACTION_TRIGGER 0x20'),
  VFIO_DEVICE_RESET: vfio(111, 'no argument'),
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: vfio(112, 'struct vfio_pci_hot_reset_info', 'flags, count, devices[] (all out)', 'DEV_ID 1, DEV_ID_OWNED 2'),
  VFIO_DEVICE_PCI_HOT_RESET: vfio(113, 'struct vfio_pci_hot_reset', 'flags, count, group_fds[]'),
  VFIO_DEVICE_FEATURE: vfio(117, 'struct vfio_device_feature', 'flags, data[]; the feature is in the low 16 bits of flags', 'GET 0x1_0000, SET 0x2_0000, PROBE 0x4_0000'),
  VFIO_DEVICE_BIND_IOMMUFD: vfio(118, 'struct vfio_device_bind_iommufd', 'flags, iommufd (in), out_devid (out), token_uuid_ptr (in)', 'TOKEN 1'),
  VFIO_DEVICE_ATTACH_IOMMUFD_PT: vfio(119, 'struct vfio_device_attach_iommufd_pt', 'flags, pt_id (in and out), pasid', 'PASID 1'),
  VFIO_DEVICE_DETACH_IOMMUFD_PT: vfio(120, 'struct vfio_device_detach_iommufd_pt', 'flags, pasid', 'PASID 1'),
  VFIO_IOMMU_GET_INFO: vfio(112, 'struct vfio_iommu_type1_info', 'flags, iova_pgsizes, cap_offset, then capabilities: IOVA_RANGE 1, MIGRATION 2, DMA_AVAIL 3 (all out)', 'PGSIZES 1, CAPS 2'),
  VFIO_IOMMU_MAP_DMA: vfio(113, 'struct vfio_iommu_type1_dma_map', 'flags, vaddr, iova, size', 'READ 1, WRITE 2, VADDR 4'),
  VFIO_IOMMU_UNMAP_DMA: vfio(114, 'struct vfio_iommu_type1_dma_unmap', 'flags, iova, size (in and out), data[]', 'GET_DIRTY_BITMAP 1, ALL 2, VADDR 4'),
  VFIO_IOMMU_DIRTY_PAGES: vfio(117, 'struct vfio_iommu_type1_dirty_bitmap', 'flags, data[]: iova, size, bitmap', 'START 1, STOP 2, GET_BITMAP 4'),

  IOMMU_DESTROY: iommufd(0x80, 'iommu_destroy', 'id'),
  IOMMU_IOAS_ALLOC: iommufd(0x81, 'iommu_ioas_alloc', 'flags (0), out_ioas_id (out)'),
  IOMMU_IOAS_ALLOW_IOVAS: iommufd(0x82, 'iommu_ioas_allow_iovas', 'ioas_id, num_iovas, allowed_iovas: array of struct iommu_iova_range'),
  IOMMU_IOAS_COPY: iommufd(0x83, 'iommu_ioas_copy', 'flags, dst_ioas_id, src_ioas_id, length, dst_iova (in and out), src_iova', 'FIXED_IOVA 1, WRITEABLE 2, READABLE 4'),
  IOMMU_IOAS_IOVA_RANGES: iommufd(0x84, 'iommu_ioas_iova_ranges', 'ioas_id, num_iovas (in and out), allowed_iovas, out_iova_alignment (out)'),
  IOMMU_IOAS_MAP: iommufd(0x85, 'iommu_ioas_map', 'flags, ioas_id, user_va, length, iova (in and out)', 'FIXED_IOVA 1, WRITEABLE 2, READABLE 4'),
  IOMMU_IOAS_UNMAP: iommufd(0x86, 'iommu_ioas_unmap', 'ioas_id, iova, length (in and out)'),
  IOMMU_OPTION: iommufd(0x87, 'iommu_option', 'option_id (RLIMIT_MODE 0, HUGE_PAGES 1), op (SET 0, GET 1), object_id, val64 (in and out)'),
  IOMMU_VFIO_IOAS: iommufd(0x88, 'iommu_vfio_ioas', 'ioas_id (in and out), op (GET 0, SET 1, CLEAR 2)'),
  IOMMU_HWPT_ALLOC: iommufd(0x89, 'iommu_hwpt_alloc', 'flags, dev_id, pt_id, out_hwpt_id (out), data_type, data_len, data_uptr, fault_id', 'NEST_PARENT 1, DIRTY_TRACKING 2, FAULT_ID_VALID 4, PASID 8'),
  IOMMU_GET_HW_INFO: iommufd(0x8a, 'iommu_hw_info', 'flags, dev_id, data_len (in and out), data_uptr, in_data_type, out_data_type, out_max_pasid_log2, out_capabilities (out)', 'INPUT_TYPE 1'),
  IOMMU_HWPT_SET_DIRTY_TRACKING: iommufd(0x8b, 'iommu_hwpt_set_dirty_tracking', 'flags, hwpt_id', 'ENABLE 1'),
  IOMMU_HWPT_GET_DIRTY_BITMAP: iommufd(0x8c, 'iommu_hwpt_get_dirty_bitmap', 'hwpt_id, flags, iova, length, page_size, data', 'NO_CLEAR 1'),
  IOMMU_HWPT_INVALIDATE: iommufd(0x8d, 'iommu_hwpt_invalidate', 'hwpt_id, data_uptr, data_type, entry_len, entry_num (in and out)'),
  IOMMU_FAULT_QUEUE_ALLOC: iommufd(0x8e, 'iommu_fault_alloc', 'flags (0), out_fault_id, out_fault_fd (out)'),
  IOMMU_IOAS_MAP_FILE: iommufd(0x8f, 'iommu_ioas_map_file', 'flags, ioas_id, fd, start, length, iova (in and out)', 'FIXED_IOVA 1, WRITEABLE 2, READABLE 4'),
  IOMMU_VIOMMU_ALLOC: iommufd(0x90, 'iommu_viommu_alloc', 'flags (0), type, dev_id, hwpt_id, out_viommu_id (out), data_len, data_uptr'),
  IOMMU_VDEVICE_ALLOC: iommufd(0x91, 'iommu_vdevice_alloc', 'viommu_id, dev_id, out_vdevice_id (out), virt_id'),
  IOMMU_IOAS_CHANGE_PROCESS: iommufd(0x92, 'iommu_ioas_change_process', '(nothing else)'),
  IOMMU_VEVENTQ_ALLOC: iommufd(0x93, 'iommu_veventq_alloc', 'flags (0), viommu_id, type, veventq_depth, out_veventq_id, out_veventq_fd (out)'),
  IOMMU_HW_QUEUE_ALLOC: iommufd(0x94, 'iommu_hw_queue_alloc', 'flags (0), viommu_id, type, index, out_hw_queue_id (out), nesting_parent_iova, length'),

  KVM_CREATE_DEVICE: kvm(CREATE_DEVICE, 'struct kvm_create_device', 'type (KVM_DEV_TYPE_VFIO 4), fd (out), flags'),
  KVM_DEV_VFIO_GROUP_ADD: kvm(SET_DEVICE_ATTR, 'struct kvm_device_attr of KVM_SET_DEVICE_ATTR', 'group 1 (KVM_DEV_VFIO_FILE), attr 1, addr: pointer to the file descriptor'),
  KVM_DEV_VFIO_GROUP_DEL: kvm(SET_DEVICE_ATTR, 'struct kvm_device_attr of KVM_SET_DEVICE_ATTR', 'group 1 (KVM_DEV_VFIO_FILE), attr 2, addr: pointer to the file descriptor'),
  IOMMU_TEST_CMD: iommufd(0xa0, 'iommu_test_cmd', 'op, id, then a union by op; only in kernels built with IOMMUFD_TEST'),
};

/** As the header writes it, such as `_IO(';', 113)`. */
export function ioctlText({ macro, type, number, size }: UapiNumber): string {
  const letter = type === SHARED_TYPE ? "';'" : `0x${type.toString(16)}`;
  return `${macro}(${letter}, ${number < 0x80 ? number : `0x${number.toString(16)}`}${size === 0 ? '' : `, ${size} bytes`})`;
}

/** The ioctls that a step's `call` names, in its order. */
export const uapiCallsOf = (call: string): string[] => (call.match(/\b[A-Z][A-Z0-9_]+\b/g) ?? []).filter((name) => Object.hasOwn(UAPI_CALLS, name));
