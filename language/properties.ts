/**
 * The table of simple properties: `key`, or `key value`, or `key value, value`. Validation, completion, hovers, lowering and
 * the tokens of the parser all read it. Properties with a shape of their own (bar, window, sriov ...) are in the grammar.
 */

/** What a property may stand in. */
export type Holder = 'function' | 'iommu' | 'platform' | 'mdev' | 'vm' | 'process';

export type ValueShape =
  /** Nothing, `yes` or `no`. */
  | 'flag'
  | 'number' | 'numbers' | 'size' | 'sizes'
  /** One of `words`. */
  | 'word'
  /** Some of `words`, or alone one of `alone`. */
  | 'words'
  /** Any one word or string. */
  | 'name' | 'names' | 'text'
  /** Two 16-bit hexadecimal numbers, `10de:2484`. */
  | 'id-pair'
  /** A word of `CLASS_CODES` or a 24-bit number. */
  | 'class'
  /** Device and function, `1c.2`. */
  | 'devfns';

export interface PropertySpec {
  readonly key: string;
  readonly on: readonly Holder[];
  readonly value: ValueShape;
  readonly words?: readonly string[];
  /** Of `words`: what may stand there instead of a list. */
  readonly alone?: readonly string[];
  /** Greatest number allowed. */
  readonly max?: bigint;
  /** Of a flag that is set unless the file says `no`. */
  readonly usual?: boolean;
  /** The only program that looks at it. */
  readonly program?: string;
  readonly doc: string;
  readonly example: string;
}

export const ACS_BITS: Readonly<Record<string, number>> = { SV: 0x01, TB: 0x02, RR: 0x04, CR: 0x08, UF: 0x10, EC: 0x20, DT: 0x40 };
const ACS_WORDS = Object.keys(ACS_BITS);
const U32 = 0xffff_ffffn;

type Extra = Partial<Omit<PropertySpec, 'key' | 'on' | 'value' | 'doc' | 'example'>>;
const property = (on: readonly Holder[], key: string, value: ValueShape, doc: string, example = key, extra: Extra = {}): PropertySpec =>
  ({ key, on, value, doc, example, ...extra });
type Short = [key: string, value: ValueShape, doc: string, example?: string, extra?: Extra];
const allOn = (on: readonly Holder[], rows: readonly Short[]): PropertySpec[] => rows.map((row) => property(on, ...row));

const FUNCTION_PROPERTIES = allOn(['function'], [
  ['id', 'id-pair', 'Vendor and device ID, hexadecimal.', 'id 10de:2484'],
  ['subsystem', 'id-pair', 'Subsystem vendor and device ID.', 'subsystem 1043:87b2'],
  ['class', 'class', 'Class code: a word, or the 24-bit number (base class, subclass, programming interface).', 'class vga'],
  ['label', 'text', 'One line of description, such as the name that lspci prints.', 'label "GeForce RTX 3070"'],
  ['driver-override', 'name', 'What stands in `driver_override` in sysfs: the only driver that may bind.', 'driver-override vfio-pci'],
  ['acs', 'words', 'ACS *capability*: the controls that the port or function has. What the kernel enables of it at boot follows from the kernel and its command line. `none`: no capability; `empty`: the capability with no bit set, which still isolates an endpoint (ACS-08); `unknown`: the import could not see it.', 'acs SV, RR, CR, UF', { words: ACS_WORDS, alone: ['none', 'empty', 'unknown'] }],
  ['acs-control', 'words', 'ACS *control* register as read on the running host; overrides what the kernel would have enabled.', 'acs-control SV, RR, CR, UF', { words: ACS_WORDS, alone: ['none'] }],
  ['acs-firmware', 'words', 'What firmware left in the ACS control register before the kernel came.', 'acs-firmware SV', { words: ACS_WORDS, alone: ['none'] }],
  ['multifunction', 'flag', 'Header type bit 7. Unless said, set when a sibling function is described.', 'multifunction no'],
  ['ats', 'flag', 'Address Translation Services: the device has a TLB of its own.'],
  ['pri', 'flag', 'Page Request Interface.'],
  ['pasid', 'number', 'PASID capability with this many bits.', 'pasid 20', { max: 20n }],
  ['ari', 'flag', 'Alternative Routing-ID Interpretation: functions up to 255.'],
  ['msi', 'flag', 'MSI or MSI-X. Present unless said.', 'msi no', { usual: true }],
  ['flr', 'flag', 'Function level reset.', 'flr no'],
  ['reset-method', 'words', 'Ways to reset the function alone, as `reset_method` in sysfs lists them. `none`: it has none.', 'reset-method flr, bus', { words: ['device_specific', 'acpi', 'flr', 'af_flr', 'pm', 'bus', 'cxl_bus'], alone: ['none'] }],
  ['vf-bars', 'sizes', 'Sizes of the memory BARs of each virtual function.', 'vf-bars 16KiB, 16KiB'],
  ['guest-rom', 'text', 'What a VM gets as the expansion ROM of the device: an image (QEMU: `romfile=`), or `none` (QEMU: `rombar=0`).', 'guest-rom "gpu.rom"'],
  ['alias', 'devfns', 'Requester IDs on the same bus that it uses besides its own (a quirk of the device).', 'alias 01.1'],
  ['external-facing', 'flag', 'Firmware says that what is behind this port is outside of the machine (Thunderbolt, USB4).'],
  ['group', 'number', 'The IOMMU group number that was recorded on the running host. A claim to compare with, never an input.', 'group 13', { max: U32 }],
  ['probed', 'flag', 'Some driver has probed it, though none is bound now: behind a unit that firmware describes it has a group for that, before Linux 6.15 (GRL-07).'],
  ['chipset-registers', 'flag', "Of the bridge to the bus of an Intel chipset (00:1f.0): firmware made the chipset's registers visible (RCBA). Yes unless said.", 'chipset-registers no', { usual: true }],
  ['boot-vga', 'flag', 'The display that firmware used.'],
  ['internal-peer-to-peer', 'flag', 'The functions of this device can reach one another without leaving it.'],
]);

const IOMMU_PROPERTIES = allOn(['iommu'], [
  ['segment', 'number', 'PCI segment (domain) that the unit serves, 0 unless said.', 'segment 1', { max: U32 }],
  ['address-width', 'number', 'Bits of input address (MGAW).', 'address-width 48', { max: 64n }],
  ['physical-width', 'number', 'Bits of physical address (HAW).', 'physical-width 46', { max: 64n }],
  ['levels', 'numbers', 'Page table depths that the unit supports.', 'levels 4, 5', { max: 6n }],
  ['page-sizes', 'sizes', 'Sizes of the pages that a leaf entry can map.', 'page-sizes 4KiB, 2MiB, 1GiB'],
  ['interrupt-remapping', 'flag', 'Interrupt remapping. Present unless said.', 'interrupt-remapping no', { usual: true }],
  ['coherent', 'flag', 'Table walks snoop the CPU caches. Present unless said.', 'coherent no', { usual: true }],
  ['snoop-control', 'flag', 'The unit can force DMA to snoop (VT-d SC).'],
  ['scalable-mode', 'flag', 'VT-d scalable mode (SMTS).'],
  ['first-stage', 'flag', 'First-stage translation (VT-d FSTS), or guest tables (AMD-Vi GTSup and GIoSup).'],
  ['nested', 'flag', 'Nested translation.'],
  ['dirty-tracking', 'flag', 'Dirty bits in second-stage tables.'],
  ['pass-through', 'flag', 'A pass-through type in the device entry; bypass domains of a virtio-iommu. Present unless said.', 'pass-through no', { usual: true }],
  ['caching-mode', 'flag', 'VT-d caching mode, as emulated units have.'],
  ['id-map-mask', 'number', 'What of a requester ID is looked up in `id-map` (`iommu-map-mask` of a device tree).', 'id-map-mask 0xfff8', { max: 0xffffn }],
  ['stream-mask', 'number', 'Bits of stream IDs that the unit ignores when it matches them (`stream-match-mask` of a device tree).', 'stream-mask 0x7f80', { max: 0x7fffn }],
  ['endpoints-together', 'flag', 'PAMU: the PCI controllers do not tell their endpoints apart.'],
]);

const SHARED_PROPERTIES: readonly PropertySpec[] = [
  property(['iommu'], 'ats', 'flag', 'Translates requests of device TLBs.'),
  property(['iommu'], 'pri', 'flag', 'Serves page requests.'),
  property(['iommu'], 'pasid', 'number', 'PASID bits that the unit supports.', 'pasid 20', { max: 20n }),
  property(['iommu'], 'driver', 'name', 'The driver of the unit. `none`: the kernel has none, so that the unit never registers.', 'driver none'),
  property(['platform'], 'hid', 'text', 'ACPI hardware ID, by which an AMD unit knows the device.', 'hid "AMDI0020"'),
  property(['platform'], 'uid', 'text', 'ACPI unique ID.', 'uid "1"'),
  property(['platform'], 'container', 'name', "Of a device on NXP's fsl-mc bus: the container that it is in.", 'container dprc1'),
  property(['function', 'platform'], 'driver', 'name', 'The kernel driver that has the device; `none`: no driver.', 'driver nvidia'),
  property(['platform'], 'streams', 'numbers', 'Stream IDs that the device uses.', 'streams 0x10, 0x11', { max: U32 }),
  property(['mdev'], 'instances', 'number', 'How many of its type the parent can have.', 'instances 1', { max: U32 }),
  property(['mdev'], 'type', 'name', 'The mdev type it was created from.', 'type "i915-GVTg_V5_4"'),
];

const OWNER_PROPERTIES = allOn(['vm', 'process'], [
  ['memlock', 'size', 'RLIMIT_MEMLOCK: how much memory the process may lock. `unlimited` unless said.', 'memlock 17GiB', { words: ['unlimited'] }],
  ['program', 'word', 'What it runs, which decides the calls and their order: `qemu` (a VM, unless said) or `libvirt` (QEMU started by libvirt, which also binds the devices and raises `memlock`); `dpdk` (a process, unless said) or `spdk`.', 'program libvirt', { words: ['qemu', 'libvirt', 'dpdk', 'spdk'] }],
  ['through', 'word', 'The API that the program uses.', 'through iommufd', { words: ['type1', 'iommufd', 'iommufd-container'] }],
  ['capabilities', 'words', 'Linux capabilities of the process.', 'capabilities IPC_LOCK', { words: ['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_ADMIN'], alone: ['none'] }],
  ['user', 'name', 'Who runs the program, by name. root unless said.', 'user qemu'],
  ['nodes', 'word', 'May the program open the nodes of its devices, /dev/vfio/N and /dev/vfio/devices/vfioX? `granted`: a udev rule, chown or the VM manager gave them to its user. `root-only`: as the kernel makes them, which is meant when a user is named. `cgroup-denied`: the device cgroup of its container does not list them.', 'nodes granted', { words: ['granted', 'root-only', 'cgroup-denied'] }],
]);

const VM_PROPERTIES = allOn(['vm'], [
  ['address-width', 'number', 'Bits of guest physical address that the processor of the VM shows (QEMU: `guest-phys-bits` or `phys-bits`).', 'address-width 39', { max: 57n }],
  ['pci-window', 'size', 'The PCI window that the guest\'s firmware opens above the memory, for large BARs. 32GiB unless said.', 'pci-window 256GiB'],
  ['virtual-iommu', 'flag', 'The VM has an IOMMU of its own.'],
  ['managed', 'flag', 'Of `program libvirt`: it takes the devices from their host drivers itself (`managed=\'yes\'`). Present unless said; without it they must be bound already.', 'managed no', { usual: true, program: 'libvirt' }],
]);

export const PROPERTIES: readonly PropertySpec[] = [...FUNCTION_PROPERTIES, ...IOMMU_PROPERTIES, ...SHARED_PROPERTIES, ...OWNER_PROPERTIES, ...VM_PROPERTIES];

const byHolder = new Map<string, PropertySpec>(PROPERTIES.flatMap((spec) => spec.on.map((holder) => [`${holder} ${spec.key}`, spec])));

export const propertyOf = (holder: Holder, key: string): PropertySpec | undefined => byHolder.get(`${holder} ${positive(key)}`);
export const propertiesOf = (holder: Holder): PropertySpec[] => PROPERTIES.filter((spec) => spec.on.includes(holder));
export const PROPERTY_KEYS: ReadonlySet<string> = new Set(PROPERTIES.map((spec) => spec.key));

/** `no-coherent` is another way to write `coherent no`: one word for each flag that is usually set. */
export const NEGATED_KEYS: ReadonlySet<string> = new Set(PROPERTIES.filter((spec) => spec.usual).map((spec) => `no-${spec.key}`));
export const positive = (key: string): string => (NEGATED_KEYS.has(key) ? key.slice('no-'.length) : key);

/** Words for class codes: the ones that people pass through, and the fabric. */
export const CLASS_CODES: Readonly<Record<string, number>> = {
  vga: 0x030000, '3d': 0x030200, display: 0x038000, audio: 0x040300, video: 0x040000, sound: 0x040100,
  nvme: 0x010802, ahci: 0x010601, sata: 0x010601, raid: 0x010400, scsi: 0x010000, sas: 0x010700, ide: 0x010180,
  ethernet: 0x020000, network: 0x028000, wifi: 0x028000, infiniband: 0x020700,
  xhci: 0x0c0330, ehci: 0x0c0320, ohci: 0x0c0310, uhci: 0x0c0300, usb4: 0x0c0340, firewire: 0x0c0010, smbus: 0x0c0500,
  'host-bridge': 0x060000, 'isa-bridge': 0x060100, 'pci-bridge': 0x060400, serial: 0x070002, communication: 0x078000,
  'system-peripheral': 0x088000, 'sd-host': 0x080501, rcec: 0x080700,
  encryption: 0x108000, 'signal-processing': 0x118000, accelerator: 0x120000, instrumentation: 0x130000, unassigned: 0xff0000,
};
