/**
 * Kernel versions as data: what differs between them, each under one name. A rule that changed has both behaviours
 * side by side in the code and asks the profile which one applies; nothing else compares version numbers.
 */

export type Ownership =
  /** Group viability, tested on demand (<= 5.18, section 6.2). */
  | 'viability'
  /** DMA ownership per group (>= 5.19, section 6.1). */
  | 'dma-owner';

/** Who counts the mediated devices of a parent: the vendor's driver, or the mdev core by `max_instances` (>= 6.1, MDV-02). */
export type MediatingLimit = 'vendor' | 'core';

export interface KernelProfile {
  /** Neighbouring regions of one type are joined, or only overlapping ones (<= 5.3, RSV-11, RSV-12). */
  readonly regionMerge: 'neighbours' | 'overlaps';
  /** Regions that are mapped 1:1 for the kernel alone are known as such (>= 5.3, RSV-02, RSV-21). */
  readonly relaxableRegions: boolean;
  /** What is behind a VMD endpoint goes by it, and all 256 devfns may be aliases (>= 5.6, ALI-02, GRP-19); before, nothing behind one has an IOMMU. */
  readonly vmdAliases: boolean;
  /** "DRIVER DEVICE: Adding to iommu group N" or "iommu: Adding device DEVICE to group N" (<= 5.0, GRL-03). */
  readonly joinLine: 'of-device' | 'of-iommu';
  /** "6.12": the profile's name. */
  readonly name: string;
  /** major * 1000 + minor. */
  readonly version: number;
  /** major * 1000 + minor of the kernel that was asked for, which may be newer than the profile: tables of devices have entries since a release. */
  readonly release: number;
  /** Every unit scans the bus when it registers (>= 6.1), or one scan finds the devices of all units (GRL-06). */
  readonly busScan: 'once' | 'per-unit';
  readonly ownership: Ownership;
  /** Mediated devices in type1: an external domain without checks, or the emulated-group list (VFT-11, VFT-15). */
  readonly mediated: 'external-domain' | 'emulated-group';
  readonly mediatedLimit: MediatingLimit;
  /** VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY and its opposite (>= 6.1). */
  readonly deviceLowPower: boolean;
  /** VFIO_DEVICE_FEATURE_DMA_BUF: users export memory of a device (>= 6.19). */
  readonly deviceBuffers: boolean;
  /** Which PCI functions have the error interrupt: those of PCI Express, or all (7.3; read by no tree in between). */
  readonly errorInterrupts: 'express' | 'all';
  /** `vfio_group_iommu_domain()` is exported to drivers (5.12 to 5.14, VFT-67). */
  readonly groupDomainExported: boolean;
  readonly iommufd: boolean;
  /** VFIO_DEVICE_BIND_IOMMUFD and friends (>= 6.6). */
  readonly cdev: boolean;
  /** IOMMU_HWPT_ALLOC (>= 6.6, as the character devices; flags since 6.7): before it, a device attaches to an IOAS only. */
  readonly hwptAlloc: boolean;
  /** iommufd as it grew from 6.13 to 6.17: vIOMMUs, MAP_FILE, page tables for PASIDs and with fault queues, tokens when binding. */
  readonly iommufdSince613: boolean;
  /** errno of a wrap-around in type1 MAP / UNMAP (6.19: EOVERFLOW). */
  readonly wrapErrno: 'EINVAL' | 'EOVERFLOW';
  /** errno when type1 cannot allocate a domain (EIO up to 6.10, driver errno after). */
  readonly domainAllocation: 'EIO' | 'driver';
  /** Type1's update of virtual addresses and UNMAP_ALL: not there (< 5.12), with waiting (VFT-54), refused beside mediated devices (>= 6.1 stable). */
  readonly vaddrUpdate: 'absent' | 'waits' | 'no-emulated';
  /** errno of SET_CONTAINER with a file that is no container (VFG-13: EBADFD since iommufd). */
  readonly notContainer: 'EINVAL' | 'EBADFD';
  /**
   * How type1 looks for mappings: the tree's order decides whom an unmap meets first (<= 5.11); the lowest first, but one that ends at the last address is never
   * found (<= 6.17); all (VFT-40, VFT-50).
   */
  readonly type1Search: 'nearest-root-first' | 'lowest-first' | 'exact';
  /** VFIO_TYPE1_NESTING_IOMMU answered (<= 6.12). */
  readonly type1Nesting: boolean;
  /** DIRECT regions: VT-d refuses unmanaged attach with EPERM (< 6.6), core refuses blocking with EINVAL (>= 6.6): RSV-44, RSV-45. */
  readonly directRegions: 'vtd-eperm' | 'core-einval';
  /** Static blocked domain by driver: VT-d >= 6.3, AMD >= 6.12. */
  readonly vtdBlockedDomain: boolean;
  readonly amdBlockedDomain: boolean;
  /** Group type writes: there are none yet (< 5.11), TYP-05, TYP-06. */
  readonly groupType: 'read-only' | 'single-unbound' | 'unowned';
  /** DMA-FQ exists as a type (>= 5.15). */
  readonly lazyType: boolean;
  /** Who must have interrupt isolation: the bus (5.13), an irq domain or device (6.1), every device of the group (>= 6.3). */
  readonly msiIsolation: 'bus' | 'irq-domain' | 'group';
  /** A device of a group cannot take the domain: the earlier ones keep it, or all go back (ATT-03). */
  readonly failedAttach: 'earlier-keep' | 'all-go-back';
  /** What the `bind` file answers when a device does not bind: always ENODEV, or what the probe said (OWN-21, >= 5.14). */
  readonly bindAnswer: 'ENODEV' | 'probe';
  /** The line about a driver whose probe failed: "DRIVER: probe of DEVICE failed ..." or "DRIVER DEVICE: probe with driver DRIVER failed ...". */
  readonly probeFailure: 'probe-of' | 'with-driver';
  /** A map failure in the set-up of a default domain is ignored (<= 6.3) or retried and told (RSV-41). */
  readonly directMappingFailure: 'ignored' | 'told';
  /** Different default-domain needs inside one group: the global default (<= 6.3, DOM-24), or identity wins (DOM-20). */
  readonly conflictingTypes: 'global-default' | 'identity';
  /** "Default domain type: Translated " ends with a blank when the command line did not choose it (<= 6.3, DOM-05). */
  readonly trailingBlank: boolean;
  /** RSV-27, RSV-29: 1:1 ranges out of IORT (>= 6.0) and the device tree (>= 6.3) reach the core on Arm and for virtio-iommu. */
  readonly firmwareRegionsBeyondX86: boolean;
  /** Whom the kernel does not trust: everything below an external-facing port, or what comes through a tunnel (>= 6.14, section 5.2). */
  readonly untrusted: 'below-external-port' | 'tunnelled';
  /** A type that a device of the group cannot have is told in the log (<= 6.6, TYP-09) or not. */
  readonly typeConflict: 'told' | 'silent';
  /** A driver that binds before its group has a default domain: bound all the same, or asked to come again (>= 6.19, OWN-01). */
  readonly bindWithoutDomain: 'bound' | 'deferred';
  /** What a device that joins a group in use gets: the default domain and a warning, nothing when claimed, or the group's domain (GRL-06). */
  readonly joinsLiveGroup: 'default-domain' | 'unattached-when-claimed' | 'group-domain';
  /** INTEL_IOMMU_BROKEN_GFX_WA gives graphics an identity domain (<= 6.8, DOM-10). */
  readonly graphicsIdentity: boolean;
  /** Error message text of a VT-d fault line: "[DMA Read NO_PASID]" with 0x%02x (newer) or "[DMA Read] ... PASID ffffffff" with %02d. */
  readonly vtdFaultLine: 'pasid-ffffffff' | 'no-pasid';
  /** Who gives out PASIDs: one allocator without references (<= 5.10), with them (5.12 to 5.17), without again, or by device and global (>= 6.5): IOA-03, HIS-04. */
  readonly ioasids: 'counted' | 'uncounted' | 'global';
}

const NEWEST: KernelProfile = {
  regionMerge: 'neighbours', relaxableRegions: true, vmdAliases: true, joinLine: 'of-device',
  mediatedLimit: 'core', deviceLowPower: true, deviceBuffers: true, groupDomainExported: false, errorInterrupts: 'all',
  ioasids: 'global',
  name: '6.19', version: 6019, release: 6019, busScan: 'per-unit', ownership: 'dma-owner', mediated: 'emulated-group', iommufd: true, cdev: true, hwptAlloc: true, iommufdSince613: true,
  wrapErrno: 'EOVERFLOW', type1Search: 'exact', domainAllocation: 'driver', type1Nesting: false, vaddrUpdate: 'no-emulated', notContainer: 'EBADFD', directRegions: 'core-einval', vtdBlockedDomain: true,
  amdBlockedDomain: true, groupType: 'unowned', lazyType: true, msiIsolation: 'group', vtdFaultLine: 'no-pasid',
  failedAttach: 'all-go-back', bindAnswer: 'probe', probeFailure: 'with-driver', directMappingFailure: 'told', conflictingTypes: 'identity', trailingBlank: false,
  firmwareRegionsBeyondX86: true, untrusted: 'tunnelled', typeConflict: 'silent', bindWithoutDomain: 'deferred', joinsLiveGroup: 'group-domain', graphicsIdentity: false,
};
const V6_12: KernelProfile = { ...NEWEST, deviceBuffers: false, errorInterrupts: 'express', name: '6.12', version: 6012, release: 6012, iommufdSince613: false, wrapErrno: 'EINVAL', type1Search: 'lowest-first', type1Nesting: true, untrusted: 'below-external-port', bindWithoutDomain: 'bound' };
const V6_6: KernelProfile = { ...V6_12, probeFailure: 'probe-of', name: '6.6', version: 6006, release: 6006, domainAllocation: 'EIO', amdBlockedDomain: false, typeConflict: 'told', conflictingTypes: 'global-default', graphicsIdentity: true };
const V6_1: KernelProfile = {
  ...V6_6, hwptAlloc: false, ioasids: 'uncounted', name: '6.1', version: 6001, release: 6001, iommufd: false, cdev: false, notContainer: 'EINVAL', directRegions: 'vtd-eperm', vtdBlockedDomain: false,
  groupType: 'single-unbound', msiIsolation: 'irq-domain',
  failedAttach: 'earlier-keep', directMappingFailure: 'ignored', trailingBlank: true, joinsLiveGroup: 'unattached-when-claimed',
};
const V5_19: KernelProfile = { ...V6_1, mediatedLimit: 'vendor', deviceLowPower: false, name: '5.19', version: 5019, release: 5019, busScan: 'once', firmwareRegionsBeyondX86: false };
const V5_13: KernelProfile = {
  ...V5_19, groupDomainExported: true, ioasids: 'counted', name: '5.13', version: 5013, release: 5013, ownership: 'viability', mediated: 'external-domain', vaddrUpdate: 'waits', lazyType: false, msiIsolation: 'bus',
  vtdFaultLine: 'pasid-ffffffff', bindAnswer: 'ENODEV', joinsLiveGroup: 'default-domain',
};
const V5_12: KernelProfile = { ...V5_13, name: '5.12', version: 5012, release: 5012 };
const V5_11: KernelProfile = { ...V5_13, groupDomainExported: false, ioasids: 'uncounted', name: '5.11', version: 5011, release: 5011, vaddrUpdate: 'absent', type1Search: 'nearest-root-first' };
const V5_10: KernelProfile = { ...V5_11, name: '5.10', version: 5010, release: 5010, groupType: 'read-only' };

const V5_4: KernelProfile = { ...V5_10, name: '5.4', version: 5004, release: 5004, vmdAliases: false };
const V4_19: KernelProfile = { ...V5_4, name: '4.19', version: 4019, release: 4019, regionMerge: 'overlaps', relaxableRegions: false, joinLine: 'of-iommu' };

/** Oldest first. */
export const PROFILES: readonly KernelProfile[] = [V4_19, V5_4, V5_10, V5_11, V5_12, V5_13, V5_19, V6_1, V6_6, V6_12, NEWEST];

/** major * 1000 + minor of "6.12.107-foo"; null when it does not begin with two numbers. */
export function versionNumber(text: string): number | null {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return match ? Number(match[1]) * 1000 + Number(match[2]) : null;
}

/** The newest profile that is not newer than `version`, with its `release`; the oldest for anything older; the newest for "newest" or "". */
export function profileFor(version: string): KernelProfile {
  const wanted = versionNumber(version);
  if (wanted === null) return NEWEST;
  const profile = PROFILES.findLast(({ version: known }) => known <= wanted) ?? PROFILES[0]!;
  return profile.release === wanted ? profile : { ...profile, release: wanted };
}
