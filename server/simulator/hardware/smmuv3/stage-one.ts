/** The stage 1 walk; with a stage 2 below, every table address goes through that first (SMMU 1.6, 1.7). */
import type { SubjectId } from '../../description.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import { NARROW_WIDTH } from './capabilities.js';
import type { ContextDescriptor, Half } from './context-descriptor.js';
import {
  ACCESS_FLAG, addressIn, AP_READ_ONLY, AP_TABLE_PRIVILEGED_HIGH, AP_TABLE_READ_ONLY_HIGH, AP_UNPRIVILEGED, blockMap, DIRTY_MODIFIER_HIGH, INVALID, kindOf, LEAF, POWER, PXN_HIGH, PXN_TABLE_HIGH, rest,
  spanShift, UXN_HIGH, UXN_TABLE_HIGH,
} from './descriptors.js';
import { EVENT } from './events.js';
import { STAGE_ONE_DESCRIPTOR } from './layouts.js';
import { noteOf, type StageTwo } from './stage-two.js';
import type { StreamEntry } from './stream-entry.js';
import { Words } from './words.js';

/** What a request asks of stage 1. */
export interface StageOneAccess {
  /** READ | WRITE; 0 takes what there is. */
  readonly need: number;
  readonly privileged: boolean;
  readonly execute: boolean;
}

/** The table bits that descriptors below inherit. */
const INHERITED = AP_TABLE_PRIVILEGED_HIGH | AP_TABLE_READ_ONLY_HIGH | UXN_TABLE_HIGH | PXN_TABLE_HIGH;

/** Walks; where the last walk ended is in the fields, so that nothing is allocated for a request. */
export class StageOne {
  /** Physical, or what stage 2 still has to translate. */
  address = 0;
  /** log2 of the leaf's bytes. */
  shift = 0;
  /** READ | WRITE that the leaf and the tables above it agree to, for the privilege that was asked with. */
  allowed = 0;
  /** The fault is of stage 2, met while a table of stage 1 was looked for at the intermediate address `failedAt`. */
  belowFailed = false;
  failedAt = 0;
  /** After F_WALK_EABT of this stage: the descriptor that could not be read. */
  fetched = 0;
  /** Address of the descriptor that is being judged, before stage 2. */
  private readAt = 0;
  private readonly words: Words;

  constructor(memory: PhysicalMemory, private readonly stageTwo: StageTwo, private readonly unit: SubjectId) {
    this.words = new Words(memory);
  }

  /**
   * @param address bits of the half's input size
   * @param below the entry with stage 2; null = none
   * @returns 0, or the event
   */
  walk(context: ContextDescriptor, half: Half, address: number, access: StageOneAccess, below: StreamEntry | null, sink: TraceSink | null): number {
    const { granule } = half;
    const wide = context.outputBits > NARROW_WIDTH;
    const blocks = blockMap(granule, wide);
    let table = half.table;
    let inherited = 0;
    this.belowFailed = false;
    for (let level = half.startLevel; ; level++) {
      const shift = spanShift(granule, level);
      const place = Math.floor(address / POWER[shift]!);
      const index = level === half.startLevel ? place : rest(place, POWER[granule - 3]!);
      const located = this.read(table + 8 * index, level, index, below, sink);
      if (located !== 0) return located;
      const low = this.words.half(0);
      const high = this.words.half(1);
      const kind = kindOf(low, level, blocks);
      const next = addressIn(low, high, granule, wide);
      if (kind === LEAF) this.land(next, address, shift);
      const code = this.judge(context, kind, low, high | inherited, kind === LEAF ? this.address : next, access, below);
      if (sink !== null) this.trace(sink, level, index, kind, code);
      if (code !== 0 || kind === LEAF) return code;
      if (!half.ignoresHierarchy) inherited |= high & INHERITED;
      table = next;
    }
  }

  /** Reads a descriptor, where stage 2 puts it. */
  private read(at: number, level: number, index: number, below: StreamEntry | null, sink: TraceSink | null): number {
    let physical = at;
    this.readAt = at;
    if (below !== null) {
      const code = this.stageTwo.walk(below, at, READ, false, true, sink);
      if (code !== 0) return this.failBelow(code, at);
      physical = this.stageTwo.address;
    }
    if (this.words.read(physical)) return 0;
    this.fetched = physical;
    const { frame, offset } = this.words;
    sink?.push(new EntryRead(this.unit, STAGE_ONE_DESCRIPTOR[level]!.table, frame, offset, index, [], 'fault', 'nothing answers at this address', ['SMMU 1.6.3']));
    return EVENT.walkAbort;
  }

  private failBelow(code: number, at: number): number {
    this.belowFailed = true;
    this.failedAt = at;
    return code;
  }

  private land(base: number, address: number, shift: number): void {
    this.shift = shift;
    this.address = base - rest(base, POWER[shift]!) + rest(address, POWER[shift]!);
  }

  private judge(context: ContextDescriptor, kind: number, low: number, high: number, output: number, access: StageOneAccess, below: StreamEntry | null): number {
    if (kind === INVALID) return EVENT.translation;
    if (output >= POWER[context.outputBits]!) return EVENT.addressSize;
    return kind === LEAF ? this.judgeLeaf(context, low, high, access, below) : 0;
  }

  /** Address size has been judged; then the access flag, then permissions (SMMU 1.6.3, 1.6.4). @param high with the table bits of the way */
  private judgeLeaf(context: ContextDescriptor, low: number, high: number, access: StageOneAccess, below: StreamEntry | null): number {
    const setsAccessed = (low & ACCESS_FLAG) === 0 && !context.ignoresAccessFlag;
    if (setsAccessed && !context.setsAccessed) return EVENT.access;
    const readable = isReadable(context, low, high, access);
    let writable = readable && (low & AP_READ_ONLY) === 0 && (high & AP_TABLE_READ_ONLY_HIGH) === 0;
    const dirties = (access.need & WRITE) !== 0 && readable && !writable && context.setsDirty && (high & DIRTY_MODIFIER_HIGH) !== 0 && (high & AP_TABLE_READ_ONLY_HIGH) === 0;
    if (setsAccessed || dirties) {
      const code = this.update(setsAccessed ? ACCESS_FLAG : 0, dirties ? AP_READ_ONLY : 0, below);
      if (code !== 0) return code;
      writable ||= dirties;
    }
    this.allowed = (readable ? READ : 0) | (writable ? WRITE : 0);
    return (access.need & ~this.allowed) !== 0 || (access.execute && !isExecutable(context, low, high, access.privileged)) ? EVENT.permission : 0;
  }

  /** The unit changes the descriptor, where stage 2 lets it write. */
  private update(set: number, clear: number, below: StreamEntry | null): number {
    if (below !== null && (this.stageTwo.allowed & WRITE) === 0) return this.failBelow(EVENT.permission, this.readAt);
    this.words.update(0, set, clear);
    return 0;
  }

  private trace(sink: TraceSink, level: number, index: number, kind: number, code: number): void {
    const { frame, offset } = this.words;
    const verdict = code !== 0 ? 'fault' : kind === LEAF ? 'done' : 'continue';
    const allowed = kind === LEAF && (code === 0 || code === EVENT.permission) ? this.allowed : undefined;
    sink.push(new EntryRead(this.unit, STAGE_ONE_DESCRIPTOR[level]![kind === LEAF ? 'leaf' : 'table'], frame, offset, index, this.words.halves(2), verdict, noteOf(code, kind, this.shift), ['SMMU 1.6.3', 'SMMU 1.6.4'], allowed));
  }
}

/** AP[1] and APTable[0] keep unprivileged requests out, PAN privileged ones of pages that the others may use. */
function isReadable({ privilegedNeverReads }: ContextDescriptor, low: number, high: number, { privileged, execute }: StageOneAccess): boolean {
  const unprivileged = (low & AP_UNPRIVILEGED) !== 0 && (high & AP_TABLE_PRIVILEGED_HIGH) === 0;
  return privileged ? !(privilegedNeverReads && unprivileged && !execute) : unprivileged;
}

/** SMMU 1.6.4: UXN or PXN, the table bits above, and what may be written to. */
function isExecutable(context: ContextDescriptor, low: number, high: number, privileged: boolean): boolean {
  if ((high & (privileged ? PXN_HIGH | PXN_TABLE_HIGH : UXN_HIGH | UXN_TABLE_HIGH)) !== 0) return false;
  const writable = (low & AP_READ_ONLY) === 0 && (high & AP_TABLE_READ_ONLY_HIGH) === 0;
  if (!writable) return true;
  if (context.writeNeverExecutes) return false;
  const users = (low & AP_UNPRIVILEGED) !== 0;
  return !(privileged && users); // What unprivileged requests may write is never executed with privilege; UWXN says the same again.
}
