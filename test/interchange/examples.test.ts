import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseFiles } from '../../language/index.js';
import { analyse } from '../../server/analysis/analysis.js';
import { importHost } from '../../server/interchange/import-host.js';
import type { Report } from '../../server/simulator/report.js';

const EXAMPLES = join(import.meta.dirname, '../../examples');
const read = (path: string): string => readFileSync(join(EXAMPLES, path), 'utf8');

async function run(path: string, change: (text: string) => string = (text) => text): Promise<{ codes: string[]; report: Report; problems: string[] }> {
  const uri = (name: string): string => pathToFileURL(join(EXAMPLES, name)).href;
  const host = join(dirname(path), 'host.iommu');
  const text = change(read(path));
  const files = [{ uri: uri(path), text }, ...(text.includes('use "host.iommu"') ? [{ uri: uri(host), text: read(host) }] : [])];
  const { lowered, problems } = await parseFiles(files, uri(path));
  const crashes: unknown[] = [];
  const { findings, report } = analyse(lowered.description, (_, error) => crashes.push(error));
  expect(crashes).toEqual([]);
  return { codes: findings.map((finding) => finding.code), report, problems: problems.filter((problem) => problem.severity === 'error').map((problem) => problem.message) };
}

const expectations = (report: Report): (boolean | undefined)[] => report.runs.flatMap((each) => each.actions.flatMap((action) => (action.kind === 'never' ? [] : action.expectation === undefined ? [] : [action.expectation.met])));

describe('the Ryzen desktop', () => {
  it('host.iommu is what the import makes of lspci.txt', () => {
    expect(importHost({ lspci: read('ryzen-desktop/lspci.txt'), name: 'desk' }).text).toBe(read('ryzen-desktop/host.iommu'));
  });

  it('passthrough.iommu shows the forgotten function and what follows from it', async () => {
    const { codes, problems } = await run('ryzen-desktop/passthrough.iommu');
    expect(problems).toEqual([]);
    expect(codes).toContain('ownership/device-has-host-driver');
    expect(codes.filter((code) => code === 'expectation/not-met')).toHaveLength(2);
  });

  it('has no finding once it is bound', async () => {
    const { codes, report } = await run('ryzen-desktop/passthrough.iommu', (text) => text.replace('bind gpu to', 'bind gpu, gpu_audio to'));
    expect(codes).toEqual([]);
    expect(expectations(report)).toEqual([true, true, true, true]);
  });
});

describe('the Intel laptop', () => {
  it('host.iommu is what the import makes of lspci.txt and dmesg.txt', () => {
    expect(importHost({ lspci: read('intel-laptop/lspci.txt'), dmesg: read('intel-laptop/dmesg.txt'), name: 'laptop' }).text).toBe(read('intel-laptop/host.iommu'));
  });

  it('passthrough.iommu: the group is not viable until the sound function is bound too (VFG-13)', async () => {
    const { codes, problems } = await run('intel-laptop/passthrough.iommu');
    expect(problems).toEqual([]);
    expect(codes.toSorted()).toEqual(['expectation/not-met', 'ownership/group-not-viable']);
    const repaired = await run('intel-laptop/passthrough.iommu', (text) => text.replace('bind gpu to', 'bind gpu, gpu_audio to'));
    expect(repaired.codes).toEqual([]);
    expect(expectations(repaired.report)).toEqual([true, true]);
  });
});

describe('further examples', () => {
  it('acs-hole.iommu: the one finding is the path that no IOMMU sees', async () => {
    const { codes, report, problems } = await run('acs-hole.iommu');
    expect(problems).toEqual([]);
    expect(codes).toEqual(['property/refuted']);
    expect(expectations(report)).toEqual([true, true]);
  });

  it('mdev-2021.iommu: every expectation is met', async () => {
    const { codes, report, problems } = await run('mdev-2021.iommu');
    expect(problems).toEqual([]);
    expect(codes).toEqual([]);
    expect(expectations(report).every((met) => met === true)).toBe(true);
    expect(expectations(report).length).toBeGreaterThan(15);
  });
});
