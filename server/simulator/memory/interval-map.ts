/**
 * An ordered map from disjoint ranges of 64-bit addresses to values: the mappings of a container or an IOAS.
 *
 * Ranges live in chunks of at most `CHUNK` entries, so that an insertion moves a bounded number of entries and a search
 * is two binary searches. Starts and lasts are typed arrays: comparing a bigint with one of their elements is cheap.
 */
import { ADDRESS_MAX, type AddressRange } from './address.js';

/** One range of the map and its value; itself an address range. */
export interface Interval<V, A extends bigint = bigint> extends AddressRange<A> {
  readonly value: V;
}

const CHUNK = 256;

interface Chunk<V> {
  readonly starts: BigUint64Array;
  readonly lasts: BigUint64Array;
  /** As many as the chunk has ranges, at least one. */
  readonly values: V[];
}

function newChunk<V>(): Chunk<V> {
  return { starts: new BigUint64Array(CHUNK), lasts: new BigUint64Array(CHUNK), values: [] };
}

/** A place in the map; `chunk` is past the end when there is no such range. */
interface Position {
  chunk: number;
  index: number;
}

export class IntervalMap<V, A extends bigint = bigint> {
  private chunks: Chunk<V>[] = [];
  private count = 0;
  /** Grows with every change, so that an iteration notices that its place has moved. */
  private revision = 0;

  /** Number of ranges. */
  get size(): number {
    return this.count;
  }

  /**
   * Adds a range.
   * @returns false, and changes nothing, when it overlaps a range of the map.
   * @throws RangeError when `range` is not `0 <= start <= last < 2^64`.
   */
  insert(range: AddressRange<A>, value: V): boolean {
    if (range.start < 0n || range.last > ADDRESS_MAX || range.last < range.start) {
      throw new RangeError(`${range.start} .. ${range.last} is not a range of 64-bit addresses`);
    }
    const at = this.seek(range.start);
    const next = this.chunks[at.chunk];
    if (next !== undefined && next.starts[at.index]! <= range.last) return false;
    this.place(at, range, value);
    this.count++;
    this.revision++;
    return true;
  }

  /** The range that contains `address`. */
  at(address: bigint): Interval<V, A> | undefined {
    const at = this.seek(address);
    const chunk = this.chunks[at.chunk];
    return chunk !== undefined && chunk.starts[at.index]! <= address ? this.read(at) : undefined;
  }

  /** The lowest range that shares an address with `range`. */
  firstOverlap(range: AddressRange): Interval<V, A> | undefined {
    const at = this.seek(range.start);
    const chunk = this.chunks[at.chunk];
    return chunk !== undefined && chunk.starts[at.index]! <= range.last ? this.read(at) : undefined;
  }

  /** Every range that shares an address with `range`, ascending. The map may be changed meanwhile. */
  *overlapping(range: AddressRange): Generator<Interval<V, A>> {
    let at = this.seek(range.start);
    let seen = this.revision;
    for (;;) {
      const chunk = this.chunks[at.chunk];
      if (chunk === undefined || chunk.starts[at.index]! > range.last) return;
      const found = this.read(at);
      yield found;
      if (seen === this.revision) this.advance(at);
      else {
        if (found.last >= range.last) return;
        at = this.seek(found.last + 1n);
        seen = this.revision;
      }
    }
  }

  /** All ranges, ascending. The map may be changed meanwhile. */
  entries(): Generator<Interval<V, A>> {
    return this.overlapping({ start: 0n, last: ADDRESS_MAX });
  }

  /**
   * Moves the end of the range that begins at `start` up to `last`.
   * @returns false, and changes nothing, when no range begins there or the next one would be overlapped.
   */
  extend(start: bigint, last: bigint): boolean {
    const at = this.seek(start);
    const chunk = this.chunks[at.chunk];
    if (chunk === undefined || chunk.starts[at.index] !== start || last < chunk.lasts[at.index]! || last > ADDRESS_MAX) return false;
    const next = at.index + 1 < chunk.values.length ? chunk.starts[at.index + 1] : this.chunks[at.chunk + 1]?.starts[0];
    if (next !== undefined && next <= last) return false;
    chunk.lasts[at.index] = last;
    this.revision++;
    return true;
  }

  /** Removes the range that begins at `start` and returns it; undefined, and no change, when none does. */
  remove(start: bigint): Interval<V, A> | undefined {
    const at = this.seek(start);
    const chunk = this.chunks[at.chunk];
    if (chunk === undefined || chunk.starts[at.index] !== start) return undefined;
    const removed = this.read(at);
    chunk.starts.copyWithin(at.index, at.index + 1, chunk.values.length);
    chunk.lasts.copyWithin(at.index, at.index + 1, chunk.values.length);
    chunk.values.splice(at.index, 1);
    if (chunk.values.length === 0) this.chunks.splice(at.chunk, 1);
    this.count--;
    this.revision++;
    return removed;
  }

  clear(): void {
    this.chunks = [];
    this.count = 0;
    this.revision++;
  }

  /** The first range whose last address is not below `address`. */
  private seek(address: bigint): Position {
    const chunk = firstIndex(this.chunks.length, (i) => {
      const { lasts, values } = this.chunks[i]!;
      return lasts[values.length - 1]! >= address;
    });
    if (chunk === this.chunks.length) return { chunk, index: 0 };
    const { lasts, values } = this.chunks[chunk]!;
    return { chunk, index: firstIndex(values.length, (i) => lasts[i]! >= address) };
  }

  private advance(at: Position): void {
    if (++at.index < this.chunks[at.chunk]!.values.length) return;
    at.chunk++;
    at.index = 0;
  }

  private read(at: Position): Interval<V, A> {
    const chunk = this.chunks[at.chunk]!;
    return { start: chunk.starts[at.index]! as A, last: chunk.lasts[at.index]! as A, value: chunk.values[at.index]! };
  }

  /** Puts a range before the one at `at`; at the end of the map, behind the last. */
  private place(at: Position, range: AddressRange, value: V): void {
    if (at.chunk === this.chunks.length) {
      const last = this.chunks.at(-1);
      if (last === undefined || last.values.length === CHUNK) this.chunks.push(newChunk());
      at = { chunk: this.chunks.length - 1, index: this.chunks.at(-1)!.values.length };
    } else if (this.chunks[at.chunk]!.values.length === CHUNK) {
      at = this.split(at);
    }
    const chunk = this.chunks[at.chunk]!;
    chunk.starts.copyWithin(at.index + 1, at.index, chunk.values.length);
    chunk.lasts.copyWithin(at.index + 1, at.index, chunk.values.length);
    chunk.starts[at.index] = range.start;
    chunk.lasts[at.index] = range.last;
    chunk.values.splice(at.index, 0, value);
  }

  /** Halves the full chunk of `at` and returns where `at` is now. */
  private split(at: Position): Position {
    const low = this.chunks[at.chunk]!;
    const half = CHUNK / 2;
    const high: Chunk<V> = { ...newChunk<V>(), values: low.values.splice(half) };
    high.starts.set(low.starts.subarray(half));
    high.lasts.set(low.lasts.subarray(half));
    this.chunks.splice(at.chunk + 1, 0, high);
    return at.index <= half ? at : { chunk: at.chunk + 1, index: at.index - half };
  }
}

/** The lowest i in 0 .. count for which `holds`, which must stay true once it is; `count` when it never is. */
function firstIndex(count: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
