/** From stream ID to stream table entry: linear, or through a level 1 descriptor (SMMU 1.2.1). */
import type { SubjectId } from '../../description.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead } from '../entry-read.js';
import type { SmmuCapabilities } from './capabilities.js';
import { numberOf, POWER, rest } from './descriptors.js';
import { EVENT } from './events.js';
import { STREAM_DESCRIPTOR, STREAM_ENTRY } from './layouts.js';
import type { SmmuRegisters } from './registers.js';
import { StreamEntry } from './stream-entry.js';
import { Words } from './words.js';

const ENTRY_BYTES = 64;
const ENTRY_SHIFT = 6;
const DESCRIPTOR_BYTES = 8;
const ENTRY_HALVES = 16;

export class StreamTable {
  /** The entry that was found last. */
  readonly entry: StreamEntry;
  /** After F_STE_FETCH: what could not be read. */
  fetched = 0;
  private readonly words: Words;

  constructor(memory: PhysicalMemory, private readonly hardware: SmmuCapabilities, private readonly unit: SubjectId) {
    this.words = new Words(memory);
    this.entry = new StreamEntry(hardware);
  }

  /** @returns 0, or the event */
  find(registers: SmmuRegisters, stream: number, sink: TraceSink | null): number {
    if (stream >= POWER[Math.min(registers.log2Size, this.hardware.streamBits)]!) return EVENT.badStreamId;
    if (!registers.twoLevel) return this.read(registers.tableAddress + stream * ENTRY_BYTES, stream, sink);
    const { split } = registers;
    const slot = Math.floor(stream / POWER[split]!);
    const at = registers.tableAddress + slot * DESCRIPTOR_BYTES;
    if (!this.words.read(at)) return this.unreadable(at, slot, true, sink);
    const span = this.words.half(0) & 31;
    const index = stream % POWER[split]!;
    // Spans above SPLIT + 1 are reserved; they count as 0.
    const inside = span !== 0 && span <= split + 1 && index < POWER[span - 1]!;
    if (sink !== null) this.trace(sink, slot, inside, span);
    if (!inside) return EVENT.badStreamId;
    const address = numberOf(this.words.half(0) & -ENTRY_BYTES, this.words.half(1) & 0xf_ffff);
    return this.read(address - rest(address, POWER[span - 1 + ENTRY_SHIFT]!) + index * ENTRY_BYTES, index, sink); // STEs are aligned to all of them
  }

  private read(at: number, index: number, sink: TraceSink | null): number {
    if (!this.words.read(at)) return this.unreadable(at, index, false, sink);
    const legal = this.entry.decode(this.words);
    if (sink !== null) {
      const { frame, offset } = this.words;
      const note = legal ? this.note() : (this.words.half(0) & 1) === 0 ? 'V is clear: this stream may do no DMA' : 'a field has an illegal value';
      sink.push(new EntryRead(this.unit, STREAM_ENTRY, frame, offset, index, this.words.halves(ENTRY_HALVES), !legal ? 'fault' : this.entry.aborts ? 'blocked' : 'continue', note, ['SMMU 1.2.3']));
    }
    return legal ? 0 : EVENT.badSte;
  }

  private unreadable(at: number, index: number, descriptor: boolean, sink: TraceSink | null): number {
    this.fetched = at;
    const { frame, offset } = this.words;
    sink?.push(new EntryRead(this.unit, descriptor ? STREAM_DESCRIPTOR : STREAM_ENTRY, frame, offset, index, [], 'fault', 'nothing answers at this address', ['SMMU 1.2.1']));
    return EVENT.steFetch;
  }

  private trace(sink: TraceSink, slot: number, inside: boolean, span: number): void {
    const { frame, offset } = this.words;
    const note = inside ? 'points to the STEs of this stream ID' : span === 0 ? 'Span is 0: no STEs here' : 'Span leaves this stream ID out, or is reserved';
    sink.push(new EntryRead(this.unit, STREAM_DESCRIPTOR, frame, offset, slot, this.words.halves(2), inside ? 'continue' : 'fault', note, ['SMMU 1.2.1']));
  }

  private note(): string {
    const { entry } = this;
    if (entry.aborts) return 'requests of this stream are aborted, without an event';
    if (!entry.stageOne && !entry.stageTwo) return 'requests of this stream pass untranslated';
    if (!entry.stageTwo) return 'stage 1 translates';
    return entry.stageOne ? 'stage 1 translates, then stage 2' : 'stage 2 translates';
  }
}
