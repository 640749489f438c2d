/**
 * Writes to 0xFEEx_xxxx: interrupts, never memory (VTD-20 .. VTD-23, PCIE-50 .. PCIE-54), and their remapping (hw-x86 2.10).
 */
import type { SubjectId } from '../../description.js';
import { frameOf, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitAnswer, UnitRequest } from '../architecture.js';
import { EntryRead } from '../entry-read.js';
import { vtdFault } from './faults.js';
import { INTERRUPT_ENTRY } from './layouts.js';
import type { VtdRegisters } from './registers.js';

const WINDOW_FIRST_FRAME = 0xfee00;
const WINDOW_LAST_FRAME = 0xfeeff;

export const inWindow = (address: bigint): boolean => highHalf(address) === 0 && lowHalf(address) >>> 20 === 0xfee;
/** VTD-23: the whole leaf page of `frames` around `frame` counts, not only the byte. */
export function pageTouchesWindow(frame: number, frames: number): boolean {
  const first = frames === 1 ? frame : frame - (frame % frames);
  return first <= WINDOW_LAST_FRAME && first + frames > WINDOW_FIRST_FRAME;
}

/** IRTE, source-id qualifier: which bits of the requester ID are compared. */
const QUALIFIER_MASK = [0xffff, 0xfffb, 0xfff9, 0xfff8];
const HANDLES_IN_PAGE = 256;
/** IRTE: bits 14:12 and 31:24 of the first word's low half. */
const RESERVED_LOW = 0xff00_7000;

export class InterruptWindow {
  constructor(private readonly memory: PhysicalMemory, private readonly registers: VtdRegisters, private readonly unit: SubjectId) {}

  /** An untranslated request without PASID to the window. */
  answer(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (request.access !== 'write' || request.size !== 4 || (request.address & 3n) !== 0n) {
      return { kind: 'blocked', reason: 'only a write of four aligned bytes is an interrupt; nothing else may touch 0xfee00000 .. 0xfeefffff' }; // VTD-21
    }
    if (!this.registers.interruptRemappingEnabled) return delivered(request.data, false);
    const remappable = (request.address & 0x10n) !== 0n; // PCIE-51, PCIE-52
    return remappable ? this.remap(request, sink) : this.compatibility(request);
  }

  /** PCIE-51: an interrupt in the old format would choose its vector and target itself. */
  private compatibility(request: UnitRequest): UnitAnswer {
    const extended = this.registers.interruptTable !== null && (this.registers.interruptTable & 0x800n) !== 0n;
    return extended || !this.registers.compatibilityInterrupts ? vtdFault(0x25, false, 0) : delivered(request.data, false);
  }

  private remap(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const address = Number(request.address & 0xf_ffffn);
    const withSubhandle = (address & 8) !== 0;
    let index = ((address >>> 5) & 0x7fff) | ((address & 4) << 13);
    const { interruptTable } = this.registers;
    if (interruptTable === null) return delivered(undefined, true); // entries are the kernel's affair and not described
    if (withSubhandle) {
      if ((request.data ?? 0) >>> 16 !== 0) return vtdFault(0x20, false, index);
      index += request.data ?? 0;
    }
    const entries = 2 ** (Number(interruptTable & 0xfn) + 1);
    if (index >= entries) return vtdFault(0x21, false, index);
    return this.readEntry(frameOf(interruptTable) + Math.floor(index / HANDLES_IN_PAGE), index, request.requesterId, sink);
  }

  private readEntry(frame: number, index: number, requesterId: number, sink: TraceSink | null): UnitAnswer {
    const slot = index % HANDLES_IN_PAGE;
    const page = this.memory.page(frame);
    if (page === undefined && !this.memory.answers(frame)) return vtdFault(0x23, false, index);
    const halves = [0, 1, 2, 3].map((i) => page?.[4 * slot + i] ?? 0);
    const code = checkEntry(halves, requesterId);
    sink?.push(new EntryRead(this.unit, INTERRUPT_ENTRY, frame, 16 * slot, index, halves, code === 0 ? 'done' : 'fault', NOTES[code]!, ['VTD-20']));
    return code === 0 ? delivered((halves[0]! >>> 16) & 0xff, true) : vtdFault(code, (halves[0]! & 2) !== 0, index);
  }
}

const NOTES: Readonly<Record<number, string>> = {
  0x00: 'delivers its own vector and destination',
  0x22: 'P is clear',
  0x24: 'a reserved bit is set',
  0x26: 'it belongs to another requester',
};

function checkEntry(halves: readonly number[], requesterId: number): number {
  const [low, , source, reserved] = halves as [number, number, number, number];
  if ((low & 1) === 0) return 0x22;
  if ((low & RESERVED_LOW) !== 0 || source >>> 20 !== 0 || reserved !== 0) return 0x24;
  return sourceMatches(source, requesterId) ? 0 : 0x26;
}

/** SVT 0 takes anybody, 1 compares the ID under a mask, 2 takes a range of buses. */
function sourceMatches(source: number, requesterId: number): boolean {
  const sid = source & 0xffff;
  switch ((source >>> 18) & 3) {
    case 0: return true;
    case 1: return ((sid ^ requesterId) & QUALIFIER_MASK[(source >>> 16) & 3]!) === 0;
    case 2: return (requesterId >>> 8) >= (sid & 0xff) && (requesterId >>> 8) <= sid >>> 8;
    default: return false;
  }
}

function delivered(vector: number | undefined, remapped: boolean): UnitAnswer {
  return { kind: 'interrupt', remapped, ...(vector !== undefined && { vector: vector & 0xff }) };
}
