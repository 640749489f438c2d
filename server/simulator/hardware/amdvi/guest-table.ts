/**
 * The guest (version 2) walk (hw-x86 3.6): the GCR3 table has a page table for each PASID, whose entries are a processor's.
 * Where the device table entry has host levels too, every table address goes through the host table first.
 */
import type { SubjectId } from '../../description.js';
import { addressOf, frameOf, frameOfEntry, highHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, WRITE, type EntryLayout } from '../entry-read.js';
import { EXECUTE_DISABLE_HIGH, LEAF_RESERVED, LONG_MODE } from '../long-mode.js';
import { indexAt, levelShift } from '../radix-table.js';
import type { DeviceTable } from './device-table.js';
import { FLAG } from './events.js';
import { OK, UNREADABLE, type HostTable } from './host-table.js';
import { GCR3_ENTRY, GUEST_ENTRY } from './layouts.js';

const GCR3_VALID = 1;
/** log2 of the entries of one GCR3 table. */
const GCR3_INDEX_BITS = 9;
const NO_PAGE = new Uint32Array(1024);

/** What a request asks of the guest table. */
export interface GuestAccess {
  readonly address: bigint;
  /** 0 also stands for requests without PASID (GIoV). */
  readonly pasid: number;
  /** READ | WRITE; 0 takes what there is. */
  readonly need: number;
  readonly privileged: boolean;
  readonly execute: boolean;
}

/** The host table below a nested walk. */
export interface Below {
  readonly table: HostTable;
  readonly root: number;
  readonly levels: number;
  /** Of the device table entry. */
  readonly allowed: number;
  /** Frames that an input of the host table may be in. */
  readonly frames: number;
}

/** Walks; where the last walk ended is in the fields, so that nothing is allocated for a request. */
export class GuestTable {
  /** Frame that the address maps to: physical, or what the host table still has to translate. */
  frame = 0;
  /** log2 of the leaf's bytes. */
  shift = 0;
  /** READ | WRITE that every entry of the way agreed to. */
  allowed = 0;
  /** Frame of the page table that the GCR3 table names for the PASID. */
  private table = 0;

  constructor(private readonly memory: PhysicalMemory, private readonly unit: SubjectId) {}

  /** @returns OK, UNREADABLE, or the flags of an IO_PAGE_FAULT without direction and GN */
  walk(device: DeviceTable, access: GuestAccess, below: Below | null, sink: TraceSink | null): number {
    const found = this.findTable(device, access.pasid, sink);
    if (found !== OK) return found;
    const levels = device.guestLevels;
    if (!isInside(access, levels)) return 0;
    const frame = frameOf(access.address);
    this.allowed = READ | WRITE;
    for (let level = levels; ; level--) {
      const index = indexAt(frame, level);
      const located = below === null ? OK : this.locate(index, below, sink);
      if (located !== OK) return located;
      const page = this.pageOf(this.table);
      if (page === null) return this.unreadable(sink, GUEST_ENTRY[level]!, index);
      const low = page[2 * index]!;
      const high = page[2 * index + 1]!;
      if ((low & LONG_MODE.writable) === 0) this.allowed &= ~WRITE;
      const leaf = level === 1 || (level <= 3 && (low & LONG_MODE.pageSize) !== 0);
      const flags = check(low, high, level, leaf, access, this.allowed);
      if (sink !== null) this.trace(sink, level, index, [low, high], leaf, flags);
      if (flags !== OK) return flags;
      this.table = frameOfEntry(low, high);
      if (leaf) return this.finish(frame, levelShift(level));
    }
  }

  /** The lowest GCR3 table is indexed by the lowest nine bits of the PASID; what PASIDs have above all tables' bits is out of range. */
  private findTable(device: DeviceTable, pasid: number, sink: TraceSink | null): number {
    let level = device.gcr3Levels;
    if (pasid >= 2 ** (GCR3_INDEX_BITS * (level + 1))) return 0;
    this.table = device.gcr3Table;
    for (; level >= 0; level--) {
      const index = (pasid >>> (GCR3_INDEX_BITS * level)) & 511;
      const page = this.pageOf(this.table);
      if (page === null) return this.unreadable(sink, GCR3_ENTRY[level]!, index);
      const low = page[2 * index]!;
      const high = page[2 * index + 1]!;
      const valid = (low & GCR3_VALID) !== 0;
      if (sink !== null) this.traceRoot(sink, level, index, [low, high], valid, pasid);
      if (!valid) return 0;
      this.table = frameOfEntry(low, high);
    }
    return OK;
  }

  /** Nested: where the host table puts the table that the guest calls `table`. */
  private locate(index: number, below: Below, sink: TraceSink | null): number {
    if (this.table >= below.frames) return 0;
    const flags = below.table.walk(below.root, below.levels, addressOf(this.table, 8 * index), below.allowed, READ, sink);
    if (flags === OK) this.table = below.table.frame;
    return flags;
  }

  private finish(frame: number, shift: number): number {
    const frames = 2 ** (shift - 12);
    this.shift = shift;
    this.frame = this.table - (this.table % frames) + (frame % frames);
    return OK;
  }

  private pageOf(table: number): Uint32Array | null {
    return this.memory.page(table) ?? (this.memory.answers(table) ? NO_PAGE : null);
  }

  private unreadable(sink: TraceSink | null, layout: EntryLayout, index: number): number {
    sink?.push(new EntryRead(this.unit, layout, this.table, 8 * index, index, [], 'fault', 'nothing answers at this address', ['AMD-30']));
    return UNREADABLE;
  }

  private traceRoot(sink: TraceSink, level: number, index: number, halves: readonly number[], valid: boolean, pasid: number): void {
    const note = !valid ? `V is clear: PASID ${pasid} has no page table` : level > 0 ? 'points to the next GCR3 table' : `the page table of PASID ${pasid}`;
    sink.push(new EntryRead(this.unit, GCR3_ENTRY[level]!, this.table, 8 * index, index, halves, valid ? 'continue' : 'fault', note, ['AMD-30']));
  }

  private trace(sink: TraceSink, level: number, index: number, halves: readonly number[], leaf: boolean, flags: number): void {
    const note = flags === OK ? (leaf ? 'maps a page' : 'points to the next table') : noteOf(flags);
    const verdict = flags !== OK ? 'fault' : leaf ? 'done' : 'continue';
    sink.push(new EntryRead(this.unit, GUEST_ENTRY[level]!, this.table, 8 * index, index, halves, verdict, note, ['AMD-21', 'AMD-30'], this.allowed));
  }
}

/**
 * Whether the bits above the highest indexed one are as they must be: for PASID 0 they are clear, for others they repeat that bit, as
 * a processor's addresses do.
 */
function isInside({ address, pasid }: GuestAccess, levels: number): boolean {
  const bits = 12 + 9 * levels;
  if (pasid === 0) return highHalf(address) < 2 ** (bits - 32);
  const above = (highHalf(address) | 0) >> (bits - 33);
  return above === 0 || above === -1;
}

/** In this order; the first that does not hold decides. */
function check(low: number, high: number, level: number, leaf: boolean, access: GuestAccess, allowed: number): number {
  if ((low & LONG_MODE.present) === 0) return 0;
  if ((leaf ? low & LEAF_RESERVED[level]! : low & (level >= 4 ? LONG_MODE.pageSize : 0)) !== 0) return FLAG.present | FLAG.reserved;
  if (!access.privileged && (low & LONG_MODE.user) === 0) return FLAG.present | FLAG.permission | FLAG.user; // AMD-33
  if ((access.need & ~allowed) !== 0) return FLAG.present | FLAG.permission;
  if (access.execute && (high & EXECUTE_DISABLE_HIGH) !== 0) return FLAG.present | FLAG.permission | FLAG.noExecute;
  return OK;
}

function noteOf(flags: number): string {
  if (flags === 0) return 'P is clear: nothing is mapped here';
  if ((flags & FLAG.reserved) !== 0) return 'a reserved bit is set';
  if ((flags & FLAG.user) !== 0) return 'U/S is clear: privileged requests only';
  return (flags & FLAG.noExecute) !== 0 ? 'NX is set: no execution here' : 'R/W is clear: no writing here';
}
