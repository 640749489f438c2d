/** Whatever is asked of the simulator, it answers: the same every time, without falling over, and without breaking what the kernel promises. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MachineDescription, Operand, StepDescription, SubjectId } from '../../server/simulator/description.js';
import { simulate } from '../../server/simulator/index.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import { VERBS } from '../../server/simulator/scenario/verbs.js';
import { fn, host, rootPort } from '../kernel/hosts.js';
import { runOf, simulateText } from './simulate-text.js';

const DEVICES = ['a', 'b', 'alone', 'm'];
const functions = [
  rootPort('rp', '00:01.0', 1), fn('a', '01:00.0', { under: 'rp', driver: 'vfio-pci' }), fn('b', '01:00.1', { under: 'rp' }),
  rootPort('rp2', '00:02.0', 2), fn('alone', '02:00.0', { under: 'rp2', driver: 'vfio-pci' }),
];
const mediatedDevices = [{ id: 'm', name: 'm', kind: 'software', parent: 'alone' }] as const;
const memory = { id: 'ram', name: 'ram', size: 1n << 21n, backing: 4096n, kind: 'anonymous' } as const;

function description(version: string, steps: readonly StepDescription[]): MachineDescription {
  const machine = host({ functions, mediatedDevices });
  return {
    hosts: [machine], groupClaims: [], owners: [], domains: [], questions: [],
    scenarios: [{ id: 's', name: 's', host: 'host', kernelVersion: version, memory: [memory], actions: steps }],
  };
}

const interesting = fc.constantFrom(0n, 1n, 3n, 0x1000n, 0x1001n, 0x20_0000n, 0xfee0_0000n, (1n << 48n) - 0x1000n, (1n << 64n) - 0x1000n, (1n << 64n) - 1n);
const sizes = fc.constantFrom(0n, 1n, 0x1000n, 0x2000n, 0x20_0000n, (1n << 64n) - 0x1000n, (1n << 64n) - 1n);
const words = fc.constantFrom('type1', 'type1v2', 'noiommu', 'spapr', 'identity', 'DMA', 'DMA-FQ', 'auto', 'vfio-pci', 'nvme', 'pci-stub', 'huge-pages', 'rlimit-mode', 'p', 'q', 'nonsense');
/** Few names for all handles, so that they are reused, mixed up and missing. */
const handles = fc.constantFrom('h1', 'h2', 'h3');

function operand(kind: string): fc.Arbitrary<Operand> {
  const subject = (name: SubjectId): Operand => ({ kind: 'subject', subject: name, name });
  if (kind === 'device') return fc.constantFrom(...DEVICES).map(subject);
  if (kind === 'device|cdev') return fc.oneof(fc.constantFrom(...DEVICES).map(subject), handles.map((name): Operand => ({ kind: 'handle', name })));
  if (kind === 'memory') return fc.constant(subject('ram'));
  if (kind === 'number') return interesting.map((value): Operand => ({ kind: 'number', value }));
  if (kind === 'size') return sizes.map((value): Operand => ({ kind: 'number', value }));
  if (kind === 'word' || kind === 'text') return words.map((word): Operand => ({ kind: 'word', word }));
  return handles.map((name): Operand => ({ kind: 'handle', name }));
}

const step: fc.Arbitrary<Omit<StepDescription, 'id'>> = fc.constantFrom(...VERBS).chain((spec) => {
  const roles = spec.operands.filter((each) => each.role !== 'memoryOffset');
  return fc.record({
    kind: fc.constant('step' as const), text: fc.constant(spec.verb), verb: fc.constant(spec.verb), process: fc.constantFrom('p', 'q'),
    operands: fc.tuple(...roles.map((each) => fc.tuple(fc.constant(each.role), each.optional ? fc.option(operand(each.kind), { nil: undefined }) : operand(each.kind))))
      .map((entries) => Object.fromEntries(entries.filter((entry): entry is [string, Operand] => entry[1] !== undefined))),
    flags: fc.subarray([...spec.flags]),
  });
});
/** Random steps rarely open a device, so half of them follow a way that does. */
const WAYS: readonly (readonly Omit<StepDescription, 'id'>[])[] = [
  [
    written('open-container', { handle: named('h1') }), written('open-group', { handle: named('h2'), device: device('a') }),
    written('set-container', { group: named('h2'), container: named('h1') }), written('set-iommu', { container: named('h1'), model: { kind: 'word', word: 'type1v2' } }),
    written('get-device', { handle: named('h3'), device: device('a'), group: named('h2') }),
  ],
  [
    written('open-iommufd', { handle: named('h1') }), written('bind-iommufd', { device: device('a'), iommufd: named('h1') }),
    written('ioas-alloc', { handle: named('h2'), iommufd: named('h1') }), written('attach', { device: device('a'), target: named('h2') }),
  ],
];
function written(verb: string, operands: Record<string, Operand>): Omit<StepDescription, 'id'> {
  return { kind: 'step', text: verb, verb, process: 'p', operands, flags: [] };
}
function named(name: string): Operand {
  return { kind: 'handle', name };
}
function device(name: string): Operand {
  return { kind: 'subject', subject: name, name };
}
const sequence = fc.tuple(fc.constantFrom([], ...WAYS), fc.array(step, { maxLength: 30 })).map(([way, random]) => [...way, ...random].map((each, index): StepDescription => ({ ...each, id: `step${index}` })));
const versions = fc.constantFrom('5.10', '5.13', '5.19', '6.1', '6.6', '6.12', '6.19');

describe('any sequence of steps', () => {
  test('ends with an answer for each, twice the same; and a group of a user has no host driver in it (OWN-01, OWN-04)', () => {
    fc.assert(fc.property(versions, sequence, (version, steps) => {
      const input = description(version, steps);
      const report = simulate(input);
      expect(simulate(input)).toEqual(report);
      const run = runOf(report, 's');
      expect(run.stopped ?? '').not.toContain('simulation failed');
      if (run.stopped === undefined) expect(run.actions).toHaveLength(steps.length);
      if (profileFor(version).ownership === 'viability') return;
      const userGroups = new Set(run.final.devices.filter(({ owner }) => owner === 'p' || owner === 'q').map(({ group }) => group));
      const intruders = run.final.devices.filter(({ group, driver }) => userGroups.has(group) && driver === 'nvme');
      expect(intruders).toEqual([]);
    }), { numRuns: 400 });
  });
});

describe('bounds', () => {
  const small = 'host h { kernel 6.12  cpu intel  iommu dmar0 : vtd { interrupt-remapping }  function nic at 01:00.0 { driver vfio-pci } }\n';

  test('a mapping of too many pages stops its run and no other', async () => {
    const { report } = await simulateText(`${small}scenario "absurd" on h { memory ram size 64GiB backing 4KiB
  open-iommufd fd  bind-iommufd nic to fd  ioas-alloc A in fd  attach nic to A  map A iova 4GiB size 64GiB from ram rw }
scenario "modest" on h { open-container c expect ok }\n`);
    expect(runOf(report, 'absurd').stopped).toBe('more than 4194304 page-table entries were mapped, at `map A iova 4GiB size 64GiB from ram rw`');
    expect(runOf(report, 'absurd').actions).toHaveLength(4);
    expect(runOf(report, 'modest')).toMatchObject({ stopped: undefined, actions: [{ expectation: { met: true } }] });
  });

  test('an owner that wants more memory than the host has gets ENOMEM', async () => {
    const { report } = await simulateText(`${small}scenario "s" on h { memory ram size 16TiB
  open-iommufd fd  ioas-alloc A in fd  map A iova 0 size 4KiB from ram rw expect ENOMEM }\n`);
    expect(runOf(report, 's').actions.at(-1)).toMatchObject({ expectation: { met: true } });
  });

  test('a DMA of absurd size stops the run', async () => {
    const { report } = await simulateText(`${small}dma nic write 0 size 1TiB\n`);
    expect(runOf(report, 'h').stopped).toBe('a DMA of 1 TiB is more than can be simulated (16 MiB), at `dma nic write 0 size 1TiB`');
  });

  test('a step that nobody simulates is no answer of the kernel\'s', () => {
    const unknown: StepDescription = { kind: 'step', id: 'x', text: 'frobnicate', verb: 'frobnicate', process: 'p', operands: {}, flags: [], expect: { kind: 'ok' } };
    expect(runOf(simulate(description('6.12', [unknown])), 's').actions).toMatchObject([{ result: 'not-modelled', expectation: { met: false, actual: 'not-modelled' } }]);
  });

  test('every verb of the table has an executor', () => {
    const steps = VERBS.map((spec, index): StepDescription => ({ kind: 'step', id: `${index}`, text: spec.verb, verb: spec.verb, process: 'p', operands: {}, flags: [] }));
    const results = runOf(simulate(description('6.12', steps)), 's').actions.map((action) => (action.kind === 'step' ? action.trace.at(-1)?.text : ''));
    for (const [index, text] of results.entries()) expect(text).not.toBe(`This version does not simulate \`${VERBS[index]!.verb}\`.`);
  });

  test('an architecture that is not modelled is said to be so', async () => {
    const { report } = await simulateText('host h { kernel 6.12  cpu arm  iommu smmu : smmuv2  function nic at 01:00.0 { driver none } }\ndma nic read 0x1000 size 64\n');
    expect(report.hosts[0]?.unknowns).toMatchObject([{ subject: 'h/smmu', affects: ['h/nic'] }]);
  });
});
