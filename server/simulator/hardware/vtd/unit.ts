/** An Intel VT-d unit: what the silicon answers, and what Linux has programmed into it (hw-x86 2.3, 4.1). */
import type { IommuDescription } from '../../description.js';
import { overlaps, type PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameOf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { DeviceEntry, DriverProfile, IommuArchitecture, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities, UnitFault, UnitRequest, UserMapping, UserTable } from '../architecture.js';
import { interruptRemappingAllowed, optionWords } from '../command-line.js';
import { NEEDS, permissionOf, READ, WRITE } from '../entry-read.js';
import { TranslationCache, type TableWalker } from '../iotlb-translation.js';
import { LEAF_BYTES, LEAF_FRAMES, vtdCapabilities, widthOfLevels, type VtdCapabilities } from './capabilities.js';
import { DeviceLookup, TRANSLATION_TYPE } from './device-lookup.js';
import { vtdDriver, type VtdDriver } from './driver.js';
import { faultLines, faultReason, vtdFault } from './faults.js';
import { InterruptWindow, inWindow, pageTouchesWindow } from './interrupt-window.js';
import { TABLE_MODE, VtdRegisterFile, VtdRegisters } from './registers.js';
import { ScalableMode } from './scalable.js';
import { newFirstStage, ScalableDeviceTables } from './scalable-writer.js';
import { LEGACY_CODES, SecondStage } from './second-stage.js';
import { DeviceTables, domainLevels, newSecondStage } from './table-writer.js';
import { userMappings } from './user-table.js';

/**
 * A pass-through address above the physical width: the manual has reason 0x04 (legacy step L5), the recorded hardware model
 * checks nothing, and the address then meets nothing that answers. The record decides.
 */
const PASS_THROUGH_CHECKS_WIDTH = false;

export class VtdUnit implements IommuUnit, TableWalker {
  cache: TranslationCache | null = null;
  readonly domainCompatibilityKey: string;
  /** As after boot: translation on, tables of the kernel. Whoever writes tables by hand points `rootTable` at them. */
  readonly registers = new VtdRegisters();
  private readonly registerFile = new VtdRegisterFile(this.registers);

  private readonly hardware: VtdCapabilities;
  private readonly driver: VtdDriver;
  private readonly tables: DeviceTables | ScalableDeviceTables;
  /** CMD-03: scalable mode is used when the unit has it and the command line asks for it. */
  private readonly scalable: boolean;
  private readonly scalableMode: ScalableMode;
  private readonly devices: DeviceLookup;
  private readonly secondStage: SecondStage;
  private readonly interrupts: InterruptWindow;
  /** By levels: frames that an address may be in (VTD-30, L6). */
  private readonly frameLimit: readonly number[];
  /** Frames that the physical address width reaches. */
  private readonly physicalFrames: number;
  private reported: UnitCapabilities | null = null;
  /** One-to-one table for units without pass-through. */
  private identityTable: PageTable | null = null;

  constructor(readonly description: IommuDescription, readonly memory: PhysicalMemory, private readonly profile: DriverProfile) {
    this.hardware = vtdCapabilities(description);
    this.driver = vtdDriver(profile);
    this.scalable = this.hardware.scalableMode && optionWords(profile, 'intel_iommu').includes('sm_on');
    this.tables = this.scalable ? new ScalableDeviceTables(memory, this.hardware) : new DeviceTables(memory, this.hardware);
    this.devices = new DeviceLookup(memory, this.hardware, description.id);
    this.secondStage = new SecondStage(memory, this.hardware, description.id);
    this.scalableMode = new ScalableMode(memory, this.hardware, this.secondStage, description.id);
    this.registers.rootTable = addressOf(this.tables.root) | (this.scalable ? SCALABLE_TABLES : 0n);
    this.registers.interruptRemappingEnabled = this.remapsInterrupts();
    this.interrupts = new InterruptWindow(memory, this.registers, description.id);
    const { pageSizes, snoopControl, addressWidth, physicalWidth } = this.hardware;
    this.physicalFrames = 2 ** (physicalWidth - 12);
    this.frameLimit = [0, 1, 2, 3, 4, 5].map((levels) => 2 ** (Math.min(widthOfLevels(levels), addressWidth) - 12));
    this.domainCompatibilityKey = `vtd ${domainLevels(this.hardware)} levels, sizes ${pageSizes.toString(16)}, width ${addressWidth}${this.scalable ? (this.hardware.firstStage ? ', first stage' : ', scalable') : ''}${snoopControl ? ', snoop control' : ''}`;
  }

  // ---------------------------------------------------------------------------------------------- the driver's side

  capabilities(): UnitCapabilities {
    return (this.reported ??= this.reportCapabilities());
  }

  private reportCapabilities(): UnitCapabilities {
    const { snoopControl, passThrough } = this.hardware;
    return {
      cacheCoherency: this.driver.coherencyMeansSnoop ? snoopControl : true, // COH-01, COH-02
      enforceCacheCoherency: snoopControl,
      isolatedMsi: this.remapsInterrupts(),
      deferredFlush: true,
      // Scalable mode brings these (DRT-01, NST-01).
      dirtyTracking: this.scalable && this.driver.dirtyTracking && this.description.dirtyTracking,
      nested: this.scalable && this.driver.nesting && this.hardware.nested,
      maxPasids: this.scalable && this.hardware.pasidBits > 0 ? 2 ** this.hardware.pasidBits : 0,
      pasidAttach: this.scalable && this.driver.pasidAttach,
      userTableLevels: this.hardware.addressWidth > 48 ? 5 : 4,
      blockedDomain: this.driver.blockedDomain,
      identityDomain: passThrough || this.driver.softwareIdentity,
      userDomains: !this.scalable || this.hardware.secondStage || this.driver.firstStageForUsers,
      programsAliases: !this.scalable,
    };
  }

  createPageTable(use: TableUse = 'kernel'): PageTable {
    const newTable = this.prefersFirstStage(use) ? newFirstStage : newSecondStage;
    return newTable(this.memory, this.hardware, this.driver, this.profile);
  }

  /** With both stages there is a choice: older drivers keep the first for the kernel, and dirty bits are the second's (DRT-02). */
  private prefersFirstStage(use: TableUse): boolean {
    const { firstStage, secondStage } = this.hardware;
    if (!this.scalable || !firstStage || !secondStage) return this.scalable && firstStage;
    return use === 'kernel' || (use === 'user' && this.driver.firstStageForUsers); // A nest parent is the second stage (NST-01).
  }

  setDeviceEntry(requesterId: number, entry: DeviceEntry): void {
    this.cache?.deviceChanged(requesterId, entry);
    if (entry.kind === 'identity' && !this.hardware.passThrough) {
      this.identityTable ??= this.newIdentityTable();
      this.tables.write(requesterId, { kind: 'paging', table: this.identityTable, domainId: 1, ats: false });
    } else {
      this.tables.write(requesterId, entry);
    }
  }

  setPasidEntry(requesterId: number, pasid: number, entry: DeviceEntry): void {
    if (this.tables instanceof ScalableDeviceTables) this.tables.write(requesterId, entry, pasid);
  }

  /** SVA-01: a processor's tables are walked by the first stage, so one is needed. */
  createProcessTable(): PageTable {
    return newFirstStage(this.memory, this.hardware, this.driver, this.profile);
  }

  userMappings(table: UserTable, physicalOf: (address: bigint) => bigint | null): Iterable<UserMapping> {
    return userMappings(this.memory, table, physicalOf);
  }

  faultMessages(fault: UnitFault, request: UnitRequest): readonly string[] {
    return fault.recorded ? faultLines(fault, request, this.description.segment, this.driver.faultLine) : [];
  }

  writeRegister(name: string, value: bigint): void {
    this.registerFile.write(name, value);
    this.cache = null;
  }

  private remapsInterrupts(): boolean {
    return this.hardware.interruptRemapping && interruptRemappingAllowed(this.profile);
  }

  private newIdentityTable(): PageTable {
    const table = this.createPageTable();
    const largest = LEAF_BYTES.findLast((page) => (this.hardware.pageSizes & page) !== 0n)!;
    const reach = largest * IDENTITY_LEAVES;
    const size = table.aperture.last < reach ? table.aperture.last + 1n : reach;
    table.map(table.aperture.start, 0n as PhysicalAddress, size, { read: true, write: true });
    return table;
  }

  // ---------------------------------------------------------------------------------------------- the silicon's side

  useIotlb(): void {
    this.cache = new TranslationCache(this.description.id, { largestOrder: LARGEST_INVALIDATION, remembersFaults: this.description.cachingMode && !(this.scalable && this.hardware.firstStage) });
  }

  translate(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    return this.cache === null ? this.walk(request, sink) : this.cache.translate(request, sink, this);
  }

  walk(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const answer = this.answer(request, sink);
    if (sink !== null && answer.kind === 'fault') this.report(answer, request, sink);
    return answer;
  }

  private answer(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (inWindow(request.address) && request.pasid === undefined) {
      if (request.addressType === 'untranslated') return this.interrupts.answer(request, sink); // VTD-20
      if (request.addressType === 'translation-request') return vtdFault(0x87, false); // VTD-21
      return { kind: 'blocked', reason: 'a translated request may not go to the interrupt range' }; // VTD-62
    }
    if (!this.registers.translationEnabled) return this.untranslated(request);
    switch (this.registers.tableMode) {
      case TABLE_MODE.legacy: return this.legacy(request, sink);
      case TABLE_MODE.scalable: return this.hardware.scalableMode ? this.scalableMode.answer(this.registers, request, this.direct, sink) : vtdFault(0x30, false);
      case TABLE_MODE.abort: return { kind: 'blocked', reason: 'the root table pointer says that all DMA is to be aborted' };
      default: return vtdFault(0x30, false);
    }
  }

  /** X10: no checks but the protected regions. */
  private untranslated(request: UnitRequest): UnitAnswer {
    if (request.addressType !== 'untranslated' || request.pasid !== undefined) return { kind: 'blocked', reason: 'translation is off and the request asks for it' };
    return this.direct(request);
  }

  private legacy(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (request.pasid !== undefined) return vtdFault(0x31, false);
    const { devices, secondStage } = this;
    const code = devices.find(this.registers.rootFrame, request.requesterId, sink);
    if (code !== 0) return vtdFault(code, devices.faultsDisabled);
    if (request.addressType !== 'untranslated') {
      if (devices.translationType !== TRANSLATION_TYPE.translateWithAts) return vtdFault(0x0d, devices.faultsDisabled); // VTD-62
      if (request.addressType === 'translated') return this.direct(request);
    }
    if (devices.translationType === TRANSLATION_TYPE.passThrough) {
      const beyond = PASS_THROUGH_CHECKS_WIDTH && frameOf(request.address) >= this.physicalFrames;
      return beyond ? vtdFault(0x04, devices.faultsDisabled) : this.direct(request);
    }
    if (frameOf(request.address) >= this.frameLimit[devices.levels]!) return vtdFault(0x04, devices.faultsDisabled);
    const asks = request.addressType === 'translation-request';
    const failed = secondStage.walk(devices.table, devices.levels, request.address, asks ? 0 : NEEDS[request.access], LEGACY_CODES, sink);
    if (failed !== 0) return vtdFault(failed, devices.faultsDisabled);
    return this.found(request);
  }

  /** The answer of a walk that ended at a page, or at nothing for a translation request (VTD-60). */
  private found(request: UnitRequest): UnitAnswer {
    const { frame, level, allowed } = this.secondStage;
    if (allowed === 0) return { kind: 'address', address: 0n as PhysicalAddress, ...permissionOf(0), pageSize: 4096n };
    if (pageTouchesWindow(frame, LEAF_FRAMES[level]!)) return vtdFault(0x0e, this.devices.faultsDisabled); // VTD-23
    const address = addressOf(frame, lowHalf(request.address) & 0xfff) as PhysicalAddress;
    return { kind: 'address', address, read: (allowed & READ) !== 0, write: (allowed & WRITE) !== 0, pageSize: LEAF_BYTES[level]! };
  }

  /** The address is used as it is; protected regions still count (VTD-24). */
  private readonly direct = (request: UnitRequest): UnitAnswer => {
    const touched = { start: request.address, last: request.address + BigInt(request.size - 1) };
    if (this.registers.protectedMemory.some((region) => overlaps(region, touched))) return { kind: 'blocked', reason: 'the address is in a protected memory region' };
    return { kind: 'address', address: request.address as PhysicalAddress, read: true, write: true, pageSize: 4096n };
  };

  report(fault: UnitFault, request: UnitRequest, sink: TraceSink): void {
    const { id } = faultReason(fault.code);
    sink.push({
      kind: 'fault', floor: 'hardware', subject: this.description.id, verdict: 'fault', code: fault.code, name: fault.name, rules: ['VTD-30'],
      text: `fault reason 0x${fault.code.toString(16).padStart(2, '0')} (${id}): ${fault.name}${fault.recorded ? '' : '; not recorded, because the entry disables fault processing'}`,
      messages: this.faultMessages(fault, request),
    });
  }
}

/** RTADDR.TTM = 01 */
const SCALABLE_TABLES = 0x400n;
/** A one-to-one table has at most so many leaves, whatever RAM there is. */
const IDENTITY_LEAVES = 1n << 18n;
/** log2 of the pages of the largest page-selective invalidation: MAMV of the units that publish it (4.3). */
const LARGEST_INVALIDATION = 18;

export const vtd: IommuArchitecture = {
  name: 'vtd',
  createUnit: (description, memory, profile) => new VtdUnit(description, memory, profile),
};
