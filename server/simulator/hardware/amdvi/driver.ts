/** What differs between versions of Linux's AMD IOMMU driver: each row says what changed, and since when. */
import type { DriverProfile } from '../architecture.js';
import { HOST_SIZES } from './capabilities.js';

export interface AmdDriver {
  readonly pageTableCode: 'own' | 'generic';
  /** PGS-04: what the driver reports, bit n = 2^n bytes. */
  readonly reportedSizes: bigint;
  /** PGS-04: `nohugepages` and `v2_pgsizes_only` are known. */
  readonly sizeOptions: boolean;
  /** The aperture ends with the address space, or with what the unit's levels reach. */
  readonly aperture: 'address-space' | 'levels';
  readonly blockedDomain: boolean;
  /** A detached device's entry is V=1 TV=0, or (older) V=1 TV=1 without permissions. */
  readonly detachedIsInvalid: boolean;
  /** LNX-02: the identity entry gets I set whether or not the device uses ATS. */
  readonly identityHasAts: boolean;
  readonly dirtyTracking: boolean;
  /** PGS-05: `amd_iommu=pgtbl_v2` is known. */
  readonly guestTables: boolean;
  /** ... also for domains of users, who got version 1 tables before. */
  readonly guestTablesForUsers: boolean;
  readonly fiveLevels: boolean;
  /** The kernel's own domains of version 2 have all indexed bits, or leave out the highest, which PASIDs other than 0 read as a sign. */
  readonly guestAperture: 'whole' | 'lower-half';
  /** Each device has a GCR3 table for all its PASIDs, which processes are bound to by the core (SVA-03). */
  readonly pasids: boolean;
  /** Events name devices with their segment. */
  readonly segmentInEvents: boolean;
}

const OLDEST: AmdDriver = {
  pageTableCode: 'own', reportedSizes: 0xffff_ff7f_ffff_f000n, aperture: 'address-space', blockedDomain: false, detachedIsInvalid: false,
  identityHasAts: false, dirtyTracking: false, segmentInEvents: false,
  sizeOptions: false, guestTables: false, guestTablesForUsers: false, fiveLevels: false, guestAperture: 'whole', pasids: false,
};

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<AmdDriver> }[] = [
  { since: 6000, change: { segmentInEvents: true } },
  { since: 6001, change: { guestTables: true } },
  { since: 6004, change: { fiveLevels: true } },
  { since: 6007, change: { dirtyTracking: true } },
  { since: 6010, change: { pasids: true } },
  { since: 6012, change: { blockedDomain: true, reportedSizes: HOST_SIZES } },
  { since: 6013, change: { sizeOptions: true } },
  { since: 6014, change: { detachedIsInvalid: true, guestTablesForUsers: true } },
  { since: 6017, change: { guestAperture: 'lower-half' } },
  { since: 6019, change: { pageTableCode: 'generic', aperture: 'levels', identityHasAts: true } },
];

export function amdDriver(profile: DriverProfile): AmdDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
