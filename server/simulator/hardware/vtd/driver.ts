/** What differs between versions of Linux's VT-d driver: each row says what changed, and since when. */
import type { DriverProfile } from '../architecture.js';

export type FaultLineStyle =
  /** "[DMA Read] Request device [00:16.7] PASID ffffffff fault addr 9cdff000 [fault reason 02] ..." */
  | 'pasid-ffffffff'
  /** "[DMA Read NO_PASID] Request device [01:00.0] fault addr 0x200000 [fault reason 0x06] ..." */
  | 'no-pasid'
  /** The same with the PCI segment: "[0000:01:00.0]". */
  | 'no-pasid-segment';

export interface VtdDriver {
  readonly pageTableCode: 'own' | 'generic';
  /** Every second-stage entry gets bit 0 (READ), so that a write-only mapping can be read. */
  readonly writeOnlyIsReadable: boolean;
  /** PGS-01: reports every power of two and splits itself; PGS-02: what the unit has. */
  readonly reportedSizes: 'every-power' | 'hardware';
  readonly blockedDomain: boolean;
  /** COH-01: CACHE_COHERENCY meant that the unit can force snooping; COH-02: always there. */
  readonly coherencyMeansSnoop: boolean;
  /** DOM-10: identity without ECAP.PT is a one-to-one page table (older), or not offered (newer). */
  readonly softwareIdentity: boolean;
  readonly dirtyTracking: boolean;
  readonly nesting: boolean;
  /** iommufd gets first-stage domains too, not only second-stage ones. */
  readonly firstStageForUsers: boolean;
  /** PAS-16: paging domains may be put on PASIDs. */
  readonly pasidAttach: boolean;
  readonly faultLine: FaultLineStyle;
}

const OLDEST: VtdDriver = {
  pageTableCode: 'own', writeOnlyIsReadable: false, reportedSizes: 'every-power', blockedDomain: false, coherencyMeansSnoop: true,
  softwareIdentity: true, dirtyTracking: false, nesting: false, firstStageForUsers: false, pasidAttach: false, faultLine: 'pasid-ffffffff',
};

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<VtdDriver> }[] = [
  { since: 5013, change: { writeOnlyIsReadable: true } },
  { since: 5014, change: { faultLine: 'no-pasid' } },
  { since: 5015, change: { reportedSizes: 'hardware' } },
  { since: 5019, change: { coherencyMeansSnoop: false } },
  { since: 6003, change: { blockedDomain: true } },
  { since: 6006, change: { pasidAttach: true } },
  { since: 6007, change: { dirtyTracking: true, nesting: true } },
  { since: 6013, change: { firstStageForUsers: true } },
  { since: 6019, change: { pageTableCode: 'generic', writeOnlyIsReadable: false, softwareIdentity: false } },
  { since: 7000, change: { faultLine: 'no-pasid-segment' } },
];

export function vtdDriver(profile: DriverProfile): VtdDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
