/** A RISC-V IOMMU: what the silicon answers (RVI 4), and what Linux has programmed into it (RVI 5). */
import type { IommuDescription } from '../../description.js';
import { hex, type PhysicalAddress } from '../../memory/address.js';
import { addressOf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { DeviceEntry, DriverProfile, IommuArchitecture, IommuUnit, PageTable, UnitAnswer, UnitCapabilities, UnitFault, UnitRequest } from '../architecture.js';
import { TranslationCache, type TableWalker } from '../iotlb-translation.js';
import { riscvCapabilities, USUAL_CHOICES, type RiscvCapabilities, type RiscvChoices } from './capabilities.js';
import { causeOf, faultLine, riscvFault } from './causes.js';
import { CONTROL } from './device-directory.js';
import { DirectoryWriter } from './directory-writer.js';
import { riscvDriver, type RiscvDriver } from './driver.js';
import { widestFirstStage } from './modes.js';
import { newPageTable } from './page-table.js';
import { ENTRY } from './page-entry.js';
import { RiscvRegisters } from './registers.js';
import { Translation } from './translation.js';

/** By log2: bytes. */
const BYTES = Array.from({ length: 65 }, (_, shift) => 1n << BigInt(shift));
/** log2 of the pages below which the driver invalidates page by page: 2 MiB. */
const LARGEST_INVALIDATION = 9;
const NOTHING: UnitAnswer = { kind: 'address', address: 0n as PhysicalAddress, read: false, write: false, pageSize: 4096n };

/** What is not as in units that are described. */
export interface RiscvSilicon {
  readonly capabilities: RiscvCapabilities;
  readonly choices: RiscvChoices;
}

export class RiscvUnit implements IommuUnit, TableWalker {
  cache: TranslationCache | null = null;
  readonly domainCompatibilityKey: string;
  /** As after boot: the directory is the kernel's. Whoever writes tables by hand points ddtp at them. */
  readonly registers: RiscvRegisters;
  readonly translation: Translation;

  private readonly hardware: RiscvCapabilities;
  private readonly driver: RiscvDriver;
  private readonly directory: DirectoryWriter;

  constructor(readonly description: IommuDescription, readonly memory: PhysicalMemory, private readonly profile: DriverProfile, silicon?: RiscvSilicon) {
    this.hardware = silicon?.capabilities ?? riscvCapabilities(description);
    const choices = silicon?.choices ?? USUAL_CHOICES;
    this.driver = riscvDriver(profile);
    this.registers = new RiscvRegisters(choices);
    this.translation = new Translation(memory, this.hardware, choices, this.registers, description.id);
    this.directory = new DirectoryWriter(memory, this.hardware);
    this.registers.writeDirectoryPointer(this.directory.register);
    this.domainCompatibilityKey = `riscv-iommu ${widestFirstStage(this.hardware)?.name ?? 'without a first stage'}${this.hardware.setsAccessedDirty ? ', sets dirty' : ''}`;
  }

  /** Frame of the device directory's root that the driver made. */
  get driverTables(): number {
    return this.directory.root;
  }

  // ---------------------------------------------------------------------------------------------- the driver's side

  capabilities(): UnitCapabilities {
    return {
      cacheCoherency: this.description.coherent, enforceCacheCoherency: false, isolatedMsi: true, deferredFlush: true, dirtyTracking: false, nested: false, maxPasids: 0,
      blockedDomain: this.driver.blockedDomain, identityDomain: this.description.passThrough,
    };
  }

  createPageTable(): PageTable {
    return newPageTable(this.memory, this.description, this.hardware, this.driver, this.profile);
  }

  setDeviceEntry(requesterId: number, entry: DeviceEntry): void {
    this.cache?.deviceChanged(requesterId, entry);
    this.directory.write(requesterId, entry);
  }

  faultMessages(fault: UnitFault, request: UnitRequest): readonly string[] {
    return fault.recorded ? [faultLine(this.description.name, fault, request.requesterId, request.address)] : [];
  }

  // ---------------------------------------------------------------------------------------------- the silicon's side

  writeRegister(name: string, value: bigint): void {
    this.registers.write(name, value);
    this.cache = null;
  }

  useIotlb(): void {
    this.cache = new TranslationCache(this.description.id, { largestOrder: LARGEST_INVALIDATION, remembersFaults: false });
  }

  translate(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    return this.cache === null ? this.walk(request, sink) : this.cache.translate(request, sink, this);
  }

  walk(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const cause = this.translation.run(request, sink);
    if (cause === 0) return this.found(request);
    const answer = this.refused(request, cause);
    if (sink !== null) this.explain(answer, cause, request, sink);
    return answer;
  }

  private found(request: UnitRequest): UnitAnswer {
    const { guestFrame, shift, allowed, dirty, inMemory, device } = this.translation;
    const asks = request.addressType === 'translation-request';
    // RV-A3: the device sends guest physical addresses, which go through the second stage again.
    const frame = asks && device.has(CONTROL.t2gpa) ? guestFrame : this.translation.frame;
    if (inMemory) {
      return asks ? { kind: 'blocked', reason: 'the page is an interrupt file in memory: the device may reach it with untranslated requests only' } : { kind: 'interrupt', remapped: true };
    }
    // RV-A1: who keeps a translation, a device or the IOTLB, writes without another walk, so the page must be dirty already.
    const write = (allowed & ENTRY.write) !== 0 && dirty;
    return { kind: 'address', address: addressOf(frame, lowHalf(request.address) & 0xfff) as PhysicalAddress, read: (allowed & ENTRY.read) !== 0, write, pageSize: BYTES[shift]! };
  }

  private refused(request: UnitRequest, cause: number): UnitAnswer {
    const { device, faultValue } = this.translation;
    const { toTranslationRequest, recordedDespiteDtf } = causeOf(cause);
    // A page that is not there is an answer to a translation request, and nothing to record.
    if (request.addressType === 'translation-request' && toTranslationRequest === 'no-access') return NOTHING;
    return riscvFault(cause, recordedDespiteDtf || !device.has(CONTROL.dtf), faultValue);
  }

  private explain(answer: UnitAnswer, cause: number, request: UnitRequest, sink: TraceSink): void {
    if (answer.kind === 'fault') return this.report(answer, request, sink);
    const text = `The translation request is answered without any permission, because of cause ${cause}: ${causeOf(cause).text}. Nothing is recorded.`;
    sink.push({ kind: 'note', floor: 'hardware', subject: this.description.id, verdict: 'note', rules: ['RVI 4.9', 'RVI 4.10'], text });
  }

  report(fault: UnitFault, request: UnitRequest, sink: TraceSink): void {
    const where = fault.value !== undefined && fault.value !== 0n ? `, guest physical address ${hex(fault.value & ~3n)}` : '';
    const why = this.translation.why === '' ? '' : `, because ${this.translation.why}`;
    sink.push({
      kind: 'fault', floor: 'hardware', subject: this.description.id, verdict: 'fault', code: fault.code, decimal: true, name: fault.name, rules: ['RVI 4.9'],
      text: `cause ${fault.code}: ${fault.name}${where}${why}${fault.recorded ? '' : '; not recorded, because the device context disables it'}`,
      messages: this.faultMessages(fault, request),
    });
  }
}

export const riscv: IommuArchitecture = {
  name: 'riscv-iommu',
  createUnit: (description, memory, profile) => new RiscvUnit(description, memory, profile),
};
