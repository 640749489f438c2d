/** What differs between versions of Linux's SMMUv3 driver and of the page table code that it uses: each row says what changed, and since when. */
import type { DriverProfile } from '../architecture.js';

export interface SmmuDriver {
  /** UNM-02: an unmap of part of a larger leaf makes smaller ones of it; later it is refused with a line in the log. */
  readonly splitsLeaves: boolean;
  readonly blockedDomain: boolean;
  /** PAS-16: paging domains may be put on PASIDs. */
  readonly pasidAttach: boolean;
  /** LA-D2: PASIDs keep working while the device itself is in an identity or blocked domain. */
  readonly pasidsBesideIdentity: boolean;
  /** DRT-01: stage-1 tables with dirty state for whoever tracks writes. */
  readonly dirtyTracking: boolean;
  /** SMMU 2.3: the words of an event only, or two lines that decode it as well. */
  readonly eventLines: 'raw' | 'decoded';
}

const OLDEST: SmmuDriver = { splitsLeaves: true, blockedDomain: false, pasidAttach: false, pasidsBesideIdentity: false, dirtyTracking: false, eventLines: 'raw' };

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<SmmuDriver> }[] = [
  { since: 6011, change: { pasidAttach: true, pasidsBesideIdentity: true } },
  { since: 6012, change: { blockedDomain: true, dirtyTracking: true } },
  { since: 6014, change: { splitsLeaves: false, eventLines: 'decoded' } },
];

export function smmuDriver(profile: DriverProfile): SmmuDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
