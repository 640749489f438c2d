/** What the IOMMU drivers log when they switch their units on. */
import type { IommuDescription } from '../description.js';
import { hasWord } from './command-line.js';
import { wantsStrict, wantsStrictByOption, type Boot } from './strictness.js';

/** First release in which strictness is the core's business and no longer each driver's (DOM-02). */
const CORE_DECIDES_SINCE = 5015;

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
