/** "Show the calls": the scenario that is shown answers as the host's own run does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFiles, usedUris } from '../../language/index.js';
import { analyse, type Analysis } from '../../server/analysis/analysis.js';
import { callsDocument, shownCalls } from '../../server/analysis/calls.js';
import type { StepReport } from '../../server/simulator/report.js';
import { filesWithOwners, ROOT } from './files-with-owners.js';

const FOLDER = 'file:///here/';

async function analysed(entry: string, text: string, more: ReadonlyMap<string, string> = new Map()): Promise<{ analysis: Analysis; problems: string[] }> {
  const uri = FOLDER + entry;
  const files = [{ uri, text }, ...[...more].map(([name, each]) => ({ uri: FOLDER + name, text: each }))];
  const { lowered, problems } = await parseFiles(files, uri);
  const fail = (what: string, error: unknown): never => { throw new Error(what, { cause: error }); };
  return { analysis: analyse(lowered.description, fail), problems: problems.filter((problem) => problem.uri === uri && problem.severity === 'error').map((problem) => problem.message) };
}

const answers = (steps: readonly StepReport[]): object[] => steps.map(({ text, call, result, value, messages }) => ({ text: text.replace(/ expect \S+$/, ''), call, result, value, messages }));

/** The calls of each host's owners, as the host's run answered them and as the shown scenario does. */
async function bothWays(name: string, text: string, more?: ReadonlyMap<string, string>): Promise<{ expected: object[]; actual: object[]; unmet: string[]; problems: string[] }[]> {
  const { analysis } = await analysed(name, text, more);
  const shown = shownCalls(analysis);
  const again = await analysed('calls.iommu', callsDocument(name, shown), new Map([[name, text], ...(more ?? [])]));
  return shown.map(({ host, title }) => {
    const ofOwners = new Set(analysis.description.owners.map((owner) => owner.id));
    const run = analysis.report.runs.find((each) => each.kind === 'host' && each.host === host)!;
    const expected = run.actions.filter((action): action is StepReport => action.kind === 'step' && ofOwners.has(action.id.split('#')[0]!));
    const scenario = again.analysis.report.runs.find((each) => each.name === title)!;
    const steps = scenario.actions.filter((action): action is StepReport => action.kind === 'step');
    const unmet = steps.filter((step) => step.expectation?.met === false).map((step) => step.text);
    return { expected: answers(expected), actual: answers(steps.filter((step) => !step.text.startsWith('kill '))), unmet, problems: again.problems };
  });
}

describe('every file with owners', () => {
  test('there are some', () => expect(filesWithOwners().length).toBeGreaterThan(8));

  test.each(filesWithOwners())('%s: the shown calls parse and answer the same', async (path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const name = path.split('/').at(-1)!;
    const more = new Map(usedUris(`file://${join(ROOT, path)}`, text).map((uri) => [uri.split('/').at(-1)!, readFileSync(new URL(uri), 'utf8')]));
    for (const { expected, actual, unmet, problems } of await bothWays(name, text, more)) {
      expect(problems).toEqual([]);
      expect(actual).toEqual(expected);
      expect(unmet).toEqual([]);
    }
  });
});

const DRIVERS = ['vfio-pci', 'nvidia', 'none'] as const;
const machine = fc.record({
  kernel: fc.constantFrom('5.10', '5.13', '6.1', '6.6', '6.12', '6.19'), drivers: fc.tuple(fc.constantFrom(...DRIVERS), fc.constantFrom(...DRIVERS), fc.constantFrom(...DRIVERS)),
  remapping: fc.boolean(), off: fc.boolean(), noiommu: fc.boolean(),
  owners: fc.array(fc.record({
    kind: fc.constantFrom('vm', 'process'), program: fc.constantFrom(undefined, 'qemu', 'libvirt', 'dpdk', 'spdk'), through: fc.constantFrom('type1', 'iommufd', 'iommufd-container'),
    memory: fc.constantFrom('64MiB', '2GiB', '6GiB'), memlock: fc.constantFrom(undefined, '1GiB', '8GiB'), assign: fc.subarray(['gpu', 'audio', 'nic'], { minLength: 1 }),
  }), { minLength: 1, maxLength: 2 }),
});

type MachineShape = typeof machine extends fc.Arbitrary<infer T> ? T : never;

const textOf = ({ kernel, drivers, remapping, off, noiommu, owners }: MachineShape): string => `host desk {
  kernel ${kernel} cmdline "${off ? '' : 'intel_iommu=on'}"${noiommu ? ' { options VFIO_NOIOMMU parameters "vfio.enable_unsafe_noiommu_mode=1" }' : ''}
  cpu intel  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff, 4GiB size 60GiB
  iommu dmar0 : vtd { ${remapping ? 'interrupt-remapping' : 'interrupt-remapping no'}  coherent  dirty-tracking  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function gpu at 01:00.0 { class vga  driver ${drivers[0]} }
    function audio at 01:00.1 { class audio  driver ${drivers[1]} }
  }
  root-port slot2 at 00:02.0 { acs SV, RR, CR, UF  function nic at 02:00.0 { class ethernet  driver ${drivers[2]} } }
}
${owners.map((owner, i) => `${owner.kind} owner${i} on desk { memory ${owner.memory}  through ${owner.through}${owner.program === undefined ? '' : `  program ${owner.program}`}${owner.memlock === undefined ? '' : `  memlock ${owner.memlock}`}  assign ${owner.assign.join(', ')} }`).join('\n')}
`;

test('any program, on any kernel, with any drivers', async () => {
  await fc.assert(fc.asyncProperty(machine, async (shape) => {
    for (const { expected, actual, unmet, problems } of await bothWays('desk.iommu', textOf(shape))) {
      expect(problems).toEqual([]);
      expect(actual).toEqual(expected);
      expect(unmet).toEqual([]);
    }
  }), { numRuns: 40 });
}, 120_000);
