/** From requester ID and PASID to PASID entry: root, context, PASID directory, PASID table (hw-x86 2.5, S1 to S7). */
import type { SubjectId } from '../../description.js';
import { frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitRequest } from '../architecture.js';
import { EntryRead, type EntryLayout } from '../entry-read.js';
import type { VtdCapabilities } from './capabilities.js';
import { PASID_DIRECTORY_ENTRY, PASID_ENTRY, SCALABLE_CONTEXT_ENTRY, SCALABLE_ROOT_ENTRY } from './layouts.js';

/** PASID entry, PGTT. */
export const TABLE_TYPE = { firstStage: 1, secondStage: 2, nested: 3, passThrough: 4 } as const;

/** PASID entry, SSADE. */
export const SETS_DIRTY = 0x200;

/** PASIDs of one PASID table page, and the bits that its directory index leaves over. */
const PASIDS_IN_TABLE = 64;
/** A directory of size field n is for PASIDs below 2^(n+13). */
const SMALLEST_PASID_BITS = 13;
const ENTRIES_IN_PAGE = 512;
const NO_PAGE = new Uint32Array(1024);

/** What reading one structure can end in. */
interface Codes {
  readonly unreadable: number;
  readonly absent: number;
  readonly reserved: number;
}
const ROOT: Codes = { unreadable: 0x38, absent: 0x39, reserved: 0x3a };
const CONTEXT: Codes = { unreadable: 0x40, absent: 0x41, reserved: 0x42 };
const DIRECTORY: Codes = { unreadable: 0x50, absent: 0x51, reserved: 0x52 };
const TABLE: Codes = { unreadable: 0x58, absent: 0x59, reserved: 0x5a };

/** Looks entries up; what the last one found is in the fields. */
export class ScalableLookup {
  /** VTD-40: FPD of any entry on the way, whether present or not. */
  faultsDisabled = false;
  type = 0;
  /** Frames of the tables. */
  secondTable = 0;
  firstTable = 0;
  secondLevels = 0;
  /** SSADE: second-stage leaves get accessed and dirty bits. */
  setsDirty = false;
  firstLevels = 0;
  /** The request counts as privileged. */
  privileged = false;
  /** WPE: write protection holds for privileged requests too. */
  writeProtect = false;
  /** NXE: execute-disable bits count. */
  executeDisable = false;
  /** SMEP: privileged requests execute nothing in users' pages. */
  protectsExecution = false;

  /** The entry that was read last: page and index of its first half. */
  private page: Uint32Array = NO_PAGE;
  private at = 0;
  /** VTD-40: bits of a pointer's high half at and above the physical address width are reserved in every structure. */
  private readonly beyondPhysical: number;

  constructor(private readonly memory: PhysicalMemory, private readonly capabilities: VtdCapabilities, private readonly unit: SubjectId) {
    this.beyondPhysical = (-1 << (capabilities.physicalWidth - 32)) >>> 0;
  }

  /** @returns 0, or the fault reason. */
  find(root: number, request: UnitRequest, sink: TraceSink | null): number {
    this.faultsDisabled = false;
    const bus = request.requesterId >>> 8;
    const upper = (request.requesterId >>> 7) & 1;
    // VTD: devices 0 to 15 use the first word of the root entry, 16 to 31 the second.
    const code = this.read(SCALABLE_ROOT_ENTRY, root, 2 * bus + upper, 2, ROOT, sink, (half) => (half(0) & 0xffe) !== 0 || this.isBeyond(half(1)));
    return code !== 0 ? code : this.findContext(this.pointer(0), request, sink);
  }

  private findContext(table: number, request: UnitRequest, sink: TraceSink | null): number {
    const reserved = (half: (i: number) => number): boolean => (half(0) & 0x1e0) !== 0 || this.isBeyond(half(1)) || (half(2) & 0xffe0_0000) !== 0 || half(3) !== 0 || (half(4) | half(5) | half(6) | half(7)) !== 0;
    const code = this.read(SCALABLE_CONTEXT_ENTRY, table, request.requesterId & 0x7f, 8, CONTEXT, sink, reserved);
    if (code !== 0) return code;
    const low = this.half(0);
    if (request.addressType !== 'untranslated' && (low & 4) === 0) return 0x44; // S3, VTD-62
    if (request.pasid !== undefined && (low & 8) === 0) return 0x45; // S4
    const limit = 2 ** (((low >>> 9) & 7) + SMALLEST_PASID_BITS);
    const own = this.half(2) & 0xf_ffff;
    const pasid = request.pasid ?? own;
    if (pasid >= limit) return request.pasid === undefined ? 0x48 : 0x46;
    this.privileged = request.pasid === undefined ? (this.half(2) & 0x10_0000) !== 0 : request.privileged; // VTD-46
    return this.findPasid(this.pointer(0), pasid, request, sink);
  }

  private findPasid(directory: number, pasid: number, request: UnitRequest, sink: TraceSink | null): number {
    const slot = Math.floor(pasid / PASIDS_IN_TABLE);
    const first = this.read(PASID_DIRECTORY_ENTRY, directory + Math.floor(slot / ENTRIES_IN_PAGE), slot % ENTRIES_IN_PAGE, 2, DIRECTORY, sink, (half) => (half(0) & 0xffc) !== 0 || this.isBeyond(half(1)));
    if (first !== 0) return first;
    const code = this.read(PASID_ENTRY, this.pointer(0), pasid % PASIDS_IN_TABLE, 16, TABLE, sink, (half) => this.entryHasReserved(half));
    return code !== 0 ? code : this.decode(request);
  }

  /** S7 and VTD-41. */
  private decode(request: UnitRequest): number {
    const low = this.half(0);
    const flags = this.half(4);
    this.type = (low >>> 6) & 7;
    this.secondLevels = ((low >>> 2) & 7) + 2;
    this.setsDirty = this.capabilities.dirtyTracking && (low & SETS_DIRTY) !== 0;
    this.secondTable = this.pointer(0);
    this.firstTable = this.pointer(4);
    this.firstLevels = ((flags >>> 2) & 3) + 4;
    this.writeProtect = (flags & 0x10) !== 0;
    this.executeDisable = (flags & 0x20) !== 0;
    this.protectsExecution = (flags & 0x40) !== 0;
    if (!this.isValid()) return 0x5b;
    if (request.pasid !== undefined && request.execute && (flags & 2) === 0) return 0x5c;
    return request.pasid !== undefined && request.privileged && (flags & 1) === 0 ? 0x5d : 0;
  }

  private isValid(): boolean {
    const { firstStage, secondStage, nested, passThrough, levels, addressWidth } = this.capabilities;
    const second = levels.includes(this.secondLevels);
    const first = firstStage && (this.firstLevels === 4 || (this.firstLevels === 5 && addressWidth > 48));
    switch (this.type) {
      case TABLE_TYPE.firstStage: return first;
      case TABLE_TYPE.secondStage: return secondStage && second;
      case TABLE_TYPE.nested: return nested && first && second;
      case TABLE_TYPE.passThrough: return passThrough && second;
      default: return false;
    }
  }

  /** Reads an entry of `halves` halves; bit 0 is always P, bit 1 FPD where the structure has one. */
  private read(layout: EntryLayout, frame: number, index: number, halves: number, codes: Codes, sink: TraceSink | null, hasReserved: (half: (i: number) => number) => boolean): number {
    const page = this.memory.page(frame) ?? (this.memory.answers(frame) ? NO_PAGE : null);
    this.page = page ?? NO_PAGE;
    this.at = halves * index;
    if (codes !== ROOT && (this.half(0) & 2) !== 0) this.faultsDisabled = true;
    const code = page === null ? codes.unreadable : this.judge(codes, hasReserved);
    if (sink !== null) {
      const shown = page === null ? [] : [...page.subarray(this.at, this.at + halves)];
      sink.push(new EntryRead(this.unit, layout, frame, 4 * this.at, index, shown, code === 0 ? 'continue' : 'fault', this.note(code, codes), ['VTD-40']));
    }
    return code;
  }

  private judge(codes: Codes, hasReserved: (half: (i: number) => number) => boolean): number {
    if ((this.half(0) & 1) === 0) return codes.absent;
    return hasReserved((i) => this.half(i)) ? codes.reserved : 0;
  }

  private note(code: number, codes: Codes): string {
    if (code === codes.unreadable) return 'nothing answers at this address';
    if (code === codes.absent) return 'P is clear';
    return code === codes.reserved ? 'a reserved bit is set' : 'present';
  }

  /** The first stage's table is at an address that the second stage translates where both are used; 0x74 says then that it is too high. */
  private entryHasReserved(half: (i: number) => number): boolean {
    const nested = ((half(0) >>> 6) & 7) === TABLE_TYPE.nested;
    return half(7) !== 0 || this.isBeyond(half(1)) || (!nested && this.isBeyond(half(5)));
  }

  private isBeyond(high: number): boolean {
    return (high & this.beyondPhysical) !== 0;
  }

  private half(i: number): number {
    return this.page[this.at + i]!;
  }

  private pointer(i: number): number {
    return frameOfEntry(this.half(i), this.half(i + 1));
  }
}
