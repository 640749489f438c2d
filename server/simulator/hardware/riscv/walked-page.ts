/** Where a walk of either stage ends: the page that it found, and what its trace says of the entries on the way. */
import type { SubjectId } from '../../description.js';
import type { TraceSink } from '../../trace/events.js';
import { EntryRead, type EntryLayout } from '../entry-read.js';
import type { PagingMode } from './modes.js';
import { ENTRY, FLAW, leafShift, memoryTypeOf, noteOf, targetOf } from './page-entry.js';
import { CORRUPTION } from './table-memory.js';

/** How a walk of either stage ends. */
export const WALK = { done: 0, pageFault: 1, accessFault: 2, corruption: 3, guestPageFault: 4 } as const;

const EVERYTHING = ENTRY.read | ENTRY.write | ENTRY.execute;

/** One entry as it was read; `at` counts bytes from the start of its table. */
export interface ReadPlace {
  readonly layout: EntryLayout;
  readonly frame: number;
  readonly at: number;
  readonly entryBytes: number;
}

/** The fields hold what the last walk found, so that nothing is allocated for a request. */
export abstract class WalkedPage {
  frame = 0;
  /** log2 of the page's bytes. */
  shift = 0;
  /** ENTRY.read, write, execute and dirty of the leaf. */
  leaf = 0;
  memoryType = 0;
  /** The last walk did not begin: the address has bits that the mode does not translate. */
  outOfRange = false;

  /** @param rule of the stage, for its traces */
  protected constructor(private readonly unit: SubjectId, private readonly rule: string) {}

  /** Nobody translates. */
  protected passes(frame: number, shift: number): number {
    this.frame = frame;
    this.shift = shift;
    this.leaf = EVERYTHING | ENTRY.dirty;
    this.memoryType = 0;
    return WALK.done;
  }

  /** The leaf `low`, `high` maps `frame`. */
  protected finish(low: number, high: number, frame: number, mode: PagingMode, level: number): void {
    this.shift = leafShift(high, mode.shifts[level]!);
    this.frame = targetOf(low, high, frame, this.shift === mode.shifts[level]! ? mode.frames[level]! : 2 ** (this.shift - 12));
    this.leaf = low & (EVERYTHING | ENTRY.dirty);
    this.memoryType = memoryTypeOf(high);
  }

  /** @param loaded why the entry could not be read */
  protected unreadable(sink: TraceSink | null, place: ReadPlace, loaded: number): number {
    this.push(sink, place, [], 'fault', loaded === CORRUPTION ? 'the data is poisoned' : 'nothing may be read at this address');
    return loaded === CORRUPTION ? WALK.corruption : WALK.accessFault;
  }

  /** @param set bits of the leaf that the unit sets */
  protected trace(sink: TraceSink, place: ReadPlace, halves: readonly number[], leaf: boolean, flaw: number, set: number): void {
    const verdict = flaw !== FLAW.none ? 'fault' : leaf ? 'done' : 'continue';
    this.push(sink, place, halves, verdict, noteOf(flaw, leaf, set), leaf ? (halves[0]! >>> 1) & 3 : undefined);
  }

  private push(sink: TraceSink | null, { layout, frame, at, entryBytes }: ReadPlace, halves: readonly number[], verdict: 'fault' | 'done' | 'continue', note: string, allowed?: number): void {
    sink?.push(new EntryRead(this.unit, layout, frame, at & 0xfff, at / entryBytes, halves, verdict, note, [this.rule], allowed));
  }
}
