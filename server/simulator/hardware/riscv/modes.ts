/** Paging modes of both stages, as data (RVI 4.6, 4.7). */
import type { RiscvCapabilities } from './capabilities.js';

export interface PagingMode {
  readonly name: string;
  readonly capability: keyof RiscvCapabilities;
  /** iosatp.MODE or iohgatp.MODE. */
  readonly code: number;
  readonly levels: number;
  readonly entryBytes: 4 | 8;
  /** Bits of address that are translated. */
  readonly addressBits: number;
  /** By level, 0 = the last: log2 of the bytes of a leaf. */
  readonly shifts: readonly number[];
  /** By level: frames of a leaf. */
  readonly frames: readonly number[];
  /** By level: entries of a table. */
  readonly entries: readonly number[];
  /** Frames that the mode translates. */
  readonly reach: number;
}

/** `widened`: bits that the index of the root has more than those of other levels. */
function mode(name: string, capability: keyof RiscvCapabilities, code: number, levels: number, entryBytes: 4 | 8, widened: number): PagingMode {
  const indexBits = entryBytes === 4 ? 10 : 9;
  const all = Array.from({ length: levels }, (_, level) => level);
  const addressBits = 12 + levels * indexBits + widened;
  return {
    name, capability, code, levels, entryBytes, addressBits, reach: 2 ** (addressBits - 12),
    shifts: all.map((level) => 12 + level * indexBits), frames: all.map((level) => 2 ** (level * indexBits)),
    entries: all.map((level) => 2 ** (level === levels - 1 ? indexBits + widened : indexBits)),
  };
}

const FIRST_64 = [mode('Sv39', 'sv39', 8, 3, 8, 0), mode('Sv48', 'sv48', 9, 4, 8, 0), mode('Sv57', 'sv57', 10, 5, 8, 0)];
const FIRST_32 = [mode('Sv32', 'sv32', 8, 2, 4, 0)];
const SECOND_64 = [mode('Sv39x4', 'sv39x4', 8, 3, 8, 2), mode('Sv48x4', 'sv48x4', 9, 4, 8, 2), mode('Sv57x4', 'sv57x4', 10, 5, 8, 2)];
const SECOND_32 = [mode('Sv32x4', 'sv32x4', 8, 2, 4, 2)];

export const BARE = 0;

/** Modes that one unit has, by code; undefined where there is none. */
export class PagingModes {
  private readonly first: readonly (readonly (PagingMode | undefined)[])[];
  private readonly second: readonly (readonly (PagingMode | undefined)[])[];
  /** Bits of guest physical address that an MSI window is compared in. */
  readonly guestAddressBits: number;

  constructor(capabilities: RiscvCapabilities) {
    const byCode = (modes: readonly PagingMode[]) => Array.from({ length: 16 }, (_, code) => modes.find((each) => each.code === code && capabilities[each.capability] === true));
    this.first = [byCode(FIRST_64), byCode(FIRST_32)];
    this.second = [byCode(SECOND_64), byCode(SECOND_32)];
    this.guestAddressBits = [...SECOND_64].reverse().concat(SECOND_32).find((each) => capabilities[each.capability] === true)?.addressBits ?? capabilities.physicalBits;
  }

  /** @param narrow DC.tc.SXL */
  firstStage(code: number, narrow: boolean): PagingMode | undefined {
    return this.first[narrow ? 1 : 0]![code];
  }

  /** @param narrow fctl.GXL */
  secondStage(code: number, narrow: boolean): PagingMode | undefined {
    return this.second[narrow ? 1 : 0]![code];
  }
}

/** Frames that the last three levels of the usual table index. */
export const LOW_FRAMES = 2 ** 27;

/** Which entry of a table of `level` is on the way to frame `above * LOW_FRAMES + below`. */
export function indexIn(mode: PagingMode, below: number, above: number, level: number): number {
  // The usual table: 32-bit arithmetic costs much less.
  if (mode.entries[level] === 512) return level < 3 ? (below >>> (9 * level)) & 511 : (above >>> (9 * (level - 3))) & 511;
  return Math.floor((above * LOW_FRAMES + below) / mode.frames[level]!) % mode.entries[level]!;
}

/** The widest first stage of 64-bit modes, which is what Linux takes. */
export const widestFirstStage = (capabilities: RiscvCapabilities): PagingMode | undefined => FIRST_64.findLast((each) => capabilities[each.capability] === true);
