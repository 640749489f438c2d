/** What an SMMUv3 does with a request: stream table entry, context descriptor, stage 1, stage 2 (SMMU 1.2 to 1.10). */
import type { SubjectId } from '../../description.js';
import type { PhysicalAddress } from '../../memory/address.js';
import { addressOf, highHalf, lowHalf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { UnitAnswer, UnitRequest } from '../architecture.js';
import { NEEDS, permissionOf, READ, WRITE } from '../entry-read.js';
import type { SmmuCapabilities } from './capabilities.js';
import type { Half } from './context-descriptor.js';
import { BYPASSED, ContextTable } from './context-table.js';
import { numberOf, POWER, rest } from './descriptors.js';
import { CLASS, configurationFault, EVENT, refusedAddress, walkFault, type FaultPlace } from './events.js';
import type { SmmuRegisters } from './registers.js';
import { StageOne, type StageOneAccess } from './stage-one.js';
import { StageTwo } from './stage-two.js';
import { ATS, type StreamEntry } from './stream-entry.js';
import { StreamTable } from './stream-table.js';

const ABORTED: UnitAnswer = { kind: 'blocked', reason: 'the stream table entry says that requests of this stream are aborted; no event is recorded' };
const OFF: UnitAnswer = { kind: 'blocked', reason: 'the SMMU is off, and GBPA says that requests are aborted then' };
const NO_ATS: UnitAnswer = { kind: 'blocked', reason: 'the SMMU has no ATS' };
/** The completion of a translation request for which there is no page. */
const NOTHING: UnitAnswer = { kind: 'address', address: 0n as PhysicalAddress, ...permissionOf(0), pageSize: 4096n };
/** By log2: bytes of a leaf. */
const SIZES = Array.from({ length: 65 }, (_, shift) => 1n << BigInt(shift));
const PAGE_SHIFT = 12;

const isAts = ({ addressType }: UnitRequest): boolean => addressType === 'translation-request';
/** A translation request takes what there is. */
const needOf = (request: UnitRequest): number => (isAts(request) ? 0 : NEEDS[request.access]);
const inputOf = (address: bigint): number => numberOf(lowHalf(address), highHalf(address));
/** The lowest `bits` bits of an address. */
function lowBits(address: bigint, bits: number): number {
  const high = highHalf(address);
  return rest(numberOf(lowHalf(address), rest(high, POWER[Math.max(bits - 32, 0)]!)), POWER[bits]!);
}

function passed(request: UnitRequest): UnitAnswer {
  return { kind: 'address', address: request.address as PhysicalAddress, read: true, write: true, pageSize: 4096n };
}

export class Silicon {
  private readonly streams: StreamTable;
  private readonly contexts: ContextTable;
  private readonly stageOne: StageOne;
  private readonly stageTwo: StageTwo;

  constructor(memory: PhysicalMemory, private readonly hardware: SmmuCapabilities, private readonly registers: SmmuRegisters, private readonly unit: SubjectId) {
    this.streams = new StreamTable(memory, hardware, unit);
    this.stageTwo = new StageTwo(memory, unit);
    this.stageOne = new StageOne(memory, this.stageTwo, unit);
    this.contexts = new ContextTable(memory, hardware, this.stageTwo, unit);
  }

  answer(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { registers, streams } = this;
    if (!registers.enabled) return this.switchedOff(request);
    if (request.addressType !== 'untranslated' && !this.hardware.ats) return NO_ATS;
    if (request.addressType === 'translated' && !registers.checksTranslated) return passed(request);
    const code = streams.find(registers, request.requesterId, sink);
    if (code !== 0) return this.badStream(code, request);
    const { entry } = streams;
    if (entry.aborts) return isAts(request) ? refusedAddress(EVENT.badAtsRequest, request, false) : ABORTED;
    if (request.addressType === 'translated') return this.translated(entry, request, sink);
    if (isAts(request) && entry.ats === ATS.none) return refusedAddress(EVENT.badAtsRequest, request, false);
    return this.untranslated(entry, request, sink);
  }

  /** SMMUEN is clear: the global bypass attributes decide. */
  private switchedOff(request: UnitRequest): UnitAnswer {
    if (request.addressType !== 'untranslated') return isAts(request) ? refusedAddress(EVENT.badAtsRequest, request, false) : OFF;
    return this.registers.abortsWhenDisabled ? OFF : passed(request);
  }

  /** SM-F6: what is wrong with the tables is not recorded of translation requests. */
  private badStream(code: number, request: UnitRequest): UnitAnswer {
    const recorded = !isAts(request) && (code !== EVENT.badStreamId || this.registers.recordsBadStreams);
    return configurationFault(code, request, recorded, code === EVENT.steFetch ? BigInt(this.streams.fetched) : null);
  }

  /** SM-F7: with ATSCHK, translated requests are for streams that may use ATS; of split-stage ATS stage 2 is still to come. */
  private translated(entry: StreamEntry, request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (entry.ats === ATS.none) return refusedAddress(EVENT.translationForbidden, request, true);
    return entry.ats === ATS.split ? this.secondOnly(entry, request, sink) : passed(request);
  }

  private untranslated(entry: StreamEntry, request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { contexts } = this;
    const code = contexts.find(entry, request.pasid, sink);
    if (code === BYPASSED) return entry.stageTwo ? this.secondOnly(entry, request, sink) : passed(request);
    if (code === 0) return this.first(entry, request, sink);
    if (contexts.belowFailed) return this.secondFailed(entry, request, code, { stageTwo: true, class: CLASS.contextFetch, address: this.placeOf(code, contexts.failedAt), reads: true });
    return configurationFault(code, request, !isAts(request), code === EVENT.cdFetch ? BigInt(contexts.fetched) : null);
  }

  /** Without stage 1 a request's address is an intermediate one; wider than the unit can put out it is refused as if by stage 1. */
  private secondOnly(entry: StreamEntry, request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const address = inputOf(request.address);
    if (address < POWER[this.hardware.outputWidth]!) return this.second(entry, request, address, READ | WRITE, SIZES.length, sink);
    return isAts(request) ? NOTHING : walkFault(EVENT.addressSize, request, INPUT, true, false);
  }

  private first(entry: StreamEntry, request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    const { stageOne, contexts: { descriptor } } = this;
    const half = descriptor.halfOf(lowHalf(request.address), highHalf(request.address));
    if (half === null) sink?.push({ kind: 'note', floor: 'hardware', subject: this.unit, verdict: 'note', rules: ['SMMU 1.5'], text: descriptor.outside() });
    const code = half === null ? EVENT.translation : this.walk(half, entry, request, sink);
    if (code === 0) {
      // Split-stage ATS: the device learns what stage 1 gives, and stage 2 comes when it uses it.
      const ends = !entry.stageTwo || (isAts(request) && entry.ats === ATS.split);
      const { address, shift, allowed } = stageOne;
      return ends ? found(address, shift, allowed) : this.second(entry, request, address, allowed, shift, sink);
    }
    if (half !== null && stageOne.belowFailed) return this.secondFailed(entry, request, code, { stageTwo: true, class: CLASS.tableFetch, address: this.placeOf(code, stageOne.failedAt), reads: true });
    if (isAts(request)) return NOTHING; // SM-F6
    const place = code === EVENT.walkAbort ? { stageTwo: false, class: CLASS.tableFetch, address: BigInt(stageOne.fetched) } : INPUT;
    return walkFault(code, request, place, code === EVENT.walkAbort || descriptor.records, descriptor.stalls && code !== EVENT.walkAbort);
  }

  private walk(half: Half, entry: StreamEntry, request: UnitRequest, sink: TraceSink | null): number {
    const withPasid = request.pasid !== undefined; // PCIE-12: privilege and execution come with a PASID only
    const access: StageOneAccess = { need: needOf(request), privileged: withPasid && request.privileged, execute: withPasid && request.execute };
    return this.stageOne.walk(this.contexts.descriptor, half, lowBits(request.address, half.inputBits), access, entry.stageTwo ? entry : null, sink);
  }

  /** @param allowed READ | WRITE that stage 1 allows. @param shift log2 of its leaf */
  private second(entry: StreamEntry, request: UnitRequest, address: number, allowed: number, shift: number, sink: TraceSink | null): UnitAnswer {
    const { stageTwo } = this;
    const code = stageTwo.walk(entry, address, needOf(request), request.execute && request.pasid !== undefined, false, sink);
    if (code === 0) return found(stageTwo.address, Math.min(shift, stageTwo.shift), allowed & stageTwo.allowed);
    return this.secondFailed(entry, request, code, { stageTwo: true, class: CLASS.input, address: code === EVENT.walkAbort ? BigInt(stageTwo.fetched) : entry.stageOne ? BigInt(address) : request.address });
  }

  /** SM-F8: STE.S2R and S2S count, whatever stage 2 was walked for. */
  private secondFailed(entry: StreamEntry, request: UnitRequest, code: number, place: FaultPlace): UnitAnswer {
    if (isAts(request)) return NOTHING; // SM-F6
    return walkFault(code, request, place, code === EVENT.walkAbort || entry.stageTwoRecords, entry.stageTwoStalls && code !== EVENT.walkAbort);
  }

  private placeOf(code: number, intermediate: number): bigint {
    return BigInt(code === EVENT.walkAbort ? this.stageTwo.fetched : intermediate);
  }
}

const INPUT: FaultPlace = { stageTwo: false, class: CLASS.input, address: null };

/** The end of a walk at `address`, in a leaf of 2^`shift` bytes. */
function found(address: number, shift: number, allowed: number): UnitAnswer {
  if (allowed === 0) return NOTHING;
  const frame = Math.floor(address / POWER[PAGE_SHIFT]!);
  return { kind: 'address', address: addressOf(frame, rest(address, POWER[PAGE_SHIFT]!)) as PhysicalAddress, read: (allowed & READ) !== 0, write: (allowed & WRITE) !== 0, pageSize: SIZES[shift]! };
}
