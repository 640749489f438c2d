/** SRC-10: the objects of a machine between two actions, for an IOMMU-less mediated device and for a function, in both interfaces. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { objectsAfter, objectsAfterEach } from '../../server/simulator/index.js';
import type { ObjectGraph } from '../../server/simulator/object-graph.js';
import { runOf, simulateText, type Simulated } from './simulate-text.js';

const example = (name: string): string => readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8');
/** "from label -> to label: what", sorted. */
function linesOf(graph: ObjectGraph | undefined): string[] {
  const label = new Map(graph?.nodes.map((node) => [node.id, `${node.kind} ${node.label}`]));
  return (graph?.links ?? []).map(({ from, to, label: what, fake }) => `${label.get(from)} ${fake ? '~' : '-'}> ${label.get(to)}: ${what}`).sort();
}

describe('objects of mdev-2021.iommu', () => {
  let file: Simulated;
  beforeAll(async () => {
    file = await simulateText(example('mdev-2021.iommu'));
  });
  const after = (name: string, index: number): ObjectGraph => objectsAfter(file.description, runOf(file.report, name), index)!;

  it('VFT-11: the mediated device of 2021 is in a group that no hardware stands behind, and in a domain that is none', () => {
    const lines = linesOf(after('mediated, type1 2021', 7));
    expect(lines).toContain('mdev vgpu0 ~> group group 3: member of');
    expect(lines).toContain('group group 3 ~> domain external domain: is said to be in');
    expect(lines).toContain('mdev vgpu0 -> vfio-group /dev/vfio/3: pins 256 pages');
    expect(lines.filter((line) => line.startsWith('container c') && line.includes('domain'))).toEqual(['container c ~> domain external domain: allocated']);
  });

  it('ACC-01: today an access of the address space stands there, and no domain', () => {
    const lines = linesOf(after('mediated, iommufd today', 6));
    expect(lines).toContain('mdev vgpu0 -> access access 2: uses');
    expect(lines).toContain('access access 2 -> ioas A: pins 256 pages of');
    expect(lines.some((line) => line.startsWith('group group 3'))).toBe(false);
  });

  it('SBS-01: type1 makes the domain and the group translates through it; iommufd makes it for the device', () => {
    expect(linesOf(after('physical, type1 2021', 4))).toEqual(expect.arrayContaining(['container c -> domain domain 5: allocated', 'group group 2 -> domain domain 5: translates through', 'vfio-group /dev/vfio/2 -> container c: member of']));
    const today = linesOf(after('physical, iommufd today', 7));
    expect(today).toEqual(expect.arrayContaining(['device gpu -> hwpt hwpt 3: attached to', 'hwpt hwpt 3 -> ioas A: shows', 'group group 2 -> iommufd fd: owned by']));
  });

  it('identities stay the same from action to action, and equal runs give equal graphs', () => {
    for (const run of file.report.runs) {
      const graphs = objectsAfterEach(file.description, run);
      expect(graphs).toHaveLength(run.actions.length);
      expect(objectsAfterEach(file.description, run)).toEqual(graphs);
      graphs.forEach((graph) => {
        const ids = graph.nodes.map(({ id }) => id);
        expect(new Set(ids).size).toBe(ids.length);
        for (const { from, to } of graph.links) expect(ids).toEqual(expect.arrayContaining([from, to]));
      });
    }
  });

  it('IFD-62: a guest\'s page table stands over the one that the kernel fills', async () => {
    const nested = await simulateText(readFileSync(new URL('../fixtures/iommufd/nested.iommu', import.meta.url), 'utf8'));
    const run = nested.report.runs.find(({ name }) => name.startsWith('IFD-72: invalidating everything'))!;
    const lines = linesOf(objectsAfter(nested.description, run, run.actions.length - 1));
    expect(lines.some((line) => /^nested-hwpt \S+ -> hwpt \S+: over$/.test(line))).toBe(true);
    expect(lines.some((line) => /^device dsa -> nested-hwpt \S+: attached to$/.test(line))).toBe(true);
  });

  it('an action that a run has not has no objects', () => {
    expect(objectsAfter(file.description, file.report.runs[1]!, 10_000)).toBeUndefined();
  });
});
