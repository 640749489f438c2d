/** What differs between versions of Linux's RISC-V IOMMU driver: each row says what changed, and since when (RVI 5). */
import type { DriverProfile } from '../architecture.js';

export interface RiscvDriver {
  /** The driver's own page tables, or those that all drivers share. */
  readonly pageTableCode: 'own' | 'generic';
  /** There is a static blocked domain. */
  readonly blockedDomain: boolean;
}

/** The driver came with 6.13; kernels before are treated as if they had its page tables. */
const OLDEST: RiscvDriver = { pageTableCode: 'own', blockedDomain: false };

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<RiscvDriver> }[] = [
  { since: 6013, change: { blockedDomain: true } },
  // The first release with the shared format; nobody has seen it run, so one earlier or later is possible.
  { since: 7001, change: { pageTableCode: 'generic' } },
];

export function riscvDriver(profile: DriverProfile): RiscvDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
