/**
 * The machine description: what the simulator is given. Plain data, made by the language (from text), by an importer
 * (from a real host) or by a test; nothing here knows of files, lines or syntax.
 *
 * Every described thing has a `SubjectId`, the identity by which events and findings name it; whoever made the
 * description remembers what place in which file that was.
 */
import type { AddressRange, Iova, PhysicalAddress, VirtualAddress } from './memory/address.js';

/** Opaque identity of a described thing, unique within one `MachineDescription`. */
export type SubjectId = string & { readonly __subject?: never };

/** A fact that an import may not know; the simulator says what depends on it instead of guessing. */
export type Unknown = 'unknown';

export interface MachineDescription {
  readonly hosts: readonly HostDescription[];
  readonly groupClaims: readonly GroupClaim[];
  readonly owners: readonly OwnerDescription[];
  readonly domains: readonly DomainDescription[];
  /** Top-level `dma` and `never` statements: asked of each host after its owners are set up. */
  readonly questions: readonly Question[];
  readonly scenarios: readonly ScenarioDescription[];
  readonly pasidSets?: readonly PasidSetDescription[];
}

// ------------------------------------------------------------------------------------------------ host

export interface HostDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly kernel: KernelDescription;
  /** RAM, ascending and disjoint. Empty: not known, the simulator assumes DEFAULT_MEMORY of `scenario/`. */
  readonly memory: readonly AddressRange<PhysicalAddress>[];
  readonly iommus: readonly IommuDescription[];
  /** All PCI functions in enumeration order: a bridge before what is below it, else by address. */
  readonly functions: readonly FunctionDescription[];
  readonly platformDevices: readonly PlatformDeviceDescription[];
  readonly mediatedDevices: readonly MediatedDeviceDescription[];
  /** Who tells the kernel which device is behind which unit; undefined = ACPI, but where the unit exists only on device tree machines. */
  readonly firmware?: FirmwareKind;
  readonly reservedRegions: readonly ReservedRegionDescription[];
  /** 64-bit words that somebody wrote to physical memory after boot, in order. */
  readonly words?: readonly { readonly id: SubjectId; readonly address: PhysicalAddress; readonly values: readonly bigint[] }[];
  /** `dma-ranges` of the host bridge, in the order of the device tree (RSV-36); undefined = PCI devices may address everything. */
  readonly dmaRanges?: readonly AddressRange<Iova>[];
  /** `bind … to DRIVER` statements: what the administrator does after boot, before any owner starts; in order. */
  readonly bindings: readonly { readonly id: SubjectId; readonly device: SubjectId; readonly driver: string }[];
}

export type FirmwareKind = 'acpi' | 'device-tree';

export interface KernelDescription {
  readonly id: SubjectId;
  /** As `uname -r` begins: "5.13", "6.12.107". */
  readonly version: string;
  readonly commandLine: string;
  /** Build options as in .config without value ("VFIO_NOIOMMU", "IOMMUFD_VFIO_CONTAINER"); `!NAME` = explicitly off. */
  readonly buildOptions: readonly string[];
  /** Module parameters, "vfio_iommu_type1.allow_unsafe_interrupts=1". */
  readonly moduleParameters: readonly string[];
  /** How groups are formed; undefined = as every released kernel does. */
  readonly grouping?: GroupingName;
  /** Who gives out PASIDs; undefined = as the kernel version does. */
  readonly ioasid?: IoasidModelName;
  readonly cpuVendor: 'intel' | 'amd' | 'arm' | 'other' | Unknown;
}

/** The algorithm of all released kernels, or the one that a series of 2025 proposed (GR5-01 ..). */
export type GroupingName = 'classic' | '2025-rework';

/** As each version of the kernel gives out PASIDs, or the sets that a series of 2021 proposed (IOX-01 ..). */
export type IoasidModelName = 'released' | 'sets-2021';

/** `mock`: the unit that iommufd brings for its own tests (CNF-01); no file describes one. */
export type IommuArchitectureName = 'vtd' | 'amd-vi' | 'smmuv3' | 'riscv-iommu' | 'virtio-iommu' | 'mock' | EmbeddedIommuName;

/** Units of which Linux' way to group devices is known, and nothing of the hardware. */
export const EMBEDDED_IOMMUS = [
  'smmuv2', 'dart', 'mediatek', 'tegra-smmu', 'pamu', 'power', 's390', 'exynos', 'msm', 'qcom', 'mtk-v1', 'omap', 'rockchip', 'sprd', 'sun50i', 'ipmmu',
] as const;
export type EmbeddedIommuName = (typeof EMBEDDED_IOMMUS)[number];

/** Requester IDs `first .. last` arrive at the unit as stream IDs from `to` on: an entry of `iommu-map`, or of a root complex in IORT. */
export interface IdMapDescription {
  readonly first: number;
  readonly last: number;
  readonly to: number;
}

/** A device that firmware's table of an AMD unit names by its ACPI identity (IVHD entries of type 0xf0). */
export interface AcpiDeviceDescription {
  readonly hid: string;
  readonly uid?: string;
  readonly deviceId: number;
}

/** Stream IDs that the unit's driver, or the chip, treats as one: a region of MediaTek's, a group of Tegra's. */
export interface IdGroupDescription {
  readonly name: string;
  readonly ids: readonly number[];
}

export interface IommuDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly architecture: IommuArchitectureName;
  /** PCI segment the unit serves. */
  readonly segment: number;
  /** Functions or bridges (with everything below) in its scope; 'rest' = INCLUDE_PCI_ALL. */
  readonly covers: 'rest' | readonly SubjectId[];
  /** Functions that firmware's ranges leave out although `covers` would take them in (AMD-01). */
  readonly except?: readonly SubjectId[];
  /** Bits of input address (MGAW, aw); undefined = the architecture's default. */
  readonly addressWidth?: number;
  /** Bits of physical address (HAW). */
  readonly physicalWidth?: number;
  /** Page table levels that the unit supports, ascending; undefined = by address width. */
  readonly levels?: readonly number[];
  /** Bytes, ascending powers of two; undefined = the architecture's default. */
  readonly pageSizes?: readonly bigint[];
  readonly interruptRemapping: boolean;
  readonly coherent: boolean;
  readonly snoopControl: boolean;
  readonly scalableMode: boolean;
  readonly firstStage: boolean;
  readonly nested: boolean;
  readonly dirtyTracking: boolean;
  readonly passThrough: boolean;
  readonly deviceTlb: boolean;
  readonly pageRequests: boolean;
  readonly cachingMode: boolean;
  /** PASID bits, 0 = none. */
  readonly pasidBits: number;
  /** Undefined: stream IDs are requester IDs, and `covers` says whose. */
  readonly idMaps?: readonly IdMapDescription[];
  /** What of a requester ID is looked up in `idMaps` (`iommu-map-mask`); undefined = all. */
  readonly idMapMask?: number;
  /** Bits of stream IDs that the unit's matching ignores (`stream-match-mask`). */
  readonly streamMask?: number;
  readonly idGroups?: readonly IdGroupDescription[];
  readonly acpiDevices?: readonly AcpiDeviceDescription[];
  /** The unit has no driver in this kernel: it never registers. */
  readonly withoutDriver?: boolean;
  /** PAMU: the PCI controller does not tell its endpoints apart. */
  readonly endpointsTogether?: boolean;
  /** Registers that somebody wrote after boot, in order; by their name in `hardware/register-map`. */
  readonly registers?: readonly { readonly id: SubjectId; readonly name: string; readonly value: bigint }[];
}

/** `segment:bus:device.function`; with ARI `device` is 0 and `function` is 0 .. 255. */
export interface PciAddress {
  readonly segment: number;
  readonly bus: number;
  readonly device: number;
  readonly function: number;
}

export type FunctionType =
  | 'endpoint' | 'legacy-endpoint' | 'integrated-endpoint' | 'event-collector'
  | 'root-port' | 'upstream-port' | 'downstream-port'
  | 'pcie-to-pci-bridge' | 'pci-to-pcie-bridge'
  /** Conventional PCI: not PCIe at all. */
  | 'pci' | 'pci-bridge'
  | Unknown;

/** ACS register bits, PCIE r6 7.7.11: SV 1, TB 2, RR 4, CR 8, UF 0x10, EC 0x20, DT 0x40. */
export interface AcsDescription {
  readonly id?: SubjectId;
  readonly capability: number;
  /** As read on the running host; undefined: what the kernel makes of it at boot (ACE-01 ...) decides. */
  readonly control?: number;
  /** What firmware left in the control register, 0 unless said. */
  readonly firmwareControl: number;
}

export interface FunctionDescription {
  readonly id: SubjectId;
  readonly name: string;
  /** A one-line description, such as lspci's. */
  readonly label?: string;
  readonly address: PciAddress;
  readonly type: FunctionType;
  /** The bridge above; null on a root bus. */
  readonly upstream: SubjectId | null;
  /** Of a bridge. */
  readonly buses?: { readonly secondary: number; readonly subordinate: number };
  /** Header type bit 7 as read; undefined = set when a sibling function is described (ALI-17). */
  readonly multifunction?: boolean;
  readonly ids?: { readonly vendor: number; readonly device: number; readonly subsystemVendor?: number; readonly subsystemDevice?: number };
  /** 24 bits: base class, subclass, programming interface. */
  readonly classCode?: number;
  readonly acs: AcsDescription | 'none' | Unknown;
  readonly ari: boolean;
  readonly ats: boolean;
  readonly pri: boolean;
  /** PASID width in bits; 0 = no capability. */
  readonly pasidBits: number;
  readonly msi: boolean;
  readonly functionLevelReset?: boolean;
  /** Ways to reset it alone, in the order in which the kernel tries them, as sysfs `reset_method` lists them; undefined = not recorded. */
  readonly resetMethods?: readonly string[];
  /** Of a physical function: bytes that each of its virtual functions decodes, one per BAR. */
  readonly virtualBarSizes?: readonly bigint[];
  /** What a VM is shown as its expansion ROM: an image from a file, or nothing; undefined = what the device itself has. */
  readonly guestRom?: { readonly file: string } | 'none';
  readonly bars: readonly BarDescription[];
  /** Memory windows of a bridge. Empty: computed from the BARs below. */
  readonly windows: readonly { readonly range: AddressRange<PhysicalAddress>; readonly prefetchable: boolean }[];
  readonly sriov?: { readonly enabled: number; readonly total: number; readonly offset: number; readonly stride: number };
  /** Of a virtual function: its physical function, and which one it is (0 ...). */
  readonly virtualFunction?: { readonly of: SubjectId; readonly index: number };
  /** Same-bus devfns it is also known to use, beyond the kernel's quirk table. */
  readonly extraAliases: readonly number[];
  readonly externalFacing: boolean;
  /** The VMD endpoint that owns this function's segment. */
  readonly behindVmd?: SubjectId;
  /** A route between functions of one device that never leaves it (PCIE-23). */
  readonly internalPeerToPeer: boolean;
  /** The kernel driver bound to it; null = none. */
  readonly driver: string | null;
  readonly driverOverride?: string;
  /** Set when the import recorded a group number; a claim to compare with, never an input of grouping. */
  readonly recordedGroup?: number;
  /** Some driver has probed it, though none is bound: where groups form only then (GRL-07), it has one. */
  readonly probed?: boolean;
  readonly bootVga?: boolean;
  /** Of the bridge to the bus of an Intel chipset: whether firmware made the root complex registers visible (RCBA); undefined = yes. */
  readonly chipsetRegisters?: boolean;
}

export interface BarDescription {
  readonly id?: SubjectId;
  /** 0 .. 5, or 6 for the expansion ROM. */
  readonly index: number;
  readonly range: AddressRange<PhysicalAddress>;
  readonly prefetchable: boolean;
}

export interface PlatformDeviceDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly streamIds: readonly number[];
  readonly iommu?: SubjectId;
  /** Units that it names besides `iommu`, with the same stream IDs. */
  readonly furtherIommus?: readonly SubjectId[];
  readonly hid?: string;
  readonly uid?: string;
  /** Of a device on NXP's fsl-mc bus: its container. */
  readonly container?: string;
  readonly driver: string | null;
  readonly resources: readonly AddressRange<PhysicalAddress>[];
}

/** MDV-20: what kind of mediated device, which decides how (and whether) it gets a domain. */
export type MediatedKind = 'software' | 'software-no-dma' | 'parent-aux' | 'parent-rid';

export interface MediatedDeviceDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly kind: MediatedKind;
  readonly parent: SubjectId;
  readonly typeName?: string;
  /** How many of its type the parent can have; undefined = as many as anybody wants. */
  readonly instances?: number;
}

export type ReservedType = 'direct' | 'direct-relaxable' | 'reserved' | 'msi' | 'software-msi';

export interface ReservedRegionDescription {
  readonly id: SubjectId;
  readonly range: AddressRange;
  readonly type: ReservedType;
  /** Devices it is for; empty = every device. */
  readonly devices: readonly SubjectId[];
}

/** An assertion about the host: these functions, and no others but bridges, form one group. */
export interface GroupClaim {
  readonly id: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  readonly members: readonly { readonly id: SubjectId; readonly device: SubjectId }[];
}

// ------------------------------------------------------------------------------------------------ owners and domains

export type ApiChoice = 'type1' | 'iommufd' | 'iommufd-container';

/** What an owner runs; the calls and their order are the real program's. `libvirt`: QEMU started by libvirt. */
export type ProgramName = 'qemu' | 'libvirt' | 'dpdk' | 'spdk';

/** `root-only`: root 0600, as the kernel makes them. `granted`: somebody gave them to the user. `cgroup-denied`: the device cgroup lists them not. */
export type NodeAccess = 'granted' | 'root-only' | 'cgroup-denied';

/** A VM or a user-space process that owns devices; turned into the calls its program would make. */
export interface OwnerDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  readonly kind: 'vm' | 'process';
  readonly through: ApiChoice;
  /** Undefined = QEMU for a VM, DPDK for a process. */
  readonly program?: ProgramName;
  /** libvirt takes the devices from the host's drivers itself (`managed='yes'`); undefined = it does. */
  readonly managed?: boolean;
  readonly memory: readonly OwnerMemory[];
  /** Bytes; undefined = the limit is not given: unlimited for a VM started by a manager that sets it. */
  readonly memlock?: bigint;
  readonly capabilities: readonly string[];
  /** Who runs the program; undefined = root. */
  readonly user?: string;
  /** Whether the device nodes may be opened; undefined = by root only, as the kernel makes them. */
  readonly nodes?: NodeAccess;
  /** Bits of guest physical address that a VM's processor shows; undefined = not said. */
  readonly addressWidth?: number;
  /** Bytes of a VM's PCI window above its memory; undefined = the firmware's usual one. */
  readonly pciWindow?: bigint;
  /** A VM with an IOMMU of its own: each of its slots is an address space. */
  readonly virtualIommu?: boolean;
  readonly assigned: readonly { readonly id: SubjectId; readonly device: SubjectId }[];
}

export interface OwnerMemory {
  readonly id: SubjectId;
  readonly name: string;
  /** Bytes. */
  readonly size: bigint;
  /** Guest physical address for a VM, virtual address for a process; undefined = placed by the owner's convention. */
  readonly at?: bigint;
  /** Bytes of the physically contiguous, aligned pieces that back it: 4 KiB, 2 MiB (default), 1 GiB. */
  readonly backing: bigint;
  readonly kind: 'anonymous' | 'hugetlb' | 'file' | 'read-only' | 'device';
  readonly virtual?: VirtualAddress;
}

/** A domain written down directly, outside any API: type, maps and attachments. */
export interface DomainDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  readonly type: 'identity' | 'blocked' | 'dma' | 'dma-fq' | 'unmanaged' | 'nested' | 'sva';
  readonly maps: readonly { readonly id: SubjectId; readonly iova: AddressRange; readonly to: PhysicalAddress; readonly permission: Permission }[];
  readonly attachments: readonly { readonly id: SubjectId; readonly device: SubjectId; readonly pasid?: number }[];
}

export interface Permission {
  readonly read: boolean;
  readonly write: boolean;
}

/** A set of PASIDs that exists from the start: made for its owner by whoever manages the host (IOX-02). */
export interface PasidSetDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  /** The VM or process whose address space owns it, by name; undefined: a set of type NULL. */
  readonly owner?: string;
  /** 0: all that is left. */
  readonly quota: bigint;
  /** Lowest number that is given out unless a step says a range. */
  readonly first?: bigint;
}

// ------------------------------------------------------------------------------------------------ scenarios

export interface ScenarioDescription {
  readonly id: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  /** Replaces the host's kernel version for this scenario. */
  readonly kernelVersion?: string;
  readonly commandLine?: string;
  /** Replaces the host's way to give out PASIDs. */
  readonly ioasid?: IoasidModelName;
  readonly memory: readonly OwnerMemory[];
  readonly actions: readonly ActionDescription[];
}

export type ActionDescription = StepDescription | DmaDescription;

export type Question = DmaDescription | NeverDescription;

/** One call, named after what it does; the verb table in `scenario/verbs.ts` says which operands it takes. */
export interface StepDescription {
  readonly kind: 'step';
  readonly id: SubjectId;
  /** The step as written (or as expanded from an owner), one line. */
  readonly text: string;
  readonly verb: string;
  /** Which process makes the call; steps of one process share its file descriptors and memory. */
  readonly process: string;
  /** By role, as the verb table names them. */
  readonly operands: Readonly<Record<string, Operand>>;
  readonly flags: readonly string[];
  readonly expect?: Expectation;
}

export type Operand =
  | { readonly kind: 'number'; readonly value: bigint }
  /** A handle that this or an earlier step introduces: container, group, iommufd, IOAS, hwpt ... */
  | { readonly kind: 'handle'; readonly name: string }
  /** A described thing: device, memory, domain. */
  | { readonly kind: 'subject'; readonly subject: SubjectId; readonly name: string }
  | { readonly kind: 'word'; readonly word: string };

export interface DmaDescription {
  readonly kind: 'dma';
  readonly id: SubjectId;
  readonly text: string;
  readonly host: SubjectId;
  readonly device: SubjectId;
  readonly access: 'read' | 'write' | 'atomic';
  readonly address: bigint;
  /** Bytes, at least 1. */
  readonly size: bigint;
  readonly addressType: 'untranslated' | 'translation-request' | 'translated';
  readonly pasid?: number;
  readonly privileged: boolean;
  readonly execute: boolean;
  readonly expect?: Expectation;
}

/** `never gpu reaches memory of host`: proved, or refuted with a DMA that does it. */
export interface NeverDescription {
  readonly kind: 'never';
  readonly id: SubjectId;
  readonly text: string;
  readonly host: SubjectId;
  readonly device: SubjectId;
  readonly target: { readonly kind: 'host-memory' } | { readonly kind: 'owner-memory'; readonly owner: SubjectId } | { readonly kind: 'device'; readonly device: SubjectId };
}

export type Expectation =
  | { readonly kind: 'ok' }
  | { readonly kind: 'errno'; readonly errno: string }
  /** Reason code as the hardware's manual counts it, or any fault when undefined. */
  | { readonly kind: 'fault'; readonly code?: number }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'peer'; readonly device?: SubjectId }
  | { readonly kind: 'address'; readonly address: bigint }
  | { readonly kind: 'blocked' }
  | { readonly kind: 'value'; readonly value: bigint };
