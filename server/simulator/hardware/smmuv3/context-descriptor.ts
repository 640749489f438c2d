/** A context descriptor: its fields, and what makes it C_BAD_CD (SMMU 1.4.2, 1.4.3). */
import { OUTPUT_WIDTHS, type SmmuCapabilities } from './capabilities.js';
import { numberOf, POWER, rest, spanShift, startLevel } from './descriptors.js';
import { GRANULE_BY_TG0 } from './stream-entry.js';
import type { Words } from './words.js';

/** By TG1: log2 of the granule; 0 is reserved. */
const GRANULE_BY_TG1 = [0, 14, 12, 16] as const;
const SMALLEST_TSZ = 16;
/** With addresses of 52 bits and the 64 KiB granule. */
const SMALLEST_WIDE_TSZ = 12;
const LARGEST_TSZ = 39;
/** Tables are aligned to their size, and to 64 bytes at least. */
const SMALLEST_TABLE_SHIFT = 6;

/** One of the two ranges of addresses: the lower with TTB0, the upper with TTB1. */
export class Half {
  walks = false;
  inputBits = 0;
  granule = 12;
  startLevel = 0;
  table = 0;
  /** TBI: the top byte of an address is not looked at. */
  ignoresTopByte = false;
  /** HAD: APTable, UXNTable and PXNTable are ignored. */
  ignoresHierarchy = false;
}

export class ContextDescriptor {
  readonly lower = new Half();
  readonly upper = new Half();
  outputBits = 0;
  ignoresAccessFlag = false;
  writeNeverExecutes = false;
  privilegedNeverReads = false;
  setsDirty = false;
  setsAccessed = false;
  stalls = false;
  records = false;

  constructor(private readonly hardware: SmmuCapabilities) {}

  /** @param mayStall STE.S1STALLD is clear. @returns whether the descriptor is legal */
  decode(words: Words, mayStall: boolean): boolean {
    const { outputWidth, hardwareUpdate, stallModel, abortsOnly } = this.hardware;
    const low = words.half(0);
    const high = words.half(1);
    if ((low & (1 << 31)) === 0 || (high & (1 << 9)) === 0) return false; // SM-C1
    if (abortsOnly && (high & (1 << 14)) === 0) return false; // SM-C2
    this.outputBits = Math.min(OUTPUT_WIDTHS[high & 7]!, outputWidth);
    this.ignoresAccessFlag = (high & (1 << 3)) !== 0;
    this.writeNeverExecutes = (high & (1 << 4)) !== 0;
    this.privilegedNeverReads = (high & (1 << 8)) !== 0;
    this.setsDirty = (high & (1 << 10)) !== 0;
    this.setsAccessed = (high & (1 << 11)) !== 0;
    this.stalls = (high & (1 << 12)) !== 0;
    this.records = (high & (1 << 13)) !== 0;
    if (this.stalls && (stallModel === 1 || !mayStall)) return false; // SM-C3
    if (!this.stalls && stallModel === 2) return false;
    if ((this.setsAccessed && hardwareUpdate === 0) || (this.setsDirty && hardwareUpdate !== 2)) return false; // SM-C4
    if ((low & (1 << 15)) !== 0) return false; // SM-C6: big-endian tables
    const { lower, upper } = this;
    lower.ignoresTopByte = (high & (1 << 6)) !== 0;
    upper.ignoresTopByte = (high & (1 << 7)) !== 0;
    return this.decodeHalf(lower, words, 2, low & 0xffff, GRANULE_BY_TG0) && this.decodeHalf(upper, words, 4, low >>> 16, GRANULE_BY_TG1);
  }

  /** @param at half of the word with the table's address. @param control TxSZ 5:0, TGx 7:6, EPDx 14 */
  private decodeHalf(half: Half, words: Words, at: number, control: number, granules: readonly number[]): boolean {
    const tsz = control & 63;
    half.walks = (control & (1 << 14)) === 0;
    half.inputBits = 64 - tsz;
    if (!half.walks) return true; // SM-C8
    half.granule = granules[(control >>> 6) & 3]!;
    if (!this.hardware.granules.includes(half.granule)) return false; // SM-C5
    const wide = this.hardware.addressWidth > 48 && half.granule === 16;
    if (tsz > LARGEST_TSZ || tsz < (wide ? SMALLEST_WIDE_TSZ : SMALLEST_TSZ)) return false;
    const high = words.half(at + 1);
    half.ignoresHierarchy = (high & (1 << 28)) !== 0;
    half.startLevel = startLevel(half.granule, half.inputBits);
    const address = numberOf(words.half(at) & -16, high & 0xf_ffff);
    const shift = Math.max(half.inputBits - spanShift(half.granule, half.startLevel) + 3, SMALLEST_TABLE_SHIFT);
    half.table = address - rest(address, POWER[shift]!);
    return address < POWER[this.outputBits]!; // SM-C7
  }

  /** Why an address has no half, in words. */
  outside(): string {
    const { lower, upper } = this;
    const lowest = lower.walks ? `bits 63:${lower.inputBits} clear` : null;
    const highest = upper.walks ? `bits 63:${upper.inputBits} set` : null;
    if (lowest === null && highest === null) return 'The context descriptor has neither TTB0 nor TTB1 walked.';
    return `No table is walked for this address: the context descriptor translates addresses with ${[lowest, highest].filter((range) => range !== null).join(', or with ')}.`;
  }

  /**
   * SMMU 1.5. @returns which half translates an address; null = neither, or one that is not walked
   */
  halfOf(low: number, high: number): Half | null {
    const { lower, upper } = this;
    // TBI: bits 63:56 count as copies of bit 55.
    const signed = (high << 8) >> 8;
    const forLower = lower.ignoresTopByte ? signed : high | 0;
    if (isFilled(low, forLower, lower.inputBits, 0)) return lower.walks ? lower : null;
    const forUpper = upper.ignoresTopByte ? signed : high | 0;
    return upper.walks && isFilled(low, forUpper, upper.inputBits, -1) ? upper : null;
  }
}

/** Whether bits 63:`bits` of an address are all like `fill` (0 or -1). */
function isFilled(low: number, high: number, bits: number, fill: number): boolean {
  if (bits >= 64) return true;
  if (bits >= 32) return high >> (bits - 32) === fill;
  return high === fill && (low | 0) >> bits === fill;
}
