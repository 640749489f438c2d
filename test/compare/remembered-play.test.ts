/** What a comparison plays again after an edit. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseFiles } from '../../language/index.js';
import { compare } from '../../server/analysis/compare/compare.js';
import { modelNamed, type Model } from '../../server/analysis/compare/models.js';
import { play } from '../../server/analysis/compare/play.js';
import { PlayedModels, PlayedRuns } from '../../server/analysis/compare/remembered-play.js';
import type { MachineDescription } from '../../server/simulator/description.js';
import { simulate } from '../../server/simulator/index.js';

const URI = 'file:///test.iommu';
const TEXT = readFileSync(new URL('../../examples/mdev-2021.iommu', import.meta.url), 'utf8');
const [OLD, NEW, COMPAT] = ['type1@5.13', 'iommufd@6.19', 'iommufd-container@6.19'].map((name) => modelNamed(name)!) as [Model, Model, Model];

const described = async (text: string): Promise<MachineDescription> => (await parseFiles([{ uri: URI, text }], URI)).lowered.description;
const fileOf = (description: MachineDescription) => ({ description, hosts: simulate(description).hosts, places: new Map(), uri: URI, version: 1, title: 'test.iommu' });
/** Runs that are the same objects as before: they were not played. */
const kept = (before: ReturnType<typeof play>, after: ReturnType<typeof play>): string[] => [...after.runs].filter(([subject, run]) => before.runs.get(subject) === run).map(([subject]) => subject);
const alone = (device: string): string => device;

describe('a side is played again', () => {
  const edits: readonly (readonly [what: string, from: string, to: string, played: number])[] = [
    ['after an edit of one scenario: that one', 'pin-pages vgpu0 iova 0x2000_0000', 'pin-pages vgpu0 iova 0x3000_0000', 1],
    ['after an edit of a comment: nothing', 'host ', '// another word\nhost ', 0],
  ];
  it.each(edits)('%s', async (_what, from, to, played) => {
    const edited = TEXT.replace(from, to);
    expect(edited).not.toBe(TEXT);
    const remembered = new PlayedRuns();
    const before = play(await described(TEXT), OLD, alone, remembered);
    const after = play(await described(edited), OLD, alone, remembered);
    expect(after.runs.size - kept(before, after).length).toBe(played);
    expect(after.runs.size).toBeGreaterThan(3);
  });

  it('after an edit of the host: all', async () => {
    const remembered = new PlayedRuns();
    const before = play(await described(TEXT), OLD, alone, remembered);
    const after = play(await described(TEXT.replace('address-width 39', 'address-width 48')), OLD, alone, remembered);
    expect(kept(before, after)).toEqual([]);
  });

  it('where its model has changed, and the other side is not', async () => {
    const description = await described(TEXT);
    const remembered = new PlayedModels();
    const [old, today] = remembered.of([OLD.name, NEW.name]).map((runs, side) => play(description, [OLD, NEW][side]!, alone, runs));
    const [again, other] = remembered.of([OLD.name, COMPAT.name]).map((runs, side) => play(description, [OLD, COMPAT][side]!, alone, runs));
    expect(kept(old!, again!)).toHaveLength(old!.runs.size);
    expect(kept(today!, other!)).toEqual([]);
  });
});

it.each([
  ['a scenario', TEXT.replace('pin-pages vgpu0 iova 0x2000_0000', 'pin-pages vgpu0 iova 0x3000_0000')],
  ['a host', TEXT.replace('address-width 39', 'address-width 48')],
  ['nothing', TEXT],
])('an edit of %s shows what a fresh comparison shows', async (_what, edited) => {
  const remembered = new PlayedModels();
  compare(fileOf(await described(TEXT)), [OLD, NEW], remembered);
  const file = fileOf(await described(edited));
  expect(compare(file, [OLD, NEW], remembered)).toEqual(compare(file, [OLD, NEW]));
  expect(compare(file, [NEW, NEW], remembered)).toEqual(compare(file, [NEW, NEW]));
});
