/** Snooping that the IOMMU forces (COH-01 .. COH-03). */
import type { AttachRules } from './attach-history.js';
import type { TranslatedDomain } from './domains.js';

/**
 * The domain's `enforce_cache_coherency`: from now on DMA through it is snooped whatever a request says.
 * @returns false when the unit cannot, or when newer kernels find mappings that do not say so
 */
export function enforceCoherency(rules: AttachRules, domain: TranslatedDomain): boolean {
  if (domain.enforcesCoherency) return true;
  if (!domain.unit.capabilities().enforceCacheCoherency) return false; // COH-02
  if (rules.enforcesEmptyOnly && domain.isMapped) return false; // COH-03
  domain.enforcesCoherency = true;
  return true;
}
