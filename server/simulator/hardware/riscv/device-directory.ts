/** From device ID to device context: the device directory table (RVI 4.3), and what makes a context wrong (RVI 4.4). */
import type { SubjectId } from '../../description.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead } from '../entry-read.js';
import { DIRECTORY, type RiscvCapabilities, type RiscvChoices } from './capabilities.js';
import { CAUSE } from './causes.js';
import { BASE_DEVICE_CONTEXT, DIRECTORY_ENTRY, EXTENDED_DEVICE_CONTEXT } from './layouts.js';
import { BARE, type PagingMode, type PagingModes } from './modes.js';
import { frameOfPpn } from './page-entry.js';
import type { RiscvRegisters } from './registers.js';
import { CORRUPTION, LOADED, type TableMemory } from './table-memory.js';

/** DC.tc */
export const CONTROL = { valid: 1, ats: 2, pageRequests: 4, t2gpa: 8, dtf: 0x10, pdtv: 0x20, prpr: 0x40, gade: 0x80, sade: 0x100, dpe: 0x200, sbe: 0x400, sxl: 0x800 } as const;
/** Reserved bits, by half of the context. */
const CONTROL_RESERVED = 0x00ff_f000;
const ATTRIBUTES_RESERVED = [0xfff, 0xff] as const;
/** RCID and MCID of DC.ta. */
const QUALITY_HIGH = 0xffff_ff00;
const FSC_RESERVED_HIGH = 0x0fff_f000;
const MSI_PAGE_RESERVED_HIGH = 0xfff0_0000;
/** Bits of device ID that the levels index, by format. */
export const BASE_INDEX_BITS = [7, 9, 8] as const;
export const EXTENDED_INDEX_BITS = [6, 9, 9] as const;
/** Reserved in a directory entry: 9:1 and 63:54. */
export const POINTER_RESERVED = { low: 0x3fe, high: 0xffc0_0000 } as const;

/** Width of PASIDs by pdtp.MODE - 1. */
const PROCESS_MODES = ['pd8', 'pd17', 'pd20'] as const;

/** Halves of a page number of 52 bits that masks are applied to. */
const PAGE_PART = 2 ** 26;

/** Finds device contexts; the last one is in the fields, so that nothing is allocated for a request. */
export class DeviceDirectory {
  /** Bits of CONTROL. */
  control = 0;
  /** Undefined: Bare. */
  secondStage: PagingMode | undefined;
  secondRoot = 0;
  /** DC.fsc where PDTV is clear; undefined: Bare. */
  firstStage: PagingMode | undefined;
  /** Frame of the first stage's root, or of the process directory. */
  firstRoot = 0;
  /** DC.fsc.MODE where PDTV is set: levels of the process directory, 0 = Bare. */
  processLevels = 0;
  msiTranslated = false;
  msiTable = 0;
  /** DC.msi_addr_mask and pattern: low and high 26 bits of page numbers. */
  readonly msiMask = [0, 0];
  readonly msiPattern = [0, 0];

  /** Bits of device ID that each level indexes, the last first. */
  readonly indexBits: readonly number[];
  /** By levels above the contexts: bits of device ID. */
  private readonly widths: readonly number[];
  private readonly contextBytes: number;

  constructor(
    private readonly tables: TableMemory,
    private readonly capabilities: RiscvCapabilities,
    private readonly choices: RiscvChoices,
    private readonly modes: PagingModes,
    private readonly registers: RiscvRegisters,
    private readonly unit: SubjectId,
  ) {
    this.contextBytes = capabilities.msiFlat ? 64 : 32;
    const [low, middle, high] = capabilities.msiFlat ? EXTENDED_INDEX_BITS : BASE_INDEX_BITS;
    this.indexBits = [low, middle, high];
    this.widths = [low, low + middle, low + middle + high];
  }

  /** Step T4 of RVI 4.2: the levels that ddtp asks for do not index all bits of the ID. */
  isTooWide(deviceId: number): boolean {
    const top = this.registers.directoryMode - DIRECTORY.oneLevel;
    return deviceId >>> this.widths[top]! !== 0;
  }

  has(bit: number): boolean {
    return (this.control & bit) !== 0;
  }

  /** @param deviceId not too wide @returns 0 or a cause; `control` is that of a context only when the cause is 0 */
  find(deviceId: number, sink: TraceSink | null): number {
    this.control = 0;
    const top = this.registers.directoryMode - DIRECTORY.oneLevel;
    let table = this.registers.directory;
    for (let level = top; level > 0; level--) {
      const index = this.indexOf(deviceId, level);
      const loaded = this.tables.load(table, 8 * index, 8, this.registers.bigEndian);
      const cause = loaded !== LOADED ? loadCause(loaded) : this.pointerCause();
      if (sink !== null) this.tracePointer(sink, table, level, index, loaded, cause);
      if (cause !== 0) return cause;
      table = frameOfPpn(this.tables.half(0), this.tables.half(1));
    }
    return this.readContext(table, this.indexOf(deviceId, 0), deviceId, sink);
  }

  private indexOf(deviceId: number, level: number): number {
    if (level === 0) return deviceId & ((1 << this.widths[0]!) - 1);
    return (deviceId >>> this.widths[level - 1]!) & ((1 << this.indexBits[level]!) - 1);
  }

  private pointerCause(): number {
    const low = this.tables.half(0);
    const high = this.tables.half(1);
    if ((low & CONTROL.valid) === 0) return CAUSE.directoryInvalid;
    return (low & POINTER_RESERVED.low) !== 0 || (high & POINTER_RESERVED.high) !== 0 ? CAUSE.directoryMisconfigured : 0;
  }

  private readContext(table: number, index: number, deviceId: number, sink: TraceSink | null): number {
    const offset = index * this.contextBytes;
    const loaded = this.tables.load(table, offset, this.contextBytes, this.registers.bigEndian);
    let cause: number = loaded !== LOADED ? loadCause(loaded) : (this.tables.half(0) & CONTROL.valid) === 0 ? CAUSE.directoryInvalid : 0;
    const wrong = cause === 0 ? this.misconfigured(this.tables) : null;
    if (wrong !== null) cause = CAUSE.directoryMisconfigured;
    if (sink !== null) this.traceContext(sink, table, offset, index, loaded, cause, wrong ?? `the context of device ID 0x${deviceId.toString(16)}`);
    if (cause === 0) this.decode(this.tables);
    return cause;
  }

  private decode(dc: TableMemory): void {
    const narrow = (dc.half(0) & CONTROL.sxl) !== 0;
    this.control = dc.half(0);
    this.secondStage = this.modes.secondStage(dc.half(3) >>> 28, this.registers.gxl);
    this.secondRoot = frameOf44(dc.half(2), dc.half(3));
    this.firstRoot = frameOf44(dc.half(6), dc.half(7));
    const withProcesses = this.has(CONTROL.pdtv);
    this.firstStage = withProcesses ? undefined : this.modes.firstStage(dc.half(7) >>> 28, narrow);
    this.processLevels = withProcesses ? dc.half(7) >>> 28 : 0;
    this.msiTranslated = this.capabilities.msiFlat && dc.half(9) >>> 28 !== 0;
    if (this.msiTranslated) this.decodeWindow(dc);
  }

  private decodeWindow(dc: TableMemory): void {
    this.msiTable = frameOf44(dc.half(8), dc.half(9));
    splitPage(dc.half(10), dc.half(11), this.msiMask);
    splitPage(dc.half(12), dc.half(13), this.msiPattern);
  }

  /** RV-D1 to RV-D12. @returns what is wrong, in words */
  private misconfigured(dc: TableMemory): string | null {
    return this.reservedSet(dc) ? 'a reserved bit is set' : this.controlWrong(dc.half(0), dc.half(3) >>> 28) ?? this.firstStageWrong(dc) ?? this.secondStageWrong(dc);
  }

  private reservedSet(dc: TableMemory): boolean {
    const { msiFlat, qualityOfService } = this.capabilities;
    if ((dc.half(0) & CONTROL_RESERVED) !== 0 || dc.half(1) !== 0) return true;
    if ((dc.half(4) & ATTRIBUTES_RESERVED[0]) !== 0 || (dc.half(5) & ATTRIBUTES_RESERVED[1]) !== 0) return true;
    if (!qualityOfService && (dc.half(5) & QUALITY_HIGH) !== 0) return true;
    if ((dc.half(7) & FSC_RESERVED_HIGH) !== 0) return true;
    if (!msiFlat) return false;
    return (dc.half(9) & FSC_RESERVED_HIGH) !== 0 || ((dc.half(11) | dc.half(13)) & MSI_PAGE_RESERVED_HIGH) !== 0 || (dc.half(14) | dc.half(15)) !== 0;
  }

  private controlWrong(tc: number, secondStageCode: number): string | null {
    const { ats, t2gpa, setsAccessedDirty, bothEndians } = this.capabilities;
    if (!ats && (tc & (CONTROL.ats | CONTROL.pageRequests | CONTROL.prpr)) !== 0) return 'EN_ATS, EN_PRI or PRPR is set, and the unit has no ATS';
    if ((tc & CONTROL.ats) === 0 && (tc & (CONTROL.t2gpa | CONTROL.pageRequests)) !== 0) return 'T2GPA or EN_PRI is set without EN_ATS';
    if ((tc & CONTROL.pageRequests) === 0 && (tc & CONTROL.prpr) !== 0) return 'PRPR is set without EN_PRI';
    if ((tc & CONTROL.t2gpa) !== 0 && (!t2gpa || secondStageCode === BARE)) return 'T2GPA is set without a second stage, or the unit has none';
    if ((tc & CONTROL.pdtv) === 0 && (tc & CONTROL.dpe) !== 0) return 'DPE is set without PDTV';
    if (!setsAccessedDirty && (tc & (CONTROL.sade | CONTROL.gade)) !== 0) return 'SADE or GADE is set, and the unit sets no accessed and dirty bits';
    const order = ((tc & CONTROL.sbe) !== 0) === this.registers.bigEndian;
    if (!order && (!bothEndians || !this.choices.beWritable)) return 'SBE is not the byte order that the unit has';
    const narrow = (tc & CONTROL.sxl) !== 0;
    if (this.registers.gxl ? !narrow : narrow && !this.choices.gxlWritable) return 'SXL is not legal with GXL';
    return null;
  }

  private firstStageWrong(dc: TableMemory): string | null {
    const code = dc.half(7) >>> 28;
    if (code === BARE) return null;
    if ((dc.half(0) & CONTROL.pdtv) === 0) return this.modes.firstStage(code, (dc.half(0) & CONTROL.sxl) !== 0) === undefined ? 'the mode of iosatp is none that the unit has' : null;
    const width = PROCESS_MODES[code - 1];
    return width === undefined || !this.capabilities[width] ? 'the mode of pdtp is none that the unit has' : null;
  }

  private secondStageWrong(dc: TableMemory): string | null {
    const code = dc.half(3) >>> 28;
    if (code !== BARE) {
      if (this.modes.secondStage(code, this.registers.gxl) === undefined) return 'the mode of iohgatp is none that the unit has';
      if ((dc.half(2) & 3) !== 0) return 'the root of the second stage is not aligned to 16 KiB';
    }
    if (!this.capabilities.msiFlat) return null;
    return dc.half(9) >>> 28 > 1 ? 'the mode of msiptp is reserved' : null;
  }

  private tracePointer(sink: TraceSink, table: number, level: number, index: number, loaded: number, cause: number): void {
    const halves = loaded === LOADED ? this.tables.halves(2) : [];
    sink.push(new EntryRead(this.unit, DIRECTORY_ENTRY[level]!, table, 8 * index, index, halves, cause === 0 ? 'continue' : 'fault', NOTES[cause] ?? 'points to the next table', ['RVI 4.3']));
  }

  private traceContext(sink: TraceSink, table: number, offset: number, index: number, loaded: number, cause: number, note: string): void {
    const layout = this.capabilities.msiFlat ? EXTENDED_DEVICE_CONTEXT : BASE_DEVICE_CONTEXT;
    const halves = loaded === LOADED ? this.tables.halves(this.contextBytes / 4) : [];
    const text = cause === 0 || cause === CAUSE.directoryMisconfigured ? note : NOTES[cause]!;
    sink.push(new EntryRead(this.unit, layout, table, offset, index, halves, cause === 0 ? 'continue' : 'fault', text, ['RVI 4.3', 'RVI 4.4']));
  }
}

const loadCause = (loaded: number): number => (loaded === CORRUPTION ? CAUSE.directoryCorrupt : CAUSE.directoryLoad);

/** The frame in bits 43:0, as registers and contexts name roots. */
export const frameOf44 = (low: number, high: number): number => (high & 0xfff) * 2 ** 32 + low;

function splitPage(low: number, high: number, parts: number[]): void {
  const page = (high & 0xf_ffff) * 2 ** 32 + low;
  parts[0] = page % PAGE_PART;
  parts[1] = Math.floor(page / PAGE_PART);
}

const NOTES: Readonly<Record<number, string>> = {
  [CAUSE.directoryLoad]: 'nothing may be read at this address',
  [CAUSE.directoryCorrupt]: 'the data is poisoned',
  [CAUSE.directoryInvalid]: 'V is clear: this device has no context',
  [CAUSE.directoryMisconfigured]: 'a reserved bit is set',
};
