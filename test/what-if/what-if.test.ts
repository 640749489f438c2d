/** "Could these be apart?": every answer is checked against the groups of the changed host. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { previewText, whatIf, neighbourhood, type WhatIf } from '../../server/analysis/what-if.js';
import { peerProof } from '../../server/analysis/what-if-proof.js';
import type { HostDescription } from '../../server/simulator/description.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { bar, downstreamPort, endpoint, form, host, OFF, ON, pci, pcieToPci, rootPort, upstreamPort, type Node } from '../fabric/sample-host.js';
import { randomHosts } from '../fabric/random-host.js';
import { analyseText, applyFix, codesOf } from '../helpers.js';

const ids = (vendor: number, device: number) => ({ ids: { vendor, device } });
const text = (groups: readonly (readonly string[])[]): string => groups.map((members) => `{${members.join(' ')}}`).join(' ');
const told = (answer: WhatIf): string[] => answer.alternatives.map((each) => `${each.kind}: ${each.title.replace(/ACS SV, RR, CR, UF/, 'ACS').replace(/: (other|a split).*|, which.*/, '')} ${text(each.groupsAfter)}`);

const HIGH = 0xfc00_0000n;

describe('a switch whose ports do not isolate', () => {
  const tree = (...more: Node[]): Node[] => [
    rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', {}, endpoint('03:00.0')), downstreamPort('02:00.1', {}, endpoint('04:00.0', { bars: [bar(0, HIGH, 0x10_0000n)] })))), ...more,
  ];

  test('one port with ACS is enough, or another slot; the override is no isolation, and here is the DMA', () => {
    const answer = whatIf(host(tree(rootPort('00:02.0', { acs: ON }))), '03:00.0', ['04:00.0']);
    expect(answer.now).toBe('together');
    expect(answer.blame.map((reason) => reason.subject)).toEqual(['02:00.0', '02:00.0', '02:00.1']);
    expect(told(answer)).toEqual([
      'real: Move 03:00.0 to the slot of 00:02.0 (0000:00:02.0) {03:00.0} {02:00.0 02:00.1 04:00.0}',
      'real: Move 04:00.0 to the slot of 00:02.0 (0000:00:02.0) {02:00.0 02:00.1 03:00.0} {04:00.0}',
      'real: Give 02:00.0 (0000:02:00.0) ACS {03:00.0} {02:00.0} {02:00.1 04:00.0}',
      'real: Give 02:00.1 (0000:02:00.1) ACS {02:00.0 03:00.0} {02:00.1} {04:00.0}',
      'cosmetic: Boot with pcie_acs_override=downstream,multifunction {03:00.0} {02:00.0} {02:00.1} {04:00.0}',
    ]);
    const proof = answer.alternatives.at(-1)!.proof!;
    expect({ ...proof, trace: proof.trace.at(-1)!.verdict }).toEqual({ device: '03:00.0', peer: '04:00.0', address: HIGH, assumptions: [], trace: 'bypass' });
  });

  test('what is apart already needs nothing, what no IOMMU covers has no answer', () => {
    expect(whatIf(host(tree()), '00:01.0', ['04:00.0'])).toEqual({ now: 'apart', groupsNow: [['00:01.0'], ['02:00.0', '02:00.1', '03:00.0', '04:00.0']], uncertain: false, blame: [], alternatives: [] });
    expect(whatIf(host(tree(), { iommus: [] }), '03:00.0', ['04:00.0']).now).toBe('no-group');
  });

  test('under an override they are apart on paper only, and the real ways are still told', () => {
    const answer = whatIf(host(tree(), { commandLine: 'quiet pcie_acs_override=downstream' }), '03:00.0', ['04:00.0']);
    expect(answer.now).toBe('on-paper');
    expect(answer.proof?.assumptions).toEqual([]);
    expect(answer.alternatives.filter((each) => each.kind === 'real')).toHaveLength(2);
  });
});

test('a port that has ACS switched off is the smallest change', () => {
  const answer = whatIf(host([rootPort('00:1c.0', { acs: OFF }, endpoint('01:00.0')), rootPort('00:1c.1', {}, endpoint('02:00.0'))]), '01:00.0', ['02:00.0']);
  expect(told(answer).slice(0, 2)).toEqual([
    'real: Switch on ACS of 00:1c.0 (0000:00:1c.0) {01:00.0} {00:1c.0} {00:1c.1 02:00.0}',
    'real: Give 00:1c.1 (0000:00:1c.1) ACS {00:1c.0 01:00.0} {00:1c.1} {02:00.0}',
  ]);
});

test('an option that takes ACS away is removed', () => {
  const description = host([rootPort('00:1c.0', { acs: ON }, endpoint('01:00.0')), rootPort('00:1c.1', {}, endpoint('02:00.0'))], { commandLine: 'quiet pci=noats,disable_acs_redir=00:1c.0' });
  const [first] = whatIf(description, '01:00.0', ['02:00.0']).alternatives;
  expect(first!.title).toBe('Remove the options that switch ACS off from the command line');
  expect(first!.edits).toEqual([{ kind: 'set-property', subject: 'host', property: 'kernel', text: 'kernel 6.19 cmdline "quiet pci=noats"' }]);
});

test('a kernel that knows the device: the first release, and nothing that it does not need', () => {
  const description = host([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', ids(0x14e4, 0x1750)), endpoint('01:00.1', ids(0x14e4, 0x1750)))], { version: '5.15' });
  expect(told(whatIf(description, '01:00.0', ['01:00.1']))[0]).toBe('real: Use Linux 6.0 {01:00.0} {01:00.1}');
});

test('several functions together where no single one is enough', () => {
  const description = host([rootPort('00:01.0', {}, endpoint('01:00.0'), endpoint('01:00.1'))]);
  const real = whatIf(description, '01:00.0', ['01:00.1']).alternatives.filter((each) => each.kind === 'real');
  expect(real).toHaveLength(1);
  expect(real[0]!.edits.map((edit) => edit.subject).sort()).toEqual(['00:01.0', '01:00.0']);
});

test('what nobody knows is said as a fact to find out, not as a change', () => {
  const answer = whatIf(host([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { acs: 'unknown' }), endpoint('01:00.1', { acs: 'unknown' }))]), '01:00.0', ['01:00.1']);
  expect(answer.uncertain).toBe(true);
  expect(told(answer)[0]).toBe('real: If 01:00.0 (0000:01:00.0) has ACS {01:00.0} {01:00.1}');
});

test('nothing separates what shares a requester ID', () => {
  const description = host([rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pci('02:01.0'), pci('02:02.0')))]);
  expect(whatIf(description, '02:01.0', ['02:02.0']).alternatives).toEqual([]);
});

describe('whatever the host', () => {
  const withPicks = fc.tuple(randomHosts, fc.nat(), fc.nat());

  test('each alternative keeps them apart, and a real one loses nobody', () => {
    fc.assert(fc.property(withPicks, ([description, first, second]) => {
      const [a, b] = [first, second].map((pick) => description.functions[pick % description.functions.length]!.id) as [string, string];
      const answer = a === b ? null : whatIf(description, a, [b]);
      for (const { kind, groupsAfter } of answer?.alternatives ?? []) {
        expect(groupsAfter.find((members) => members.includes(a))).not.toContain(b);
        if (kind === 'real') expect(groupsAfter.flat().sort()).toEqual([...answer!.groupsNow[0]!].sort());
      }
    }), { numRuns: 150 });
  });

  test('the part that is looked at has the same groups as the whole', () => {
    fc.assert(fc.property(randomHosts, fc.nat(), (description, pick) => {
      const topology = new Topology(description);
      const group = form(description).groups.find(({ members }) => members.includes(description.functions[pick % description.functions.length]!.id))!;
      const part = neighbourhood(description, topology, group.members.map((member) => topology.byId(member)!));
      expect(form(part).groups.map(({ members }) => members)).toContainEqual(group.members);
    }));
  });

  test('a proof is a way without IOMMU', () => {
    fc.assert(fc.property(withPicks, ([description, first, second]) => {
      const [a, b] = [first, second].map((pick) => description.functions[pick % description.functions.length]!.id) as [string, string];
      const proof = a === b ? null : peerProof(description, a, b);
      if (proof === null) return;
      expect(proof.trace.at(-1)!.subject).toBe(b);
      expect(proof.trace.some((event) => event.kind === 'hop' && event.at === 'unit')).toBe(false);
    }), { numRuns: 150 });
  });
});

test('a host of thousands of functions is answered from the part that matters', () => {
  const segment = (port: number): string => `${(port >> 5) + 1}`;
  const slot = (port: number): string => (port & 31).toString(16).padStart(2, '0');
  const others = (count: number) => Array.from({ length: count }, (_, port) => rootPort(`${segment(port)}:00:${slot(port)}.0`, {}, ...Array.from({ length: 8 }, (_, fn) => endpoint(`${segment(port)}:${((port & 31) + 1).toString(16).padStart(2, '0')}:00.${fn}`))));
  /** On-CPU time in microseconds beside so many other ports. */
  const cost = (ports: number): number => {
    const description: HostDescription = host([rootPort('00:1c.0', {}, endpoint('01:00.0')), rootPort('00:1c.1', {}, endpoint('02:00.0')), ...others(ports)]);
    const before = process.cpuUsage();
    expect(whatIf(description, '01:00.0', ['02:00.0']).alternatives.length).toBeGreaterThan(1);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  cost(50);
  /* Eight times the host: linear is 8, quadratic 64. */
  expect(Math.min(cost(400), cost(400)) / Math.max(1, Math.min(cost(50), cost(50), cost(50)))).toBeLessThan(32);
});

test('previews leave bridges out and are cut', () => {
  const description = host([rootPort('00:01.0', {}, endpoint('01:00.0'), endpoint('01:00.1'), endpoint('01:00.2'))]);
  expect(previewText(description, [['00:01.0'], ['01:00.0', '01:00.1', '01:00.2']], 2)).toBe('{01:00.0 01:00.1 and 1 more}');
});

describe('group/not-alone', () => {
  const file = (slot: string): string => `host h {
  kernel 6.12 cmdline "intel_iommu=on"
  iommu dmar0 : vtd { covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF${slot} }
  root-port slot2 at 00:1c.0 {
    /// The card.
    function nic at 02:00.0 {
      class ethernet  driver vfio-pci
    }
    function nic2 at 02:00.1 { class ethernet  driver vfio-pci }
  }
  root-port slot3 at 00:1c.1 {
    function disk at 03:00.0 { class nvme }
  }
}
`;

  test('a move takes the statements as they are written, with the address of the new slot', async () => {
    const analysed = await analyseText(file(''));
    const found = analysed.presented.filter((each) => each.code === 'group/not-alone');
    expect(found).toHaveLength(1);
    const fix = found[0]!.finding!.fixes.find((each) => each.title.startsWith('Move'))!;
    expect(fix.title).toBe('Move nic, nic2 to the slot of slot1 (0000:00:01.0) → groups after: {nic nic2} {disk}');
    const moved = applyFix(analysed, fix);
    expect(moved).toContain('/// The card.\n    function nic at 04:00.0 {\n      class ethernet  driver vfio-pci\n    }\n');
    expect(moved).toContain('function nic2 at 04:00.1 { class ethernet  driver vfio-pci }');
    expect(moved).toContain('root-port slot2 at 00:1c.0 {\n  }');
    expect(codesOf(await analyseText(moved))).toEqual([]);
  });

  test('an occupied slot is not offered', async () => {
    const found = (await analyseText(file(' function gpu at 01:00.0 { }'))).presented.find((each) => each.code === 'group/not-alone')!;
    expect(found.finding!.fixes.filter((fix) => fix.title.startsWith('Move'))).toEqual([]);
    expect(found.message).toContain('00:1c.0 (root port) has no ACS capability');
  });

  test.each([
    ['ports of several kinds', file('')],
    ['a port that is off', file('').replace('root-port slot2 at 00:1c.0 {', 'root-port slot2 at 00:1c.0 { acs SV, TB, RR, CR, UF  acs-control SV')],
    ['options', file('').replace('root-port slot2 at 00:1c.0 {', 'root-port slot2 at 00:1c.0 { acs SV, RR, CR, UF').replace('intel_iommu=on', 'intel_iommu=on pci=config_acs=0000000@0000:00:1c.0')],
    ['ports that a kernel knows', file('').replace('kernel 6.12', 'kernel 6.11').replaceAll(/root-port slot([23]) at 00:1c.(\d) \{/g, 'root-port slot$1 at 00:1c.$2 { id 8086:1c1$2')],
  ])('the text after each repair has the groups of its preview: %s', async (_, text) => {
    const analysed = await analyseText(text);
    const fixes = analysed.presented.filter((each) => each.code === 'group/not-alone').flatMap((each) => each.finding!.fixes);
    expect(fixes.length).toBeGreaterThan(1);
    for (const fix of fixes) {
      const { analysis: { description, report } } = await analyseText(applyFix(analysed, fix));
      const after = new Set(report.hosts[0]!.groups.map((group) => previewText(description.hosts[0]!, [group.members])));
      const preview = fix.title.slice(fix.title.indexOf('→ groups after: ') + '→ groups after: '.length).match(/\{[^}]*\}/g)!;
      for (const group of preview) expect({ fix: fix.title, after: [...after] }).toEqual({ fix: fix.title, after: expect.arrayContaining([group]) });
    }
  });
});
