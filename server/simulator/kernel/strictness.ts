/** Strict or lazy: who wants every unmap to reach the IOTLB at once (DOM-02, DOM-04, 4.3). */
import type { IommuDescription } from '../description.js';
import { hasWord, type CommandLine } from './command-line.js';
import type { Device, PagingDomain } from './core.js';
import type { KernelProfile } from './profile.js';

export interface Boot {
  /** Major * 1000 + minor. */
  readonly release: number;
  readonly commandLine: CommandLine;
}

/** First release whose AMD driver takes an emulated unit (NpCache) for a reason to be strict. */
const AMD_STRICT_SINCE = 5014;

/** CMD-04, CMD-10: options of the IOMMU drivers that mean `iommu.strict=1`. */
export const wantsStrictByOption = (commandLine: CommandLine): boolean => hasWord(commandLine, 'intel_iommu', 'strict') || hasWord(commandLine, 'amd_iommu', 'fullflush');

/** DOM-04: a unit that is itself emulated must hear of every unmap at once; VT-d's does not where only first-stage tables are used. */
export function wantsStrict(unit: IommuDescription, { release, commandLine }: Boot): boolean {
  if (!unit.cachingMode) return false;
  if (unit.architecture === 'amd-vi') return release >= AMD_STRICT_SINCE;
  return unit.architecture === 'vtd' && !(unit.scalableMode && unit.firstStage && hasWord(commandLine, 'intel_iommu', 'sm_on'));
}

/** Whether unmaps of the DMA API in this domain wait for a flush queue. */
export type LazinessTest = (device: Device, domain: PagingDomain) => boolean;

/**
 * The domain's type says it where lazy domains have one of their own. Before (DOM-02), each driver said it for all its domains,
 * with exceptions for the emulated units and for devices that nobody trusts.
 */
export function lazinessTest(profile: KernelProfile, commandLine: CommandLine, units: readonly IommuDescription[]): LazinessTest {
  if (profile.lazyType) return (_device, domain) => domain.type === 'DMA-FQ';
  const strict = wantsStrictByOption(commandLine) || units.some((unit) => wantsStrict(unit, { release: profile.release, commandLine }));
  return (device, domain) => !strict && device.untrusted !== true && domain.unit.capabilities().deferredFlush;
}
