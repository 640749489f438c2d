/** An AMD-Vi unit: what the silicon answers, and what Linux has programmed into it (hw-x86 3.4, 4.1). */
import type { IommuDescription } from '../../description.js';
import type { PhysicalAddress } from '../../memory/address.js';
import { addressOf, frameOf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { Errno } from '../../errno.js';
import type { DeviceEntry, DriverProfile, IommuArchitecture, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities, UnitFault, UnitRequest } from '../architecture.js';
import { interruptRemappingAllowed, optionWords } from '../command-line.js';
import { NEEDS, permissionOf, READ, WRITE } from '../entry-read.js';
import { TranslationCache, type TableWalker } from '../iotlb-translation.js';
import { amdCapabilities, commonFeatures, type AmdCapabilities, type CommonFeatures } from './capabilities.js';
import { DeviceTable, LOOKUP } from './device-table.js';
import { amdDriver, type AmdDriver } from './driver.js';
import { amdFault, EVENT, eventDevice, eventLines, FLAG, flagText, INVALID, MASTER_ABORT, typeFlag } from './events.js';
import { GuestTable, type Below } from './guest-table.js';
import { Gcr3Tables, guestLevels, GuestPageTable, newGuestTable } from './guest-writer.js';
import { HostTable, OK, UNREADABLE } from './host-table.js';
import { Interrupts } from './interrupts.js';
import { AmdRegisterFile, AmdRegisters } from './registers.js';
import { specialRange, type RangeKind } from './special-ranges.js';
import { DeviceTableWriter, newHostTable } from './table-writer.js';

/** DTE.IoCtl and SysMgt values that matter here. */
const PORT_IO = { abort: 0, forward: 1 } as const;
const SYSTEM_MANAGEMENT = { forwardAll: 1, translate: 3 } as const;

export class AmdUnit implements IommuUnit, TableWalker {
  cache: TranslationCache | null = null;
  readonly domainCompatibilityKey: string;
  readonly registers = new AmdRegisters();
  private readonly registerFile = new AmdRegisterFile(this.registers);
  /** SVA-01: where the driver knows PASIDs. */
  readonly createProcessTable?: () => PageTable;

  private readonly hardware: AmdCapabilities;
  private readonly common: CommonFeatures;
  private readonly driver: AmdDriver;
  private readonly writer: DeviceTableWriter;
  private readonly devices: DeviceTable;
  private readonly hostTable: HostTable;
  private readonly guestTable: GuestTable;
  private readonly gcr3: Gcr3Tables;
  private readonly interrupts: Interrupts;
  private reported: UnitCapabilities | null = null;
  /** What each device table entry was programmed from: a table that grew moves its root. */
  private readonly programmed = new Map<number, DeviceEntry>();
  /** AMD-31: devices with SE whose first fault since the entry was loaded has been logged. */
  private readonly logged = new Set<number>();

  constructor(readonly description: IommuDescription, readonly memory: PhysicalMemory, private readonly profile: DriverProfile) {
    this.hardware = amdCapabilities(description);
    this.common = commonFeatures(profile.units ?? [description]);
    this.driver = amdDriver(profile);
    this.writer = new DeviceTableWriter(memory, this.driver, this.remapsInterrupts(), guestLevels(this.hardware, this.driver));
    this.gcr3 = new Gcr3Tables(memory, this.driver);
    if (this.usesPasids()) this.createProcessTable = () => newGuestTable(memory, this.hardware, this.driver, profile);
    this.devices = new DeviceTable(memory, description.id);
    this.hostTable = new HostTable(memory, description.id);
    this.guestTable = new GuestTable(memory, description.id);
    this.registers.deviceTable = this.writer.register;
    this.interrupts = new Interrupts(memory, this.registers, description.id);
    this.domainCompatibilityKey = `amd-vi ${this.hardware.maxLevels} levels, sizes ${this.hardware.pageSizes.toString(16)}`;
  }

  // ---------------------------------------------------------------------------------------------- the driver's side

  capabilities(): UnitCapabilities {
    return (this.reported ??= this.reportCapabilities());
  }

  private reportCapabilities(): UnitCapabilities {
    return {
      cacheCoherency: true,
      enforceCacheCoherency: true, // COH-02
      isolatedMsi: this.remapsInterrupts(),
      deferredFlush: true,
      dirtyTracking: this.driver.dirtyTracking && this.hardware.dirtyTracking, // DRT-01
      nested: false,
      maxPasids: this.hardware.pasidBits === 0 ? 0 : 2 ** this.hardware.pasidBits,
      // DOM-26, IFD-61: whoever asks for a table beside PASIDs gets version 2, or none.
      ...(this.driver.guestTablesForUsers && { pasidTables: this.usesPasids() ? 'own-kind' as const : 'none' as const }),
      processTables: this.driver.pasids ? 'with-pasids' : 'never',
      blockedDomain: this.driver.blockedDomain,
      identityDomain: true,
    };
  }

  createPageTable(use: TableUse = 'kernel'): PageTable {
    if (this.wantsGuestTable(use)) return newGuestTable(this.memory, this.hardware, this.driver, this.profile);
    const table: PageTable = newHostTable(this.memory, this.hardware, this.driver, this.profile, () => this.reprogram(table));
    return table;
  }

  setDeviceEntry(requesterId: number, entry: DeviceEntry, pasids = 0): void {
    this.cache?.deviceChanged(requesterId, entry);
    if (!leadsToTheSame(this.programmed.get(requesterId), entry)) this.gcr3.attach(requesterId, entry, pasids);
    this.programmed.set(requesterId, entry);
    this.logged.delete(requesterId);
    this.writer.write(requesterId, entry, this.gcr3.of(requesterId));
    this.registers.deviceTable = this.writer.register;
  }

  setPasidEntry(requesterId: number, pasid: number, entry: DeviceEntry): void {
    this.gcr3.set(requesterId, pasid, entry.kind === 'paging' && entry.table instanceof GuestPageTable ? entry.table : null);
  }

  /** PAS-16: without GCR3 table, beside a version 1 table for example, there is no place for a PASID. */
  checkPasid(requesterId: number): Errno | null {
    return this.gcr3.of(requesterId) === null ? 'EINVAL' : null;
  }

  /** CMD-10: `pgtbl_v2` is about all domains for which nothing else matters; dirty bits and nesting are version 1's. */
  private wantsGuestTable(use: TableUse): boolean {
    if (use === 'pasid') return this.usesPasids();
    const asked = optionWords(this.profile, 'amd_iommu').findLast((word) => word === 'pgtbl_v1' || word === 'pgtbl_v2') === 'pgtbl_v2';
    return asked && this.driver.guestTables && this.common.guestTables && (use === 'kernel' || (use === 'user' && this.driver.guestTablesForUsers));
  }

  /** The driver uses PASIDs where page requests could be answered as well. */
  private usesPasids(): boolean {
    return this.driver.pasids && this.common.pasids && this.hardware.pasidBits > 0;
  }

  writeRegister(name: string, value: bigint): void {
    this.registerFile.write(name, value);
    this.cache = null;
  }

  faultMessages(fault: UnitFault, request: UnitRequest, device: { readonly name: string; readonly driver: string | null } | null): readonly string[] {
    if (!fault.recorded) return [];
    const named = eventDevice(request.requesterId, this.description.segment, this.driver.segmentInEvents);
    return eventLines(fault, request, { device: named, known: device, unit: this.description.name });
  }

  private remapsInterrupts(): boolean {
    return this.hardware.interruptRemapping && interruptRemappingAllowed(this.profile);
  }

  private reprogram(table: PageTable): void {
    for (const [requesterId, entry] of this.programmed) if (entry.kind === 'paging' && entry.table === table) this.writer.write(requesterId, entry, null);
  }

  // ---------------------------------------------------------------------------------------------- the silicon's side

  useIotlb(): void {
    this.cache = new TranslationCache(this.description.id, { largestOrder: LARGEST_INVALIDATION, remembersFaults: this.description.cachingMode });
  }

  translate(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    return this.cache === null ? this.walk(request, sink) : this.cache.translate(request, sink, this);
  }

  walk(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const answer = this.answer(request, sink);
    if (sink !== null && answer.kind === 'fault') this.report(answer, request, sink);
    return answer;
  }

  /** Steps A1 to A9; the order decides which fault a request with several faults gets. */
  private answer(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (!this.registers.enabled) return direct(request);
    const { devices } = this;
    const found = devices.find(this.registers, request.requesterId, sink);
    if (found === LOOKUP.outside) return this.pageFault(request, 0);
    if (found === LOOKUP.unreadable) return amdFault(EVENT.deviceTableError, typeFlag(MASTER_ABORT) | direction(request), 0);
    const special = request.pasid === undefined ? specialRange(request.address) : null;
    if (special !== null && request.addressType === 'untranslated') return this.special(special, request, sink);
    if (!devices.valid) return request.addressType === 'untranslated' ? direct(request) : this.refusedAts(request);
    if (found === LOOKUP.reserved) return amdFault(EVENT.illegalDeviceEntry, FLAG.reserved | direction(request), devices.domainId);
    if (request.addressType !== 'untranslated' && !devices.ats) return this.refusedAts(request);
    if (!devices.translationValid) return this.pageFault(request, 0); // AMD-10
    if (this.isExcluded(request.address) || request.addressType === 'translated') return direct(request);
    return this.translated(request, sink);
  }

  /** Steps A11 to A15. */
  private translated(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { devices, hostTable } = this;
    if (devices.guestTables && (request.pasid !== undefined || devices.guestWithoutPasid)) return this.guestTranslated(request, sink);
    if (request.pasid !== undefined) return amdFault(EVENT.invalidRequest, 0, devices.domainId);
    const need = needOf(request);
    if ((need & ~devices.allowed) !== 0) return this.pageFault(request, FLAG.present | FLAG.permission);
    if (devices.mode === 0) return direct(request);
    if (devices.mode > this.hardware.maxLevels) return this.pageFault(request, FLAG.present);
    if (frameOf(request.address) >= FRAME_LIMIT[devices.mode]!) return this.pageFault(request, 0);
    const flags = hostTable.walk(devices.table, devices.mode, request.address, devices.allowed, need, sink);
    if (flags === UNREADABLE) return amdFault(EVENT.pageTableError, typeFlag(MASTER_ABORT) | direction(request), devices.domainId);
    if (flags !== OK) return this.pageFault(request, flags);
    return found(request, hostTable.frame, hostTable.shift, this.allowedByHost(request));
  }

  /**
   * AMD-22: a leaf that is not dirty yet allows no writing to whoever remembers it, so that the first write comes here; or the
   * device's request for a translation to write with, which makes it dirty.
   */
  private allowedByHost(request: UnitRequest): number {
    const { devices, hostTable } = this;
    if (!devices.setsDirty || !this.hardware.dirtyTracking || hostTable.allowed === 0) return hostTable.allowed;
    const writes = request.access !== 'read';
    return hostTable.markDirty(writes) || writes ? hostTable.allowed : hostTable.allowed & READ;
  }

  /** Hw-x86 3.6: the guest's tables, and below them the host's where the entry has both (A12 to A15). */
  private guestTranslated(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { devices, guestTable, hostTable } = this;
    if (devices.gcr3Levels > 2 || devices.guestLevels > 5) return amdFault(EVENT.illegalDeviceEntry, FLAG.guest | direction(request), devices.domainId);
    if (devices.mode > this.hardware.maxLevels) return this.pageFault(request, FLAG.guest | FLAG.present);
    const need = needOf(request);
    const withPasid = request.pasid !== undefined; // PCIE-12: privilege and execution come with a PASID only
    const privileged = request.privileged && withPasid;
    const below: Below | null = devices.mode === 0 ? null : { table: hostTable, root: devices.table, levels: devices.mode, allowed: devices.allowed, frames: FRAME_LIMIT[devices.mode]! };
    const upper = guestTable.walk(devices, { address: request.address, pasid: request.pasid ?? 0, need, privileged, execute: request.execute && withPasid }, below, sink);
    if (upper !== OK) return this.guestFault(request, upper);
    const { frame, shift, allowed } = guestTable;
    if ((need & ~devices.allowed) !== 0) return this.guestFault(request, FLAG.present | FLAG.permission);
    if (below === null) return found(request, frame, shift, allowed & devices.allowed);
    if (frame >= below.frames) return this.guestFault(request, 0);
    const lower = hostTable.walk(below.root, below.levels, addressOf(frame, lowHalf(request.address) & 0xfff), below.allowed, need, sink);
    return lower !== OK ? this.guestFault(request, lower) : found(request, hostTable.frame, Math.min(shift, hostTable.shift), allowed & this.allowedByHost(request));
  }

  /** GN says that the address is a guest's. */
  private guestFault(request: UnitRequest, flags: number): UnitAnswer {
    if (flags !== UNREADABLE) return this.pageFault(request, FLAG.guest | flags);
    return amdFault(EVENT.pageTableError, FLAG.guest | typeFlag(MASTER_ABORT) | direction(request), this.devices.domainId);
  }

  private special(range: RangeKind, request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { devices } = this;
    const posted = request.access === 'write';
    const invalid = (type: number): UnitAnswer => amdFault(EVENT.invalidRequest, typeFlag(type), devices.domainId);
    switch (range) {
      case 'interrupt-message': return posted ? this.interrupts.answer(request, devices, sink) : invalid(INVALID.interruptRangeRead);
      case 'interrupt': return posted ? this.interrupts.answer(request, devices, sink) : invalid(INVALID.nonPosted);
      case 'reserved': return invalid(posted ? INVALID.postedWrite : INVALID.nonPosted);
      case 'port-io': {
        if (devices.portIoControl === PORT_IO.abort) return invalid(INVALID.portIo);
        return devices.portIoControl === PORT_IO.forward ? direct(request) : this.translated(request, sink);
      }
      case 'system-management': {
        if (devices.systemManagement === SYSTEM_MANAGEMENT.translate) return invalid(INVALID.systemManagement);
        return devices.systemManagement === SYSTEM_MANAGEMENT.forwardAll ? direct(request) : { kind: 'blocked', reason: 'system management messages are not allowed for this device' };
      }
      case 'acknowledge':
      case 'configuration': return { kind: 'blocked', reason: `${hexRange(range)} requests of devices are aborted` };
    }
  }

  private isExcluded(address: bigint): boolean {
    const { exclusion } = this.registers;
    return exclusion !== null && (exclusion.all || this.devices.excluded) && exclusion.range.start <= address && address <= (exclusion.range.last | 0xfffn);
  }

  /** A7: the device may not use ATS. */
  private refusedAts(request: UnitRequest): UnitAnswer {
    const flags = request.addressType === 'translated' ? typeFlag(INVALID.preTranslated) : FLAG.translation;
    return amdFault(EVENT.invalidRequest, flags, this.devices.domainId);
  }

  /** AMD-30, AMD-31; a translation request gets an answer without permissions instead (VTD-60 has the same). */
  private pageFault(request: UnitRequest, flags: number): UnitAnswer {
    if (request.addressType === 'translation-request') return NOTHING;
    const { suppressAll, suppressAfterFirst } = this.devices;
    const domainId = (flags & FLAG.guest) === 0 ? this.devices.domainId : (request.pasid ?? 0) & EVENT_NUMBER;
    const suppressed = suppressAll || (suppressAfterFirst && this.logged.has(request.requesterId));
    if (suppressAfterFirst) this.logged.add(request.requesterId);
    return amdFault(EVENT.pageFault, flags | direction(request), domainId, !suppressed);
  }

  report(fault: UnitFault, request: UnitRequest, sink: TraceSink): void {
    sink.push({
      kind: 'fault', floor: 'hardware', subject: this.description.id, verdict: 'fault', code: fault.code, name: fault.name, rules: ['AMD-30', 'AMD-33'],
      text: `event ${fault.name}, flags ${flagText(fault.flags ?? 0)}${fault.recorded ? '' : '; not logged, because the device table entry says so'}`,
      messages: this.faultMessages(fault, request, null),
    });
  }
}

/** 3.9: with GN the event has the PASID where it has the domain otherwise, and Linux prints it as the domain. */
const EVENT_NUMBER = 0xf_ffff;
/** By Mode: frames that an address may be in (A14). */
const FRAME_LIMIT = [0, 1, 2, 3, 4, 5, 6].map((levels) => (levels === 6 ? Infinity : 2 ** (9 * levels)));
/** By log2: bytes of a leaf. */
const SIZES = Array.from({ length: 65 }, (_, shift) => 1n << BigInt(shift));
/** The completion of a translation request for which there is no page. */
const NOTHING: UnitAnswer = { kind: 'address', address: 0n as PhysicalAddress, ...permissionOf(0), pageSize: 4096n };

/** The end of a walk: a page of 2^`shift` bytes whose part that contains the address is at `frame`. */
function found(request: UnitRequest, frame: number, shift: number, allowed: number): UnitAnswer {
  if (allowed === 0) return NOTHING;
  const address = addressOf(frame, lowHalf(request.address) & 0xfff) as PhysicalAddress;
  return { kind: 'address', address, read: (allowed & READ) !== 0, write: (allowed & WRITE) !== 0, pageSize: SIZES[shift]! };
}

/** Whether an entry that is written again is about the same domain: attaching a device to where it is does nothing. */
function leadsToTheSame(before: DeviceEntry | undefined, now: DeviceEntry): boolean {
  if (before === undefined || before.kind !== now.kind) return false;
  return before.kind !== 'paging' || (now.kind === 'paging' && before.table === now.table);
}

/** A translation request takes what there is. */
const needOf = (request: UnitRequest): number => (request.addressType === 'translation-request' ? 0 : NEEDS[request.access]);
const hexRange = (range: RangeKind): string => range.replaceAll('-', ' ');
const direction = (request: UnitRequest): number => (request.access === 'read' ? 0 : FLAG.write);
const direct = (request: UnitRequest): UnitAnswer => ({ kind: 'address', address: request.address as PhysicalAddress, read: true, write: true, pageSize: 4096n });
/** log2 of the pages of the largest page-selective invalidation: an address field says sizes up to 2^51 (4.3). */
const LARGEST_INVALIDATION = 39;

export const amdvi: IommuArchitecture = {
  name: 'amd-vi',
  createUnit: (description, memory, profile) => new AmdUnit(description, memory, profile),
};
