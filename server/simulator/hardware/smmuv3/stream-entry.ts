/** A stream table entry: its fields, and what makes it C_BAD_STE (SMMU 1.2.2, 1.2.3). */
import { OUTPUT_WIDTHS, type SmmuCapabilities } from './capabilities.js';
import { LAST_LEVEL, numberOf, POWER, rest, spanShift } from './descriptors.js';
import type { Words } from './words.js';

/** STE.Config of valid entries; 0 to 3 abort. */
export const CONFIG = { bypass: 4, stageOne: 5, stageTwo: 6, nested: 7 } as const;
const FIRST_CONFIG = CONFIG.bypass;
const STAGE_ONE = 1;
const STAGE_TWO = 2;

/** STE.S1DSS: what becomes of requests without PASID where there are PASIDs. 3 counts as 0. */
export const WITHOUT_SUBSTREAM = { terminate: 0, bypass: 1, contextZero: 2 } as const;
/** STE.EATS */
export const ATS = { none: 0, full: 1, split: 2 } as const;

/** By S2TG: log2 of the granule; 0 is reserved. */
export const GRANULE_BY_TG0 = [12, 16, 14, 0] as const;
/** By S2TG, then S2SL0: start level of stage 2; -1 is reserved. */
const START_LEVELS = [[2, 1, 0, -1], [3, 2, 1, -1], [3, 2, 1, -1], []] as const;
const SMALLEST_T0SZ = 16;
const LARGEST_T0SZ = 39;
/** log2 of the tables that the start level of stage 2 may consist of. */
const CONCATENATED = 4;

/** Decodes one entry into its fields, so that nothing is allocated for a request. */
export class StreamEntry {
  aborts = false;
  stageOne = false;
  stageTwo = false;
  /** S1Fmt, S1CDMax, S1DSS and the table of context descriptors. */
  contextFormat = 0;
  contextBits = 0;
  withoutSubstream = 0;
  contextTable = 0;
  stageOneStalls = true;
  ats = 0;

  /** Stage 2: log2 of the granule, bits of intermediate address and of output address, where the walk starts. */
  granule = 12;
  inputBits = 0;
  outputBits = 0;
  startLevel = 0;
  table = 0;
  ignoresAccessFlag = false;
  protectsWalks = false;
  setsAccessed = false;
  setsDirty = false;
  stageTwoStalls = false;
  stageTwoRecords = false;

  constructor(private readonly hardware: SmmuCapabilities) {}

  /** @returns whether the entry is legal; of one that aborts nothing else is looked at */
  decode(words: Words): boolean {
    const low = words.half(0);
    if ((low & 1) === 0) return false; // SM-S1
    const config = (low >>> 1) & 7;
    this.aborts = config < FIRST_CONFIG;
    this.stageOne = !this.aborts && (config & STAGE_ONE) !== 0;
    this.stageTwo = !this.aborts && (config & STAGE_TWO) !== 0;
    this.ats = this.hardware.ats && config !== CONFIG.bypass ? (words.half(2) >>> 28) & 3 : ATS.none;
    if (this.aborts) return true;
    if ((this.stageOne && !this.hardware.stageOne) || (this.stageTwo && !this.hardware.stageTwo)) return false; // SM-S2
    if (this.stageOne && !this.decodeStageOne(words)) return false;
    if (this.stageTwo && !this.decodeStageTwo(words)) return false;
    return this.ats !== ATS.split || (config === CONFIG.nested && !this.stageTwoStalls); // SM-S9
  }

  private decodeStageOne(words: Words): boolean {
    const low = words.half(0);
    const { stallModel, substreamBits, twoLevelContexts } = this.hardware;
    this.contextFormat = (low >>> 4) & 3;
    this.contextBits = words.half(1) >>> 27;
    this.withoutSubstream = words.half(2) & 3;
    this.contextTable = numberOf(low & -64, words.half(1) & 0xf_ffff);
    this.stageOneStalls = (words.half(2) & (1 << 27)) === 0;
    if (!this.stageOneStalls && stallModel !== 0) return false; // SM-S10
    if (this.contextBits === 0) return true; // then S1Fmt says nothing
    if (this.contextBits > substreamBits || this.contextFormat === 3) return false; // SM-S3
    return this.contextFormat === 0 || twoLevelContexts;
  }

  private decodeStageTwo(words: Words): boolean {
    const { outputWidth, granules, hardwareUpdate, stallModel } = this.hardware;
    const high = words.half(5);
    const tg = (high >>> 14) & 3;
    this.granule = GRANULE_BY_TG0[tg]!;
    this.inputBits = 64 - (high & 63);
    this.outputBits = Math.min(OUTPUT_WIDTHS[(high >>> 16) & 7]!, outputWidth);
    this.startLevel = START_LEVELS[tg]![(high >>> 6) & 3] ?? -1;
    this.ignoresAccessFlag = (high & (1 << 21)) !== 0;
    this.protectsWalks = (high & (1 << 22)) !== 0;
    this.setsDirty = (high & (1 << 23)) !== 0;
    this.setsAccessed = (high & (1 << 24)) !== 0;
    this.stageTwoStalls = (high & (1 << 25)) !== 0;
    this.stageTwoRecords = (high & (1 << 26)) !== 0;
    if ((high & (1 << 19)) === 0 || !granules.includes(this.granule) || this.startLevel < 0) return false; // SM-S4
    if ((high & (1 << 20)) !== 0) return false; // SM-S8: big-endian tables
    if (this.stageTwoStalls && stallModel === 1) return false;
    if ((this.setsAccessed && hardwareUpdate === 0) || (this.setsDirty && hardwareUpdate !== 2)) return false;
    return this.fitsShape(high & 63) && this.placeTable(words);
  }

  /** SM-S5, SM-S6: the start level has to resolve one bit at least, and not more than sixteen tables do. */
  private fitsShape(t0sz: number): boolean {
    const { outputWidth } = this.hardware;
    const smallest = this.granule === 16 ? 64 - outputWidth : Math.max(64 - outputWidth, SMALLEST_T0SZ);
    if (t0sz > LARGEST_T0SZ || t0sz < smallest) return false;
    const resolved = this.inputBits - spanShift(this.granule, this.startLevel);
    return resolved >= 1 && resolved <= this.granule - 3 + CONCATENATED && this.startLevel <= LAST_LEVEL;
  }

  /** SM-S7; the base is aligned to all tables of the start level. */
  private placeTable(words: Words): boolean {
    const address = numberOf(words.half(6) & -16, words.half(7) & 0xf_ffff);
    const shift = Math.max(this.inputBits - spanShift(this.granule, this.startLevel) + 3, 6);
    this.table = address - rest(address, POWER[shift]!);
    return address < POWER[this.outputBits]!;
  }
}

