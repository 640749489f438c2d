/** The stage 2 walk, from intermediate physical to physical address (SMMU 1.6, 1.7). */
import type { SubjectId } from '../../description.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, READ, WRITE } from '../entry-read.js';
import { NARROW_WIDTH } from './capabilities.js';
import { ACCESS_FLAG, addressIn, blockMap, DIRTY_MODIFIER_HIGH, INVALID, kindOf, LEAF, POWER, rest, S2AP_READ, S2AP_WRITE, spanShift, UXN_HIGH } from './descriptors.js';
import { EVENT } from './events.js';
import { STAGE_TWO_DESCRIPTOR } from './layouts.js';
import type { StreamEntry } from './stream-entry.js';
import { Words } from './words.js';

/** MemAttr[3:2] of device memory is 0. */
const MEMORY_ATTRIBUTES = 3 << 4;

/** Walks; where the last walk ended is in the fields, so that nothing is allocated for a request. */
export class StageTwo {
  address = 0;
  /** log2 of the leaf's bytes. */
  shift = 0;
  /** READ | WRITE of the leaf. */
  allowed = 0;
  /** After F_WALK_EABT: the descriptor that could not be read. */
  fetched = 0;
  private readonly words: Words;

  constructor(memory: PhysicalMemory, private readonly unit: SubjectId) {
    this.words = new Words(memory);
  }

  /**
   * @param need READ | WRITE of the request; 0 takes what there is
   * @param forTable the address is that of a stage 1 table, which may not lie in device memory where the entry says so (S2PTW)
   * @returns 0, or the event
   */
  walk(entry: StreamEntry, address: number, need: number, execute: boolean, forTable: boolean, sink: TraceSink | null): number {
    if (address >= POWER[entry.inputBits]!) return EVENT.translation; // SM-N2, SM-N3
    const { granule, outputBits } = entry;
    const wide = outputBits > NARROW_WIDTH;
    const blocks = blockMap(granule, wide);
    let table = entry.table;
    for (let level = entry.startLevel; ; level++) {
      const shift = spanShift(granule, level);
      const place = Math.floor(address / POWER[shift]!);
      // Tables of the start level may be concatenated.
      const index = level === entry.startLevel ? place : rest(place, POWER[granule - 3]!);
      if (!this.words.read(table + 8 * index)) return this.unreadable(table + 8 * index, level, index, sink);
      const low = this.words.half(0);
      const high = this.words.half(1);
      const kind = kindOf(low, level, blocks);
      const next = addressIn(low, high, granule, wide);
      const code = this.judge(entry, kind, low, high, kind === LEAF ? this.land(next, address, shift) : next, need, execute, forTable);
      if (sink !== null) this.trace(sink, level, index, kind, code);
      if (code !== 0 || kind === LEAF) return code;
      table = next;
    }
  }

  /** The output address of a leaf: bits below its size come from the input. */
  private land(base: number, address: number, shift: number): number {
    this.shift = shift;
    this.address = base - rest(base, POWER[shift]!) + rest(address, POWER[shift]!);
    return this.address;
  }

  private judge(entry: StreamEntry, kind: number, low: number, high: number, output: number, need: number, execute: boolean, forTable: boolean): number {
    if (kind === INVALID) return EVENT.translation;
    if (output >= POWER[entry.outputBits]!) return EVENT.addressSize;
    return kind === LEAF ? this.judgeLeaf(entry, low, high, need, execute, forTable) : 0;
  }

  /** Address size has been judged; then the access flag, then permissions (SMMU 1.6.3). */
  private judgeLeaf(entry: StreamEntry, low: number, high: number, need: number, execute: boolean, forTable: boolean): number {
    if ((low & ACCESS_FLAG) === 0 && !entry.ignoresAccessFlag) {
      if (!entry.setsAccessed) return EVENT.access;
      this.words.update(0, ACCESS_FLAG);
    }
    this.allowed = ((low & S2AP_READ) !== 0 ? READ : 0) | ((low & S2AP_WRITE) !== 0 ? WRITE : 0);
    if ((need & WRITE) !== 0 && (this.allowed & WRITE) === 0 && entry.setsDirty && (high & DIRTY_MODIFIER_HIGH) !== 0) {
      this.words.update(0, S2AP_WRITE);
      this.allowed |= WRITE;
    }
    if ((need & ~this.allowed) !== 0 || (execute && (high & UXN_HIGH) !== 0)) return EVENT.permission;
    return forTable && entry.protectsWalks && (low & MEMORY_ATTRIBUTES) === 0 ? EVENT.permission : 0;
  }

  private unreadable(at: number, level: number, index: number, sink: TraceSink | null): number {
    this.fetched = at;
    const { frame, offset } = this.words;
    sink?.push(new EntryRead(this.unit, STAGE_TWO_DESCRIPTOR[level]!.table, frame, offset, index, [], 'fault', 'nothing answers at this address', ['SMMU 1.6.3']));
    return EVENT.walkAbort;
  }

  private trace(sink: TraceSink, level: number, index: number, kind: number, code: number): void {
    const { frame, offset } = this.words;
    const verdict = code !== 0 ? 'fault' : kind === LEAF ? 'done' : 'continue';
    const allowed = kind === LEAF && (code === 0 || code === EVENT.permission) ? this.allowed : undefined;
    sink.push(new EntryRead(this.unit, STAGE_TWO_DESCRIPTOR[level]![kind === LEAF ? 'leaf' : 'table'], frame, offset, index, this.words.halves(2), verdict, noteOf(code, kind, this.shift), ['SMMU 1.6.3', 'SMMU 1.6.4'], allowed));
  }
}

const NOTES: Readonly<Record<number, string>> = {
  0x10: 'nothing is mapped here', 0x11: 'the address has more bits than the output size', 0x12: 'the access flag is clear', 0x13: 'it does not allow this access',
};

/** What a descriptor means to the walk, in words; of both stages. @param shift log2 of a leaf's bytes */
export function noteOf(code: number, kind: number, shift: number): string {
  return NOTES[code] ?? (kind === LEAF ? `maps ${LEAF_SIZES[shift] ?? 'a page'}` : 'points to the next table');
}

const LEAF_SIZES: Readonly<Record<number, string>> = {
  12: 'a 4 KiB page', 14: 'a 16 KiB page', 16: 'a 64 KiB page', 21: 'a 2 MiB block', 25: 'a 32 MiB block', 29: 'a 512 MiB block', 30: 'a 1 GiB block', 42: 'a 4 TiB block',
};
