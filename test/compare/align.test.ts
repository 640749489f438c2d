/** Two runs laid beside one another. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align, slotsOf } from '../../server/analysis/compare/align.js';

const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 40 });

describe('align', () => {
  it('keeps the order of both sides, each action once, and puts only the same statements into one row', () => {
    fc.assert(fc.property(keys, keys, (left, right) => {
      const rows = align(slotsOf(left), slotsOf(right));
      expect(rows.flatMap(({ sides }) => sides[0])).toEqual(left.map((_, index) => index));
      expect(rows.flatMap(({ sides }) => sides[1])).toEqual(right.map((_, index) => index));
      for (const { key, sides } of rows) {
        for (const at of sides[0]) expect(left[at]).toBe(key);
        for (const at of sides[1]) expect(right[at]).toBe(key);
      }
    }));
  });

  it('of two equal runs makes one row for each statement', () => {
    fc.assert(fc.property(keys, (run) => {
      const slots = slotsOf(run);
      expect(align(slots, slots)).toEqual(slots.map(({ key, actions }) => ({ key, sides: [actions, actions] })));
    }));
  });

  it('lays what only one side has between what both have', () => {
    const rows = align(slotsOf(['open', 'status', 'own', 'domain', 'map', 'device']), slotsOf(['open', 'own', 'space', 'domain', 'map']));
    expect(rows.map(({ key, sides }) => `${key} ${sides[0].length}${sides[1].length}`)).toEqual(['open 11', 'status 10', 'own 11', 'space 01', 'domain 11', 'map 11', 'device 10']);
  });

  it('takes no quadratic time', () => {
    const long = Array.from({ length: 40_000 }, (_, index) => `step ${index % 20_000}`);
    const started = performance.now();
    align(slotsOf(long), slotsOf([...long].reverse()));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
