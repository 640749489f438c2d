/** How Linux writes leaves of stage 1 and stage 2 (LA-D6). */
import { READ, WRITE } from '../entry-read.js';
import { ACCESS_FLAG, AP_READ_ONLY, AP_UNPRIVILEGED, DIRTY_MODIFIER_HIGH, S2AP_READ, S2AP_WRITE } from './descriptors.js';

export interface LeafFormat {
  /** Attributes in bits 11:2; @param bits READ | WRITE. */
  leafLow(bits: number): number;
  /** Bits 63:51, as the high half has them. */
  leafHigh(bits: number): number;
  /** READ | WRITE of a leaf, from its halves. */
  permission(low: number, high: number): number;
  /** DRT-01: of the leaf whose low half is `half`. */
  isDirty(page: Uint32Array, half: number): boolean;
  clean(page: Uint32Array, half: number): void;
}

/** SH: inner shareable. */
const SHAREABLE = 3 << 8;
/** nG: of one ASID only. */
const NOT_GLOBAL = 1 << 11;
/** LA-D8: entries of MAIR: 0 is not cached, 1 is write-back. */
export const MAIR = { low: 0x0004_ff44, high: 0 } as const;
/** AttrIndx, bits 4:2, and MemAttr, bits 5:2. */
const CACHED = { stageOne: 1 << 2, stageTwo: 0xf << 2 } as const;
const UNCACHED = { stageOne: 0, stageTwo: 5 << 2 } as const;

/** @param coherent the unit looks into the caches. @param dirty leaves say whether they were written to */
export function stageOneFormat(coherent: boolean, dirty: boolean): LeafFormat {
  const attributes = (coherent ? CACHED : UNCACHED).stageOne | AP_UNPRIVILEGED | SHAREABLE | ACCESS_FLAG | NOT_GLOBAL;
  return {
    // There is no write-only: what may be written may be read.
    leafLow: (bits) => attributes | ((bits & WRITE) === 0 ? AP_READ_ONLY : 0),
    leafHigh: (bits) => (dirty && (bits & WRITE) !== 0 ? DIRTY_MODIFIER_HIGH : 0),
    permission: (low, high) => ((low & AP_READ_ONLY) === 0 || (high & DIRTY_MODIFIER_HIGH) !== 0 ? READ | WRITE : READ),
    // With DBM, AP[2] is clear when the leaf is dirty; it begins so.
    isDirty: (page, half) => (page[half + 1]! & DIRTY_MODIFIER_HIGH) !== 0 && (page[half]! & AP_READ_ONLY) === 0,
    clean: (page, half) => {
      page[half]! |= AP_READ_ONLY;
    },
  };
}

export function stageTwoFormat(coherent: boolean): LeafFormat {
  const attributes = (coherent ? CACHED : UNCACHED).stageTwo | SHAREABLE | ACCESS_FLAG;
  return {
    leafLow: (bits) => attributes | ((bits & READ) !== 0 ? S2AP_READ : 0) | ((bits & WRITE) !== 0 ? S2AP_WRITE : 0),
    leafHigh: () => 0,
    permission: (low) => ((low & S2AP_READ) !== 0 ? READ : 0) | ((low & S2AP_WRITE) !== 0 ? WRITE : 0),
    isDirty: () => false,
    clean: () => undefined,
  };
}
