/** One file under two models: SBS-01 .. SBS-05 as the examples tell them, differences with their reasons and rules. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFiles } from '../../language/index.js';
import { CHECKS } from '../../server/analysis/compare/checks.js';
import { compare } from '../../server/analysis/compare/compare.js';
import { modelChoices, modelNamed } from '../../server/analysis/compare/models.js';
import type { ComparedRunView, ComparisonView } from '../../server/protocol-compare.js';
import { comparisonSvg } from '../../server/protocol-compare-svg.js';
import { simulate } from '../../server/simulator/index.js';
import { verbNamed } from '../../server/simulator/scenario/verbs.js';

const URI = 'file:///test.iommu';
const example = (name: string): string => readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8');

async function compareText(text: string, left = 'type1@5.13', right = 'iommufd@6.19'): Promise<ComparisonView> {
  const { lowered, problems } = await parseFiles([{ uri: URI, text }], URI);
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { description, places } = lowered;
  return compare({ description, places, hosts: simulate(description).hosts, uri: URI, version: 1, title: 'test.iommu' }, [modelNamed(left)!, modelNamed(right)!]);
}

function runOf({ runs }: ComparisonView, name: string): ComparedRunView {
  const found = runs.find((run) => run.name === name);
  if (found === undefined) throw new Error(`no run is called ${name}`);
  return found;
}

/** "CALL result, CALL result | CALL result" of each row. */
const answers = (run: ComparedRunView): string[] => run.rows.map(({ sides }) => sides.map(({ calls }) => calls.map(({ call, text, result }) => `${call ?? text} ${result}`).join(', ')).join(' | '));
const differences = (run: ComparedRunView) => run.rows.flatMap((row, index) => row.differences.map((difference) => ({ row: index + 1, ...difference })));

describe('a program of 2021 and the same one today', () => {
  let file: ComparisonView;
  beforeAll(async () => {
    file = await compareText(example('mdev-2021.iommu'));
  });

  it('SBS-02: the mediated device has an external domain without checks, or an access object', () => {
    const run = runOf(file, 'mediated, type1 2021');
    expect(answers(run).slice(0, 5)).toEqual([
      'open("/dev/vfio/vfio") ok | open("/dev/iommu") ok, IOMMU_IOAS_ALLOC ok',
      'open("/dev/vfio/GROUP") ok | open("/dev/vfio/devices/vfioX") ok',
      'VFIO_GROUP_SET_CONTAINER ok | VFIO_DEVICE_BIND_IOMMUFD ok',
      'VFIO_SET_IOMMU ok | VFIO_DEVICE_ATTACH_IOMMUFD_PT ok',
      'VFIO_GROUP_GET_DEVICE_FD ok | ',
    ]);
    const story = run.devices.find(({ device }) => device === 'vgpu0')!;
    expect(story.kind).toBe('K3, mediated by software');
    expect(story.sides.map(({ domain }) => domain)).toEqual(['none: external domain only pretends', 'none: access 2 reads the address space']);
    expect(story.sides[0].moments[0]).toMatchObject({ row: 3, rules: ['VFT-11', 'VFT-25', 'SBS-02'] });
    expect(story.sides[1].moments.map(({ row }) => row).slice(0, 2)).toEqual([2, 3]);
    const external = run.rows[3]!.differences.find(({ rules }) => rules.includes('VFT-11'))!;
    expect(external.reason).toContain('In its place it makes an access object');
    expect(external.place?.range.start.line).toBeGreaterThan(0);
  });

  it('SBS-01: the domain is made by SET_IOMMU for the bus, or by ATTACH for the device; only one side owns the group', () => {
    const run = runOf(file, 'physical, iommufd today');
    const texts = differences(run).map(({ text }) => text);
    expect(texts).toContain('iommufd@6.19 takes DMA ownership of the group for the iommufd');
    expect(run.devices.find(({ device }) => device === 'gpu')!.sides[0].moments.some(({ rules }) => rules.includes('VFT-10'))).toBe(true);
    expect(run.devices.find(({ device }) => device === 'gpu')!.sides[1].moments.some(({ rules }) => rules.includes('IFD-41'))).toBe(true);
  });

  it('7.3: a driver on a sibling is found by GET_DEVICE_FD, or by BIND, and the difference says so', () => {
    const run = runOf(file, 'physical, type1 2021');
    const found = differences(run).find(({ kind, text }) => kind === 'answer' && text === 'type1@5.13: ok; iommufd@6.19: EPERM')!;
    expect(found.reason).toContain('type1@5.13 asks at VFIO_GROUP_GET_DEVICE_FD (EINVAL); iommufd@6.19 asks at VFIO_DEVICE_BIND_IOMMUFD (EPERM)');
    expect(found.rules).toEqual(expect.arrayContaining(['OWN-05', 'VFG-16', 'IFD-30']));
  });

  it('a call that was refused is tried again where type1 asks for the device again', () => {
    const rows = answers(runOf(file, 'physical, type1 2021'));
    expect(rows.find((row) => row.startsWith('VFIO_GROUP_GET_DEVICE_FD ok'))).toBe('VFIO_GROUP_GET_DEVICE_FD ok | VFIO_DEVICE_BIND_IOMMUFD ok, VFIO_DEVICE_ATTACH_IOMMUFD_PT ok');
    expect(rows.at(-2)).toMatch(/ memory \| .* memory$/);
  });

  it('7.3: reserved regions are EINVAL when a group joins, or EADDRINUSE when a device is attached', () => {
    const found = differences(runOf(file, 'both, type1 2021')).find(({ text }) => text === 'type1@5.13: EINVAL; iommufd@6.19: EADDRINUSE')!;
    expect(found.rules).toEqual(expect.arrayContaining(['VFT-21', 'IOP-06']));
    expect(found.reason).toContain('reserved regions of the device');
  });

  it('every difference has a reason in words and rules, and leads to a line', () => {
    for (const run of file.runs) {
      for (const { reason, rules, place } of differences(run)) {
        expect(reason.length).toBeGreaterThan(20);
        expect(rules.length).toBeGreaterThan(0);
        expect(place?.uri).toBe(URI);
      }
    }
  });

  it('what both say alike is no difference', async () => {
    const same = await compareText(example('mdev-2021.iommu'), 'type1@5.13', 'type1@5.13');
    expect(same.runs.flatMap(differences)).toEqual([]);
  });
});

describe('devices of other kinds', () => {
  it('SBS-03: a PASID of the parent is smuggled in 2021; today no such mediated device is made, and a PASID is asked for', async () => {
    const file = await compareText(example('ioasid/mdev-3-pasid.iommu'));
    const aux = runOf(file, '2021: an auxiliary domain on the parent');
    expect(aux.devices.find(({ device }) => device === 'queue0')!.sides.map(({ domain }) => domain)).toEqual(['that of dsa, which it borrows', 'none: its group is made up']);
    expect(differences(aux)[0]!.reason).toContain('a kind that still exists');
    expect(differences(aux).some(({ text }) => text === 'iommufd@6.19 makes no call any more')).toBe(true);
    const today = runOf(file, 'today: user space says it itself');
    expect(today.devices[0]).toMatchObject({ device: 'dsa', kind: 'K7, a PASID of a physical device' });
    expect(today.devices[0]!.sides[1].domain).toMatch(/^domain \d+, PASID 5: domain \d+$/);
  });

  it('SBS-04: the domain of a wrapped function is attached to its parent', async () => {
    const file = await compareText(example('ioasid/mdev-2-one-function.iommu'));
    const run = runOf(file, '2021: a second group, and the domain on the parent');
    expect(run.devices.find(({ device }) => device === 'wrapped')).toMatchObject({ kind: 'K5, mediated, borrows the whole parent', sides: [{ domain: 'that of nic.vf0, which it borrows' }, {}] });
  });

  it('SBS-05: a function without IOMMU has no domain on either side, and no character device today', async () => {
    const file = await compareText(`
host bare { kernel 6.19 { options VFIO_NOIOMMU  parameters "vfio.enable_unsafe_noiommu_mode=1" }  cpu intel  memory 0 size 1GiB
  root-port rp at 00:01.0 { function nic at 01:00.0 { class ethernet  driver vfio-pci } } }
scenario "raw" on bare { open-container c  open-group g of nic  set-container g to c  set-iommu c noiommu }`);
    const run = runOf(file, 'raw');
    expect(answers(run)).toEqual(['open("/dev/vfio/vfio") ok | open("/dev/iommu") ok, IOMMU_IOAS_ALLOC ok', 'open("/dev/vfio/GROUP") ok | open("/dev/vfio/devices/vfioX") ENOENT', 'VFIO_GROUP_SET_CONTAINER ok | ', 'VFIO_SET_IOMMU ok | ']);
  });

  it('CMP-01: an iommufd that stands in for a container makes the same calls', async () => {
    const file = await compareText(example('mdev-2021.iommu'), 'type1@6.19', 'iommufd-container@6.19');
    const run = runOf(file, 'physical, type1 2021');
    expect(run.rows.every(({ sides }) => sides[0].calls.length === sides[1].calls.length)).toBe(true);
    expect(run.rows[3]!.sides.map(({ calls }) => calls[0]!.result)).toEqual(['EPERM', 'ok']);
  });

  it('objects that only an iommufd has are missing in type1, with the reason', async () => {
    const file = await compareText(readFileSync(new URL('../fixtures/iommufd/nested.iommu', import.meta.url), 'utf8'));
    const found = file.runs.flatMap(differences).filter(({ kind, text }) => kind === 'call' && text.startsWith('type1@5.13'));
    expect(found.length).toBeGreaterThan(5);
    expect(file.runs.flatMap(answers).join()).not.toContain('not-modelled');
  });

  it('owners go through the interface of each side', async () => {
    const file = await compareText(example('acs-hole.iommu'));
    const run = runOf(file, 'rack7');
    const map = run.rows.find(({ phase }) => phase === 'map')!;
    expect(map.sides.map(({ calls }) => calls[0]!.call)).toEqual(['VFIO_IOMMU_MAP_DMA', 'IOMMU_IOAS_MAP']);
  });
});

describe('models', () => {
  it.each(['type1@5.13', 'iommufd@6.19', 'iommufd-container@6.12.107'])('%s', (name) => expect(modelNamed(name)?.name).toBe(name));
  it.each(['type1', 'type2@5.13', 'iommufd@new', 'type1@5.13@6', 'constructor@5.13'])('%s is none', (name) => expect(modelNamed(name)).toBeNull());
  it('offers iommufd only where the kernel has it (VER-06)', () => {
    const names = modelChoices([]).map(({ name }) => name);
    expect(names).toContain('type1@5.10');
    expect(names).not.toContain('iommufd@6.1');
    expect(names).toContain('iommufd@6.6');
  });
});

describe('the table of checks', () => {
  it('speaks of calls that there are', () => {
    for (const { made } of CHECKS) for (const { verb } of made) expect(verbNamed.has(verb), verb).toBe(true);
  });

  it('names every check once', () => {
    const names = CHECKS.map(({ what }) => what);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('drawings', () => {
  it('have a box for each object, inside of the drawing, and mark what a step made', async () => {
    const file = await compareText(example('mdev-2021.iommu'));
    for (const { sides, rows } of file.runs) {
      for (const side of sides) {
        expect(side.frames).toHaveLength(rows.length);
        for (const { x, y, width, height } of side.boxes) expect(x >= 0 && y >= 0 && x + width <= side.width && y + height <= side.height).toBe(true);
        side.frames.forEach((frame) => {
          expect(frame.boxes).toEqual(expect.arrayContaining([...frame.newBoxes]));
          expect(frame.edges).toEqual(expect.arrayContaining([...frame.newEdges]));
          for (const edge of frame.edges) expect(frame.boxes).toEqual(expect.arrayContaining([side.edges[edge]!.from, side.edges[edge]!.to]));
        });
      }
    }
    const run = runOf(file, 'mediated, type1 2021');
    const made = (side: 0 | 1, row: number) => run.sides[side].frames[row]!.newBoxes.map((box) => run.sides[side].boxes[box]!.label);
    expect(made(0, 3)).toEqual(['external domain']);
    expect(run.sides[0].boxes.find(({ label }) => label === 'external domain')).toMatchObject({ fake: true });
    expect(made(1, 2)).toEqual(['access 2']);
  });

  it('as SVG stand alone: no script, no reference, every text escaped', async () => {
    const file = await compareText(example('mdev-2021.iommu').replaceAll('"both, type1 2021"', '"<both> & \'more\'"'));
    const run = runOf(file, "<both> & 'more'");
    const svg = comparisonSvg(file, run, 6);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).not.toMatch(/<script|href|url\(|NaN|undefined/);
    expect(svg).toContain('&lt;both&gt; &amp;');
    const names = [...svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)].reduce<string[]>((open, [, end, name, self]) => {
      if (end === '/') expect(open.pop()).toBe(name);
      else if (self !== '/') open.push(name!);
      return open;
    }, []);
    expect(names).toEqual([]);
  });
});
