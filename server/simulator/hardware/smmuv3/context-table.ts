/** From SubstreamID to context descriptor: linear, or through a level 1 descriptor; below a stage 2 all of it is at intermediate addresses (SMMU 1.3, 1.4.1). */
import type { SubjectId } from '../../description.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, type EntryLayout } from '../entry-read.js';
import type { SmmuCapabilities } from './capabilities.js';
import { ContextDescriptor } from './context-descriptor.js';
import { numberOf, POWER } from './descriptors.js';
import { EVENT } from './events.js';
import { CONTEXT_DESCRIPTOR, CONTEXT_DIRECTORY } from './layouts.js';
import type { StageTwo } from './stage-two.js';
import { WITHOUT_SUBSTREAM, type StreamEntry } from './stream-entry.js';
import { Words } from './words.js';

const DESCRIPTOR_BYTES = 64;
const DESCRIPTOR_HALVES = 16;
/** By S1Fmt: log2 of the descriptors in a leaf table; 0 = one table only. */
export const LEAF_BITS = [0, 6, 10] as const;

/** No descriptor is needed: stage 1 is bypassed. */
export const BYPASSED = -1;

export class ContextTable {
  /** What was found last. */
  readonly descriptor: ContextDescriptor;
  /** The fault is of stage 2, met at the intermediate address `failedAt`. */
  belowFailed = false;
  failedAt = 0;
  /** After F_CD_FETCH: what could not be read. */
  fetched = 0;
  private readonly words: Words;

  constructor(memory: PhysicalMemory, hardware: SmmuCapabilities, private readonly stageTwo: StageTwo, private readonly unit: SubjectId) {
    this.words = new Words(memory);
    this.descriptor = new ContextDescriptor(hardware);
  }

  /** @returns 0, BYPASSED, or the event */
  find(entry: StreamEntry, substream: number | undefined, sink: TraceSink | null): number {
    this.belowFailed = false;
    const refused = checkSubstream(entry, substream);
    if (refused !== 0) return refused;
    const index = substream ?? 0;
    const leafBits = entry.contextBits === 0 ? 0 : LEAF_BITS[entry.contextFormat]!;
    if (leafBits === 0) return this.findAt(entry, entry.contextTable + index * DESCRIPTOR_BYTES, index, sink);
    const slot = Math.floor(index / POWER[leafBits]!);
    const code = this.read(entry, entry.contextTable + 8 * slot, CONTEXT_DIRECTORY, slot, sink);
    if (code !== 0) return code;
    const valid = (this.words.half(0) & 1) !== 0;
    if (sink !== null) this.trace(sink, CONTEXT_DIRECTORY, slot, 2, valid, valid ? 'points to the CDs of this PASID' : 'V is clear: no CDs here');
    if (!valid) return EVENT.badSubstreamId;
    const leaf = numberOf(this.words.half(0) & -4096, this.words.half(1) & 0xf_ffff);
    return this.findAt(entry, leaf + (index % POWER[leafBits]!) * DESCRIPTOR_BYTES, index, sink);
  }

  private findAt(entry: StreamEntry, at: number, index: number, sink: TraceSink | null): number {
    const code = this.read(entry, at, CONTEXT_DESCRIPTOR, index, sink);
    if (code !== 0) return code;
    const legal = this.descriptor.decode(this.words, entry.stageOneStalls);
    if (sink !== null) this.trace(sink, CONTEXT_DESCRIPTOR, index, DESCRIPTOR_HALVES, legal, legal ? 'leads to the stage 1 tables' : (this.words.half(0) & (1 << 31)) === 0 ? 'V is clear' : 'a field has an illegal value');
    return legal ? 0 : EVENT.badCd;
  }

  private read(entry: StreamEntry, at: number, layout: EntryLayout, index: number, sink: TraceSink | null): number {
    let physical = at;
    if (entry.stageTwo) {
      const code = this.stageTwo.walk(entry, at, READ, false, true, sink);
      if (code !== 0) {
        this.belowFailed = true;
        this.failedAt = at;
        return code;
      }
      physical = this.stageTwo.address;
    }
    if (this.words.read(physical)) return 0;
    this.fetched = physical;
    const { frame, offset } = this.words;
    sink?.push(new EntryRead(this.unit, layout, frame, offset, index, [], 'fault', 'nothing answers at this address', ['SMMU 1.4.1']));
    return EVENT.cdFetch;
  }

  private trace(sink: TraceSink, layout: EntryLayout, index: number, halves: number, good: boolean, note: string): void {
    const { frame, offset } = this.words;
    sink.push(new EntryRead(this.unit, layout, frame, offset, index, this.words.halves(halves), good ? 'continue' : 'fault', note, [layout === CONTEXT_DIRECTORY ? 'SMMU 1.4.1' : 'SMMU 1.4.3']));
  }
}

/** SMMU 1.3: which requests have a context descriptor at all. */
function checkSubstream({ stageOne, contextBits, withoutSubstream }: StreamEntry, substream: number | undefined): number {
  if (substream === undefined) {
    if (!stageOne || (contextBits > 0 && withoutSubstream === WITHOUT_SUBSTREAM.bypass)) return BYPASSED;
    return contextBits > 0 && withoutSubstream !== WITHOUT_SUBSTREAM.contextZero ? EVENT.streamDisabled : 0;
  }
  if (!stageOne || contextBits === 0 || substream >= POWER[contextBits]!) return EVENT.badSubstreamId;
  return substream === 0 && withoutSubstream === WITHOUT_SUBSTREAM.contextZero ? EVENT.streamDisabled : 0;
}
