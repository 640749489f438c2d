/** The tree of buses, and what follows from places in it. */
import { describe, expect, test } from 'vitest';
import { bridgeAlias, NO_QUIRKS, requesterIds } from '../../server/simulator/fabric/aliases.js';
import { isBridge, isPcie, typeText } from '../../server/simulator/fabric/function-type.js';
import { addressText, devfnOf, requesterIdOf, requesterIdText, virtualFunctionAddress } from '../../server/simulator/fabric/pci-address.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { assignUnits } from '../../server/simulator/fabric/units.js';
import { downstreamPort, endpoint, host, integrated, node, parseAddress, pci, pciBridge, pcieToPci, rootPort, unit, upstreamPort, type Node } from './sample-host.js';

const topologyOf = (...nodes: Node[]): Topology => new Topology(host(nodes));
const names = (functions: Iterable<{ readonly id: string }>): string[] => [...functions].map(({ id }) => id);

describe('addresses', () => {
  test('requester IDs are bus and devfn (ALI-01, PCIE-01)', () => {
    expect(requesterIdOf(parseAddress('3b:1f.7'))).toBe(0x3bff);
    expect(requesterIdText(0x3bff)).toBe('3b:1f.7');
  });

  test('an ARI function number is the whole devfn and prints as Linux prints it', () => {
    const address = { segment: 0, bus: 1, device: 0, function: 0x29 };
    expect(devfnOf(address)).toBe(0x29);
    expect(addressText(address)).toBe('0000:01:05.1');
  });

  test('long segments as VMD has them', () => {
    expect(addressText(parseAddress('10000:e0:06.0'))).toBe('10000:e0:06.0');
  });

  test('where virtual functions answer (PCIE-02)', () => {
    const at = (pf: string, offset: number, stride: number, index: number): string => addressText(virtualFunctionAddress(parseAddress(pf), { offset, stride }, index));
    expect(at('3b:00.0', 0x10, 1, 0)).toBe('0000:3b:02.0');
    expect(at('3b:00.0', 0x80, 2, 3)).toBe('0000:3b:10.6');
    expect(at('3b:00.0', 0xff, 1, 1)).toBe('0000:3c:00.0'); // carries into the bus number
  });
});

describe('the tree', () => {
  const topology = topologyOf(
    rootPort('00:03.0', {}, endpoint('02:00.0'), endpoint('02:00.1')),
    rootPort('00:01.0', {}, upstreamPort('01:00.0', {}, downstreamPort('05:01.0', {}, endpoint('07:00.0')), downstreamPort('05:00.0', {}, endpoint('06:00.0')))),
    pci('00:00.0'),
  );

  test('is enumerated bus by bus, depth first', () => {
    expect(names(topology.functions)).toEqual(['00:00.0', '00:01.0', '00:03.0', '01:00.0', '05:00.0', '05:01.0', '06:00.0', '07:00.0', '02:00.0', '02:00.1']);
  });

  test('knows who is above, beside and below', () => {
    const fn = topology.byId('07:00.0')!;
    expect(names(topology.ancestors(fn))).toEqual(['05:01.0', '01:00.0', '00:01.0']);
    expect(names(topology.children(topology.byId('01:00.0')!))).toEqual(['05:00.0', '05:01.0']);
    expect(names(topology.slot(topology.byId('02:00.1')!))).toEqual(['02:00.0', '02:00.1']);
    expect(topology.byAddress('0000:07:00.0')).toBe(fn);
    expect(topology.byAddress(fn.address)).toBe(fn);
    expect(topology.isOnRootBus(topology.byId('00:03.0')!)).toBe(true);
    expect(topology.secondaryBus(topology.byId('05:01.0')!)).toBe(7);
    expect(topology.busRange(topology.byId('00:01.0')!)).toEqual({ first: 1, last: 7 });
  });

  test('is not misled by a bridge that is not there or stands below itself', () => {
    const loop = new Topology(host([node('pci-bridge', '00:01.0', { upstream: '01:00.0' }), node('pci-bridge', '01:00.0', { upstream: '00:01.0' }), endpoint('02:00.0', { upstream: 'nowhere' }), endpoint('03:00.0', { upstream: '03:00.0' })]));
    expect(new Set(names(loop.functions))).toEqual(new Set(['00:01.0', '01:00.0', '02:00.0', '03:00.0']));
    expect(names(loop.ancestors(loop.byId('01:00.0')!))).toHaveLength(1);
  });

  test('of two functions at one address the first counts as sibling', () => {
    const twice = new Topology({ ...host([]), functions: host([endpoint('01:00.0'), endpoint('01:00.1')]).functions.flatMap((fn) => [fn, { ...fn, id: `${fn.id} again` }]) });
    expect(names(twice.slot(twice.byId('01:00.1')!))).toEqual(['01:00.0', '01:00.1']);
    expect(twice.byAddress('0000:01:00.0')!.id).toBe('01:00.0');
  });

  test('an SR-IOV bus hangs beside the bus of the physical function (ALI-05, ALI-16)', () => {
    const sriov = topologyOf(rootPort('00:01.0', {}, endpoint('01:00.0'), endpoint('02:00.0', { virtualFunction: { of: '01:00.0', index: 0 } })));
    const vf = sriov.byId('02:00.0')!;
    expect(sriov.bus(vf)).toMatchObject({ number: 2, bridge: null });
    expect(sriov.upstream(vf)?.id).toBe('00:01.0');
    expect(names(sriov.virtualFunctions(sriov.byId('01:00.0')!))).toEqual(['02:00.0']);
    expect(sriov.isMultifunction(vf)).toBe(false);
  });
});

test('multifunction: the header bit, every function above 0, a sibling where the bit was not read (ALI-17)', () => {
  const topology = topologyOf(endpoint('01:00.0'), endpoint('01:00.1'), endpoint('02:00.0', { multifunction: true }), endpoint('03:00.0', { multifunction: false }), endpoint('03:00.1', { multifunction: false }), endpoint('04:00.0'));
  const many = topology.functions.filter((fn) => topology.isMultifunction(fn));
  expect(names(many)).toEqual(['01:00.0', '01:00.1', '02:00.0', '03:00.1']);
});

test('what is a bridge although its type is unknown', () => {
  const [byClass, byBuses, plain] = [{ classCode: 0x060400 }, { buses: { secondary: 1, subordinate: 1 } }, {}].map((properties) => node('unknown', '00:01.0', properties).fn);
  expect([byClass, byBuses, plain].map((fn) => isBridge(fn!))).toEqual([true, true, false]);
  expect(isPcie(plain!)).toBeNull();
  expect(typeText(byClass!)).toBe('bridge of unknown type');
});

describe('requester IDs that bridges put in place', () => {
  const topology = topologyOf(rootPort('00:01.0', {}, pcieToPci('01:00.0', { buses: { secondary: 2, subordinate: 4 } }, pciBridge('02:03.0', {}, pci('03:01.0')))));
  const alias = (id: string, asPcie = false): number | undefined => bridgeAlias(topology, topology.byId(id)!, asPcie)?.requesterId;

  test('by type (PCIE-04, PCIE-05, PCIE-06, ALI-07, ALI-12)', () => {
    expect(alias('00:01.0')).toBeUndefined();
    expect(alias('01:00.0')).toBe(0x0200);
    expect(alias('02:03.0')).toBe(0x0218);
    expect(alias('02:03.0', true)).toBe(0x0300);
  });

  test('all of a device, its own first (PCIE-07)', () => {
    expect(requesterIds(topology, topology.byId('03:01.0')!, NO_QUIRKS)).toEqual([0x0308, 0x0218, 0x0200]);
  });
});

describe('units', () => {
  const nodes = [
    integrated('00:02.0', { classCode: 0x030000 }), rootPort('00:1c.0', {}, endpoint('01:00.0'), endpoint('01:00.1', { virtualFunction: { of: '01:00.0', index: 0 } })), rootPort('00:1d.0', {}, endpoint('02:00.0')),
    endpoint('0001:01:00.0'), integrated('00:0e.0'), rootPort('10000:e0:06.0', { behindVmd: '00:0e.0' }),
  ];
  const topology = topologyOf(...nodes);
  const unitsOf = (...units: ReturnType<typeof unit>[]): Record<string, string> => Object.fromEntries([...assignUnits(topology, units)].map(([id, { name }]) => [id, name]));

  test('a listed function, a listed bridge with all below, then the rest of the segment, last wherever it stands (VTD-01, PCIE-03, ALI-02)', () => {
    const rest = unit('vtd', { name: 'rest' });
    const graphics = unit('vtd', { id: 'g', name: 'graphics', covers: ['00:02.0'] });
    const slot = unit('vtd', { id: 's', name: 'slot', covers: ['00:1c.0', '00:0e.0'] });
    expect(unitsOf(rest, graphics, slot)).toEqual({
      '00:02.0': 'graphics', '00:1c.0': 'slot', '01:00.0': 'slot', '01:00.1': 'slot', '00:1d.0': 'rest', '02:00.0': 'rest', '00:0e.0': 'slot', '10000:e0:06.0': 'slot',
    });
  });

  test('nothing covers another segment (AMD-01)', () => {
    expect(Object.keys(unitsOf(unit('vtd', { segment: 1 })))).toEqual(['0001:01:00.0']);
  });

  test('functions that firmware leaves out', () => {
    expect(unitsOf(unit('vtd', { except: ['02:00.0'] }))).not.toHaveProperty('02:00.0');
  });
});
