/** IOA-02, PAS-13: the lowest free number, against a set that is searched from below. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdSpace } from '../../server/simulator/kernel/ioasid/id-space.js';

type Move = { readonly take: readonly [min: number, span: number] } | { readonly giveBack: number };

const small = fc.nat(40);
const moves = fc.array(fc.oneof(fc.tuple(small, fc.nat(12)).map((take): Move => ({ take })), small.map((giveBack): Move => ({ giveBack }))), { maxLength: 200 });

function lowest(used: ReadonlySet<number>, min: number, max: number): number | null {
  for (let id = min; id <= max; id++) if (!used.has(id)) return id;
  return null;
}

describe('IdSpace', () => {
  it('gives out what a search from below finds', () => {
    fc.assert(fc.property(moves, (list) => {
      const space = new IdSpace();
      const used = new Set<number>();
      for (const move of list) {
        if ('take' in move) {
          const [min, width] = move.take;
          const wanted = lowest(used, min, min + width);
          expect(space.take(min, min + width)).toBe(wanted);
          if (wanted !== null) used.add(wanted);
        } else {
          space.giveBack(move.giveBack);
          used.delete(move.giveBack);
        }
        expect(space.empty).toBe(used.size === 0);
      }
      for (let id = 0; id < 60; id++) expect(space.has(id)).toBe(used.has(id));
    }));
  });

  it('takes a million numbers in a moment', () => {
    const space = new IdSpace();
    for (let id = 1; id < 1_000_000; id++) space.take(1, 0xf_ffff);
    expect(space.take(1, 0xf_ffff)).toBe(1_000_000);
  });
});
