/** What the fields of a kernel profile mean, in words for people: how a kernel differs from the newest one. */
import { attachRules, type AttachRules } from './attach-history.js';
import { PROFILES, type KernelProfile } from './profile.js';

/** Fields that are behaviour, not the profile's identity. */
type Behaviour = Exclude<keyof KernelProfile, 'name' | 'version' | 'release'>;

interface Description<Value extends string> {
  /** What it is about. */
  readonly topic: string;
  readonly says: Readonly<Record<Value, string>>;
}

const DESCRIPTIONS: { readonly [Field in Behaviour]: Description<`${KernelProfile[Field]}`> } = {
  ownership: { topic: 'who may use a group', says: { viability: 'VFIO tests on demand whether the group is viable; a host driver that binds later stops the kernel', 'dma-owner': 'the IOMMU core keeps a DMA owner for each group and refuses the other side' } },
  iommufd: { topic: 'iommufd', says: { true: 'there', false: 'not there' } },
  // HIS-06
  cdev: { topic: 'VFIO character devices', says: { true: '/dev/vfio/devices/vfioX can be bound to an iommufd: user space need not know of groups, which the kernel enforces all the same', false: 'not there, only groups' } },
  hwptAlloc: { topic: 'iommufd page tables by name', says: { true: 'IOMMU_HWPT_ALLOC', false: 'none: devices attach to an IOAS' } },
  iommufdSince613: { topic: 'iommufd: vIOMMUs, page tables for PASIDs and with fault queues, mapping of files', says: { true: 'there', false: 'not there' } },
  mediated: { topic: 'mediated devices in type1', says: { 'external-domain': 'an external domain without any checks', 'emulated-group': 'a list of emulated groups' } },
  ioasids: { topic: 'who gives out PASIDs', says: { counted: 'one allocator for the machine, with references', uncounted: 'one allocator for the machine, without references', global: 'each device, and a global set for SVA' } },
  groupType: { topic: 'writing the type of a group', says: { 'read-only': 'not at all (EACCES)', 'single-unbound': 'for groups of one device that has no driver (EINVAL, EBUSY)', unowned: 'for groups of any size that nobody owns (EPERM)' } },
  lazyType: { topic: 'the type DMA-FQ', says: { true: 'a type of its own', false: 'not there: lazy or strict is a matter of the driver' } },
  typeConflict: { topic: 'a type that a device cannot have', says: { told: 'refused with a line in the log', silent: 'refused without a word' } },
  conflictingTypes: { topic: 'devices of a group that want different default domains', says: { 'global-default': 'the global default is taken', identity: 'identity is taken' } },
  directRegions: { topic: 'devices with memory that firmware wants mapped 1:1', says: { 'vtd-eperm': 'VT-d refuses when the device is attached (EPERM)', 'core-einval': 'the core refuses when the group is claimed (EINVAL)' } },
  directMappingFailure: { topic: '1:1 memory that cannot be mapped', says: { ignored: 'ignored', told: 'told in the log' } },
  firmwareRegionsBeyondX86: { topic: '1:1 memory out of IORT and device trees', says: { true: 'read', false: 'not read' } },
  vtdBlockedDomain: { topic: 'a blocked group behind VT-d', says: { true: 'has no table at all', false: 'has an empty table' } },
  amdBlockedDomain: { topic: 'a blocked group behind AMD-Vi', says: { true: 'has no table at all', false: 'has an empty table' } },
  failedAttach: { topic: 'an attach that fails at one device of a group', says: { 'earlier-keep': 'the devices before it keep the new domain', 'all-go-back': 'all go back to the old domain' } },
  joinsLiveGroup: { topic: 'a device that is plugged into a group in use', says: { 'default-domain': 'gets the default domain, and VFIO warns', 'unattached-when-claimed': 'gets no domain while a user has the group', 'group-domain': 'gets the domain of the group, a user\'s as well' } },
  msiIsolation: { topic: 'whose interrupts must be isolated', says: { bus: 'those of any unit of the bus', 'irq-domain': 'those of the interrupt domain', group: 'those of every device of the group' } },
  untrusted: { topic: 'devices that are not trusted', says: { 'below-external-port': 'all below an external-facing port', tunnelled: 'those that come through a tunnel' } },
  graphicsIdentity: { topic: 'INTEL_IOMMU_BROKEN_GFX_WA', says: { true: 'gives graphics an identity domain', false: 'does nothing any more' } },
  bindWithoutDomain: { topic: 'a driver that binds before its group has a default domain', says: { bound: 'is bound', deferred: 'is asked to come again (EPROBE_DEFER; EAGAIN from the bind file)' } },
  bindAnswer: { topic: 'the bind file for a device that does not bind', says: { ENODEV: 'always ENODEV', probe: 'the reason' } },
  busScan: { topic: 'order in which groups form', says: { once: 'one scan of the bus for all units', 'per-unit': 'one scan for each unit' } },
  mediatedLimit: { topic: 'a parent that has no mediated device left', says: { vendor: 'its driver answers, each in its own way', core: 'EUSERS' } },
  errorInterrupts: { topic: 'functions with the error interrupt of VFIO', says: { express: 'those of PCI Express', all: 'all' } },
  deviceLowPower: { topic: 'users may put a device to sleep', says: { true: 'yes (VFIO_DEVICE_FEATURE)', false: 'no' } },
  deviceBuffers: { topic: 'users may export memory of a device as a dma-buf', says: { true: 'yes (VFIO_DEVICE_FEATURE_DMA_BUF)', false: 'no' } },
  groupDomainExported: { topic: 'vfio_group_iommu_domain()', says: { true: 'exported, used by nobody', false: 'not there' } },
  wrapErrno: { topic: 'a type1 mapping beyond the last address', says: { EINVAL: 'EINVAL', EOVERFLOW: 'EOVERFLOW' } },
  type1Search: { topic: 'type1 looks for mappings', says: { 'nearest-root-first': 'in a tree: version 1 may unmap the nearest to its root first; none that ends at the last address is found', 'lowest-first': 'the lowest first; none that ends at the last address is found', exact: 'the lowest first' } },
  domainAllocation: { topic: 'type1 gets no domain', says: { EIO: 'always EIO', driver: 'the errno of the driver' } },
  notContainer: { topic: 'SET_CONTAINER with another file', says: { EINVAL: 'EINVAL', EBADFD: 'EBADFD' } },
  vaddrUpdate: { topic: 'type1: new virtual addresses for mappings, UNMAP_ALL', says: { absent: 'not there', waits: 'there; users of a stale address wait', 'no-emulated': 'there, but not beside mediated devices' } },
  regionMerge: { topic: 'reserved regions of one type', says: { neighbours: 'are joined when they touch', overlaps: 'are joined only when they overlap' } },
  relaxableRegions: { topic: '1:1 memory that a user need not have', says: { true: 'shown as direct-relaxable', false: 'shown as direct, or not at all' } },
  vmdAliases: { topic: 'devices behind a VMD endpoint', says: { true: 'share the group of the endpoint', false: 'have no IOMMU' } },
  joinLine: { topic: 'the line about a new member of a group', says: { 'of-device': '"DRIVER DEVICE: Adding to iommu group N"', 'of-iommu': '"iommu: Adding device DEVICE to group N"' } },
  type1Nesting: { topic: 'VFIO_TYPE1_NESTING_IOMMU', says: { true: 'offered', false: 'gone' } },
  probeFailure: { topic: 'the line about a failed probe', says: { 'probe-of': '"DRIVER: probe of DEVICE failed with error N"', 'with-driver': '"DRIVER DEVICE: probe with driver DRIVER failed with error N"' } },
  trailingBlank: { topic: 'the boot line about the default domain type', says: { true: 'ends with a blank', false: 'ends without a blank' } },
  vtdFaultLine: { topic: 'fault lines of VT-d', says: { 'pasid-ffffffff': '"[DMA Read] … PASID ffffffff"', 'no-pasid': '"[DMA Read NO_PASID]"' } },
};

/** The same of attaching, where whoever chooses a kernel should know it. */
const ATTACHING: { readonly [Field in 'auxiliaryDomains' | 'pasids' | 'sva' | 'faultHandlers']: Description<`${AttachRules[Field]}`> } = {
  // HIS-05
  auxiliaryDomains: { topic: 'several domains on one device', says: { true: 'auxiliary domains of VT-d, each with one PASID of its own; type1 attaches them to the parent of a mediated device', false: 'no auxiliary domains: any domain is attached to a device and PASID' } },
  pasids: { topic: 'iommu_attach_device_pasid()', says: { true: 'there', false: 'not there' } },
  sva: { topic: 'PASIDs of processes', says: { driver: 'given out by each IOMMU driver', ioasid: 'given out by the IOASID allocator', global: 'taken from one global counter' } },
  faultHandlers: { topic: 'page requests of devices', says: { true: 'go to whoever handles faults of the attached domain, user space among them', false: 'reach processes (SVA) only' } },
};

export interface Difference {
  readonly topic: string;
  readonly here: string;
  readonly newest: string;
}

/** What a kernel of this profile does otherwise than the newest one. */
export function differencesFromNewest(profile: KernelProfile): Difference[] {
  const newest = PROFILES.at(-1)!;
  return [...differing(DESCRIPTIONS, profile, newest), ...differing(ATTACHING, attachRules(profile), attachRules(newest))];
}

/** Fields of `here` that differ from `newest`, in the order of their descriptions. */
function differing(descriptions: Readonly<Record<string, Description<string>>>, here: object, newest: object): Difference[] {
  const [ours, theirs] = [new Map(Object.entries(here)), new Map(Object.entries(newest))];
  return Object.entries(descriptions).filter(([field]) => ours.get(field) !== theirs.get(field)).map(([field, { topic, says }]) =>
    ({ topic, here: says[String(ours.get(field))]!, newest: says[String(theirs.get(field))]! }));
}
