/** What a VT-d unit can do: the parts of its CAP and ECAP registers that change an answer (hw-x86 2.2). */
import type { IommuDescription } from '../../description.js';

export interface VtdCapabilities {
  /** MGAW: bits of input address. */
  readonly addressWidth: number;
  /** HAW: bits of physical address, 32 .. 52. */
  readonly physicalWidth: number;
  /** SAGAW: numbers of second-stage levels, ascending. */
  readonly levels: readonly number[];
  /** SSLPS: leaf sizes of the second stage, bit n = 2^n bytes. */
  readonly pageSizes: bigint;
  /** ECAP.PT */
  readonly passThrough: boolean;
  /** ECAP.DT: device TLBs, so ATS. */
  readonly deviceTlb: boolean;
  /** ECAP.SC */
  readonly snoopControl: boolean;
  readonly interruptRemapping: boolean;
  /** ECAP.SMTS, FSTS, SSTS, NEST and PSS: what scalable mode has. */
  readonly scalableMode: boolean;
  readonly firstStage: boolean;
  readonly secondStage: boolean;
  readonly nested: boolean;
  /** ECAP.SSADS: the second stage can set accessed and dirty bits. */
  readonly dirtyTracking: boolean;
  /** 0 = no requests with PASID. */
  readonly pasidBits: number;
}

/** By level of a leaf: its bytes, and its 4 KiB frames. */
export const LEAF_BYTES = [0n, 1n << 12n, 1n << 21n, 1n << 30n];
export const LEAF_FRAMES = [0, 1, 512, 512 * 512];

const DEFAULT_ADDRESS_WIDTH = 48;
const DEFAULT_PHYSICAL_WIDTH = 46;
const ALL_SIZES = (1n << 12n) | (1n << 21n) | (1n << 30n);

/** Bits of address that a table of so many levels translates. */
export const widthOfLevels = (levels: number): number => 12 + 9 * levels;

/** 39 bits come with 3 levels, 48 with 4, 57 with 4 and 5. */
function levelsForWidth(width: number): readonly number[] {
  if (width > 48) return [4, 5];
  return width > 39 ? [4] : [3];
}

export function vtdCapabilities(unit: IommuDescription): VtdCapabilities {
  const addressWidth = unit.addressWidth ?? DEFAULT_ADDRESS_WIDTH;
  const sizes = unit.pageSizes?.reduce((map, size) => map | size, 0n) ?? ALL_SIZES;
  return {
    addressWidth,
    physicalWidth: unit.physicalWidth ?? Math.max(DEFAULT_PHYSICAL_WIDTH, Math.min(addressWidth, 52)),
    levels: unit.levels ?? levelsForWidth(addressWidth),
    pageSizes: (sizes & ALL_SIZES) | (1n << 12n),
    passThrough: unit.passThrough,
    deviceTlb: unit.deviceTlb,
    snoopControl: unit.snoopControl,
    interruptRemapping: unit.interruptRemapping,
    scalableMode: unit.scalableMode,
    firstStage: unit.firstStage,
    // A unit that nests has both stages; one with a first stage only is what emulators offer.
    secondStage: !unit.firstStage || unit.nested,
    nested: unit.nested,
    dirtyTracking: unit.dirtyTracking,
    pasidBits: unit.pasidBits,
  };
}
