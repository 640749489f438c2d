/** An Arm SMMUv3: what the silicon answers, and what Linux has programmed into it (SMMU 1, 2). */
import type { IommuDescription } from '../../description.js';
import type { Errno } from '../../errno.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { DeviceEntry, DriverProfile, IommuArchitecture, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities, UnitFault, UnitRequest } from '../architecture.js';
import { TranslationCache, type TableWalker } from '../iotlb-translation.js';
import { smmuCapabilities, type SmmuCapabilities } from './capabilities.js';
import { smmuDriver, type SmmuDriver } from './driver.js';
import { eventLines, meaningOf } from './events.js';
import { SmmuRegisters } from './registers.js';
import { Silicon } from './silicon.js';
import { StreamWriter } from './stream-writer.js';
import { newStageOne, newTable, type TableMaker } from './tables.js';

/** log2 of the pages of the largest range that one invalidation covers: all of an address space of 52 bits. */
const LARGEST_INVALIDATION = 40;

export class SmmuUnit implements IommuUnit, TableWalker {
  cache: TranslationCache | null = null;
  readonly domainCompatibilityKey: string;
  /** As after boot: on, with the kernel's stream table. Whoever writes tables by hand points `streamTable` at them. */
  readonly registers = new SmmuRegisters();
  /** SVA: where the unit has PASIDs and looks into the processors' caches. */
  readonly createProcessTable?: () => PageTable;

  private readonly driver: SmmuDriver;
  private readonly streams: StreamWriter;
  private readonly silicon: Silicon;
  private readonly maker: TableMaker;
  private reported: UnitCapabilities | null = null;

  /** @param hardware what the unit has; the description's, unless another is given */
  constructor(readonly description: IommuDescription, readonly memory: PhysicalMemory, profile: DriverProfile, private readonly hardware: SmmuCapabilities = smmuCapabilities(description)) {
    this.driver = smmuDriver(profile);
    this.maker = { memory, description, hardware, driver: this.driver, profile };
    this.streams = new StreamWriter(memory, hardware, this.driver);
    this.streams.program(this.registers);
    this.silicon = new Silicon(memory, hardware, this.registers, description.id);
    // Domains are made for one unit and never given to another (ATD-04, ATD-05).
    this.domainCompatibilityKey = `smmuv3 ${description.id}`;
    if (hardware.substreamBits > 0 && description.coherent) this.createProcessTable = () => newStageOne(this.maker, 'process');
  }

  // ---------------------------------------------------------------------------------------------- the driver's side

  capabilities(): UnitCapabilities {
    return (this.reported ??= this.reportCapabilities());
  }

  private reportCapabilities(): UnitCapabilities {
    const { description, driver, hardware } = this;
    return {
      cacheCoherency: description.coherent, // COH-02
      enforceCacheCoherency: false,
      isolatedMsi: true, // MA-5: the ITS isolates interrupts, not the SMMU
      deferredFlush: true, // DOM-28
      dirtyTracking: driver.dirtyTracking && hardware.hardwareUpdate === 2 && description.coherent, // DRT-01
      nested: false,
      maxPasids: hardware.substreamBits > 0 ? 2 ** hardware.substreamBits : 0,
      pasidAttach: driver.pasidAttach,
      pasidDirty: true,
      ...(this.createProcessTable !== undefined && { processTables: 'with-pasids' as const }),
      blockedDomain: driver.blockedDomain,
      identityDomain: description.passThrough,
    };
  }

  createPageTable(use: TableUse = 'kernel'): PageTable {
    return newTable(this.maker, use);
  }

  setDeviceEntry(requesterId: number, entry: DeviceEntry, pasids = 0): void {
    this.cache?.deviceChanged(requesterId, entry);
    this.streams.write(requesterId, entry, pasids);
  }

  setPasidEntry(requesterId: number, pasid: number, entry: DeviceEntry): void {
    this.streams.writePasid(requesterId, pasid, entry);
  }

  /** PAS-16: there is no place for a PASID beside stage 2. */
  checkPasid(requesterId: number): Errno | null {
    return this.streams.takesPasids(requesterId) ? null : 'EINVAL';
  }

  faultMessages(fault: UnitFault, _request: UnitRequest, device: { readonly name: string } | null): readonly string[] {
    return fault.recorded ? eventLines(fault, this.description.name, device?.name ?? null, this.driver.eventLines) : [];
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
    const answer = this.silicon.answer(request, sink);
    if (sink !== null && answer.kind === 'fault') this.report(answer, request, sink);
    return answer;
  }

  report(fault: UnitFault, request: UnitRequest, sink: TraceSink): void {
    sink.push({
      kind: 'fault', floor: 'hardware', subject: this.description.id, verdict: 'fault', code: fault.code, name: fault.name, rules: ['SMMU 1.8.1'],
      text: `event 0x${fault.code.toString(16).padStart(2, '0')} ${fault.name}: ${meaningOf(fault)}${fault.recorded ? '' : '; not recorded'}`,
      messages: this.faultMessages(fault, request, null),
    });
  }
}

export const smmuv3: IommuArchitecture = {
  name: 'smmuv3',
  createUnit: (description, memory, profile) => new SmmuUnit(description, memory, profile),
};
