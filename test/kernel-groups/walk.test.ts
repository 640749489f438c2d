/** Single steps of the alias walk and of the classic algorithm that no worked scenario shows alone. */
import { describe, expect, test } from 'vitest';
import { dmaAliases, NO_QUIRKS } from '../../server/simulator/fabric/aliases.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { endpoint, form, groups, host, ON, pci, pcieToPci, rootPort, unit, type Node } from '../fabric/sample-host.js';

describe('the alias walk', () => {
  const topology = new Topology(host([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { extraAliases: [0x10, 0x28] }))]));
  const fn = topology.byId('01:00.0')!;

  test('visits the own ID first, then those of the same bus ascending (ALI-03, ALI-04)', () => {
    expect([...dmaAliases(topology, fn, NO_QUIRKS)].map(({ requesterId, rule }) => [requesterId, rule])).toEqual([[0x100, 'ALI-03'], [0x110, 'ALI-04'], [0x128, 'ALI-04']]);
  });

  test('ends when whoever takes the visits has seen enough (ALI-11)', () => {
    let asked = 0;
    for (const visit of dmaAliases(topology, fn, { ...NO_QUIRKS, devfns: () => { asked++; return []; } })) if (visit.requesterId === 0x100) break;
    expect(asked).toBe(0);
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
