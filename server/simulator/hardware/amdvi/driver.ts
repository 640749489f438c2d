/** What differs between versions of Linux's AMD IOMMU driver: each row says what changed, and since when. */
import type { DriverProfile } from '../architecture.js';
import { HOST_SIZES } from './capabilities.js';

export interface AmdDriver {
  readonly pageTableCode: 'own' | 'generic';
  /** PGS-04: what the driver reports, bit n = 2^n bytes. */
  readonly reportedSizes: bigint;
  /** The aperture ends with the address space, or with what the unit's levels reach. */
  readonly aperture: 'address-space' | 'levels';
  readonly blockedDomain: boolean;
  /** A detached device's entry is V=1 TV=0, or (older) V=1 TV=1 without permissions. */
  readonly detachedIsInvalid: boolean;
  /** LNX-02: the identity entry gets I set whether or not the device uses ATS. */
  readonly identityHasAts: boolean;
  readonly dirtyTracking: boolean;
  /** Events name devices with their segment. */
  readonly segmentInEvents: boolean;
}

const OLDEST: AmdDriver = {
  pageTableCode: 'own', reportedSizes: 0xffff_ff7f_ffff_f000n, aperture: 'address-space', blockedDomain: false, detachedIsInvalid: false,
  identityHasAts: false, dirtyTracking: false, segmentInEvents: false,
};

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<AmdDriver> }[] = [
  { since: 6000, change: { segmentInEvents: true } },
  { since: 6007, change: { dirtyTracking: true } },
  { since: 6012, change: { blockedDomain: true, reportedSizes: HOST_SIZES } },
  { since: 6014, change: { detachedIsInvalid: true } },
  { since: 6019, change: { pageTableCode: 'generic', aperture: 'levels', identityHasAts: true } },
];

export function amdDriver(profile: DriverProfile): AmdDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
