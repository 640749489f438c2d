/**
 * The Linux IOMMU core as the floors above see it: devices, groups, domains, ownership. Interfaces only; the classes
 * are beside it. `uapi/` speaks to these and never to hardware.
 */
import type { FunctionDescription, MediatedDeviceDescription, Permission, PlatformDeviceDescription, ReservedType, SubjectId } from '../description.js';
import type { Errno } from '../errno.js';
import type { DeviceEntry, IommuUnit, MappedRun, PageTable, TableUse, UserTable } from '../hardware/architecture.js';
import type { AddressRange, Iova, PhysicalAddress } from '../memory/address.js';
import type { DeviceFeature } from './attach-history.js';
import type { GroupPasids } from './pasid.js';
import type { KernelProfile } from './profile.js';

export interface Kernel {
  readonly profile: KernelProfile;
  readonly devices: readonly Device[];
  readonly groups: readonly Group[];
  device(subject: SubjectId): Device | undefined;
  /** By address ("0000:01:00.0") or mdev name, as user space names devices. */
  deviceByName(name: string): Device | undefined;
  /** The kernel log: lines since the machine was described; callers slice it around a call. */
  readonly log: string[];
  moduleParameter(module: string, name: string): string | undefined;
  buildOption(name: string): boolean;
  /** Driver core: `echo ADDR > bind`, unbind, override; results by OWN-20.. / VFG-21, VFG-22. */
  bind(device: Device, driver: string): void;
  unbind(device: Device): void;
  /** Groups made after boot: mdev's and no-IOMMU's own (GRL-09, GRL-10). */
  createGroup(devices: readonly Device[], name: string | null): Group;
  /** `iommu_paging_domain_alloc` / `iommu_domain_alloc`: an empty unmanaged domain for this device. @throws Refusal */
  allocateDomain(device: Device, name: string, use?: TableUse): PagingDomain;
  /** A user's first stage over `parent` (NST-01). `accepts`: what the driver asks of a device that is attached. */
  nestDomain(parent: PagingDomain, name: string, stage: UserTable | null, accepts: (device: Device) => void): NestedDomain;
  /** A device that is no part of the described machine comes, in a group of its own, or goes (CNF-01). */
  plug(device: Device): void;
  unplug(device: Device): void;
  /** Who is told when drivers come and go: VFIO adds itself once. */
  readonly driverListeners: Set<DriverListener>;
}

/** The driver core's side of VFIO: its drivers' probe and remove, and in the old model its bus notifier (OLD-04). */
export interface DriverListener {
  /** The driver's own probe, after DMA ownership was counted. @throws Refusal: the device stays without driver (VFG-22) */
  probe?(device: Device, driver: string): void;
  /** BOUND_DRIVER. @throws Refusal 'BUG' (OLD-04, VFG-21) */
  bound?(device: Device, driver: string): void;
  /** ADD_DEVICE: a device has joined a group that was there already (OLD-06). */
  joined?(device: Device): void;
  /** Somebody wants to bind a driver. @throws Refusal while the remove of the old one waits, with the device's lock in its hand (VFG-23) */
  locked?(device: Device): void;
  /** The driver's remove, before it lets go. @throws Refusal when it would wait for its user (VFG-23) */
  remove?(device: Device, driver: string): void;
}

export type Device = {
  readonly subject: SubjectId;
  /** "0000:01:00.0", a platform name or an mdev name. */
  readonly name: string;
  readonly bus: 'pci' | 'platform' | 'mdev' | 'iommufd_mock';
  group: Group | null;
  driver: string | null;
  driverOverride: string | null;
  /** The IOMMU unit that translates its DMA; null = none. */
  readonly unit: IommuUnit | null;
  /** What to program, own first (PCIE-07): requester IDs, or what its unit sees instead of them (stream IDs, GRD-20). */
  readonly requesterIds: readonly number[];
  readonly reservedRegions: readonly ReservedRegion[];
  /** RSV-43: some region is DIRECT. */
  readonly requireDirect: boolean;
  /** Below an external-facing port (DOM-22). */
  readonly untrusted?: boolean;
  busMaster: boolean;
  /** Width of its PASIDs, of a virtual function its physical function's (PAS-11). */
  readonly pasidBits?: number;
  /** The function may send requests with PASID (PAS-14), with translated addresses (PAS-15), and page requests. */
  pasidEnabled?: boolean;
  /** FEA-01: what its driver has switched on. */
  features?: Set<DeviceFeature>;
  atsEnabled?: boolean;
  priEnabled?: boolean;
} & (
  | { readonly kind: 'pci'; readonly description: FunctionDescription }
  | { readonly kind: 'platform'; readonly description: PlatformDeviceDescription }
  | { readonly kind: 'mdev'; readonly description: MediatedDeviceDescription; readonly parent: Device }
);

export interface ReservedRegion {
  readonly range: AddressRange<Iova>;
  readonly type: ReservedType;
  readonly subject?: SubjectId;
}

export interface Group {
  /** Lowest free number at formation (GRP-07, GRL-02). */
  readonly id: number;
  readonly name: string | null;
  readonly devices: readonly Device[];
  /** Merged as sysfs shows it (RSV-10 .. RSV-13). */
  reservedRegions(): readonly ReservedRegion[];
  readonly defaultDomain: Domain | null;
  readonly domain: Domain | null;
  /** OWN-01 .. OWN-09; null in the old model and when no user owns it. */
  readonly owner: object | null;
  readonly ownerCount: number;
  /** `iommu_group_claim_dma_owner`: @throws Refusal EPERM, EBUSY, EINVAL (OWN-04) */
  claim(owner: object): void;
  /** `iommu_device_claim_dma_owner` (OWN-05) */
  claimDevice(device: Device, owner: object): void;
  /** OWN-06; `releaseDevice` counts down (OWN-07). */
  release(): void;
  releaseDevice(device: Device): void;
  /** `iommu_attach_group`: @throws Refusal EBUSY, EINVAL, driver errno (section 7.1) */
  attach(domain: Domain): void;
  /** `iommu_replace_group_handle` style: no EBUSY test (iommufd replace). */
  replace(domain: PagingDomain | NestedDomain): void;
  /** What its PASIDs translate through (PAS-09). */
  readonly pasids: GroupPasids;
  /** To the blocking domain while owned, else to the default domain (OWN-30). */
  detach(): void;
}

export type Domain = IdentityDomain | BlockedDomain | PagingDomain | NestedDomain;

export interface IdentityDomain {
  readonly type: 'identity';
}
export interface BlockedDomain {
  readonly type: 'blocked';
}

export interface PagingDomain {
  readonly type: 'DMA' | 'DMA-FQ' | 'unmanaged';
  readonly name: string;
  readonly unit: IommuUnit;
  readonly domainId: number;
  readonly aperture: AddressRange<Iova>;
  /** Bit n = pages of 2^n bytes. */
  readonly pageSizes: bigint;
  enforcesCoherency: boolean;
  /** Allocated for iommufd, which some drivers give other tables than type1 (IFD-61). */
  ofIommufd: boolean;
  /** DRT-01: allocated to record which pages are written to. */
  readonly tracksDirty?: boolean;
  /** `iommu_dirty_ops`: only of domains that track. */
  recordDirty?(on: boolean): void;
  takeDirty?(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[];
  /** It records now. */
  readonly recordsWrites?: boolean;
  /** For tests that look behind the kernel's back (CNF-01). */
  readonly pageTable?: PageTable;
  /** `iommu_map` (MAP-01 ..): @throws Refusal EINVAL (alignment), or what the page-table code says. */
  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): void;
  /** `iommu_unmap`: bytes removed (UNM-01 ..). `deferred`: the caller invalidates the IOTLB later, with a flush queue (4.3). */
  unmap(iova: Iova, size: bigint, invalidation?: 'now' | 'deferred'): bigint;
  /** `iommu_iova_to_phys`. */
  translate(iova: Iova): PhysicalAddress | null;
  mappings(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number };
  /** `iommu_domain_free`. */
  free(): void;
}

/** A user's own first stage over a paging domain (NST-01): the kernel maps nothing into it. */
export interface NestedDomain {
  readonly type: 'nested';
  readonly name: string;
  readonly unit: IommuUnit;
  readonly domainId: number;
  readonly parent: PagingDomain;
  /** The driver's side of attaching. @throws Refusal */
  check(device: Device): void;
  entryFor(device: Device): DeviceEntry;
  attachDevice(device: Device): void;
  detachDevice(device: Device): void;
  /** What entries say of the parent is not what they said before. */
  parentChanged(): void;
  /** What both stages together map, in the order of the user's addresses. */
  mappings(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number };
  readonly aperture: AddressRange<Iova>;
  /** Nothing that the unit remembers of it holds any more. */
  forget(): void;
  invalidate(address: bigint, size: bigint): void;
  free(): void;
}

/** Results of map-like internals that the page-table code may return. */
export type TableErrno = Errno;
