/** From PASID to process context: the process directory table (RVI 4.5). With a second stage its addresses are those of the guest. */
import type { SubjectId } from '../../description.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead } from '../entry-read.js';
import { CAUSE } from './causes.js';
import { CONTROL, frameOf44, POINTER_RESERVED, type DeviceDirectory } from './device-directory.js';
import { PROCESS_CONTEXT, PROCESS_ENTRY } from './layouts.js';
import { BARE, type PagingMode, type PagingModes } from './modes.js';
import { frameOfPpn } from './page-entry.js';
import { IMPLICIT, IMPLICIT_READ, type SecondStage } from './second-stage.js';
import { WALK } from './walked-page.js';
import { CORRUPTION, LOADED, type TableMemory } from './table-memory.js';

/** PC.ta */
export const PROCESS = { valid: 1, ens: 2, sum: 4 } as const;
const ATTRIBUTES_RESERVED = 0xff8;
const FSC_RESERVED_HIGH = 0x0fff_f000;
const CONTEXT_BYTES = 16;
/** PASID bits by levels of the directory. */
export const PROCESS_BITS = [0, 8, 17, 20] as const;

/** The second stage could not translate the address of an entry: `faultFrame` and `faultOffset` say which. */
export const GUEST_PAGE_FAULT = -1;

/** Finds process contexts; the last one is in the fields, so that nothing is allocated for a request. */
export class ProcessDirectory {
  /** Undefined: Bare. */
  firstStage: PagingMode | undefined;
  root = 0;
  /** Bits of PROCESS. */
  attributes = 0;
  faultFrame = 0;
  faultOffset = 0;

  constructor(private readonly tables: TableMemory, private readonly modes: PagingModes, private readonly secondStage: SecondStage, private readonly unit: SubjectId) {}

  /** @param device its directory has levels @returns 0, a cause, or GUEST_PAGE_FAULT */
  find(device: DeviceDirectory, pasid: number, sink: TraceSink | null): number {
    const big = device.has(CONTROL.sbe);
    let table = device.firstRoot;
    for (let level = device.processLevels - 1; ; level--) {
      const size = level === 0 ? CONTEXT_BYTES : 8;
      const index = level === 0 ? pasid & 0xff : level === 1 ? (pasid >>> 8) & 0x1ff : (pasid >>> 17) & 7;
      const located = this.locate(device, table, index * size, sink);
      if (located !== 0) return located;
      const page = this.secondStage.frame;
      const loaded = this.tables.load(page, index * size, size, big);
      const cause = loaded !== LOADED ? (loaded === CORRUPTION ? CAUSE.processCorrupt : CAUSE.processLoad) : this.causeIn(level, device);
      if (sink !== null) this.trace(sink, page, level, index, loaded === LOADED ? size : 0, cause, pasid);
      if (cause !== 0) return cause;
      if (level === 0) return this.decode(this.tables, device);
      table = frameOfPpn(this.tables.half(0), this.tables.half(1));
    }
  }

  private locate(device: DeviceDirectory, table: number, offset: number, sink: TraceSink | null): number {
    switch (this.secondStage.walk(device, table, IMPLICIT_READ, IMPLICIT.processDirectory, sink)) {
      case WALK.done: return 0;
      case WALK.accessFault: return CAUSE.processLoad;
      case WALK.corruption: return CAUSE.processCorrupt;
      default:
        this.faultFrame = table;
        this.faultOffset = offset;
        return GUEST_PAGE_FAULT;
    }
  }

  private causeIn(level: number, device: DeviceDirectory): number {
    const { tables } = this;
    if ((tables.half(0) & PROCESS.valid) === 0) return CAUSE.processInvalid;
    const wrong = level === 0 ? this.contextWrong(tables, device) : (tables.half(0) & POINTER_RESERVED.low) !== 0 || (tables.half(1) & POINTER_RESERVED.high) !== 0;
    return wrong ? CAUSE.processMisconfigured : 0;
  }

  private contextWrong(pc: TableMemory, device: DeviceDirectory): boolean {
    if ((pc.half(0) & ATTRIBUTES_RESERVED) !== 0 || pc.half(1) !== 0 || (pc.half(3) & FSC_RESERVED_HIGH) !== 0) return true;
    const code = pc.half(3) >>> 28;
    return code !== BARE && this.modes.firstStage(code, device.has(CONTROL.sxl)) === undefined;
  }

  private decode(pc: TableMemory, device: DeviceDirectory): number {
    this.attributes = pc.half(0);
    this.firstStage = this.modes.firstStage(pc.half(3) >>> 28, device.has(CONTROL.sxl));
    this.root = frameOf44(pc.half(2), pc.half(3));
    return 0;
  }

  private trace(sink: TraceSink, page: number, level: number, index: number, size: number, cause: number, pasid: number): void {
    const layout = level === 0 ? PROCESS_CONTEXT : PROCESS_ENTRY[level]!;
    const note = NOTES[cause] ?? (level === 0 ? `the context of PASID ${pasid}` : 'points to the next table');
    const halves = this.tables.halves(size / 4);
    sink.push(new EntryRead(this.unit, layout, page, index * (level === 0 ? CONTEXT_BYTES : 8), index, halves, cause === 0 ? 'continue' : 'fault', note, ['RVI 4.5']));
  }
}

const NOTES: Readonly<Record<number, string>> = {
  [CAUSE.processLoad]: 'nothing may be read at this address',
  [CAUSE.processCorrupt]: 'the data is poisoned',
  [CAUSE.processInvalid]: 'V is clear: this PASID has no context',
  [CAUSE.processMisconfigured]: 'a reserved bit is set, or the mode is none that the unit has',
};
