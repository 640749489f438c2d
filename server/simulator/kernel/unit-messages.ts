/** What the IOMMU drivers log when they switch their units on. */
import type { IommuDescription } from '../description.js';
import { amdCapabilities, commonFeatures } from '../hardware/amdvi/capabilities.js';
import { hasWord, lastWord } from './command-line.js';
import { wantsStrict, wantsStrictByOption, type Boot } from './strictness.js';

/** First release in which strictness is the core's business and no longer each driver's (DOM-02). */
const CORE_DECIDES_SINCE = 5015;

/** Each line once, whichever and however many units it is about. */
export function unitMessages(units: readonly IommuDescription[], boot: Boot): string[] {
  const lines = units.flatMap((unit) => (unit.architecture === 'vtd' ? vtdLines(unit, boot) : unit.architecture === 'amd-vi' ? amdLines(unit, boot) : []));
  lines.unshift(...guestTableLines(units, boot, 'early'));
  lines.push(...guestTableLines(units, boot, 'late'));
  return [...new Set(lines)];
}

function vtdLines(unit: IommuDescription, boot: Boot): string[] {
  const batching = boot.release < CORE_DECIDES_SINCE ? 'DMAR: Disable batched IOTLB flush due to virtualization' : 'DMAR: IOMMU batching disallowed due to virtualization';
  return [...(wantsStrict(unit, boot) ? [batching] : []), 'DMAR: Intel(R) Virtualization Technology for Directed I/O'];
}

/** First releases that know `pgtbl_v2`, and that say how many levels these tables have (CMD-10, PGS-05). */
const GUEST_TABLES_SINCE = 6001;
const LEVELS_SAID_SINCE = 6004;

/** The warning comes early, before the units are switched on; the confirmation when all is set up. */
function guestTableLines(units: readonly IommuDescription[], { release, commandLine }: Boot, when: 'early' | 'late'): string[] {
  const amd = units.filter((unit) => unit.architecture === 'amd-vi');
  if (amd.length === 0 || release < GUEST_TABLES_SINCE || lastWord(commandLine, 'amd_iommu', ['pgtbl_v1', 'pgtbl_v2']) !== 'pgtbl_v2') return [];
  if (!commonFeatures(amd).guestTables) return when === 'early' ? ['AMD-Vi: Cannot enable v2 page table for DMA-API. Fallback to v1.'] : [];
  const levels = amd.every((unit) => amdCapabilities(unit).guestLevels === 5) ? 5 : 4;
  return when === 'early' ? [] : [`AMD-Vi: V2 page table enabled${release < LEVELS_SAID_SINCE ? '' : ` (Paging mode : ${levels} level)`}`];
}

function amdLines(unit: IommuDescription, boot: Boot): string[] {
  const lines = unit.interruptRemapping && !hasWord(boot.commandLine, 'intremap', 'off') ? ['AMD-Vi: Interrupt remapping enabled'] : [];
  if (wantsStrict(unit, boot)) lines.push('AMD-Vi: Using strict mode due to virtualization');
  else if (boot.release < CORE_DECIDES_SINCE) lines.push(wantsStrictByOption(boot.commandLine) ? 'AMD-Vi: IO/TLB flush on unmap enabled' : 'AMD-Vi: Lazy IO/TLB flushing enabled');
  return lines;
}
