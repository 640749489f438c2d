/** What a unit answers in scalable mode (hw-x86 2.5, S8 and S9): by PASID entry, first stage, second stage, both or neither. */
import type { SubjectId } from '../../description.js';
import type { PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameOf, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitAnswer, UnitRequest } from '../architecture.js';
import { NEEDS, permissionOf, READ } from '../entry-read.js';
import { LEAF_BYTES, LEAF_FRAMES, widthOfLevels, type VtdCapabilities } from './capabilities.js';
import { vtdFault } from './faults.js';
import { FirstStage, type FirstStageAccess } from './first-stage.js';
import { inWindow, pageTouchesWindow } from './interrupt-window.js';
import type { VtdRegisters } from './registers.js';
import { ScalableLookup, TABLE_TYPE } from './scalable-lookup.js';
import type { SecondStage, WalkCodes } from './second-stage.js';

/** VTD-45: the text and one implementation say 0x79 for both directions. */
const SECOND_STAGE_CODES: WalkCodes = { topUnreadable: 0x7b, unreadable: 0x78, noWrite: 0x79, noRead: 0x79, reserved: 0x7a };

/** VTD-43: the bits above the highest indexed one repeat it. */
function isCanonical(address: bigint, levels: number): boolean {
  const above = (highHalf(address) | 0) >> (levels === 5 ? 24 : 15);
  return above === 0 || above === -1;
}

export class ScalableMode {
  private readonly entries: ScalableLookup;
  private readonly firstStage: FirstStage;

  constructor(memory: PhysicalMemory, private readonly hardware: VtdCapabilities, private readonly secondStage: SecondStage, unit: SubjectId) {
    this.entries = new ScalableLookup(memory, hardware, unit);
    this.firstStage = new FirstStage(memory, hardware, secondStage, unit);
  }

  answer(registers: VtdRegisters, request: UnitRequest, direct: (request: UnitRequest) => UnitAnswer, sink: TraceSink | null): UnitAnswer {
    const { entries } = this;
    const code = entries.find(registers.rootFrame, request, sink);
    if (code !== 0) return this.fault(code);
    if (request.addressType === 'translated') return direct(request); // S8
    this.secondStage.setsAccessed = entries.setsDirty; // VTD-32
    const answer = this.byType(request, direct, sink);
    this.secondStage.setsAccessed = false;
    return answer;
  }

  /** S9 */
  private byType(request: UnitRequest, direct: (request: UnitRequest) => UnitAnswer, sink: TraceSink | null): UnitAnswer {
    switch (this.entries.type) {
      case TABLE_TYPE.firstStage: return this.first(request, sink);
      case TABLE_TYPE.secondStage: return this.second(request, sink);
      case TABLE_TYPE.nested: return this.nested(request, sink);
      default: return this.passThrough(request, direct);
    }
  }

  /** VTD-42, VTD-22 */
  private passThrough(request: UnitRequest, direct: (request: UnitRequest) => UnitAnswer): UnitAnswer {
    if (frameOf(request.address) >= 2 ** (this.hardware.physicalWidth - 12)) return this.fault(0x83);
    return inWindow(request.address) ? this.fault(0x87) : direct(request);
  }

  private second(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { entries, secondStage } = this;
    if (frameOf(request.address) >= this.secondFrames()) return this.fault(0x84);
    const code = secondStage.walk(entries.secondTable, entries.secondLevels, request.address, needOf(request), SECOND_STAGE_CODES, sink);
    if (code !== 0) return this.fault(code);
    return this.found(request, secondStage.frame, secondStage.level, entries.setsDirty ? this.dirtied(request) : secondStage.allowed);
  }

  /**
   * DRT-01: a leaf that is not dirty yet allows no writing to whoever remembers it, so that the first write comes here; or the
   * device's request for a translation to write with, which makes it dirty (VTD-61).
   */
  private dirtied(request: UnitRequest): number {
    const writes = request.access !== 'read';
    const known = this.secondStage.markDirty(writes) || writes;
    return known ? this.secondStage.allowed : this.secondStage.allowed & READ;
  }

  private first(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { entries, firstStage } = this;
    if (!isCanonical(request.address, entries.firstLevels)) return this.fault(0x80);
    const code = firstStage.walk(entries.firstTable, entries.firstLevels, this.accessOf(request), entries.writeProtect, null, sink);
    return code !== 0 ? this.fault(code) : this.found(request, firstStage.frame, firstStage.level, firstStage.allowed);
  }

  /** VTD-44 */
  private nested(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { entries, firstStage, secondStage } = this;
    if (!isCanonical(request.address, entries.firstLevels)) return this.fault(0x80);
    const below = { table: entries.secondTable, levels: entries.secondLevels, frames: this.secondFrames(), setsDirty: entries.setsDirty };
    const upper = firstStage.walk(entries.firstTable, entries.firstLevels, this.accessOf(request), entries.writeProtect, below, sink);
    if (upper !== 0) return this.fault(upper);
    const { frame, level, allowed } = firstStage;
    if (allowed === 0) return this.found(request, 0, 1, 0);
    if (frame >= below.frames) return this.fault(0x84);
    const lower = secondStage.walk(below.table, below.levels, addressOf(frame, lowHalf(request.address) & 0xfff), needOf(request), SECOND_STAGE_CODES, sink);
    if (lower !== 0) return this.fault(lower);
    return this.found(request, secondStage.frame, Math.min(level, secondStage.level), allowed & (entries.setsDirty ? this.dirtied(request) : secondStage.allowed));
  }

  private accessOf(request: UnitRequest): FirstStageAccess {
    const { privileged, executeDisable, protectsExecution } = this.entries;
    const executes = request.execute && request.pasid !== undefined; // PCIE-12: only a PASID comes with it
    return { address: request.address, need: needOf(request), privileged, execute: executes && executeDisable, avoidsUserPages: executes && privileged && protectsExecution };
  }

  private secondFrames(): number {
    return 2 ** (Math.min(widthOfLevels(this.entries.secondLevels), this.hardware.addressWidth) - 12);
  }

  private found(request: UnitRequest, frame: number, level: number, allowed: number): UnitAnswer {
    if (allowed === 0) return { kind: 'address', address: 0n as PhysicalAddress, ...permissionOf(0), pageSize: 4096n };
    if (pageTouchesWindow(frame, LEAF_FRAMES[level]!)) return this.fault(0x87); // VTD-23
    const address = addressOf(frame, lowHalf(request.address) & 0xfff) as PhysicalAddress;
    return { kind: 'address', address, ...permissionOf(allowed), pageSize: LEAF_BYTES[level]! };
  }

  private fault(code: number): UnitAnswer {
    return vtdFault(code, this.entries.faultsDisabled);
  }
}

/** A translation request takes what there is. */
const needOf = (request: UnitRequest): number => (request.addressType === 'translation-request' ? 0 : NEEDS[request.access]);
