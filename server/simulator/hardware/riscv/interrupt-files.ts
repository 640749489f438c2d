/** Messages to the interrupt files of a guest: the MSI page table (RVI 4.8). */
import type { SubjectId } from '../../description.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead } from '../entry-read.js';
import type { RiscvCapabilities } from './capabilities.js';
import { CAUSE } from './causes.js';
import type { DeviceDirectory } from './device-directory.js';
import { MSI_ENTRY } from './layouts.js';
import type { PagingModes } from './modes.js';
import { frameOfPpn } from './page-entry.js';
import type { RiscvRegisters } from './registers.js';
import { CORRUPTION, LOADED, type TableMemory } from './table-memory.js';

const ENTRY_BYTES = 16;
const PART_BITS = 26;
const PART = 2 ** PART_BITS;
/** M of an entry. */
const MODE = { inMemory: 1, basic: 3 } as const;
/** Bits that must be clear: C is bit 63, and what is reserved. */
const CUSTOM_HIGH = 0x8000_0000;
const RESERVED_HIGH = 0x7fc0_0000;
const BASIC_RESERVED_LOW = 0x3f8;
const IN_MEMORY_RESERVED_LOW = 0x78;
/** Of the second word, where the file is in memory: 59:54 and 63:61. */
const NOTICE_RESERVED_HIGH = 0xefc0_0000;
const NOTICE_N10_HIGH = 0x1000_0000;
const FILE_BYTES_SHIFT = 9;

/** Finds where an address of a guest's interrupt file leads; the last answer is in the fields. */
export class InterruptFiles {
  /** Basic entry: frame of the interrupt file. Else: of the notice. */
  frame = 0;
  /** The interrupt file is in memory (MRIF): messages become bits there and a notice to a hart. */
  inMemory = false;
  fileAddress = 0n;
  noticeId = 0;
  /** Halves of page numbers that windows are compared in. */
  private readonly comparedLow: number;
  private readonly comparedHigh: number;

  constructor(
    private readonly tables: TableMemory,
    private readonly capabilities: RiscvCapabilities,
    modes: PagingModes,
    private readonly registers: RiscvRegisters,
    private readonly unit: SubjectId,
  ) {
    const bits = modes.guestAddressBits - 12;
    this.comparedLow = 2 ** Math.min(bits, PART_BITS) - 1;
    this.comparedHigh = 2 ** Math.max(bits - PART_BITS, 0) - 1;
  }

  /** Step 1: whether the guest's page `frame` is an interrupt file. */
  contains(device: DeviceDirectory, frame: number): boolean {
    return this.touches(device, frame, 1);
  }

  /** Whether any of `frames` (a power of two) pages around `frame` is an interrupt file. */
  touches(device: DeviceDirectory, frame: number, frames: number): boolean {
    const { msiMask, msiPattern } = device;
    const lowFree = frames >= PART ? PART - 1 : frames - 1;
    const highFree = frames > PART ? frames / PART - 1 : 0;
    const low = (frame % PART ^ msiPattern[0]!) & ~msiMask[0]! & this.comparedLow & ~lowFree;
    const high = (Math.floor(frame / PART) ^ msiPattern[1]!) & ~msiMask[1]! & this.comparedHigh & ~highFree;
    return low === 0 && high === 0;
  }

  /** Steps 2 to 6. @returns 0 or a cause */
  find(device: DeviceDirectory, frame: number, sink: TraceSink | null): number {
    const file = packed(frame % PART, device.msiMask[0]! & this.comparedLow, Math.floor(frame / PART), device.msiMask[1]! & this.comparedHigh);
    const perPage = 4096 / ENTRY_BYTES;
    const page = device.msiTable + Math.floor(file / perPage);
    const offset = (file % perPage) * ENTRY_BYTES;
    const loaded = this.tables.load(page, offset, ENTRY_BYTES, this.registers.bigEndian);
    const cause = loaded !== LOADED ? (loaded === CORRUPTION ? CAUSE.msiCorrupt : CAUSE.msiLoad) : this.decode(this.tables);
    if (sink !== null) this.trace(sink, page, offset, file, loaded, cause);
    return cause;
  }

  private decode(entry: TableMemory): number {
    const low = entry.half(0);
    const high = entry.half(1);
    if ((low & 1) === 0) return CAUSE.msiInvalid;
    const mode = (low >>> 1) & 3;
    if ((high & (CUSTOM_HIGH | RESERVED_HIGH)) !== 0) return CAUSE.msiMisconfigured;
    if (mode === MODE.basic) {
      this.inMemory = false;
      this.frame = frameOfPpn(low, high);
      return (low & BASIC_RESERVED_LOW) !== 0 ? CAUSE.msiMisconfigured : 0;
    }
    if (mode !== MODE.inMemory || !this.capabilities.msiMrif) return CAUSE.msiMisconfigured;
    if ((low & IN_MEMORY_RESERVED_LOW) !== 0 || (entry.half(3) & NOTICE_RESERVED_HIGH) !== 0) return CAUSE.msiMisconfigured;
    this.inMemory = true;
    this.fileAddress = BigInt((high & 0x3f_ffff) * 2 ** 25 + (low >>> 7)) << BigInt(FILE_BYTES_SHIFT);
    this.frame = frameOfPpn(entry.half(2), entry.half(3));
    this.noticeId = (entry.half(2) & 0x3ff) | ((entry.half(3) & NOTICE_N10_HIGH) !== 0 ? 0x400 : 0);
    return 0;
  }

  private trace(sink: TraceSink, page: number, offset: number, file: number, loaded: number, cause: number): void {
    const halves = loaded === LOADED ? this.tables.halves(4) : [];
    const note = NOTES[cause] ?? (this.inMemory ? 'the interrupt file is in memory' : 'leads to an interrupt file');
    sink.push(new EntryRead(this.unit, MSI_ENTRY, page, offset, file, halves, cause === 0 ? 'done' : 'fault', note, ['RVI 4.8']));
  }
}

/** The bits of a page number whose bits in the mask are set, packed to the low end. */
function packed(low: number, lowMask: number, high: number, highMask: number): number {
  let value = 0;
  let place = 1;
  for (const [part, mask] of [[low, lowMask], [high, highMask]] as const) {
    for (let bit = 0; bit < PART_BITS; bit++) {
      if (((mask >>> bit) & 1) === 0) continue;
      value += ((part >>> bit) & 1) * place;
      place *= 2;
    }
  }
  return value;
}

const NOTES: Readonly<Record<number, string>> = {
  [CAUSE.msiLoad]: 'nothing may be read at this address',
  [CAUSE.msiCorrupt]: 'the data is poisoned',
  [CAUSE.msiInvalid]: 'V is clear: no interrupt file',
  [CAUSE.msiMisconfigured]: 'a reserved bit is set, or the mode is none that the unit has',
};
