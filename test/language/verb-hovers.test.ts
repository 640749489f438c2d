/** A hover on a step tells the real call: its structure and flags, or the file. */
import { describe, expect, test } from 'vitest';
import { verbText } from '../../language/editor/index.js';
import { ioctlCommand, ioctlText, UAPI_CALLS, uapiCallsOf } from '../../server/simulator/scenario/verbs-uapi.js';
import { VERBS } from '../../server/simulator/scenario/verbs.js';

const IOCTL = /\b(?:VFIO|IOMMU|KVM)_[A-Z0-9_]+\b/g;
/** Operations inside of a structure, and device types: the ioctl around them is what has a row. */
const NO_IOCTL = /^IOMMU_TEST_OP_|^KVM_DEV_TYPE_/;

describe('every verb that is an ioctl', () => {
  const ioctls = VERBS.flatMap((verb) => (verb.call.match(IOCTL) ?? []).filter((name) => !NO_IOCTL.test(name)).map((name) => [verb.verb, name, verb] as const));

  test('there are many', () => expect(ioctls.length).toBeGreaterThan(45));

  test.each(ioctls)('%s names %s with its structure', (_verb, name, verb) => {
    const call = UAPI_CALLS[name];
    expect(call?.argument).toMatch(/^struct \w+|^no argument$|^int|^char \*|^the number/);
    expect(verbText(verb)).toContain(`\`${name}\`: `);
    expect(verbText(verb)).toContain(`\`${call!.argument}\``);
  });
});

test.each(VERBS.filter((verb) => /^(?:echo|cat|readlink|mkdir)\b/.test(verb.call)).map((verb) => [verb.verb, verb.call]))('%s names its file', (_verb, call) => {
  expect(call).toMatch(/\/(?:sys|proc)\/[\w/.]+/);
});

test.each(VERBS.filter((verb) => verb.call.startsWith('open(')).map((verb) => [verb.verb, verb.call]))('%s names what it opens', (_verb, call) => expect(call).toMatch(/^open\("\/dev\/[\w/]+"\)$/));

test('every row is the call of some verb', () => {
  const used = new Set(VERBS.flatMap((verb) => uapiCallsOf(verb.call)));
  expect(Object.keys(UAPI_CALLS).filter((name) => !used.has(name))).toEqual([]);
});

test('a map tells the structures of both worlds', () => {
  const text = verbText(VERBS.find((verb) => verb.verb === 'map')!);
  expect(text).toContain("`VFIO_IOMMU_MAP_DMA`: `_IO(';', 113)` = 0x3b71, `struct vfio_iommu_type1_dma_map`; flags, vaddr, iova, size; flags READ 1, WRITE 2, VADDR 4");
  expect(text).toContain("`IOMMU_IOAS_MAP`: `_IO(';', 0x85)` = 0x3b85, `struct iommu_ioas_map`");
});

/** What a C program prints that includes linux/vfio.h and linux/kvm.h (of 6.1), and _IO(IOMMUFD_TYPE, IOMMUFD_CMD_...) of linux/iommufd.h (of 6.17): written here once more, so that no row can be wrong silently. */
const COMMANDS: Readonly<Record<string, number>> = {
  VFIO_GET_API_VERSION: 0x3b64, VFIO_CHECK_EXTENSION: 0x3b65, VFIO_SET_IOMMU: 0x3b66, VFIO_GROUP_GET_STATUS: 0x3b67, VFIO_GROUP_SET_CONTAINER: 0x3b68, VFIO_GROUP_UNSET_CONTAINER: 0x3b69, VFIO_GROUP_GET_DEVICE_FD: 0x3b6a,
  VFIO_DEVICE_GET_INFO: 0x3b6b, VFIO_DEVICE_GET_REGION_INFO: 0x3b6c, VFIO_DEVICE_GET_IRQ_INFO: 0x3b6d, VFIO_DEVICE_SET_IRQS: 0x3b6e, VFIO_DEVICE_RESET: 0x3b6f, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: 0x3b70,
  VFIO_DEVICE_PCI_HOT_RESET: 0x3b71, VFIO_DEVICE_FEATURE: 0x3b75, VFIO_DEVICE_BIND_IOMMUFD: 0x3b76, VFIO_DEVICE_ATTACH_IOMMUFD_PT: 0x3b77, VFIO_DEVICE_DETACH_IOMMUFD_PT: 0x3b78,
  VFIO_IOMMU_GET_INFO: 0x3b70, VFIO_IOMMU_MAP_DMA: 0x3b71, VFIO_IOMMU_UNMAP_DMA: 0x3b72, VFIO_IOMMU_DIRTY_PAGES: 0x3b75,
  IOMMU_DESTROY: 0x3b80, IOMMU_IOAS_ALLOC: 0x3b81, IOMMU_IOAS_ALLOW_IOVAS: 0x3b82, IOMMU_IOAS_COPY: 0x3b83, IOMMU_IOAS_IOVA_RANGES: 0x3b84, IOMMU_IOAS_MAP: 0x3b85, IOMMU_IOAS_UNMAP: 0x3b86, IOMMU_OPTION: 0x3b87,
  IOMMU_VFIO_IOAS: 0x3b88, IOMMU_HWPT_ALLOC: 0x3b89, IOMMU_GET_HW_INFO: 0x3b8a, IOMMU_HWPT_SET_DIRTY_TRACKING: 0x3b8b, IOMMU_HWPT_GET_DIRTY_BITMAP: 0x3b8c, IOMMU_HWPT_INVALIDATE: 0x3b8d,
  IOMMU_FAULT_QUEUE_ALLOC: 0x3b8e, IOMMU_IOAS_MAP_FILE: 0x3b8f, IOMMU_VIOMMU_ALLOC: 0x3b90, IOMMU_VDEVICE_ALLOC: 0x3b91, IOMMU_IOAS_CHANGE_PROCESS: 0x3b92, IOMMU_VEVENTQ_ALLOC: 0x3b93, IOMMU_HW_QUEUE_ALLOC: 0x3b94,
  IOMMU_TEST_CMD: 0x3ba0, KVM_CREATE_DEVICE: 0xc00caee0, KVM_DEV_VFIO_GROUP_ADD: 0x4018aee1, KVM_DEV_VFIO_GROUP_DEL: 0x4018aee1,
};

test('every command is the one of the headers', () => {
  expect(Object.fromEntries(Object.entries(UAPI_CALLS).map(([name, { ioctl }]) => [name, ioctlCommand(ioctl)]))).toEqual(COMMANDS);
});

test('a command is written as its header writes it', () => {
  expect(ioctlText(UAPI_CALLS['VFIO_GET_API_VERSION']!.ioctl)).toBe("_IO(';', 100)");
  expect(ioctlText(UAPI_CALLS['IOMMU_DESTROY']!.ioctl)).toBe("_IO(';', 0x80)");
  expect(ioctlText(UAPI_CALLS['KVM_CREATE_DEVICE']!.ioctl)).toBe('_IOWR(0xae, 0xe0, 12 bytes)');
});
