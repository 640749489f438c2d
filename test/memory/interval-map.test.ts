import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_MAX, overlaps, type AddressRange } from '../../server/simulator/memory/address.js';
import { IntervalMap } from '../../server/simulator/memory/interval-map.js';

/** Addresses near the places where doubles, signed numbers and table formats end. */
const edge = fc.constantFrom(0n, 1n, 0xfffn, 0x1000n, 1n << 31n, 1n << 32n, 1n << 52n, (1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, 1n << 57n, 1n << 63n, ADDRESS_MAX - 1n, ADDRESS_MAX);
const address = fc.oneof(edge, fc.bigInt(0n, ADDRESS_MAX), fc.bigInt(0n, 4096n));
const range = fc.tuple(address, fc.oneof(fc.bigInt(0n, 64n), fc.constant(0n), address)).map(([start, more]): AddressRange => ({ start, last: start + more > ADDRESS_MAX ? ADDRESS_MAX : start + more }));

type Change = { kind: 'insert'; range: AddressRange } | { kind: 'remove'; start: bigint } | { kind: 'removeOne'; which: number };
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: range.map((r): Change => ({ kind: 'insert', range: r })) },
  { weight: 1, arbitrary: address.map((start): Change => ({ kind: 'remove', start })) },
  { weight: 2, arbitrary: fc.nat(1000).map((which): Change => ({ kind: 'removeOne', which })) },
);

/** The same map, slowly: an array that is searched from the front. */
class Naive {
  list: { start: bigint; last: bigint; value: number }[] = [];
  insert(r: AddressRange, value: number): boolean {
    if (this.list.some((e) => overlaps(e, r))) return false;
    this.list.push({ ...r, value });
    this.list.sort((a, b) => (a.start < b.start ? -1 : 1));
    return true;
  }
  remove(start: bigint) {
    const i = this.list.findIndex((e) => e.start === start);
    return i < 0 ? undefined : this.list.splice(i, 1)[0];
  }
}

describe('IntervalMap', () => {
  it('answers as a searched array does', () => {
    fc.assert(fc.property(fc.array(change, { maxLength: 120 }), fc.array(range, { maxLength: 10 }), (changes, questions) => {
      const map = new IntervalMap<number>();
      const naive = new Naive();
      changes.forEach((c, value) => {
        if (c.kind === 'insert') expect(map.insert(c.range, value)).toBe(naive.insert(c.range, value));
        else {
          const start = c.kind === 'remove' ? c.start : (naive.list[c.which % Math.max(1, naive.list.length)]?.start ?? 0n);
          expect(map.remove(start)).toEqual(naive.remove(start));
        }
      });
      expect([...map.entries()]).toEqual(naive.list);
      expect(map.size).toBe(naive.list.length);
      for (const q of questions) {
        const hits = naive.list.filter((e) => overlaps(e, q));
        expect([...map.overlapping(q)]).toEqual(hits);
        expect(map.firstOverlap(q)).toEqual(hits[0]);
        expect(map.at(q.start)).toEqual(naive.list.find((e) => e.start <= q.start && q.start <= e.last));
      }
    }), { numRuns: 300 });
  });

  it('splits and empties chunks in any order of insertion', () => {
    const page = (i: number): AddressRange => ({ start: BigInt(i) * 4096n, last: BigInt(i) * 4096n + 4095n });
    for (const step of [1, 7919, 19_999]) {
      const map = new IntervalMap<number>();
      for (let i = 0, at = 0; i < 20_000; i++, at = (at + step) % 20_000) expect(map.insert(page(at), at)).toBe(true);
      expect(map.size).toBe(20_000);
      expect([...map.entries()].every((e, i) => e.value === i)).toBe(true);
      for (let i = 0; i < 20_000; i += 2) expect(map.remove(page(i).start)?.value).toBe(i);
      expect(map.firstOverlap({ start: 0n, last: 4095n })).toBeUndefined();
      expect([...map.entries()].map((e) => e.value)).toEqual(Array.from({ length: 10_000 }, (_, i) => 2 * i + 1));
    }
  });

  it('may be changed while it is walked', () => {
    const map = new IntervalMap<string>();
    for (const start of [0n, 10n, 20n, ADDRESS_MAX]) map.insert({ start, last: start }, String(start));
    const walked: string[] = [];
    for (const entry of map.entries()) {
      walked.push(entry.value);
      map.remove(entry.start);
      if (entry.start === 10n) map.insert({ start: 15n, last: 16n }, 'new');
    }
    expect(walked).toEqual(['0', '10', 'new', '20', String(ADDRESS_MAX)]);
    expect(map.size).toBe(0);
  });

  it('extends a range up to the next one', () => {
    const map = new IntervalMap<string>();
    map.insert({ start: 10n, last: 19n }, 'a');
    map.insert({ start: 30n, last: 39n }, 'b');
    expect([map.extend(10n, 30n), map.extend(11n, 12n), map.extend(10n, 5n), map.extend(30n, ADDRESS_MAX + 1n)]).toEqual([false, false, false, false]);
    expect([map.extend(10n, 29n), map.extend(30n, ADDRESS_MAX)]).toEqual([true, true]);
    expect([...map.entries()]).toEqual([{ start: 10n, last: 29n, value: 'a' }, { start: 30n, last: ADDRESS_MAX, value: 'b' }]);
  });

  it('holds the whole address space as one range', () => {
    const map = new IntervalMap<string>();
    expect(map.insert({ start: 0n, last: ADDRESS_MAX }, 'all')).toBe(true);
    expect(map.insert({ start: 1n << 57n, last: 1n << 57n }, 'more')).toBe(false);
    expect(map.at(ADDRESS_MAX)?.value).toBe('all');
    map.clear();
    expect(map.at(0n)).toBeUndefined();
  });

  it('refuses what is not a range of 64-bit addresses', () => {
    const map = new IntervalMap<string>();
    for (const bad of [{ start: 1n, last: 0n }, { start: -1n, last: 0n }, { start: 0n, last: ADDRESS_MAX + 1n }]) expect(() => map.insert(bad, '')).toThrow(RangeError);
  });
});
