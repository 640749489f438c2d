/** What the kernel logs about IOMMU words of its command line (CMD-01 .. CMD-10). */
import type { CommandLine } from './command-line.js';

interface WordLine {
  readonly word: string;
  readonly line: string;
  /** First and last release (major * 1000 + minor) that log it. */
  readonly since?: number;
  readonly until?: number;
}

const INTEL: readonly WordLine[] = [
  { word: 'on', line: 'DMAR: IOMMU enabled' }, // CMD-01
  { word: 'off', line: 'DMAR: IOMMU disabled' },
  { word: 'igfx_off', line: 'DMAR: Disable GFX device mapping' }, // CMD-02
  { word: 'sm_on', line: 'DMAR: Intel-IOMMU: scalable mode supported', until: 5014 }, // CMD-03
  { word: 'sm_on', line: 'DMAR: Enable scalable mode if hardware supports', since: 5015 },
  { word: 'sm_off', line: 'DMAR: Scalable mode is disallowed', since: 5015 },
  { word: 'strict', line: 'DMAR: Disable batched IOTLB flush', until: 5014 }, // CMD-04
  { word: 'strict', line: 'DMAR: intel_iommu=strict deprecated; use iommu.strict=1 instead', since: 5015 },
  { word: 'forcedac', line: 'DMAR: intel_iommu=forcedac deprecated; use iommu.forcedac instead', since: 5015 },
  { word: 'sp_off', line: 'DMAR: Disable supported super page' }, // CMD-05
];
const AMD: readonly WordLine[] = [
  { word: 'fullflush', line: 'AMD-Vi: amd_iommu=fullflush deprecated; use iommu.strict=1 instead', since: 5015 }, // CMD-10
  { word: 'nohugepages', line: 'AMD-Vi: Restricting V1 page-sizes to 4KiB', since: 6013 }, // PGS-04
  { word: 'v2_pgsizes_only', line: 'AMD-Vi: Restricting V1 page-sizes to 4KiB/2MiB/1GiB', since: 6013 },
];

/** Words without a line of their own. */
const SILENT: Readonly<Record<string, readonly string[]>> = {
  intel_iommu: ['sm_off', 'forcedac', 'tboot_noforce'],
  amd_iommu: ['off', 'fullflush', 'force_isolation', 'force_enable', 'pgtbl_v1', 'pgtbl_v2', 'irtcachedis'],
};
/** CMD-06, CMD-10: releases from which an unknown word is complained about. */
const COMPLAINS_SINCE: Readonly<Record<string, number>> = { intel_iommu: 5015, amd_iommu: 6008 };

export function optionMessages(commandLine: CommandLine, release: number): string[] {
  return [...linesOf('intel_iommu', 'DMAR', INTEL), ...linesOf('amd_iommu', 'AMD-Vi', AMD)];

  function linesOf(option: string, prefix: string, known: readonly WordLine[]): string[] {
    return (commandLine.get(option) ?? []).flatMap((word) => {
      const lines = known.filter((each) => each.word === word && (each.since ?? 0) <= release && release <= (each.until ?? Infinity)).map((each) => each.line);
      const isKnown = known.some((each) => each.word === word && (each.since ?? 0) <= release) || SILENT[option]!.includes(word);
      return isKnown || release < COMPLAINS_SINCE[option]! ? lines : [`${prefix}: Unknown option - '${word}'`];
    });
  }
}
