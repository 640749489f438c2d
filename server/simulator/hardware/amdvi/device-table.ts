/** From requester ID to device table entry (hw-x86 3.3, steps A3 to A6). */
import type { SubjectId } from '../../description.js';
import { frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import { DEVICE_TABLE_ENTRY } from './layouts.js';
import { ENTRY_BYTES, entriesOf } from './registers.js';

const ENTRIES_IN_PAGE = 4096 / ENTRY_BYTES;
const HALVES = ENTRY_BYTES / 4;
const NO_PAGE = new Uint32Array(1024);

/** Reserved: bits 6:2 and 63 of the first word, 53:52 of the third. */
const RESERVED_LOW = 0x7c;
const RESERVED_HIGH = 0x8000_0000;
const RESERVED_INTERRUPT_HIGH = 0x30_0000;

export const LOOKUP = { found: 0, outside: 1, unreadable: 2, reserved: 3 } as const;

/** Looks entries up; the fields tell what the last one says, so that nothing is allocated for a request. */
export class DeviceTable {
  valid = false;
  translationValid = false;
  /** Host levels, 0 = none, 7 = reserved. */
  mode = 0;
  /** Frame of the host table. */
  table = 0;
  /** READ | WRITE */
  allowed = 0;
  guestTables = false;
  guestWithoutPasid = false;
  domainId = 0;
  ats = false;
  /** SE and SA: which page faults stay unlogged. */
  suppressAfterFirst = false;
  suppressAll = false;
  excluded = false;
  portIoControl = 0;
  systemManagement = 0;
  interruptsValid = false;
  interruptControl = 0;
  interruptEntries = 0;
  /** Byte address / 64 of the interrupt table; 0 = not described. */
  interruptTable = 0n;

  constructor(private readonly memory: PhysicalMemory, private readonly unit: SubjectId) {}

  /** @returns one of LOOKUP. */
  find(deviceTable: bigint, requesterId: number, sink: TraceSink | null): number {
    this.decode(NO_PAGE, 0);
    if (requesterId >= entriesOf(deviceTable)) return LOOKUP.outside; // A3
    const frame = frameOf(deviceTable) + Math.floor(requesterId / ENTRIES_IN_PAGE);
    const slot = requesterId % ENTRIES_IN_PAGE;
    const page = this.memory.page(frame) ?? (this.memory.answers(frame) ? NO_PAGE : null);
    if (page === null) {
      sink?.push(new EntryRead(this.unit, DEVICE_TABLE_ENTRY, frame, ENTRY_BYTES * slot, requesterId, [], 'fault', 'nothing answers at this address', ['AMD-01']));
      return LOOKUP.unreadable;
    }
    const at = HALVES * slot;
    this.decode(page, at);
    const reserved = this.valid && ((page[at]! & RESERVED_LOW) !== 0 || (page[at + 1]! & RESERVED_HIGH) !== 0 || (page[at + 5]! & RESERVED_INTERRUPT_HIGH) !== 0);
    if (sink !== null) this.trace(sink, frame, slot, requesterId, page, reserved);
    return reserved ? LOOKUP.reserved : LOOKUP.found;
  }

  private decode(page: Uint32Array, at: number): void {
    const [low, high, low1, high1] = [page[at]!, page[at + 1]!, page[at + 2]!, page[at + 3]!];
    this.valid = (low & 1) !== 0;
    this.translationValid = (low & 2) !== 0;
    this.mode = (low >>> 9) & 7;
    this.table = frameOfEntry(low, high);
    this.guestWithoutPasid = (high & 0x40_0000) !== 0;
    this.guestTables = (high & 0x80_0000) !== 0;
    this.allowed = (high >>> 29) & (READ | WRITE);
    this.domainId = low1 & 0xffff;
    this.ats = (high1 & 1) !== 0;
    this.suppressAfterFirst = (high1 & 2) !== 0;
    this.suppressAll = (high1 & 4) !== 0;
    this.portIoControl = (high1 >>> 3) & 3;
    this.excluded = (high1 & 0x80) !== 0;
    this.systemManagement = (high1 >>> 8) & 3;
    this.decodeInterrupts(page[at + 4]!, page[at + 5]!);
  }

  private decodeInterrupts(low: number, high: number): void {
    this.interruptsValid = (low & 1) !== 0;
    this.interruptEntries = 2 ** ((low >>> 1) & 0xf);
    this.interruptControl = (high >>> 28) & 3;
    this.interruptTable = (BigInt(high & 0xf_ffff) << 32n) | BigInt((low & ~0x3f) >>> 0);
  }

  private trace(sink: TraceSink, frame: number, slot: number, requesterId: number, page: Uint32Array, reserved: boolean): void {
    const halves = [...page.subarray(HALVES * slot, HALVES * slot + HALVES)];
    sink.push(new EntryRead(this.unit, DEVICE_TABLE_ENTRY, frame, ENTRY_BYTES * slot, requesterId, halves, reserved ? 'fault' : 'continue', this.note(reserved), ['AMD-10'], this.allowed));
  }

  private note(reserved: boolean): string {
    if (reserved) return 'a reserved bit is set';
    if (!this.valid) return 'V is clear: requests pass untranslated';
    if (!this.translationValid) return 'TV is clear: this device may do no DMA';
    return this.mode === 0 ? 'requests are not translated' : `translates with ${this.mode} levels for domain ${this.domainId}`;
  }
}
