/** From requester ID to device table entry (hw-x86 3.3, steps A3 to A6). */
import type { SubjectId } from '../../description.js';
import { frameOfEntry, wordOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import { DEVICE_TABLE_ENTRY } from './layouts.js';
import { ENTRIES_IN_PAGE, ENTRY_BYTES, type AmdRegisters } from './registers.js';

const HALVES = ENTRY_BYTES / 4;
const NO_PAGE = new Uint32Array(1024);

/** Reserved: bits 6:2 and 63 of the first word, 53:52 of the third. */
const RESERVED_LOW = 0x7c;
const RESERVED_HIGH = 0x8000_0000;
const RESERVED_INTERRUPT_HIGH = 0x30_0000;

export const LOOKUP = { found: 0, outside: 1, unreadable: 2, reserved: 3 } as const;

/** Looks entries up; the getters tell what the last one says, so that nothing is allocated for a request. */
export class DeviceTable {
  private page: Uint32Array = NO_PAGE;
  /** Index of the entry's first half. */
  private at = 0;

  constructor(private readonly memory: PhysicalMemory, private readonly unit: SubjectId) {}

  get valid(): boolean {
    return this.bits(0, 0, 1) !== 0;
  }
  get translationValid(): boolean {
    return this.bits(0, 1, 1) !== 0;
  }
  /** Host levels, 0 = none, 7 = reserved. */
  get mode(): number {
    return this.bits(0, 9, 7);
  }
  /** HAD: leaves of the host table get accessed and dirty bits. */
  get setsDirty(): boolean {
    return this.bits(0, 7, 3) === 3;
  }
  /** Frame of the host table. */
  get table(): number {
    return frameOfEntry(this.page[this.at]!, this.page[this.at + 1]!);
  }
  /** READ | WRITE */
  get allowed(): number {
    return this.bits(1, 29, READ | WRITE);
  }
  /** GV */
  get guestTables(): boolean {
    return this.bits(1, 23, 1) !== 0;
  }
  /** GIoV: requests without PASID use the guest table of PASID 0. */
  get guestWithoutPasid(): boolean {
    return this.bits(1, 22, 1) !== 0;
  }
  /** GLX: levels of the GCR3 table less one. */
  get gcr3Levels(): number {
    return this.bits(1, 24, 3);
  }
  /** Frame of the GCR3 table, whose address is in three pieces. */
  get gcr3Table(): number {
    return this.bits(1, 26, 7) + 8 * this.bits(2, 16, 0xffff) + 0x8_0000 * this.bits(3, 11, 0x1f_ffff);
  }
  /** GuestPagingMode: levels of the guest tables. */
  get guestLevels(): number {
    return 4 + this.bits(5, 22, 3);
  }
  get domainId(): number {
    return this.bits(2, 0, 0xffff);
  }
  /** I */
  get ats(): boolean {
    return this.bits(3, 0, 1) !== 0;
  }
  /** SE: one page fault is logged. */
  get suppressAfterFirst(): boolean {
    return this.bits(3, 1, 1) !== 0;
  }
  /** SA: no page fault is logged. */
  get suppressAll(): boolean {
    return this.bits(3, 2, 1) !== 0;
  }
  get portIoControl(): number {
    return this.bits(3, 3, 3);
  }
  /** EX: the exclusion range is for this device. */
  get excluded(): boolean {
    return this.bits(3, 7, 1) !== 0;
  }
  get systemManagement(): number {
    return this.bits(3, 8, 3);
  }
  /** IV */
  get interruptsValid(): boolean {
    return this.bits(4, 0, 1) !== 0;
  }
  get interruptEntries(): number {
    return 2 ** this.bits(4, 1, 0xf);
  }
  /** IG: page faults of interrupts are not logged. */
  get suppressInterrupts(): boolean {
    return this.bits(4, 5, 1) !== 0;
  }
  get interruptControl(): number {
    return this.bits(5, 28, 3);
  }
  /** Byte address of the interrupt table; 0 = not described. */
  get interruptTable(): bigint {
    return wordOf(this.page[this.at + 4]! & ~0x3f, this.page[this.at + 5]! & 0xf_ffff);
  }

  /** @returns one of LOOKUP. */
  find(registers: AmdRegisters, requesterId: number, sink: TraceSink | null): number {
    this.page = NO_PAGE;
    this.at = 0;
    if (requesterId >= registers.entries) return LOOKUP.outside; // A3
    const slot = requesterId % ENTRIES_IN_PAGE;
    const frame = registers.tableFrame + (requesterId - slot) / ENTRIES_IN_PAGE;
    const page = this.memory.page(frame) ?? (this.memory.answers(frame) ? NO_PAGE : null);
    if (page === null) {
      sink?.push(new EntryRead(this.unit, DEVICE_TABLE_ENTRY, frame, ENTRY_BYTES * slot, requesterId, [], 'fault', 'nothing answers at this address', ['AMD-01']));
      return LOOKUP.unreadable;
    }
    this.page = page;
    this.at = HALVES * slot;
    const reserved = this.valid && this.hasReserved();
    if (sink !== null) this.trace(sink, frame, slot, requesterId, page, reserved);
    return reserved ? LOOKUP.reserved : LOOKUP.found;
  }

  private hasReserved(): boolean {
    const { page, at } = this;
    return (page[at]! & RESERVED_LOW) !== 0 || (page[at + 1]! & RESERVED_HIGH) !== 0 || (page[at + 5]! & RESERVED_INTERRUPT_HIGH) !== 0;
  }

  private bits(half: number, low: number, mask: number): number {
    return (this.page[this.at + half]! >>> low) & mask;
  }

  private trace(sink: TraceSink, frame: number, slot: number, requesterId: number, page: Uint32Array, reserved: boolean): void {
    const halves = [...page.subarray(HALVES * slot, HALVES * slot + HALVES)];
    sink.push(new EntryRead(this.unit, DEVICE_TABLE_ENTRY, frame, ENTRY_BYTES * slot, requesterId, halves, reserved ? 'fault' : 'continue', this.note(reserved), ['AMD-10'], this.allowed));
  }

  private note(reserved: boolean): string {
    if (reserved) return 'a reserved bit is set';
    if (!this.valid) return 'V is clear: requests pass untranslated';
    if (!this.translationValid) return 'TV is clear: this device may do no DMA';
    if (this.guestTables && this.guestWithoutPasid) return `translates by the guest tables that the GCR3 table names${this.mode === 0 ? '' : `, and those by ${this.mode} levels of host table`}`;
    return this.mode === 0 ? `requests ${this.guestTables ? 'without PASID ' : ''}are not translated` : `translates with ${this.mode} levels for domain ${this.domainId}`;
  }
}
