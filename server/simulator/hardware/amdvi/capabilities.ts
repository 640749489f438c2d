/** What an AMD-Vi unit can do: the parts of its EFR register that change an answer (hw-x86 3.2). */
import type { IommuDescription } from '../../description.js';

export interface AmdCapabilities {
  /** EFR.HATS: most host table levels, 4 .. 6. */
  readonly maxLevels: number;
  /** Leaf sizes that the description allows, bit n = 2^n bytes. */
  readonly pageSizes: bigint;
  readonly interruptRemapping: boolean;
  readonly deviceTlb: boolean;
  /** EFR.HD */
  readonly dirtyTracking: boolean;
  readonly pasidBits: number;
  /** EFR.GATS, and what the processor's own tables have: 4 or 5. */
  readonly guestLevels: number;
}

/** PGS-04: every power of two from 4 KiB to 2^51 bytes, but 512 GiB (a hardware bug). */
export const HOST_SIZES = ((1n << 52n) - (1n << 12n)) & ~(1n << 39n);

/** Levels that an input address of `width` bits needs. */
const levelsForWidth = (width: number): number => Math.min(6, Math.max(3, Math.ceil((width - 12) / 9)));

/** Bits of address that five levels index: the description says so of units whose guest tables have them. */
const FIVE_LEVELS_WIDTH = 57;

/** What Linux uses of guest translation: only what all units of a machine have. */
export interface CommonFeatures {
  readonly guestTables: boolean;
  /** PPR and EPHSup go with PASIDs, for pages that a process has lost. */
  readonly pasids: boolean;
}

export function commonFeatures(units: readonly IommuDescription[]): CommonFeatures {
  const amd = units.filter((unit) => unit.architecture === 'amd-vi');
  const guestTables = amd.every(hasGuestTables);
  return { guestTables, pasids: guestTables && amd.every((unit) => unit.pageRequests) };
}

/** EFR.GT and GIoSup: version 2 tables, also for requests without PASID. PASIDs are nothing without, so a unit that has them has both. */
const hasGuestTables = (unit: IommuDescription): boolean => unit.firstStage || unit.pasidBits > 0;

export function amdCapabilities(unit: IommuDescription): AmdCapabilities {
  return {
    maxLevels: unit.levels?.at(-1) ?? levelsForWidth(unit.addressWidth ?? 64),
    pageSizes: ((unit.pageSizes?.reduce((map, size) => map | size, 0n) ?? HOST_SIZES) & HOST_SIZES) | (1n << 12n),
    interruptRemapping: unit.interruptRemapping,
    deviceTlb: unit.deviceTlb,
    dirtyTracking: unit.dirtyTracking,
    pasidBits: unit.pasidBits,
    guestLevels: unit.addressWidth === FIVE_LEVELS_WIDTH ? 5 : 4,
  };
}
