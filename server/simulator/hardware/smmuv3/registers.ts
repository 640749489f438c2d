/** The registers of an SMMUv3 that decide what happens to a request (SMMU 1.1.1). Writable by whoever plays firmware. */
import { highHalf, lowHalf } from '../../memory/frame.js';
import { numberOf, POWER } from './descriptors.js';

const CR0 = { enabled: 1, checksTranslated: 1 << 4 } as const;
const CR2_RECORDS_BAD_STREAMS = 1 << 1;
const GBPA_ABORT = 1 << 20;
/** STRTAB_BASE_CFG.FMT */
const TWO_LEVEL = 1;
/** log2 of the bytes of an STE, and of a level 1 descriptor. */
const ENTRY_SHIFT = 6;
const DESCRIPTOR_SHIFT = 3;
/** SPLIT: 4, 16 and 64 KiB of STEs; other values are taken for the first. */
const SPLITS: ReadonlySet<number> = new Set([6, 8, 10]);

export class SmmuRegisters {
  /** CR0.SMMUEN */
  enabled = true;
  /** GBPA.ABORT: what happens while the unit is off. */
  abortsWhenDisabled = false;
  /** CR0.ATSCHK: translated requests are looked at. */
  checksTranslated = true;
  /** CR2.RECINVSID: C_BAD_STREAMID is recorded. */
  recordsBadStreams = true;

  /** Address of the stream table, aligned to its size. */
  tableAddress = 0;
  twoLevel = false;
  /** The table has 2^log2Size streams. */
  log2Size = 0;
  /** log2 of the STEs below one level 1 descriptor. */
  split = 6;
  private base = 0n;
  private config = 0;

  /** STRTAB_BASE as written: bits 51:6. */
  get streamTable(): bigint {
    return this.base;
  }
  set streamTable(value: bigint) {
    this.base = value;
    this.decode();
  }

  /** STRTAB_BASE_CFG as written: LOG2SIZE 5:0, SPLIT 10:6, FMT 17:16. */
  get streamTableConfig(): number {
    return this.config;
  }
  set streamTableConfig(value: number) {
    this.config = value;
    this.decode();
  }

  /** A register written by hand, by its name in the register map. */
  write(name: string, value: bigint): void {
    const bits = lowHalf(value);
    switch (name) {
      case 'CR0': this.enabled = (bits & CR0.enabled) !== 0; this.checksTranslated = (bits & CR0.checksTranslated) !== 0; break;
      case 'CR2': this.recordsBadStreams = (bits & CR2_RECORDS_BAD_STREAMS) !== 0; break;
      case 'GBPA': this.abortsWhenDisabled = (bits & GBPA_ABORT) !== 0; break;
      case 'STRTAB_BASE': this.streamTable = value; break;
      case 'STRTAB_BASE_CFG': this.streamTableConfig = bits; break;
    }
  }

  private decode(): void {
    const split = (this.config >>> 6) & 31;
    this.twoLevel = ((this.config >>> 16) & 3) === TWO_LEVEL;
    this.log2Size = this.config & 63;
    this.split = SPLITS.has(split) ? split : 6;
    const shift = this.twoLevel ? Math.max(this.log2Size - this.split, 0) + DESCRIPTOR_SHIFT : this.log2Size + ENTRY_SHIFT;
    const address = numberOf(lowHalf(this.base) & -64, highHalf(this.base) & 0xf_ffff);
    this.tableAddress = address - (address % POWER[Math.max(shift, ENTRY_SHIFT)]!);
  }
}
