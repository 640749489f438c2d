/** From requester ID to context entry: root table, context table (hw-x86 2.4, L2 to L4). */
import type { SubjectId } from '../../description.js';
import { frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink, Verdict } from '../../trace/events.js';
import { EntryRead, type EntryLayout } from '../entry-read.js';
import type { VtdCapabilities } from './capabilities.js';
import { CONTEXT_ENTRY, ROOT_ENTRY } from './layouts.js';

/** Context entry, translation type. */
export const TRANSLATION_TYPE = { translate: 0, translateWithAts: 1, passThrough: 2, reserved: 3 } as const;

const NO_PAGE = new Uint32Array(1024);

/** Looks entries up; what the last one found is in the fields, so that nothing is allocated for a request. */
export class DeviceLookup {
  /** Frame of the second-stage table. */
  table = 0;
  levels = 0;
  translationType = 0;
  /** Faults of this device are not recorded. */
  faultsDisabled = false;
  domainId = 0;

  /** Bits of an entry's high half at and above the physical address width: reserved. */
  private readonly beyondPhysical: number;
  /** Bit n: tables of n levels. */
  private readonly supported: number;

  constructor(private readonly memory: PhysicalMemory, private readonly capabilities: VtdCapabilities, private readonly unit: SubjectId) {
    this.beyondPhysical = (-1 << (capabilities.physicalWidth - 32)) >>> 0;
    this.supported = capabilities.levels.reduce((map, levels) => map | (1 << levels), 0);
  }

  /** @param root frame of the root table. @returns 0, or the fault reason. */
  find(root: number, requesterId: number, sink: TraceSink | null): number {
    this.faultsDisabled = false;
    const bus = requesterId >>> 8;
    const page = this.pageOf(root);
    if (page === null) return this.unreadable(sink, ROOT_ENTRY, root, bus, 0x08);
    const low = page[4 * bus]!;
    const high = page[4 * bus + 1]!;
    const code = this.checkRoot(low, high, page[4 * bus + 2]!, page[4 * bus + 3]!);
    if (sink !== null) this.trace(sink, ROOT_ENTRY, root, bus, page, code, 'VTD-10');
    return code !== 0 ? code : this.findContext(frameOfEntry(low, high), requesterId & 0xff, sink);
  }

  private findContext(table: number, index: number, sink: TraceSink | null): number {
    const page = this.pageOf(table);
    if (page === null) return this.unreadable(sink, CONTEXT_ENTRY, table, index, 0x09);
    const low = page[4 * index]!;
    const high = page[4 * index + 1]!;
    const low2 = page[4 * index + 2]!;
    this.faultsDisabled = (low & 2) !== 0;
    this.translationType = (low >>> 2) & 3;
    this.levels = (low2 & 7) + 2;
    this.domainId = (low2 >>> 8) & 0xffff;
    this.table = frameOfEntry(low, high);
    const code = this.checkContext(low, high, low2, page[4 * index + 3]!);
    if (sink !== null) this.trace(sink, CONTEXT_ENTRY, table, index, page, code, 'VTD-30');
    return code;
  }

  private checkRoot(low: number, high: number, low2: number, high2: number): number {
    if ((low & 1) === 0) return 0x01;
    return (low & 0xffe) !== 0 || (high & this.beyondPhysical) !== 0 || low2 !== 0 || high2 !== 0 ? 0x0a : 0;
  }

  private checkContext(low: number, high: number, low2: number, high2: number): number {
    if ((low & 1) === 0) return 0x02;
    // Bits 6:3 of the second word are the software's, 7 and 63:24 are reserved.
    if ((low & 0xff0) !== 0 || (high & this.beyondPhysical) !== 0 || (low2 & 0xff00_0080) !== 0 || high2 !== 0) return 0x0b;
    const { passThrough, deviceTlb } = this.capabilities;
    if ((this.supported & (1 << this.levels)) === 0) return 0x03;
    switch (this.translationType) {
      case TRANSLATION_TYPE.translate: return 0;
      case TRANSLATION_TYPE.translateWithAts: return deviceTlb ? 0 : 0x03;
      case TRANSLATION_TYPE.passThrough: return passThrough ? 0 : 0x03;
      default: return 0x03;
    }
  }

  /** The page of a frame, all zero when never written; null when nothing answers there. */
  private pageOf(frame: number): Uint32Array | null {
    return this.memory.page(frame) ?? (this.memory.answers(frame) ? NO_PAGE : null);
  }

  private unreadable(sink: TraceSink | null, layout: EntryLayout, frame: number, index: number, code: number): number {
    sink?.push(new EntryRead(this.unit, layout, frame, 16 * index, index, [], 'fault', 'nothing answers at this address', ['VTD-30']));
    return code;
  }

  private trace(sink: TraceSink, layout: EntryLayout, frame: number, index: number, page: Uint32Array, code: number, rule: string): void {
    const halves = [page[4 * index]!, page[4 * index + 1]!, page[4 * index + 2]!, page[4 * index + 3]!];
    const verdict: Verdict = code === 0 ? 'continue' : 'fault';
    sink.push(new EntryRead(this.unit, layout, frame, 16 * index, index, halves, verdict, NOTES[code] ?? this.found(layout), [rule]));
  }

  private found(layout: EntryLayout): string {
    if (layout === ROOT_ENTRY) return 'leads to the context table of this bus';
    return this.translationType === TRANSLATION_TYPE.passThrough ? 'requests pass untranslated' : `translates with ${this.levels} levels for domain ${this.domainId}`;
  }
}

/** What an entry's fault means, by reason. */
const NOTES: Readonly<Record<number, string>> = {
  0x01: 'P is clear: no device of this bus may do DMA',
  0x02: 'P is clear: this device may do no DMA',
  0x03: 'the unit does not have this translation type or number of levels',
  0x0a: 'a reserved bit is set',
  0x0b: 'a reserved bit is set',
};
