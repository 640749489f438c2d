/** What holds for the fabric whatever the host looks like. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FunctionDescription, HostDescription } from '../../server/simulator/description.js';
import { Fabric } from '../../server/simulator/fabric/fabric.js';
import { isPcie } from '../../server/simulator/fabric/function-type.js';
import { routeRequest, type Route } from '../../server/simulator/fabric/routing.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { AddressMap } from '../../server/simulator/fabric/windows.js';
import { bar, form, host, ON, endpoint } from './sample-host.js';
import { randomHosts } from './random-host.js';

const MIB = 0x10_0000n;
const BASE = 0x1_0000_0000n;

/** One BAR of 1 MiB for every function, in the order of enumeration, so that windows nest. */
function withBars(description: HostDescription): HostDescription {
  const { functions } = new Topology(description);
  return { ...description, functions: functions.map((fn, position) => ({ ...fn, bars: [bar(0, BASE + BigInt(position) * MIB, MIB)] })) };
}

interface Shot {
  readonly fabric: Fabric;
  readonly programmed: readonly number[];
  readonly source: FunctionDescription;
  readonly route: Route;
}

function shoot(description: HostDescription, from: number, target: number): Shot {
  const formed = form(description);
  const fabric = new Fabric(formed.topology, formed.acs, formed.units, formed.aliases);
  const { functions } = formed.topology;
  const source = functions[from % functions.length]!;
  const address = BASE + BigInt(target % (functions.length + 2)) * MIB + 8n;
  return { fabric, programmed: formed.requesterIds(source.id), source, route: routeRequest(fabric, { source, address, access: 'read', addressType: 'untranslated' }, null) };
}

test('what reaches the IOMMU carries a requester ID that the kernel programmed (PCIE-07)', () => {
  fc.assert(fc.property(randomHosts, fc.nat(), fc.nat(), (description, from, target) => {
    const { route, programmed } = shoot(withBars(description), from, target);
    if (route.at === 'unit') expect(programmed).toContain(route.requesterId);
  }), { numRuns: 500 });
});

test('a request ends at a BAR only if the address is in that BAR', () => {
  fc.assert(fc.property(randomHosts, fc.nat(), fc.nat(), (description, from, target) => {
    const { route, fabric } = shoot(withBars(description), from, target);
    if (route.at !== 'peer') return;
    expect(route.offset).toBe(8n);
    expect(fabric.topology.byId(route.function.id)).toBe(route.function);
  }), { numRuns: 300 });
});

test('where every port has ACS on and nothing is conventional, no peer is reached past the IOMMU (PCIE-31, PCIE-37)', () => {
  fc.assert(fc.property(randomHosts, fc.nat(), fc.nat(), (description, from, target) => {
    const safe = { ...description, functions: description.functions.map((fn) => ({ ...fn, acs: { ...ON, control: 0x1d } })) };
    const { route, source, fabric } = shoot(withBars(safe), from, target);
    const above = [source, ...fabric.topology.ancestors(source)];
    if (above.some((fn) => !isPcie(fn) || /pci-bridge|pci-to-pcie/.test(fn.type))) return;
    const intoTheSwitch = route.at === 'peer' && route.function.type === 'upstream-port'; // its own memory is behind the port, not beside it
    expect(route.at === 'unit' || intoTheSwitch).toBe(true);
  }), { numRuns: 500 });
});

test('peers reached past the IOMMU share the group of the source, or a port of one switch lets them through (GRP-14)', () => {
  fc.assert(fc.property(randomHosts, fc.nat(), fc.nat(), (description, from, target) => {
    const { route, source, fabric } = shoot(withBars(description), from, target);
    if (route.at !== 'peer' || route.function.type === 'upstream-port') return;
    const { groupOf } = form(withBars(description));
    const common = [...fabric.topology.ancestors(source)].find((fn) => [...fabric.topology.ancestors(route.function)].includes(fn));
    expect(groupOf.get(source.id) === groupOf.get(route.function.id) || common?.type === 'upstream-port').toBe(true);
  }), { numRuns: 500 });
});

test('bridges pass what lies below them (PCIE-20)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const topology = new Topology(withBars(description));
    const addresses = new AddressMap(topology);
    for (const fn of topology.functions) {
      for (const bridge of topology.ancestors(fn)) for (const { range } of fn.bars) expect(addresses.inWindow(bridge, range.start) && addresses.inWindow(bridge, range.last)).toBe(true);
    }
  }));
});

test('the BAR at an address is the one that a look at all of them finds', () => {
  const bars = fc.array(fc.record({ start: fc.bigInt(0n, 40n), size: fc.bigInt(1n, 12n) }), { maxLength: 12 });
  fc.assert(fc.property(bars, fc.bigInt(0n, 60n), (described, address) => {
    const topology = new Topology(host(described.map(({ start, size }, position) => endpoint(`0${position >> 3}:00.${position & 7}`, { bars: [bar(0, start, size)] }))));
    const naive = topology.functions.find((fn) => fn.bars.some(({ range }) => range.start <= address && address <= range.last));
    expect(new AddressMap(topology).claim(address)?.fn).toBe(naive);
  }), { numRuns: 500 });
});
