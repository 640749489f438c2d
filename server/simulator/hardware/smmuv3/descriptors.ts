/**
 * VMSAv8-64 translation tables: their shape and the bits of their descriptors (SMMU 1.6.1, 1.6.2). Physical addresses have at most 52 bits
 * here, which a `number` holds exactly, and so do input addresses once their upper bits have been judged.
 */

/** Powers of two, by exponent. */
export const POWER = Array.from({ length: 65 }, (_, n) => 2 ** n);

/** `value` modulo a power of two. On numbers above 2^31 the operator `%` costs many times as much. */
export const rest = (value: number, power: number): number => value - Math.floor(value / power) * power;

/** Tables end at level 3; a table of a lower number is above. */
export const LAST_LEVEL = 3;

/** @param granule log2 of the bytes of a table. @returns log2 of the bytes that one descriptor of `level` spans */
export const spanShift = (granule: number, level: number): number => granule + (granule - 3) * (LAST_LEVEL - level);

/** Levels above the last whose descriptors may map a block. @param wide output addresses of 52 bits */
export function blockLevels(granule: number, wide: boolean): readonly number[] {
  if (granule === 12) return [1, 2];
  return granule === 16 && wide ? [1, 2] : [2];
}

/** Stage 1 begins where one table resolves the highest bits. @param bits of input address */
export const startLevel = (granule: number, bits: number): number => LAST_LEVEL + 1 - Math.max(1, Math.ceil((bits - granule) / (granule - 3)));

/** Bits of the low half. */
export const VALID = 1;
/** A table above the last level; a page at it. */
export const TABLE_OR_PAGE = 2;
export const ACCESS_FLAG = 1 << 10;
/** Stage 1: AP[1], unprivileged requests allowed; AP[2], no writing. */
export const AP_UNPRIVILEGED = 1 << 6;
export const AP_READ_ONLY = 1 << 7;
/** Stage 2: S2AP. */
export const S2AP_READ = 1 << 6;
export const S2AP_WRITE = 1 << 7;

/** Bits of the high half: 51 DBM, 53 PXN or XN[0], 54 UXN or XN[1]; of a table 59 PXNTable, 60 UXNTable, 61 and 62 APTable. */
export const DIRTY_MODIFIER_HIGH = 1 << 19;
export const PXN_HIGH = 1 << 21;
export const UXN_HIGH = 1 << 22;
export const PXN_TABLE_HIGH = 1 << 27;
export const UXN_TABLE_HIGH = 1 << 28;
export const AP_TABLE_PRIVILEGED_HIGH = 1 << 29;
export const AP_TABLE_READ_ONLY_HIGH = 1 << 30;

/** What a descriptor is. */
export const INVALID = 0;
export const TABLE = 1;
export const LEAF = 2;

/** @param blocks bit n: level n may map blocks */
export function kindOf(low: number, level: number, blocks: number): number {
  if ((low & VALID) === 0) return INVALID;
  const upper = (low & TABLE_OR_PAGE) !== 0;
  if (level === LAST_LEVEL) return upper ? LEAF : INVALID;
  if (upper) return TABLE;
  return (blocks & (1 << level)) !== 0 ? LEAF : INVALID;
}

const mapOf = (granule: number, wide: boolean): number => blockLevels(granule, wide).reduce((map, level) => map | (1 << level), 0);
/** By granule. */
const NARROW_MAPS = Array.from({ length: 17 }, (_, granule) => mapOf(granule, false));
const WIDE_MAPS = Array.from({ length: 17 }, (_, granule) => mapOf(granule, true));
/** `blockLevels` as a map for `kindOf`. */
export const blockMap = (granule: number, wide: boolean): number => (wide ? WIDE_MAPS : NARROW_MAPS)[granule]!;

/** Bits 47:granule of a descriptor, and with `wide` addresses of the 64 KiB granule bits 51:48 from 15:12. */
export function addressIn(low: number, high: number, granule: number, wide: boolean): number {
  const address = (high & 0xffff) * POWER[32]! + ((low & (-1 << granule)) >>> 0);
  return wide && granule === 16 ? address + ((low >>> 12) & 15) * POWER[48]! : address;
}

/** An address from halves; above 2^53 it is not exact, but still too large for whoever compares. */
export const numberOf = (low: number, high: number): number => high * POWER[32]! + (low >>> 0);
