/** Single steps of the alias walk and of the classic algorithm that no worked scenario shows alone. */
import { describe, expect, test } from 'vitest';
import { AliasPeers, dmaAliases, NO_QUIRKS } from '../../server/simulator/fabric/aliases.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { AcsQuestions } from '../../server/simulator/kernel/acs.js';
import { bootAcs } from '../../server/simulator/kernel/acs-boot.js';
import { parseAcsParameters } from '../../server/simulator/kernel/acs-parameters.js';
import { ClassicGrouping } from '../../server/simulator/kernel/classic-grouping.js';
import { endpoint, form, groups, host, ON, pci, pciBridge, pcieToPci, rootPort, unit, type Node } from '../fabric/sample-host.js';

describe('the alias walk', () => {
  const topology = new Topology(host([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { extraAliases: [0x10, 0x28] }))]));
  const fn = topology.byId('01:00.0')!;

  test('visits the own ID first, then those of the same bus ascending (ALI-03, ALI-04)', () => {
    expect(dmaAliases(topology, fn, NO_QUIRKS).map(({ requesterId, rule }) => [requesterId, rule])).toEqual([[0x100, 'ALI-03'], [0x110, 'ALI-04'], [0x128, 'ALI-04']]);
  });

  test('ends at the first visit that finds a group (ALI-11)', () => {
    const nested = new Topology(host([rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pciBridge('02:00.0', {}, pci('03:01.0'))))]));
    const asked: string[] = [];
    const peers = new AliasPeers(nested, NO_QUIRKS);
    const acs = new AcsQuestions(nested, { boot: bootAcs(nested, { parameters: parseAcsParameters(new Map()), requested: () => true, release: 6012 }), override: null, hasAmdIommu: false, release: 6012 });
    const classic = new ClassicGrouping({ topology: nested, acs, aliases: NO_QUIRKS, peers, unknownIsolates: () => false, hasGroup: ({ id }) => asked.push(id) > 0 && id !== '03:01.0' });
    expect(classic.decide(nested.byId('03:01.0')!).joins?.id).toBe('02:00.0');
    expect(asked).toEqual(['03:01.0', '02:00.0']);
  });

  test('a bridge whose aliases stand in its own registers has those that the description names (ALQ-08)', () => {
    const tree = (extraAliases: number[]): Node[] => [rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { ids: { vendor: 0x11f8, device: 0x8536 }, classCode: 0x068000, extraAliases }), endpoint('01:02.0'))];
    expect(groups(tree([]))).toBe('{00:01.0} {01:00.0} {01:02.0}');
    expect(groups(tree([0x10]))).toBe('{00:01.0} {01:00.0 01:02.0}');
  });
});

describe('what is asked of the topmost function that was reached', () => {
  const units = (...covered: string[][]) => [...covered.map((covers, index) => unit('vtd', { id: `u${index}`, covers })), unit('vtd', { id: 'rest' })];

  test('the siblings of a port that has no group yet (GRP-08)', () => {
    const tree = [rootPort('00:1c.0'), rootPort('00:1c.1', {}, endpoint('01:00.0'))];
    expect(groups(tree, { iommus: units(['00:1c.0'], ['01:00.0']) })).toBe('{00:1c.0 01:00.0 00:1c.1}');
  });

  test('behind a bridge that puts its own ID in place, that bridge: the card starts a group which the bridge does not find (GRP-03, GRP-23)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pci('02:01.0')))];
    expect(groups(tree, { iommus: units(['02:01.0']) })).toBe('{02:01.0} {00:01.0} {01:00.0}');
  });
});

test('when in boot the kernel switches ACS on makes no difference where firmware describes the machine by ACPI (ACE-04)', () => {
  const tree = [rootPort('00:01.0', { acs: ON }, endpoint('01:00.0'))];
  expect(['5.10', '6.12', '6.19', '7.0'].map((version) => groups(tree, { version }))).toEqual(Array(4).fill('{00:01.0} {01:00.0}'));
});

test.each(['smmuv3', 'virtio-iommu', 'riscv-iommu'] as const)('%s: PCI functions as everywhere, each other device alone (GRD-03, GRD-10)', (architecture) => {
  const platformDevices = ['a', 'b'].map((name, index) => ({ id: name, name, streamIds: [0x1_0000 + index], iommu: 'unit', driver: null, resources: [] }));
  expect(form(host([rootPort('00:01.0', {}, endpoint('01:00.0'))], { iommus: [unit(architecture)], platformDevices })).text).toBe('{a} {b} {00:01.0 01:00.0}');
});
