/** What the silicon does with a request, step by step (RVI 4.2). */
import type { SubjectId } from '../../description.js';
import { addressOf, frameOf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitRequest } from '../architecture.js';
import { DIRECTORY, type RiscvCapabilities, type RiscvChoices } from './capabilities.js';
import { CAUSE, EXECUTE_CAUSES, READ_CAUSES, WRITE_CAUSES, type AccessCauses } from './causes.js';
import { CONTROL, DeviceDirectory } from './device-directory.js';
import { FirstStage } from './first-stage.js';
import { InterruptFiles } from './interrupt-files.js';
import { PagingModes, type PagingMode } from './modes.js';
import { ENTRY, EntryRules } from './page-entry.js';
import { GUEST_PAGE_FAULT, PROCESS, PROCESS_BITS, ProcessDirectory } from './process-directory.js';
import type { RiscvRegisters } from './registers.js';
import { IMPLICIT, SecondStage } from './second-stage.js';
import { WALK } from './walked-page.js';
import { TableMemory } from './table-memory.js';

const ALL = ENTRY.read | ENTRY.write | ENTRY.execute;
/** iotval2 of a guest page fault that the request itself did not make: the unit read a table, or was to write to it. */
const IMPLICIT_ACCESS = 1n;
const IMPLICIT_WRITE = 2n;

/** Translates; what it found for the last request is in the fields, so that nothing is allocated for a request. */
export class Translation {
  /** 0 or the cause of the last request. */
  cause = 0;
  /** Frame that the request goes to; of a notice where `inMemory`. */
  frame = 0;
  /** The same before the second stage. */
  guestFrame = 0;
  /** log2 of the bytes around the address that are translated alike. */
  shift = 12;
  /** ENTRY.read, write and execute that all stages agree to; a translation request is told of `execute` only if it asked for that. */
  allowed = 0;
  /** A page may be written without another walk: D is set in all stages. */
  dirty = false;
  /** Global mapping of the first stage. */
  global = false;
  /** 0 PMA, 1 NC, 2 IO. */
  memoryType = 0;
  /** The request goes to an interrupt file of a guest, which may be in memory. */
  interruptFile = false;
  inMemory = false;
  /** iotval2 of the fault record. */
  faultValue = 0n;
  /** Why there is a fault, where no entry that was read says it; else empty. */
  why = '';

  readonly device: DeviceDirectory;
  readonly files: InterruptFiles;
  private readonly processes: ProcessDirectory;
  private readonly firstStage: FirstStage;
  private readonly secondStage: SecondStage;
  /** What the current request needs; the walkers look at it. */
  private readonly need = { bits: 0, checked: true, privileged: false, userPages: false };
  private causes: AccessCauses = READ_CAUSES;

  constructor(memory: PhysicalMemory, capabilities: RiscvCapabilities, choices: RiscvChoices, private readonly registers: RiscvRegisters, unit: SubjectId) {
    const tables = new TableMemory(memory, capabilities, registers);
    const rules = new EntryRules(capabilities);
    const modes = new PagingModes(capabilities);
    this.device = new DeviceDirectory(tables, capabilities, choices, modes, registers, unit);
    this.secondStage = new SecondStage(tables, rules, registers, choices, unit);
    this.firstStage = new FirstStage(tables, rules, this.secondStage, choices, unit);
    this.processes = new ProcessDirectory(tables, modes, this.secondStage, unit);
    this.files = new InterruptFiles(tables, capabilities, modes, registers, unit);
  }

  /** @returns 0 or a cause */
  run(request: UnitRequest, sink: TraceSink | null): number {
    this.prepare(request);
    return (this.cause = this.steps(request, sink));
  }

  private steps(request: UnitRequest, sink: TraceSink | null): number {
    const { directoryMode } = this.registers;
    if (directoryMode === DIRECTORY.off) return CAUSE.off; // T1
    const untranslated = request.addressType === 'untranslated';
    if (directoryMode === DIRECTORY.bare) return untranslated ? this.direct(request.address) : this.disallow('nothing is translated while ddtp is Bare'); // T2
    if (this.device.isTooWide(request.requesterId)) return this.disallow('the device ID is wider than the device directory'); // T3, T4
    const found = this.device.find(request.requesterId, sink); // T5
    if (found !== 0) return found;
    const why = this.reasonAgainst(request, untranslated);
    if (why !== null) return this.disallow(why); // T6
    if (request.addressType !== 'translated') return this.locate(request, sink);
    return this.device.has(CONTROL.t2gpa) ? this.twoStages(request, undefined, 0, sink) : this.direct(request.address); // T7, T8
  }

  private prepare(request: UnitRequest): void {
    const { need } = this;
    const asks = request.addressType === 'translation-request';
    const writes = request.access !== 'read';
    const withPasid = request.pasid !== undefined;
    const executes = request.execute && !writes && (request.addressType === 'untranslated' || withPasid);
    // A translation request is a read; as a write it says that its sender wants to write too.
    const reads = asks || (!writes && !(request.execute && request.addressType === 'untranslated'));
    need.bits = (reads ? ENTRY.read : 0) | (writes ? ENTRY.write : 0) | (executes || (asks && request.execute && withPasid) ? ENTRY.execute : 0);
    need.checked = !asks;
    need.privileged = withPasid && request.privileged;
    need.userPages = false;
    this.causes = (need.bits & ENTRY.execute) !== 0 ? EXECUTE_CAUSES : reads ? READ_CAUSES : WRITE_CAUSES;
    this.faultValue = 0n;
    this.why = '';
    this.interruptFile = false;
    this.inMemory = false;
    this.device.control = 0;
  }

  private reasonAgainst({ pasid }: UnitRequest, untranslated: boolean): string | null {
    const { device } = this;
    if (!untranslated && !device.has(CONTROL.ats)) return 'EN_ATS of the device context is clear';
    if (pasid === undefined) return null;
    if (!device.has(CONTROL.pdtv)) return 'the device context has no process directory for requests with PASID';
    return device.processLevels === 0 || pasid < 2 ** PROCESS_BITS[device.processLevels]! ? null : 'the PASID is wider than the process directory';
  }

  private disallow(why: string): number {
    this.why = why;
    return CAUSE.disallowed;
  }

  /** The address is used as it is. */
  private direct(address: bigint): number {
    this.frame = this.guestFrame = frameOf(address);
    this.shift = 12;
    this.allowed = ALL;
    this.dirty = true;
    this.global = false;
    this.memoryType = 0;
    return 0;
  }

  /** Steps T9 to T11: which table is the first stage's. */
  private locate(request: UnitRequest, sink: TraceSink | null): number {
    const { device, processes } = this;
    if (!device.has(CONTROL.pdtv)) return this.twoStages(request, device.firstStage, device.firstRoot, sink);
    const pasid = request.pasid ?? (device.has(CONTROL.dpe) ? 0 : undefined);
    if (pasid === undefined || device.processLevels === 0) return this.twoStages(request, undefined, 0, sink);
    const cause = processes.find(device, pasid, sink);
    if (cause === GUEST_PAGE_FAULT) return this.guestPageFault(processes.faultFrame, processes.faultOffset, IMPLICIT_ACCESS);
    if (cause !== 0) return cause;
    if (this.need.privileged && (processes.attributes & PROCESS.ens) === 0) return this.disallow('ENS of the process context is clear, and the request is privileged');
    this.need.userPages = (processes.attributes & PROCESS.sum) !== 0;
    return this.twoStages(request, processes.firstStage, processes.root, sink);
  }

  /** Steps T12 to T15. @param mode undefined = Bare */
  private twoStages(request: UnitRequest, mode: PagingMode | undefined, root: number, sink: TraceSink | null): number {
    const { firstStage, secondStage, device, files, need } = this;
    const walked = firstStage.walk(mode, root, device, request.address, need, sink);
    if (walked !== WALK.done) return this.firstStageCause(walked);
    this.guestFrame = firstStage.frame;
    if (device.msiTranslated && files.contains(device, firstStage.frame)) return this.toInterruptFile(sink);
    const ended = secondStage.walk(device, firstStage.frame, need, IMPLICIT.no, sink);
    if (ended !== WALK.done) return ended === WALK.pageFault ? this.guestPageFault(firstStage.frame, lowHalf(request.address) & 0xfff, 0n) : this.tableCause(ended);
    this.frame = secondStage.frame;
    this.shift = Math.min(firstStage.shift, secondStage.shift);
    if (device.msiTranslated) this.stayOffFiles();
    this.allowed = firstStage.leaf & secondStage.leaf & (need.checked || request.execute ? ALL : ENTRY.read | ENTRY.write);
    this.dirty = (firstStage.leaf & secondStage.leaf & ENTRY.dirty) !== 0;
    this.global = firstStage.global;
    this.memoryType = firstStage.memoryType !== 0 ? firstStage.memoryType : secondStage.memoryType;
    return 0;
  }

  private firstStageCause(walked: number): number {
    const { firstStage } = this;
    if (walked === WALK.pageFault) {
      if (firstStage.outOfRange) this.why = 'the address has bits that the first stage does not translate';
      return this.causes.page;
    }
    if (walked !== WALK.guestPageFault) return this.tableCause(walked);
    return this.guestPageFault(firstStage.faultFrame, firstStage.faultOffset, firstStage.faultWrites ? IMPLICIT_ACCESS | IMPLICIT_WRITE : IMPLICIT_ACCESS);
  }

  private tableCause(walked: number): number {
    return walked === WALK.corruption ? CAUSE.tableCorrupt : this.causes.access;
  }

  private guestPageFault(frame: number, offset: number, how: bigint): number {
    this.faultValue = addressOf(frame, offset & ~3) | how;
    if (this.secondStage.outOfRange) this.why = 'the guest physical address has bits that the second stage does not translate';
    return this.causes.guestPage;
  }

  /** T13; such a page can be read and written and not executed. */
  private toInterruptFile(sink: TraceSink | null): number {
    const { files, firstStage, need } = this;
    const cause = files.find(this.device, firstStage.frame, sink);
    if (cause !== 0) return cause;
    if (need.checked && (need.bits & ENTRY.execute) !== 0) {
      this.why = 'an interrupt file cannot be executed';
      return EXECUTE_CAUSES.access;
    }
    this.interruptFile = true;
    this.inMemory = files.inMemory;
    this.frame = files.frame;
    this.shift = 12;
    this.allowed = firstStage.leaf & (ENTRY.read | ENTRY.write);
    this.dirty = (firstStage.leaf & ENTRY.dirty) !== 0;
    this.global = false;
    this.memoryType = firstStage.memoryType;
    return 0;
  }

  /** A large page that has interrupt files in it is translated in smaller parts: as a leaf of a lower level would be. */
  private stayOffFiles(): void {
    while (this.shift > 12 && this.files.touches(this.device, this.firstStage.frame, 2 ** (this.shift - 12))) this.shift = lowerLeaf(this.shift);
  }
}

/** log2 of the largest leaf that is smaller. */
const lowerLeaf = (shift: number): number => Math.max(12, shift - 1 - ((shift - 13) % 9));
