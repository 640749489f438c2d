/** What differs between versions of Linux's virtio-iommu driver (VIO 6.3): each row says what changed, and since when. */
import type { DriverProfile } from '../architecture.js';

export interface VirtioDriver {
  /** Identity domains: a bypass domain where the device has `BYPASS_CONFIG`, else everything mapped one-to-one. */
  readonly identityDomain: boolean;
  /** MAP requests wait for their synchronisation with others, and nobody reads their status then; older drivers wait for each and return its errno. */
  readonly queuesMaps: boolean;
  /** Unmaps of a domain may be told to the device later, all together (DOM-28). */
  readonly deferredFlush: boolean;
  /** A domain gets its number, its page sizes and its aperture when it is first attached. */
  readonly finishesDomainsAtAttach: boolean;
  /** The first domain number is that of the one bypass domain, which all groups share. */
  readonly staticIdentity: boolean;
}

const OLDEST: VirtioDriver = { identityDomain: false, queuesMaps: false, deferredFlush: false, finishesDomainsAtAttach: true, staticIdentity: false };

/** Ascending; each row changes the one before. Versions are major * 1000 + minor. */
const HISTORY: readonly { readonly since: number; readonly change: Partial<VirtioDriver> }[] = [
  { since: 5017, change: { identityDomain: true } },
  { since: 6009, change: { queuesMaps: true, deferredFlush: true } },
  { since: 6016, change: { finishesDomainsAtAttach: false, staticIdentity: true } },
];

export function virtioDriver(profile: DriverProfile): VirtioDriver {
  return HISTORY.filter(({ since }) => since <= profile.version).reduce((driver, { change }) => ({ ...driver, ...change }), OLDEST);
}
