/** `iommu compare`: the same comparison in the terminal. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ComparisonView } from '../../server/protocol-compare.js';

const FILE = 'examples/mdev-2021.iommu';
const RUN = ['--run', 'mediated, type1 2021'];
const iommu = (...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => spawnSync(process.execPath, ['dist/iommu.cjs', 'compare', ...args], { encoding: 'utf8' });

describe('iommu compare', () => {
  it('says step by step what both do, where they part and why; ends with 1 when they differ', () => {
    const { status, stdout } = iommu(FILE, ...RUN);
    expect(status).toBe(1);
    expect(stdout).toContain('VFIO type1, Linux 5.13 | iommufd, Linux 6.19');
    expect(stdout).toMatch(/4 {2}line \d+: by guest set-iommu c type1v2\n +type1@5\.13 +VFIO_SET_IOMMU → ok/);
    expect(stdout).toMatch(/≠ type1@5\.13 puts the group into an external domain.*\n.*\[VFT-11, VFT-25, SBS-02/);
    expect(stdout).toContain('how vgpu0 got its domain (K3, mediated by software)');
  });

  it('ends with 0 when both do the same', () => expect(iommu(FILE, '--models', 'type1@5.13,type1@5.13').status).toBe(0));

  it('--format json is what the view gets', () => {
    const comparison = JSON.parse(iommu(FILE, ...RUN, '--format', 'json', '--models', 'type1@6.12,iommufd-container@6.12').stdout) as ComparisonView;
    expect(comparison.models.map(({ name }) => name)).toEqual(['type1@6.12', 'iommufd-container@6.12']);
    expect(comparison.runs).toHaveLength(1);
    expect(comparison.runs[0]!.sides[0].frames).toHaveLength(comparison.runs[0]!.rows.length);
  });

  it('--format svg --out writes the drawing of a step', () => {
    const out = join(mkdtempSync(join(tmpdir(), 'iommu-compare-')), 'drawing.svg');
    expect(iommu(FILE, ...RUN, '--format', 'svg', '--step', '4', '--out', out).stdout).toBe('');
    const svg = readFileSync(out, 'utf8');
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('external domain');
  });

  it.each([
    [[FILE, '--models', 'type1@5.13']], [[FILE, '--models', 'type1@5.13,vfio@6']], [[FILE, '--format', 'yaml']], [[FILE, '--run', 'nobody']], [[FILE, '--format', 'svg']],
    [[FILE, ...RUN, '--format', 'svg', '--step', '99']], [[FILE, FILE]], [['missing.iommu']], [[FILE, ...RUN, '--format', 'svg', '--out', '/no/such/folder/x.svg']],
  ])('2: %j', (args) => {
    const { status, stderr } = iommu(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^iommu: /);
    expect(stderr).not.toContain('    at ');
  });
});
