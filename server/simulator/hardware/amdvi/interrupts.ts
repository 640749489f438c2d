/** Interrupt messages and their remapping (hw-x86 3.7, PCIE-53): the index is in the data, not in the address. */
import type { SubjectId } from '../../description.js';
import { frameOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitAnswer, UnitRequest } from '../architecture.js';
import { EntryRead } from '../entry-read.js';
import type { DeviceTable } from './device-table.js';
import { amdFault, EVENT, FLAG, INVALID, MASTER_ABORT, typeFlag } from './events.js';
import { INTERRUPT_ENTRY, WIDE_INTERRUPT_ENTRY } from './layouts.js';
import type { AmdRegisters } from './registers.js';

/** DTE.IntCtl */
export const INTERRUPT_CONTROL = { abort: 0, forward: 1, remap: 2, reserved: 3 } as const;

const REMAP_ENABLED = 1;
const SUPPRESS = 2;
const INDEX_MASK = 0x7ff;

export class Interrupts {
  constructor(private readonly memory: PhysicalMemory, private readonly registers: AmdRegisters, private readonly unit: SubjectId) {}

  /** A posted write to the message range from the device whose entry is in `device`. */
  answer(request: UnitRequest, device: DeviceTable, sink: TraceSink | null): UnitAnswer {
    if (!device.valid || !device.interruptsValid) return delivered(request.data, false);
    switch (device.interruptControl) {
      case INTERRUPT_CONTROL.forward: return delivered(request.data, false);
      case INTERRUPT_CONTROL.remap: return this.remap(request, device, sink);
      case INTERRUPT_CONTROL.reserved: return amdFault(EVENT.illegalDeviceEntry, FLAG.interrupt | FLAG.write, device.domainId);
      default: return amdFault(EVENT.invalidRequest, typeFlag(INVALID.interruptAborted), device.domainId);
    }
  }

  private remap(request: UnitRequest, device: DeviceTable, sink: TraceSink | null): UnitAnswer {
    // Which entry it is depends on the data; without it, or without a described table, only the rule is known.
    if (request.data === undefined || device.interruptTable === 0n) return delivered(undefined, true);
    const index = request.data & INDEX_MASK;
    if (index >= device.interruptEntries) return amdFault(EVENT.pageFault, FLAG.interrupt, device.domainId, !device.suppressInterrupts);
    const wide = this.registers.wideInterruptEntries;
    const address = device.interruptTable + BigInt(index * (wide ? 16 : 4));
    const page = this.memory.page(frameOf(address));
    if (page === undefined && !this.memory.answers(frameOf(address))) return amdFault(EVENT.pageTableError, FLAG.interrupt | typeFlag(MASTER_ABORT), device.domainId);
    const offset = Number(address & 0xfffn);
    const halves = Array.from({ length: wide ? 4 : 1 }, (_, i) => page?.[offset / 4 + i] ?? 0);
    const answer = judge(halves, wide, device);
    const layout = wide ? WIDE_INTERRUPT_ENTRY : INTERRUPT_ENTRY;
    const shown = wide ? halves : [halves[0]!, 0];
    const verdict = answer.kind === 'fault' ? 'fault' : 'done';
    sink?.push(new EntryRead(this.unit, layout, frameOf(address), offset, index, shown, verdict, answer.kind === 'fault' ? 'it delivers nothing' : 'delivers its own vector and destination', ['PCIE-53']));
    return answer;
  }
}

/** AMD-31: the entry or the whole device may say that nothing is logged. */
function judge(halves: readonly number[], wide: boolean, { domainId, suppressInterrupts }: DeviceTable): UnitAnswer {
  const low = halves[0]!;
  const logged = (low & SUPPRESS) === 0 && !suppressInterrupts;
  if ((low & REMAP_ENABLED) === 0) return amdFault(EVENT.pageFault, FLAG.interrupt, domainId, logged);
  if (((low >>> 2) & 7) > 1) return amdFault(EVENT.pageFault, FLAG.interrupt | FLAG.present | FLAG.reserved, domainId, logged);
  return delivered(wide ? halves[2]! : low >>> 16, true);
}

function delivered(vector: number | undefined, remapped: boolean): UnitAnswer {
  return { kind: 'interrupt', remapped, ...(vector !== undefined && { vector: vector & 0xff }) };
}
