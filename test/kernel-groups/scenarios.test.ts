/** The worked scenarios of the groups specification (section 10), S01 and following. */
import { describe, expect, test } from 'vitest';
import type { AcsDescription } from '../../server/simulator/description.js';
import { downstreamPort, endpoint, form, groups, host, integrated, node, OFF, ON, pci, pciBridge, pcieToPci, rootPort, unit, upstreamPort, type Node } from '../fabric/sample-host.js';

const ids = (vendor: number, device: number) => ({ ids: { vendor, device } });

describe('a root port and an endpoint', () => {
  const pair = (acs: AcsDescription | 'none'): Node[] => [rootPort('00:01.0', { acs }, endpoint('01:00.0'))];

  test('S01 with ACS: two groups (ACS-05, GRP-04, GRP-07)', () => {
    expect(groups(pair(ON))).toBe('{00:01.0} {01:00.0}');
  });

  test('S02 without ACS: the endpoint joins its root port (GRP-12)', () => {
    expect(groups(pair('none'))).toBe('{00:01.0 01:00.0}');
  });

  test('S03 ACS there but off (ACS-08, ACE-07)', () => {
    expect(groups(pair(OFF))).toBe('{00:01.0 01:00.0}');
    expect(groups(pair(ON), { commandLine: 'pci=config_acs=0000000@00:01.0' })).toBe('{00:01.0 01:00.0}');
  });

  test('S04 bits that the capability lacks count as in force (ACS-08)', () => {
    expect(groups(pair({ capability: 0x11, firmwareControl: 0 }))).toBe('{00:01.0} {01:00.0}');
  });

  test('S31 S32 pcie_acs_override=downstream helps only where there is no capability (ACE-10)', () => {
    const override = { commandLine: 'pcie_acs_override=downstream' };
    expect(groups(pair('none'), override)).toBe('{00:01.0} {01:00.0}');
    expect(groups(pair(OFF), override)).toBe('{00:01.0 01:00.0}');
    expect(form(host(pair('none'), override)).messages).toContain('Warning: PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer DMA');
  });

  test('without an IOMMU nothing has a group, and it is said why', () => {
    const formed = form(host(pair(ON), { iommus: [] }));
    expect(formed.groups).toEqual([]);
    expect(formed.ungrouped.map(({ device }) => device)).toEqual(['00:01.0', '01:00.0']);
  });

  test('an IOMMU that is switched off asks for no ACS and makes no groups (ACE-01)', () => {
    for (const commandLine of ['intel_iommu=off', 'iommu=off']) expect(groups(pair(ON), { commandLine })).toBe('');
  });
});

describe('root ports that are functions of one slot', () => {
  const ports = (...acs: (AcsDescription | 'none')[]): Node[] => [
    rootPort('00:1c.0', { acs: acs[0]!, ...ids(0x1234, 1) }, endpoint('01:00.0')), rootPort('00:1c.1', { acs: acs[1]! }, endpoint('02:00.0')), rootPort('00:1c.2', { acs: acs[2]! }),
  ];

  test('S05 none with ACS: one group (GRP-13)', () => {
    expect(groups(ports('none', 'none', 'none'))).toBe('{00:1c.0 00:1c.1 00:1c.2 01:00.0 02:00.0}');
  });

  test('S06 the one with ACS stays apart (GRP-06, GRP-13)', () => {
    expect(groups(ports('none', ON, 'none'))).toBe('{00:1c.0 00:1c.2 01:00.0} {00:1c.1} {02:00.0}');
  });

  test('S07 Sunrise Point: the control register that counts is not the one that is read (AQK-06, AQE-02)', () => {
    const acs: AcsDescription = { capability: 0x0f, firmwareControl: 0, control: 0 };
    const spt = [rootPort('00:1c.0', { acs, ...ids(0x8086, 0x9d10) }, endpoint('01:00.0')), rootPort('00:1c.1', { acs, ...ids(0x8086, 0x9d11) }, endpoint('02:00.0'))];
    const formed = form(host(spt));
    expect(formed.text).toBe('{00:1c.0} {00:1c.1} {01:00.0} {02:00.0}');
    expect(formed.messages).toContain('pci 0000:00:1c.0: Intel SPT PCH root port ACS workaround enabled');
  });

  test('chipset ports without capability are switched on by their own quirk (AQK-05, AQE-01), except in 6.11 (ACE-12)', () => {
    const pch = [rootPort('00:1c.0', ids(0x8086, 0x1c10), endpoint('01:00.0')), rootPort('00:1c.1', ids(0x8086, 0x1c12), endpoint('02:00.0'))];
    expect(groups(pch)).toBe('{00:1c.0} {00:1c.1} {01:00.0} {02:00.0}');
    expect(groups(pch, { version: '6.11' })).toBe('{00:1c.0 00:1c.1 01:00.0 02:00.0}'); // as S08
  });
});

describe('a switch', () => {
  const under = (root: AcsDescription | 'none', down: AcsDescription | 'none', second = '02:01.0'): Node[] => [
    rootPort('00:01.0', { acs: root }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', { acs: down }, endpoint('03:00.0')), downstreamPort(second, { acs: down }, endpoint('04:00.0')))),
  ];

  test('S09 ports without ACS in different slots are not joined (GRP-14)', () => {
    expect(groups(under(ON, 'none'))).toBe('{00:01.0} {01:00.0} {02:00.0 03:00.0} {02:01.0 04:00.0}');
  });

  test('S11 as functions of one slot they are (GRP-15)', () => {
    expect(groups(under(ON, 'none', '02:00.1'))).toBe('{00:01.0} {01:00.0} {02:00.0 02:00.1 03:00.0 04:00.0}');
  });

  test('S12 S13 with ACS everything is apart, unless the root port lacks it (GRP-04, GRP-12)', () => {
    expect(groups(under(ON, ON))).toBe('{00:01.0} {01:00.0} {02:00.0} {02:01.0} {03:00.0} {04:00.0}');
    expect(groups(under('none', ON))).toBe('{00:01.0 01:00.0 02:00.0 02:01.0 03:00.0 04:00.0}');
  });

  test('S14 an upstream port with a sibling takes everything below it in (GRP-16)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', { acs: ON }, endpoint('03:00.0'))), endpoint('01:00.1'))];
    expect(groups(tree)).toBe('{00:01.0} {01:00.0 01:00.1 02:00.0 03:00.0}');
  });

  test('S88 broken source validation: masked from 7.0 on, isolating before and after (ACS-10)', () => {
    const idt = { acs: { capability: 0x1d, firmwareControl: 0 }, ...ids(0x111d, 0x80b5) };
    const tree = [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', idt, endpoint('03:00.0'))))];
    const old = form(host(tree));
    const fresh = form(host(tree, { version: '7.0' }));
    expect([old.text, fresh.text]).toEqual(Array(2).fill('{00:01.0} {01:00.0} {02:00.0} {03:00.0}'));
    const control = (formed: typeof old): number | undefined => formed.acs.of(formed.topology.byId('02:00.0')!)?.control;
    expect([control(old), control(fresh)]).toEqual([0x1d, 0x1c]);
    expect(fresh.messages).toContain('pci 0000:02:00.0: Disabling broken ACS SV; downstream device isolation reduced');
  });
});

describe('multifunction devices', () => {
  const two = (first = {}, second = {}): Node[] => [rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', first), endpoint('01:00.1', second))];

  test('S15 without ACS the functions share a group (GRP-17)', () => {
    expect(groups(two())).toBe('{00:01.0} {01:00.0 01:00.1}');
  });

  test('S16 a network card that is known to isolate its functions (AQK-02)', () => {
    expect(groups(two(ids(0x8086, 0x1521), ids(0x8086, 0x1521)))).toBe('{00:01.0} {01:00.0} {01:00.1}');
  });

  test('S17 function 0 with header bit 7 clear (ALI-17, ACS-05)', () => {
    expect(groups(two({ multifunction: false }))).toBe('{00:01.0} {01:00.0} {01:00.1}');
  });

  test('an ACS capability without any bit isolates (ACS-08)', () => {
    const empty = { acs: { capability: 0, firmwareControl: 0 } };
    expect(groups(two(empty, empty))).toBe('{00:01.0} {01:00.0} {01:00.1}');
  });

  test('S26 virtual functions stay alone (ALI-16, GRP-18, GRP-21)', () => {
    const vf = (address: string, index: number): Node => endpoint(address, { virtualFunction: { of: '01:00.0', index } });
    expect(groups([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0'), endpoint('01:00.1'), vf('01:02.0', 0), vf('01:02.1', 1))])).toBe('{00:01.0} {01:00.0 01:00.1} {01:02.0} {01:02.1}');
  });

  test('virtual functions on a bus number of their own pass the ports above their physical function (ALI-05)', () => {
    const tree = (acs: AcsDescription | 'none'): Node[] => [rootPort('00:01.0', { acs, buses: { secondary: 1, subordinate: 2 } }, endpoint('01:00.0'), endpoint('02:00.0', { virtualFunction: { of: '01:00.0', index: 0 } }))];
    expect(groups(tree(ON))).toBe('{00:01.0} {01:00.0} {02:00.0}');
    expect(groups(tree('none'))).toBe('{00:01.0 01:00.0 02:00.0}');
  });

  test('S27 Intel integrated endpoints isolate by quirk, not yet in 4.19 (AQK-03)', () => {
    const usb = [integrated('00:14.0', ids(0x8086, 0x1111)), integrated('00:14.2', ids(0x8086, 0x2222))];
    expect(groups(usb)).toBe('{00:14.0} {00:14.2}');
    expect(groups(usb, { version: '5.10' })).toBe('{00:14.0} {00:14.2}');
    expect(groups(usb, { version: '4.19' })).toBe('{00:14.0 00:14.2}');
  });

  test('S28 AMD southbridge functions isolate only where the firmware describes an AMD IOMMU (AQK-01)', () => {
    const fch = [pci('00:14.0', ids(0x1022, 0x780f)), pci('00:14.3', ids(0x1022, 0x9999)), pci('00:14.5', ids(0x1022, 0x8888))];
    expect(groups(fch, { iommus: [unit('amd-vi')] })).toBe('{00:14.0} {00:14.3 00:14.5}');
    expect(groups(fch)).toBe('{00:14.0 00:14.3 00:14.5}');
  });

  test('S29 S30 Wangxun: other ids of the vendor are refused, listed ones pass since 6.3 (AQK-13)', () => {
    const card = (device: number): Node[] => two(ids(0x8088, device), ids(0x8088, device));
    expect(groups(card(0x9999))).toBe('{00:01.0} {01:00.0 01:00.1}');
    expect(groups(card(0x0100), { version: '5.17' })).toBe('{00:01.0} {01:00.0 01:00.1}');
    expect(groups(card(0x0100), { version: '6.3' })).toBe('{00:01.0} {01:00.0} {01:00.1}');
    const withAcs = { acs: ON, ...ids(0x8088, 0x9999) };
    expect(groups(two(withAcs, withAcs))).toBe('{00:01.0} {01:00.0 01:00.1}'); // the table answers before the registers do
  });

  test('S84 conventional functions of one slot share a group (ACS-02, GRP-11)', () => {
    expect(groups([pci('00:05.0'), pci('00:05.1'), pci('00:06.0')])).toBe('{00:05.0 00:05.1} {00:06.0}');
  });

  test('S85 with ARI only blocks of eight functions are compared (GRP-22)', () => {
    const functions = Array.from({ length: 10 }, (_, fn) => endpoint(`01:00.${fn}`, { ari: true, multifunction: true }));
    expect(groups([rootPort('00:01.0', { acs: ON }, ...functions)])).toBe(`{00:01.0} {${[0, 1, 2, 3, 4, 5, 6, 7].map((fn) => `01:00.${fn}`).join(' ')}} {01:00.8 01:00.9}`);
  });

  test('pcie_acs_override=multifunction and id: (ACE-10)', () => {
    expect(groups(two(), { commandLine: 'pcie_acs_override=multifunction' })).toBe('{00:01.0} {01:00.0} {01:00.1}');
    expect(groups(two(ids(0x10de, 1), ids(0x10de, 2)), { commandLine: 'pcie_acs_override=id:10de:0001,id:10de:0002' })).toBe('{00:01.0} {01:00.0} {01:00.1}');
  });
});

describe('bridges to conventional PCI', () => {
  const ids18 = (tree: Node[], device: string): string[] => form(host(tree)).requesterIds(device).map((id) => id.toString(16).padStart(4, '0'));

  test('S18 behind a PCIe-to-PCI bridge everything joins the bridge (ALI-08, GRP-10)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pci('02:01.0'), pci('02:02.0')))];
    expect(groups(tree)).toBe('{00:01.0} {01:00.0 02:01.0 02:02.0}');
    expect(ids18(tree, '02:01.0')).toEqual(['0208', '0200']);
  });

  test('S19 S20 a conventional bridge puts its own ID in place, or the number of the bus below it where it is known to (ALI-10, ALQ-04)', () => {
    const tree = (properties: object): Node[] => [rootPort('00:01.0', { acs: ON }, pciBridge('01:00.0', properties, pci('02:01.0')))];
    expect(groups(tree({}))).toBe('{00:01.0} {01:00.0 02:01.0}');
    expect(ids18(tree({}), '02:01.0')).toEqual(['0208', '0100']);
    expect(ids18(tree(ids(0x1b21, 0x1080)), '02:01.0')).toEqual(['0208', '0200']);
    expect(ids18([pciBridge('00:1e.0', ids(0x8086, 0x244e), pci('05:00.0'))], '05:00.0')).toEqual(['0500', '00f0']); // on a root bus the quirk does not apply
  });

  test('S21 a conventional bridge on the root bus (GRP-11)', () => {
    expect(groups([pciBridge('00:1e.0', {}, pci('05:00.0'), pci('05:01.0'))])).toBe('{00:1e.0 05:00.0 05:01.0}');
  });

  test('S83 a bridge behind a bridge: aliases of both, one group (ALI-08, ALI-10)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', {}, pciBridge('02:00.0', {}, pci('03:00.0'))))];
    expect(groups(tree)).toBe('{00:01.0} {01:00.0 02:00.0 03:00.0}');
    expect(ids18(tree, '03:00.0')).toEqual(['0300', '0200']);
  });

  test('a PCI-to-PCIe bridge puts its own ID in place (ALI-09)', () => {
    const tree = [pciBridge('00:1e.0', {}, node('pci-to-pcie-bridge', '01:00.0', {}, endpoint('02:00.0')))];
    expect(ids18(tree, '02:00.0')).toEqual(['0200', '0100', '00f0']);
    expect(groups(tree)).toBe('{00:1e.0 01:00.0 02:00.0}');
  });
});

describe('functions that use other requester IDs', () => {
  test('S22 S23 a Marvell controller also sends as function 1 (ALQ-02, ALI-13, GRP-20)', () => {
    const marvell = endpoint('01:00.0', ids(0x1b4b, 0x9230));
    const alone = form(host([rootPort('00:01.0', { acs: ON }, marvell)]));
    expect(alone.requesterIds('01:00.0')).toEqual([0x100, 0x101]);
    expect(alone.messages).toContain('pci 0000:01:00.0: Enabling fixed DMA alias to 00.1');
    expect(groups([rootPort('00:01.0', { acs: ON }, marvell, endpoint('01:00.1', { acs: ON }))])).toBe('{00:01.0} {01:00.0 01:00.1}');
  });

  test('S24 a non-transparent bridge that may use any devfn of its bus (ALQ-07)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, endpoint('03:00.0', ids(0x10b5, 0x87b0)), endpoint('03:01.0'))];
    const formed = form(host(tree));
    expect(formed.text).toBe('{00:01.0} {03:00.0 03:01.0}');
    expect(formed.messages).toContain('pci 0000:03:00.0: Enabling fixed DMA alias for devfn range from 00.0 to 1f.7');
  });

  test('quirks by function and by subsystem (ALQ-01, ALQ-03, ALQ-05, ALQ-06)', () => {
    const alias = (address: string, properties: object): number[] => [...form(host([rootPort('00:01.0', { acs: ON }, endpoint(address, properties))])).requesterIds(address)];
    expect(alias('01:00.3', ids(0x1180, 0xe832))).toEqual([0x103, 0x100]);
    expect(alias('01:00.0', ids(0x1180, 0xe832))).toEqual([0x100]);
    expect(alias('01:00.0', { ids: { vendor: 0x9005, device: 0x0285, subsystemVendor: 0x9005, subsystemDevice: 0x02bb } })).toEqual([0x100, 0x108]);
    expect(alias('01:00.0', ids(0x9005, 0x0285))).toEqual([0x100]);
    expect(alias('01:00.0', ids(0x8086, 0x2260))).toEqual([0x100, 0x180, 0x188, 0x193]);
    expect(alias('01:00.0', ids(0x8086, 0x2954))).toHaveLength(32 * 5);
  });

  test('aliases of the description count like quirks (ALQ-09)', () => {
    expect(groups([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { extraAliases: [0x08] }), endpoint('01:01.0'))])).toBe('{00:01.0} {01:00.0 01:01.0}');
  });

  test('a bridge with the translation unit below it ends the walk (ALI-06, ALQ-10)', () => {
    const tree = [pciBridge('00:01.0', ids(0x14e4, 0x9000), pci('01:00.0'))];
    expect(form(host(tree)).requesterIds('01:00.0')).toEqual([0x100]);
  });

  test('S25 what is behind a VMD endpoint joins it (ALI-02, GRP-19)', () => {
    const behind = { behindVmd: '00:0e.0' };
    const tree = [integrated('00:0e.0', ids(0x8086, 0x9a0b)), rootPort('10000:e0:06.0', { acs: ON, ...behind }, endpoint('10000:e1:00.0', behind))];
    const formed = form(host(tree));
    expect(formed.text).toBe('{00:0e.0 10000:e0:06.0 10000:e1:00.0}');
    expect(formed.requesterIds('10000:e1:00.0')).toEqual([0x0070]);
  });
});

describe('order', () => {
  test('roots, buses and functions are probed as Linux finds them, however they are written', () => {
    const tree = [rootPort('00:03.0', { acs: ON }, endpoint('02:00.0')), rootPort('00:01.0', { acs: ON }, endpoint('01:00.0')), pci('00:00.0')];
    expect(groups(tree)).toBe('{00:00.0} {00:01.0} {00:03.0} {01:00.0} {02:00.0}');
  });

  test('S81 where every unit scans, an endpoint may be asked before its port: its group is too narrow (GRP-23, GRL-06)', () => {
    const tree = [rootPort('00:01.0', {}, endpoint('01:00.0'))];
    const iommus = [unit('vtd', { id: 'u0', covers: ['01:00.0'] }), unit('vtd', { id: 'u1' })];
    expect(groups(tree, { iommus })).toBe('{01:00.0} {00:01.0}');
    expect(groups(tree, { iommus, version: '5.19' })).toBe('{00:01.0 01:00.0}');
  });
});

describe('AMD', () => {
  test('the unit and what stands before it in its slot have no group (AMD-01)', () => {
    const tree = [pci('00:00.0', { classCode: 0x060000 }), pci('00:00.2', { classCode: 0x080600 }), pci('00:01.0')];
    expect(groups(tree, { iommus: [unit('amd-vi')] })).toBe('{00:01.0}');
    expect(groups([pci('00:00.0'), pci('00:02.0', { classCode: 0x080600 })], { iommus: [unit('amd-vi')] })).toBe('{00:00.0}');
  });

  test('platform devices with one device ID share a group, on Intel each has its own (GRD-01, GRD-02, GRP-30)', () => {
    const platformDevices = ['a', 'b'].map((name) => ({ id: name, name, streamIds: [0xa0], iommu: 'unit', driver: null, resources: [] }));
    expect(groups([pci('00:05.0')], { platformDevices, iommus: [unit('amd-vi')] })).toBe('{a b} {00:05.0}');
    expect(groups([pci('00:05.0')], { platformDevices })).toBe('{a} {b} {00:05.0}');
  });
});
