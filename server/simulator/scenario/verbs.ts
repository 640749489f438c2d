/**
 * The table of steps: what a person may write, which real call it is, and which operands it takes. The language checks
 * and completes from it, the runner looks up its executor by `verb`, hovers and docs/language.md print it.
 */
import { KERNEL_VERBS } from './verbs-kernel.js';
import { VFIO_DEVICE_VERBS } from './verbs-vfio.js';
import { NESTED_VERBS } from './verbs-nested.js';
import { PROGRAM_VERBS } from './verbs-programs.js';
import { SELFTEST_VERBS } from './verbs-selftest.js';

export type OperandKind =
  /** Introduces a new name of the given class. */
  | `new ${HandleClass}`
  /** Refers to a name of one of the classes, separated by `|`. */
  | HandleClass | 'ioas|hwpt' | 'ioas|iommufd' | 'container|iommufd' | 'container|ioas' | 'container|ioas|iommufd' | 'any handle'
  /** Objects of an iommufd; a number stands for whatever object has it, or none. */
  | 'ioas|number' | 'hwpt|number' | 'viommu|number' | 'memfd|number' | 'hwpt|viommu|number' | 'ioas|hwpt|number' | 'ioas|hwpt|viommu|number' | 'ioas|hwpt|mock-device|number' | 'ioas|hwpt|viommu|mock-device|number' | 'fault-queue|event-queue' | 'fault-queue|number' | 'ioas|iommufd|number' | `ioas|hwpt|fault-queue|viommu|vdevice|event-queue|hw-queue|mock-device|number`
  | 'device|cdev|mock-device' | 'device|cdev|mock-device|number'
  /** A device, or the cdev of one. */
  | 'device|cdev'
  /** An open device, by whatever it was opened. */
  | 'device|device-fd|cdev' | 'group|container'
  /** A function, platform device or mdev of the host. */
  | 'device'
  /** A set of a driver, or one that the file describes. */
  | 'ioasid-set|pasid-set'
  /** What an allocation gave, or a number that somebody else has. */
  | 'ioasid|number'
  /** A memory of the owner or scenario, optionally `+ offset`. */
  | 'memory'
  | 'domain'
  | 'number' | 'size' | 'word' | 'text';

export type HandleClass = 'event-queue' | 'hw-queue' | 'mock-device' | 'test-access' | 'memfd' | 'mapping' | 'container' | 'group' | 'device-fd' | 'cdev' | 'iommufd' | 'ioas' | 'hwpt' | 'access' | 'fault-queue' | 'viommu' | 'vdevice' | 'kernel-domain' | 'kvm-device' | 'ioasid-set' | 'ioasid' | 'ioasid-file';

export interface OperandSpec {
  /** Name in `StepDescription.operands`. */
  readonly role: string;
  readonly kind: OperandKind;
  /** The word before it; absent = positional, directly after the verb in table order. */
  readonly key?: string;
  readonly optional?: boolean;
  readonly doc: string;
}

export interface VerbSpec {
  readonly verb: string;
  /** The system call or ioctl, or the sysfs write, as the kernel names it. */
  readonly call: string;
  readonly doc: string;
  readonly operands: readonly OperandSpec[];
  /** Bare words that may follow. */
  readonly flags: readonly string[];
  readonly rules: readonly string[];
  readonly example: string;
}

const at = (role: string, kind: OperandKind, doc: string): OperandSpec => ({ role, kind, doc });
const key = (word: string, kind: OperandKind, doc: string, role = word): OperandSpec => ({ role, kind, key: word, doc });
const may = (spec: OperandSpec): OperandSpec => ({ ...spec, optional: true });

const VFIO_VERBS: readonly VerbSpec[] = [
  { verb: 'open-container', call: 'open("/dev/vfio/vfio")', doc: 'Opens a new VFIO container.', operands: [at('handle', 'new container', 'its name from here on')], flags: [], rules: ['VFG-01'], example: 'open-container c' },
  { verb: 'open-group', call: 'open("/dev/vfio/GROUP")', doc: "Opens the VFIO group of a device. While no VFIO driver has a device of that group there is no file to open: ENOENT.", operands: [at('handle', 'new group', 'its name from here on'), key('of', 'device', 'any device of the group', 'device')], flags: [], rules: ['VFG-10'], example: 'open-group g of gpu' },
  { verb: 'group-status', call: 'VFIO_GROUP_GET_STATUS', doc: 'Is the group viable, is it in a container?', operands: [at('group', 'group', 'the group')], flags: [], rules: ['VFG-11', 'VFG-12'], example: 'group-status g' },
  { verb: 'set-container', call: 'VFIO_GROUP_SET_CONTAINER', doc: 'Puts a group into a container (or into an iommufd).', operands: [at('group', 'group', 'the group'), key('to', 'any handle', 'the container; the kernel takes any file, and refuses what is none', 'container')], flags: [], rules: ['VFG-13', 'CMP-02'], example: 'set-container g to c' },
  { verb: 'unset-container', call: 'VFIO_GROUP_UNSET_CONTAINER', doc: 'Takes a group out of its container.', operands: [at('group', 'group', 'the group')], flags: [], rules: ['VFG-15'], example: 'unset-container g' },
  { verb: 'check-extension', call: 'VFIO_CHECK_EXTENSION', doc: 'Asks whether the container supports an extension.', operands: [at('container', 'container|iommufd', 'the container'), at('extension', 'number', 'number of the extension')], flags: [], rules: ['VFG-03', 'VFG-08'], example: 'check-extension c 3' },
  { verb: 'set-iommu', call: 'VFIO_SET_IOMMU', doc: 'Gives the container its IOMMU back end and attaches its groups.', operands: [at('container', 'container|iommufd', 'the container'), at('model', 'word', 'type1, type1v2, nesting, noiommu')], flags: [], rules: ['VFG-04', 'VFT-01', 'VFT-10', 'VFT-15'], example: 'set-iommu c type1v2' },
  { verb: 'iommu-info', call: 'VFIO_IOMMU_GET_INFO', doc: 'Page sizes and capabilities of the container.', operands: [at('container', 'container|iommufd', 'the container')], flags: [], rules: ['VFT-03', 'CMP-12'], example: 'iommu-info c' },
  { verb: 'map', call: 'VFIO_IOMMU_MAP_DMA / IOMMU_IOAS_MAP', doc: 'Maps memory of the process for DMA. Without `iova` (IOAS only) the kernel chooses. Without `from` a fresh buffer is used.', operands: [at('target', 'container|ioas|iommufd', 'a container (or an iommufd that stands in for one), or an IOAS'), may(key('iova', 'number', 'first I/O virtual address')), key('size', 'size', 'bytes'), may(key('from', 'memory', 'memory to map, `name` or `name + offset`', 'memory')), may(key('vaddr', 'number', 'virtual address, instead of `from`'))], flags: ['r', 'w', 'rw', 'none', 'update-vaddr'], rules: ['VFT-40', 'VFT-41', 'VFT-42', 'VFT-43', 'VFT-44', 'VFT-45', 'IFD-18', 'CMP-13'], example: 'map c iova 0x10_0000 size 64KiB from ram rw' },
  { verb: 'unmap', call: 'VFIO_IOMMU_UNMAP_DMA / IOMMU_IOAS_UNMAP', doc: 'Unmaps a range; `with-dirty` (containers only) also tells which of its pages are dirty.', operands: [at('target', 'container|ioas|iommufd', 'a container (or an iommufd that stands in for one), or an IOAS'), may(key('iova', 'number', 'first I/O virtual address')), may(key('size', 'size', 'bytes'))], flags: ['all', 'keep-vaddr', 'with-dirty'], rules: ['VFT-50', 'VFT-51', 'VFT-52', 'IFD-20', 'CMP-14'], example: 'unmap c iova 0x10_0000 size 64KiB' },
  { verb: 'get-device', call: 'VFIO_GROUP_GET_DEVICE_FD', doc: 'Gets the file descriptor of a device.', operands: [at('handle', 'new device-fd', 'its name from here on'), key('of', 'device', 'the device', 'device'), key('in', 'group', 'its group', 'group'), may(key('token', 'text', 'the VF token, a UUID'))], flags: [], rules: ['VFG-16', 'VFG-30', 'CMP-03'], example: 'get-device d of gpu in g' },
  { verb: 'pin-pages', call: 'vfio_pin_pages()', doc: "What a mediating driver does when its guest starts DMA: pins pages by reading the container's mappings.", operands: [at('device', 'device', 'the mediated device'), key('iova', 'number', 'first I/O virtual address'), key('size', 'size', 'bytes')], flags: ['r', 'w', 'rw'], rules: ['VFT-70', 'VFT-71', 'ACC-10'], example: 'pin-pages vgpu0 iova 0x10_0000 size 4KiB rw' },
  { verb: 'unpin-pages', call: 'vfio_unpin_pages()', doc: 'The opposite of pin-pages.', operands: [at('device', 'device', 'the mediated device'), key('iova', 'number', 'first I/O virtual address'), key('size', 'size', 'bytes')], flags: [], rules: ['VFT-73'], example: 'unpin-pages vgpu0 iova 0x10_0000 size 4KiB' },
  { verb: 'close', call: 'close()', doc: 'Closes a file descriptor.', operands: [at('handle', 'any handle', 'the handle')], flags: [], rules: ['VFG-18', 'VFG-19', 'IFD-07'], example: 'close g' },
];

const IOMMUFD_VERBS: readonly VerbSpec[] = [
  { verb: 'open-iommufd', call: 'open("/dev/iommu")', doc: 'Opens a new iommufd context.', operands: [at('handle', 'new iommufd', 'its name from here on')], flags: [], rules: ['IFD-06'], example: 'open-iommufd fd' },
  { verb: 'open-cdev', call: 'open("/dev/vfio/devices/vfioX")', doc: 'Opens the character device of a VFIO device.', operands: [at('handle', 'new cdev', 'its name from here on'), key('of', 'device', 'the device', 'device')], flags: [], rules: ['CDV-01'], example: 'open-cdev d of gpu' },
  { verb: 'bind-iommufd', call: 'VFIO_DEVICE_BIND_IOMMUFD', doc: 'Binds a device to an iommufd context, which takes DMA ownership of its group.', operands: [at('device', 'device|cdev', 'the cdev, or the device: its cdev is opened first'), key('to', 'iommufd', 'the context', 'iommufd'), may(key('token', 'text', 'the VF token, a UUID'))], flags: [], rules: ['CDV-02', 'VFG-30', 'IFD-30'], example: 'bind-iommufd gpu to fd' },
  { verb: 'ioas-alloc', call: 'IOMMU_IOAS_ALLOC', doc: 'Allocates an I/O address space.', operands: [at('handle', 'new ioas', 'its name from here on'), key('in', 'iommufd', 'the context', 'iommufd')], flags: [], rules: ['IFD-11'], example: 'ioas-alloc A in fd' },
  { verb: 'ioas-ranges', call: 'IOMMU_IOAS_IOVA_RANGES', doc: 'Usable I/O virtual address ranges and alignment.', operands: [at('target', 'ioas', 'the IOAS'), may(key('room', 'number', 'ranges that fit into the answer'))], flags: [], rules: ['IFD-15'], example: 'ioas-ranges A' },
  { verb: 'ioas-allow', call: 'IOMMU_IOAS_ALLOW_IOVAS', doc: 'Limits where the kernel may choose addresses.', operands: [at('target', 'ioas', 'the IOAS'), may(key('iova', 'number', 'first address; without it the limit is lifted')), may(key('size', 'size', 'bytes'))], flags: [], rules: ['IFD-14'], example: 'ioas-allow A iova 0x1000_0000 size 1GiB' },
  { verb: 'copy', call: 'IOMMU_IOAS_COPY', doc: 'Maps again what another IOAS has mapped.', operands: [at('source', 'ioas', 'copy from'), key('to', 'ioas', 'copy to', 'target'), key('iova', 'number', 'first address in the source'), key('size', 'size', 'bytes'), may(key('at', 'number', 'first address in the target'))], flags: ['r', 'w', 'rw'], rules: ['IFD-16'], example: 'copy A to B iova 0x1000 size 4KiB at 0x2000 rw' },
  { verb: 'hwpt-alloc', call: 'IOMMU_HWPT_ALLOC', doc: 'Allocates a hardware page table.', operands: [at('handle', 'new hwpt', 'its name from here on'), key('on', 'ioas|hwpt|viommu|mock-device|number', 'its IOAS, its parent, or a vIOMMU', 'parent'), key('for', 'device|cdev|mock-device|number', 'the device', 'device'), may(key('faults', 'fault-queue|number', 'the queue that takes page requests')), may(key('stage1', 'number', "VT-d: where the user's own first stage begins, as an address of the parent")), may(key('width', 'number', 'VT-d: bits of address of that stage, 48 or 57')), may(key('value', 'number', 'data for the test unit')), may(key('data-type', 'number', 'type of the data')), may(key('data-length', 'number', 'bytes of the data')), may(key('flags', 'number', 'the `flags` field as a number')), may(key('in', 'iommufd', 'the context, where all else are numbers', 'iommufd'))], flags: ['nest-parent', 'dirty-tracking', 'pasid', 'write-protect', 'null-data'], rules: ['IFD-60', 'IFD-61', 'IFD-62', 'IFD-63'], example: 'hwpt-alloc H on A for gpu' },
  { verb: 'attach', call: 'VFIO_DEVICE_ATTACH_IOMMUFD_PT', doc: 'Attaches a device to an IOAS or hardware page table; a second time, replaces.', operands: [at('device', 'device|cdev', 'the device or its cdev'), key('to', 'ioas|hwpt|mock-device|number', 'what it translates through', 'target'), may(key('pasid', 'number', 'only for this PASID'))], flags: [], rules: ['CDV-03', 'IFD-40', 'IFD-50'], example: 'attach gpu to A' },
  { verb: 'detach', call: 'VFIO_DEVICE_DETACH_IOMMUFD_PT', doc: 'Detaches a device.', operands: [at('device', 'device|cdev', 'the device or its cdev'), may(key('pasid', 'number', 'only this PASID'))], flags: [], rules: ['CDV-04', 'IFD-51'], example: 'detach gpu' },
  { verb: 'destroy', call: 'IOMMU_DESTROY', doc: 'Destroys an iommufd object.', operands: [at('handle', 'ioas|hwpt|fault-queue|viommu|vdevice|event-queue|hw-queue|mock-device|number', 'the object, or a number'), may(key('in', 'iommufd', 'the context, for a number', 'iommufd'))], flags: [], rules: ['IFD-10'], example: 'destroy A' },
  { verb: 'iommufd-option', call: 'IOMMU_OPTION', doc: 'Sets or reads an option of the context or of an IOAS.', operands: [at('target', 'ioas|iommufd', 'an IOAS or a context'), at('option', 'word', 'rlimit-mode or huge-pages'), may(at('value', 'number', '0 or 1; without it the option is read'))], flags: [], rules: ['IFD-12', 'IFD-13'], example: 'iommufd-option A huge-pages 0' },
  { verb: 'set-dirty-tracking', call: 'IOMMU_HWPT_SET_DIRTY_TRACKING', doc: 'Switches the recording of written pages on or off, for a page table that was allocated with `dirty-tracking`.', operands: [at('handle', 'hwpt', 'the page table')], flags: ['on', 'off'], rules: ['IFD-70', 'DRT-01'], example: 'set-dirty-tracking H on' },
  { verb: 'dirty-bitmap', call: 'IOMMU_HWPT_GET_DIRTY_BITMAP', doc: 'Reads which pages of 4 KiB were written to, and forgets it unless `keep`. The value is how many.', operands: [at('handle', 'hwpt', 'the page table'), key('iova', 'number', 'first address'), key('size', 'size', 'bytes'), may(key('page', 'size', 'bytes of a page, instead of 4 KiB'))], flags: ['keep'], rules: ['IFD-71', 'DRT-01'], example: 'dirty-bitmap H iova 0x10_0000 size 1MiB' },
  { verb: 'get-hw-info', call: 'IOMMU_GET_HW_INFO', doc: 'What hardware is behind a bound device.', operands: [at('device', 'device|cdev|mock-device|number', 'the device'), may(key('type', 'number', 'the type that is asked for (INPUT_TYPE)')), may(key('in', 'iommufd', 'the context, for a number', 'iommufd'))], flags: [], rules: ['IFD-65'], example: 'get-hw-info gpu' },
];

const SYSFS_VERBS: readonly VerbSpec[] = [
  { verb: 'bind', call: 'echo ADDR > /sys/bus/pci/drivers/DRIVER/bind', doc: 'Binds a device to a driver.', operands: [at('device', 'device', 'the device'), key('to', 'word', 'the driver', 'driver')], flags: [], rules: ['OWN-01', 'OWN-02', 'OWN-21'], example: 'bind gpu to vfio-pci' },
  { verb: 'unbind', call: 'echo ADDR > /sys/bus/pci/devices/ADDR/driver/unbind', doc: 'Takes the driver off a device.', operands: [at('device', 'device', 'the device')], flags: [], rules: ['OWN-03', 'VFG-23'], example: 'unbind gpu' },
  { verb: 'drivers-probe', call: 'echo ADDR > /sys/bus/pci/drivers_probe', doc: 'Lets the driver core find a driver for a device: the one of its `driver_override`, or else its described one. EINVAL when the group is owned by user space; what the probe of the driver answers is in the log alone.', operands: [at('device', 'device', 'the device')], flags: [], rules: ['OWN-21'], example: 'drivers-probe gpu' },
  { verb: 'driver-override', call: 'echo DRIVER > /sys/bus/pci/devices/ADDR/driver_override', doc: 'Says which driver alone may have the device; `none` takes that back.', operands: [at('device', 'device', 'the device'), key('to', 'word', 'the driver, or none', 'driver')], flags: [], rules: ['OWN-21'], example: 'driver-override gpu to vfio-pci' },
  { verb: 'remove', call: 'echo 1 > /sys/bus/pci/devices/ADDR/remove', doc: 'Takes a device out of the machine, with all that is below it.', operands: [at('device', 'device', 'the device')], flags: [], rules: ['GRL-04', 'GRL-05'], example: 'remove gpu' },
  { verb: 'hotplug', call: 'echo 1 > /sys/bus/pci/rescan', doc: 'Brings a removed device back, as if it were plugged in: it joins a group or starts one, and its driver is tried.', operands: [at('device', 'device', 'a device that was removed')], flags: [], rules: ['GRL-06', 'GRP-21'], example: 'hotplug gpu' },
  { verb: 'group-of', call: 'readlink /sys/bus/pci/devices/ADDR/iommu_group', doc: 'The number of the group that a device is in.', operands: [at('device', 'device', 'the device')], flags: [], rules: ['GRL-01'], example: 'group-of gpu' },
  { verb: 'group-type', call: 'cat /sys/kernel/iommu_groups/N/type', doc: 'The type of the default domain of a group: its number is 3 for DMA, 11 for DMA-FQ, 4 for identity.', operands: [at('device', 'device', 'any device of the group')], flags: [], rules: ['GRL-01'], example: 'group-type gpu' },
  { verb: 'reserved-regions', call: 'cat /sys/kernel/iommu_groups/N/reserved_regions', doc: 'The reserved regions of a group as sysfs shows them; the value is the number of lines.', operands: [at('device', 'device', 'any device of the group')], flags: [], rules: ['GRL-01', 'RSV-13'], example: 'reserved-regions gpu' },
  { verb: 'set-group-type', call: 'echo TYPE > /sys/kernel/iommu_groups/N/type', doc: 'Changes the default domain type of a group.', operands: [at('device', 'device', 'any device of the group'), key('to', 'word', 'identity, DMA, DMA-FQ, auto', 'type')], flags: [], rules: ['TYP-01', 'TYP-03', 'TYP-05', 'TYP-06'], example: 'set-group-type gpu to identity' },
  { verb: 'dma-map', call: 'dma_map_page()', doc: "A kernel driver maps memory through the DMA API, into its group's default domain.", operands: [at('device', 'device', 'the device'), key('size', 'size', 'bytes'), may(key('iova', 'number', 'the address to use instead of the allocator')), may(key('at', 'number', 'physical address'))], flags: ['r', 'w', 'rw'], rules: ['LNX-11'], example: 'dma-map nic size 4KiB rw' },
  { verb: 'dma-unmap', call: 'dma_unmap_page()', doc: "A kernel driver unmaps memory. In a strict domain the IOTLB forgets it at once; in a lazy one (DMA-FQ) it waits on the flush queue, and stale DMA still succeeds meanwhile.", operands: [at('device', 'device', 'the device'), may(key('iova', 'number', 'what `dma-map` gave; without it, the latest mapping of the device'))], flags: [], rules: ['LNX-11', 'DOM-04', 'VTD-70'], example: 'dma-unmap nic' },
  { verb: 'wait', call: '(time passes)', doc: 'Lets time pass. The flush-queue timer of a lazy domain fires 10 ms after the first unmap that waits for it.', operands: [at('milliseconds', 'number', 'how long, in milliseconds')], flags: ['ms'], rules: ['DOM-04'], example: 'wait 10 ms' },
  { verb: 'busmaster', call: 'PCI_COMMAND.BusMaster', doc: 'Switches bus mastering of a device.', operands: [at('device', 'device', 'the device')], flags: ['on', 'off'], rules: [], example: 'busmaster gpu off' },
  { verb: 'kill', call: 'SIGKILL', doc: 'Ends a process: all its file descriptors are closed.', operands: [at('process', 'word', 'its name')], flags: [], rules: ['VFG-18', 'IFD-07'], example: 'kill qemu' },
];

const MEMORY_VERBS: readonly VerbSpec[] = [
  { verb: 'write', call: '(CPU store)', doc: 'Writes a 64-bit word to memory: of the process or, without `to`, physical.', operands: [may(key('to', 'memory', 'a memory', 'memory')), key('at', 'number', 'offset into the memory, or physical address'), key('value', 'number', 'the word')], flags: [], rules: [], example: 'write at 0x20_0000 value 0x20_1003' },
  { verb: 'write-register', call: '(MMIO store)', doc: 'Writes a register of an IOMMU unit, by its name in the manual or its offset. It is in force at once; the unit then follows it and not what the kernel wrote, and caches nothing.', operands: [at('register', 'word', 'the register'), key('of', 'word', 'the unit', 'unit'), key('value', 'number', 'what is written')], flags: [], rules: ['VTD-10'], example: 'write-register RTADDR of dmar0 value 0x10_0000' },
];

/** In a set; without it, as the model has it. */
const inSet = key('in', 'ioasid-set|pasid-set', 'the set', 'set');
const theId = at('id', 'ioasid|number', 'the IOASID');

/** How PASIDs are given out, by the calls of the series of 2021; which of them a kernel has depends on its version and on `ioasid sets-2021`. */
const IOASID_VERBS: readonly VerbSpec[] = [
  { verb: 'ioasid-set-alloc', call: 'ioasid_set_alloc()', doc: 'Makes a set of PASIDs with an owner and a quota. As merged, a set was only a token; today there are none.', operands: [at('handle', 'new ioasid-set', 'its name from here on'), at('type', 'word', 'MM: the calling process owns it; NULL: nobody; or any number'), may(key('quota', 'number', 'how many PASIDs it may hold; 0 or nothing: all that are left'))], flags: ['token', 'no-token'], rules: ['IOX-02', 'IOA-01'], example: 'ioasid-set-alloc S MM quota 2' },
  { verb: 'ioasid-set-free', call: 'ioasid_set_free()', doc: 'Ends an empty set.', operands: [at('set', 'ioasid-set|pasid-set', 'the set')], flags: [], rules: ['IOX-03'], example: 'ioasid-set-free S' },
  { verb: 'ioasid-alloc', call: 'ioasid_alloc()', doc: 'Takes the lowest free PASID of a range. What fails gives INVALID_IOASID (0xffffffff) and no errno.', operands: [at('handle', 'new ioasid', 'its name from here on'), may(inSet), may(key('from', 'number', 'lowest number', 'min')), may(key('to', 'number', 'highest number', 'max')), may(key('for', 'device', 'the device that will use it: without a range, what it can do', 'device')), may(key('value', 'number', "the driver's private pointer", 'data'))], flags: [], rules: ['IOA-02', 'IOA-08', 'IOX-04'], example: 'ioasid-alloc p in S from 1 to 100' },
  { verb: 'ioasid-get', call: 'ioasid_get()', doc: 'Takes a reference.', operands: [theId, may(inSet)], flags: [], rules: ['IOA-03', 'IOX-05'], example: 'ioasid-get p in S' },
  { verb: 'ioasid-get-if-owned', call: 'ioasid_get_if_owned()', doc: 'Takes a reference for a system call, whose process must own the set.', operands: [theId], flags: [], rules: ['IOX-05'], example: 'ioasid-get-if-owned p' },
  { verb: 'ioasid-put', call: 'ioasid_put()', doc: 'Drops a reference; 1 when that was the last and the number is free.', operands: [theId, may(inSet)], flags: [], rules: ['IOA-03', 'IOX-05'], example: 'ioasid-put p in S' },
  { verb: 'ioasid-free', call: 'ioasid_free()', doc: 'Frees a PASID. In the series of 2021 one that is still in use becomes FREE_PENDING, and everybody is told.', operands: [theId, may(inSet)], flags: [], rules: ['IOA-03', 'IOX-06'], example: 'ioasid-free p in S' },
  { verb: 'ioasid-find', call: 'ioasid_find()', doc: "The driver's private pointer of a PASID; 0 when the getter refuses.", operands: [theId, may(inSet)], flags: ['getter-refuses'], rules: ['IOA-04'], example: 'ioasid-find p in S' },
  { verb: 'ioasid-set-data', call: 'ioasid_set_data()', doc: "Sets the driver's private pointer of a PASID.", operands: [theId, key('value', 'number', 'the pointer', 'data')], flags: [], rules: ['IOA-04'], example: 'ioasid-set-data p value 7' },
  { verb: 'ioasid-state', call: '(looked up)', doc: 'What the kernel knows of a PASID: FREE, IDLE, ACTIVE or FREE_PENDING, and its references, which `expect value` compares with.', operands: [theId], flags: [], rules: ['IOX-06'], example: 'ioasid-state p' },
  { verb: 'ioasid-attach-spid', call: 'ioasid_attach_spid()', doc: "Gives a PASID the number that its set's owner knows it by: a guest's own PASID.", operands: [theId, key('to', 'number', 'the number of the owner', 'spid')], flags: [], rules: ['IOX-08'], example: 'ioasid-attach-spid p to 101' },
  { verb: 'ioasid-detach-spid', call: 'ioasid_detach_spid()', doc: 'Takes that number away.', operands: [theId], flags: [], rules: ['IOX-08'], example: 'ioasid-detach-spid p' },
  { verb: 'ioasid-find-by-spid', call: 'ioasid_find_by_spid()', doc: "The PASID behind a number of the set's owner, or INVALID_IOASID.", operands: [at('spid', 'number', 'the number of the owner'), inSet], flags: [], rules: ['IOX-08'], example: 'ioasid-find-by-spid 101 in S' },
  { verb: 'ioasid-register-allocator', call: 'ioasid_register_allocator()', doc: 'Puts a custom allocator in place of the default one; VT-d has one for guests, whose numbers come from the hypervisor.', operands: [at('name', 'word', 'its name'), may(key('of', 'word', 'its alloc and free functions: those with the same share one space of numbers', 'functions'))], flags: [], rules: ['IOA-05', 'IOA-06'], example: 'ioasid-register-allocator dmar0 of vcmd' },
  { verb: 'ioasid-unregister-allocator', call: 'ioasid_unregister_allocator()', doc: 'Takes a custom allocator away.', operands: [at('name', 'word', 'its name'), may(key('of', 'word', 'its alloc and free functions', 'functions'))], flags: [], rules: ['IOA-05'], example: 'ioasid-unregister-allocator dmar0 of vcmd' },
  { verb: 'ioasid-install-capacity', call: 'ioasid_install_capacity()', doc: 'How many PASIDs the machine has; 2^20 unless installed.', operands: [at('count', 'number', 'how many')], flags: [], rules: ['IOX-01'], example: 'ioasid-install-capacity 0x1000' },
  { verb: 'ioasid-reserve-capacity', call: 'ioasid_reserve_capacity()', doc: 'Reserves of what is promised to nobody; 0 takes all.', operands: [at('count', 'number', 'how many')], flags: [], rules: ['IOX-01'], example: 'ioasid-reserve-capacity 16' },
  { verb: 'ioasid-cancel-capacity', call: 'ioasid_cancel_capacity()', doc: 'Gives a reservation back.', operands: [at('count', 'number', 'how many')], flags: [], rules: ['IOX-01'], example: 'ioasid-cancel-capacity 16' },
  { verb: 'ioasid-register-notifier', call: 'ioasid_register_notifier() / ioasid_register_notifier_mm()', doc: 'Who wants to hear of a set (`in`), of the set of the calling process even before there is one (`mm`), or of the end of any PASID.', operands: [at('name', 'word', 'its name'), at('level', 'word', 'CPU, IOMMU or DEVICE: they hear in this order'), may(inSet)], flags: ['mm'], rules: ['IOX-07'], example: 'ioasid-register-notifier kvm CPU mm' },
  { verb: 'cgroup-create', call: 'mkdir("/sys/fs/cgroup/NAME")', doc: 'Makes a cgroup. In the series of 2021 it may have no PASID until `write-ioasids-max`.', operands: [at('cgroup', 'word', 'its name'), may(key('in', 'word', 'the cgroup above it; without it, the root', 'parent'))], flags: [], rules: ['IOX-09'], example: 'cgroup-create guests' },
  { verb: 'cgroup-move', call: 'echo PID > /sys/fs/cgroup/NAME/cgroup.procs', doc: 'Moves a process with its PASIDs into a cgroup. Never refused.', operands: [at('process', 'word', 'the process'), key('to', 'word', 'the cgroup', 'cgroup')], flags: [], rules: ['IOX-09'], example: 'cgroup-move qemu to guests' },
  { verb: 'write-ioasids-max', call: 'echo N > /sys/fs/cgroup/NAME/ioasids.max', doc: 'How many PASIDs a cgroup may have; `max` takes all that are left.', operands: [at('cgroup', 'word', 'the cgroup'), at('text', 'word', 'a number, or max')], flags: [], rules: ['IOX-09'], example: 'write-ioasids-max guests 16' },
  { verb: 'read-ioasids', call: 'cat /sys/fs/cgroup/NAME/ioasids.current', doc: 'How many PASIDs the processes of a cgroup have; also `ioasids.max` and `ioasids.events`.', operands: [at('cgroup', 'word', 'the cgroup')], flags: [], rules: ['IOX-09'], example: 'read-ioasids guests' },
  { verb: 'open-ioasid', call: 'open("/dev/ioasid")', doc: 'Opens the device file that the series of 2021 proposed; with it the process gets a set.', operands: [at('handle', 'new ioasid-file', 'its name from here on')], flags: [], rules: ['IOX-10'], example: 'open-ioasid f' },
  { verb: 'ioasid-request', call: 'IOASID_REQUEST_ALLOC', doc: 'Asks the device file for a PASID.', operands: [at('handle', 'new ioasid', 'its name from here on'), key('in', 'ioasid-file', 'the file', 'file'), key('from', 'number', 'lowest number', 'min'), key('to', 'number', 'highest number', 'max')], flags: ['short', 'unknown-flags', 'bad-pointer'], rules: ['IOX-10'], example: 'ioasid-request p in f from 1 to 100' },
  { verb: 'ioasid-release', call: 'IOASID_REQUEST_FREE', doc: 'Gives a PASID back to the device file.', operands: [theId, key('in', 'ioasid-file', 'the file', 'file')], flags: ['bad-pointer'], rules: ['IOX-10'], example: 'ioasid-release p in f' },
  { verb: 'ioasid-ioctl', call: 'IOASID_GET_API_VERSION / IOASID_GET_INFO', doc: 'Any other ioctl of the device file.', operands: [at('file', 'ioasid-file', 'the file'), at('command', 'word', 'GET_API_VERSION, GET_INFO, or a number')], flags: [], rules: ['IOX-10'], example: 'ioasid-ioctl f GET_INFO' },
];

/** Every verb, in the order in which the reference prints them. */
export const VERBS: readonly VerbSpec[] = [...VFIO_VERBS, ...VFIO_DEVICE_VERBS, ...IOMMUFD_VERBS, ...SYSFS_VERBS, ...IOASID_VERBS, ...KERNEL_VERBS, ...MEMORY_VERBS, ...PROGRAM_VERBS, ...NESTED_VERBS, ...SELFTEST_VERBS];

export const verbNamed: ReadonlyMap<string, VerbSpec> = new Map(VERBS.map((verb) => [verb.verb, verb]));
