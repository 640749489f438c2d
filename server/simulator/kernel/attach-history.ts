/** What differs between kernels in attaching domains, PASIDs and processes (section 7): each row says what changed, and since when. */
import type { IommuArchitectureName } from '../description.js';
import type { KernelProfile } from './profile.js';

export interface AttachRules {
  /** ATT-02, PAS-02: the core itself refuses domains of another IOMMU driver. */
  readonly refusesForeignDomains: boolean;
  /** ATD-01: errno when a table is too wide for the unit of a device; ATD-02 afterwards. */
  readonly widthErrno: 'EFAULT' | 'EINVAL';
  /** ATD-04, ATD-05: errno of SMMUv3 for a domain of another SMMU. */
  readonly otherSmmuErrno: 'ENXIO' | 'EINVAL';
  /** PAS-01: `iommu_attach_device_pasid` exists. */
  readonly pasids: boolean;
  /** OWN-01, OWN-03, OWN-04, OWN-06: ownership wants no PASID attached. */
  readonly ownershipSeesPasids: boolean;
  /** Who tests a PASID against what a device can: the driver, the core for every device of the group (PAS-03), or for those that have PASIDs (PAS-05). */
  readonly pasidLimit: 'driver' | 'every-device' | 'capable-devices';
  /** PAS-04: a device without group is found before a domain that takes no PASIDs. */
  readonly groupBeforeDomain: boolean;
  /** DOM-26: default domains are made so that PASIDs can be used beside them. */
  readonly defaultsTakePasids: boolean;
  /** PAS-07 */
  readonly pasidReplace: boolean;
  /** PAS-10: what is attached can be looked up, with whom to ask about page faults. */
  readonly handles: boolean;
  /** SET-04: a reset of a PCI function blocks its group. */
  readonly resetBlocks: boolean;
  /** SVA-01: the driver binds; SVA-02: the core, with numbers of the IOASID allocator; SVA-03: with one global counter. */
  readonly sva: 'driver' | 'ioasid' | 'global';
  /** SVA-05: a process's PASID goes with its last bond, or stays as long as the process. */
  readonly pasidLives: 'while-bound' | 'as-the-process';
  /** FEA-01: what `iommu_dev_enable_feature` knows; empty: the call is gone. */
  readonly features: readonly DeviceFeature[];
  /** FEA-03: `iommu_aux_attach_device` exists. */
  readonly auxiliaryDomains: boolean;
  /** IOPF-03: VT-d switches page requests on when it finds a function, or when the feature is enabled. */
  readonly pageRequests: 'at-boot' | 'by-feature';
  /** COH-03: enforcing coherency on a domain that has mappings fails. */
  readonly enforcesEmptyOnly: boolean;
  /** DRT-01: domains can be made to record dirty pages. */
  readonly dirtyTracking: boolean;
  /** MAP-01: what `iommu_map` looks at first, the domain's type or the operation that it lacks; a static blocked domain has neither. */
  readonly unmappable: 'operation-first' | 'type-first';
  /** MAP-10: units whose table code takes whole ranges and tests them itself, instead of the core. */
  readonly rangeTables: readonly IommuArchitectureName[];
  /** IOPF-01: faults go to whoever handles them for the attached domain. */
  readonly faultHandlers: boolean;
}

export type DeviceFeature = 'aux' | 'sva' | 'iopf';

const OLDEST: AttachRules = {
  refusesForeignDomains: false, widthErrno: 'EFAULT', otherSmmuErrno: 'ENXIO', pasids: false, ownershipSeesPasids: false, pasidLimit: 'driver', groupBeforeDomain: false, defaultsTakePasids: false, pasidReplace: false, handles: false,
  resetBlocks: false, sva: 'driver', pasidLives: 'while-bound', features: ['aux', 'sva'], auxiliaryDomains: true, pageRequests: 'at-boot', enforcesEmptyOnly: false, dirtyTracking: false, faultHandlers: false,
  unmappable: 'operation-first', rangeTables: [],
};

/** Ascending; each row changes the one before. Releases are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<AttachRules> }[] = [
  { since: 5014, change: { features: ['aux', 'sva', 'iopf'] } },
  { since: 5018, change: { features: ['sva', 'iopf'], auxiliaryDomains: false, pasidLives: 'as-the-process' } },
  { since: 5019, change: { widthErrno: 'EINVAL' } },
  { since: 6002, change: { otherSmmuErrno: 'EINVAL', pasids: true, sva: 'ioasid', pageRequests: 'by-feature' } },
  { since: 6003, change: { ownershipSeesPasids: true } },
  { since: 6006, change: { sva: 'global' } },
  { since: 6008, change: { refusesForeignDomains: true, enforcesEmptyOnly: true, dirtyTracking: true, faultHandlers: true, unmappable: 'type-first' } },
  { since: 6012, change: { pasidLimit: 'every-device', handles: true } },
  { since: 6013, change: { pageRequests: 'at-boot' } },
  { since: 6014, change: { groupBeforeDomain: true, defaultsTakePasids: true } },
  { since: 6015, change: { features: [] } },
  { since: 6019, change: { pasidLimit: 'capable-devices', pasidReplace: true } },
  { since: 7000, change: { resetBlocks: true, rangeTables: ['vtd', 'amd-vi'] } },
];

const known = new Map<number, AttachRules>();

export function attachRules({ release }: KernelProfile): AttachRules {
  let rules = known.get(release);
  if (rules === undefined) {
    rules = HISTORY.filter(({ since }) => since <= release).reduce((before, { change }) => ({ ...before, ...change }), OLDEST);
    known.set(release, rules);
  }
  return rules;
}
