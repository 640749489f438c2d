/** What the IOMMU drivers log when they switch their units on, and whether a unit wants strict mode (DOM-04). */
import type { IommuDescription } from '../description.js';
import { hasWord, type CommandLine } from './command-line.js';
import { wantsStrictByOption } from './strictness.js';

interface Boot {
  /** Major * 1000 + minor. */
  readonly release: number;
  readonly commandLine: CommandLine;
}

/** First release whose AMD driver takes an emulated unit (NpCache) for a reason to be strict. */
const AMD_STRICT_SINCE = 5014;
/** First release in which strictness is the core's business and no longer each driver's (DOM-02). */
const CORE_DECIDES_SINCE = 5015;

/** A unit that is itself emulated must hear of every unmap at once; VT-d's does not where only first-stage tables are used. */
export function wantsStrict(unit: IommuDescription, { release, commandLine }: Boot): boolean {
  if (!unit.cachingMode) return false;
  if (unit.architecture === 'amd-vi') return release >= AMD_STRICT_SINCE;
  return unit.architecture === 'vtd' && !(unit.scalableMode && unit.firstStage && hasWord(commandLine, 'intel_iommu', 'sm_on'));
}

/** Each line once, whichever and however many units it is about. */
export function unitMessages(units: readonly IommuDescription[], boot: Boot): string[] {
  const lines = units.flatMap((unit) => (unit.architecture === 'vtd' ? vtdLines(unit, boot) : unit.architecture === 'amd-vi' ? amdLines(unit, boot) : []));
  return [...new Set(lines)];
}

function vtdLines(unit: IommuDescription, boot: Boot): string[] {
  const batching = boot.release < CORE_DECIDES_SINCE ? 'DMAR: Disable batched IOTLB flush due to virtualization' : 'DMAR: IOMMU batching disallowed due to virtualization';
  return [...(wantsStrict(unit, boot) ? [batching] : []), 'DMAR: Intel(R) Virtualization Technology for Directed I/O'];
}

function amdLines(unit: IommuDescription, boot: Boot): string[] {
  const lines = unit.interruptRemapping && !hasWord(boot.commandLine, 'intremap', 'off') ? ['AMD-Vi: Interrupt remapping enabled'] : [];
  if (wantsStrict(unit, boot)) lines.push('AMD-Vi: Using strict mode due to virtualization');
  else if (boot.release < CORE_DECIDES_SINCE) lines.push(wantsStrictByOption(boot.commandLine) ? 'AMD-Vi: IO/TLB flush on unmap enabled' : 'AMD-Vi: Lazy IO/TLB flushing enabled');
  return lines;
}
