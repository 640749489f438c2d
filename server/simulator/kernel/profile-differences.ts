/** What the fields of a kernel profile mean, in words for people: how a kernel differs from the newest one. */
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
  cdev: { topic: 'VFIO character devices', says: { true: '/dev/vfio/devices/vfioX can be bound to an iommufd', false: 'not there, only groups' } },
  iommufdSince613: { topic: 'iommufd: vIOMMUs, page tables for PASIDs and with fault queues, mapping of files', says: { true: 'there', false: 'not there' } },
  mediated: { topic: 'mediated devices in type1', says: { 'external-domain': 'an external domain without any checks', 'emulated-group': 'a list of emulated groups' } },
  ioasids: { topic: 'who gives out PASIDs', says: { counted: 'one allocator for the machine, with references', uncounted: 'one allocator for the machine, without references', global: 'each device, and a global set for SVA' } },
  groupType: { topic: 'writing the type of a group', says: { 'single-unbound': 'for groups of one device that has no driver (EINVAL, EBUSY)', unowned: 'for groups of any size that nobody owns (EPERM)' } },
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
  wrapErrno: { topic: 'a type1 mapping beyond the last address', says: { EINVAL: 'EINVAL', EOVERFLOW: 'EOVERFLOW' } },
  domainAllocation: { topic: 'type1 gets no domain', says: { EIO: 'always EIO', driver: 'the errno of the driver' } },
  notContainer: { topic: 'SET_CONTAINER with another file', says: { EINVAL: 'EINVAL', EBADFD: 'EBADFD' } },
  vaddrUpdate: { topic: 'type1: new virtual addresses for mappings, UNMAP_ALL', says: { absent: 'not there', waits: 'there; users of a stale address wait', 'no-emulated': 'there, but not beside mediated devices' } },
  type1Nesting: { topic: 'VFIO_TYPE1_NESTING_IOMMU', says: { true: 'offered', false: 'gone' } },
  probeFailure: { topic: 'the line about a failed probe', says: { 'probe-of': '"DRIVER: probe of DEVICE failed with error N"', 'with-driver': '"DRIVER DEVICE: probe with driver DRIVER failed with error N"' } },
  trailingBlank: { topic: 'the boot line about the default domain type', says: { true: 'ends with a blank', false: 'ends without a blank' } },
  vtdFaultLine: { topic: 'fault lines of VT-d', says: { 'pasid-ffffffff': '"[DMA Read] … PASID ffffffff"', 'no-pasid': '"[DMA Read NO_PASID]"' } },
};

export interface Difference {
  readonly topic: string;
  readonly here: string;
  readonly newest: string;
}

/** What a kernel of this profile does otherwise than the newest one. */
export function differencesFromNewest(profile: KernelProfile): Difference[] {
  const newest = PROFILES.at(-1)!;
  return (Object.keys(DESCRIPTIONS) as Behaviour[]).filter((field) => profile[field] !== newest[field]).map((field) => {
    const { topic, says } = DESCRIPTIONS[field] as Description<string>;
    return { topic, here: says[String(profile[field])]!, newest: says[String(newest[field])]! };
  });
}
