/** Recorded answers of an independent VT-d model; see the vectors' own README for their format. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runVectors } from '../conformance/vectors-vtd.js';

const VECTORS = '../shared/facts/vectors';
const present = existsSync(VECTORS);
if (!present) console.log(`skipped: no recorded vectors at ${VECTORS}`);

describe.skipIf(!present)('VTD-30, GEN-02: vectors', () => {
  it('every difference is a known deviation of the model that was asked', () => {
    const { agree, unknown, differences } = runVectors(`${VECTORS}/vtd`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect(agree).toBeGreaterThan(100 * differences.length);
    expect(unknown).toBe(0);
  });

  it('architectures without a runner are not covered', () => {
    expect(runVectors(`${VECTORS}/riscv`)).toMatchObject({ agree: 0, differ: 0 });
    expect(runVectors(`${VECTORS}/riscv`).notCovered).toBeGreaterThan(0);
  });
});
