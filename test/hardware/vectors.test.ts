/** Recorded answers of an independent VT-d model; see the vectors' own README for their format. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runVectors } from '../conformance/vectors.js';

const VECTORS = '../shared/facts/vectors';
const present = existsSync(VECTORS);
if (!present) console.log(`skipped: no recorded vectors at ${VECTORS}`);

/** Recorded by this project; see test/hardware/vectors/README.md. */
const OWN = 'test/hardware/vectors';

describe('GEN-02: recorded vectors', () => {
  it.each([
    ['VTD-30', 'vtd-legacy', 1591, 0], ['VTD-40, VTD-43', 'vtd-scalable', 1683, 1225], ['VTD-20, PCIE-52', 'vtd-interrupts', 1170, 159], ['AMD-10, AMD-20, AMD-21', 'amdvi', 1172, 87],
    ['VI-1 .. VI-19', 'virtio', 8803, 3],
  ])('%s: %s', (_rule, folder, agreeing, differing) => {
    const { agree, differ, unknown, notCovered, differences } = runVectors(`${OWN}/${folder}`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect({ agree, differ, unknown, notCovered }).toEqual({ agree: agreeing, differ: differing, unknown: 0, notCovered: 0 });
  });
});

describe.skipIf(!present)('VTD-30, GEN-02: vectors', () => {
  it('every difference is a known deviation of the model that was asked', () => {
    const { agree, unknown, differences } = runVectors(`${VECTORS}/vtd`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect(agree).toBeGreaterThan(100 * differences.length);
    expect(unknown).toBe(0);
  });

  it('VI-1 .. VI-19: sequences of requests to a virtio-iommu device', () => {
    const { agree, unknown, notCovered, differences } = runVectors(`${VECTORS}/virtio`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect(agree).toBeGreaterThan(1000 * differences.length);
    expect([unknown, notCovered]).toEqual([0, 0]);
  });

  it('RVI 4: the reference model of the RISC-V IOMMU', () => {
    const { agree, unknown, notCovered, differences } = runVectors(`${VECTORS}/riscv`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect(agree).toBeGreaterThan(1000 * differences.length);
    expect({ unknown, notCovered }).toEqual({ unknown: 0, notCovered: 0 });
  });

  it('SMMU 1.2 to 1.8: every difference is a known deviation of the model that was asked', () => {
    const { agree, unknown, differences } = runVectors(`${VECTORS}/smmuv3`);
    expect(differences.filter((line) => line.includes('nobody knows why'))).toEqual([]);
    expect(agree).toBeGreaterThan(2 * differences.length);
    expect(unknown).toBe(0);
  });
});

describe('vectors of architectures without a runner', () => {
  it('are not covered', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
    writeFileSync(join(folder, 'cases.txt'), 'case 1\nreq 0 0 1000\nreq 0 1 1000\nend\n');
    expect(runVectors(folder)).toMatchObject({ agree: 0, differ: 0, notCovered: 2 });
    rmSync(folder, { recursive: true });
  });
});
