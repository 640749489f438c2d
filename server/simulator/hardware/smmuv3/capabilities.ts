/** What an SMMUv3 can do: the parts of its ID registers that change an answer (SMMU 1.1.1). */
import type { IommuDescription } from '../../description.js';
import { blockLevels, spanShift } from './descriptors.js';

export interface SmmuCapabilities {
  /** Bits of virtual address that stage 1 translates for Linux: 48, or 52 with IDR5.VAX; fewer where the description says so. */
  readonly addressWidth: number;
  /** IDR5.OAS: bits of output address, one of OUTPUT_WIDTHS. */
  readonly outputWidth: number;
  /** IDR5.GRAN*: log2 of the granules, ascending. */
  readonly granules: readonly number[];
  /** IDR0.S1P, S2P */
  readonly stageOne: boolean;
  readonly stageTwo: boolean;
  /** IDR1.SIDSIZE, SSIDSIZE */
  readonly streamBits: number;
  readonly substreamBits: number;
  /** IDR0.CD2L: tables of context descriptors may have two levels. */
  readonly twoLevelContexts: boolean;
  /** IDR0.HTTU: 0 none, 1 sets access flags, 2 and dirty state. */
  readonly hardwareUpdate: 0 | 1 | 2;
  /** IDR0.STALL_MODEL: 0 stall or terminate, 1 terminate only, 2 stall always. */
  readonly stallModel: 0 | 1 | 2;
  /** IDR0.TERM_MODEL: terminated transactions always abort, so CD.A must say so. */
  readonly abortsOnly: boolean;
  /** IDR0.ATS */
  readonly ats: boolean;
}

/** By the code that IDR5.OAS, CD.IPS and STE.S2PS use; 7 is reserved and counts as the largest. */
export const OUTPUT_WIDTHS = [32, 36, 40, 42, 44, 48, 52, 52] as const;

/** Above it, addresses take the forms of 52 bits: 64 KiB granule, bits 51:48 of an address in 15:12 of its descriptor. */
export const NARROW_WIDTH = 48;
const WIDE_GRANULE = 16;
/** What large Arm machines report. */
const DEFAULT_OUTPUT_WIDTH = 48;
/** Units of server chips know more streams than Linux makes tables for. */
const DEFAULT_STREAM_BITS = 32;
/** Tables lie below 2^39 in simulated memory; a unit that reached less could not have been given them. */
const SMALLEST_OUTPUT_WIDTH = 40;
const ALL_GRANULES = [12, 14, 16] as const;

export function smmuCapabilities(unit: IommuDescription): SmmuCapabilities {
  const granules = granulesOf(unit);
  return {
    addressWidth: Math.min(unit.addressWidth ?? NARROW_WIDTH, granules[0] === WIDE_GRANULE ? 52 : NARROW_WIDTH),
    outputWidth: outputWidth(unit.physicalWidth ?? DEFAULT_OUTPUT_WIDTH),
    granules,
    stageOne: true,
    stageTwo: true,
    streamBits: DEFAULT_STREAM_BITS,
    substreamBits: unit.pasidBits,
    twoLevelContexts: true,
    hardwareUpdate: unit.dirtyTracking ? 2 : 0,
    stallModel: 0,
    abortsOnly: true,
    ats: unit.deviceTlb,
  };
}

/** The largest width there is a code for and that is not above `width`. */
const outputWidth = (width: number): number => OUTPUT_WIDTHS.findLast((known) => known <= Math.max(width, SMALLEST_OUTPUT_WIDTH))!;

/** A granule is there when its page is among the described sizes; without description, or with one that names no granule, all are. */
function granulesOf({ pageSizes }: IommuDescription): readonly number[] {
  const named = ALL_GRANULES.filter((granule) => pageSizes?.includes(1n << BigInt(granule)));
  return named.length === 0 ? ALL_GRANULES : named;
}

/** PGS-06: the sizes of the granule that Linux takes, which is the processor's page size (4 KiB) where the unit has it. Bit n = 2^n bytes. */
export function driverPageSizes({ pageSizes }: IommuDescription, { granules }: SmmuCapabilities): bigint {
  const granule = granules[0]!;
  const sizes = [3, ...blockLevels(granule, false)].reduce((map, level) => map | (1n << BigInt(spanShift(granule, level))), 0n);
  const described = pageSizes?.reduce((map, size) => map | size, 0n) ?? sizes;
  return (sizes & described) === 0n ? described : sizes & described;
}
