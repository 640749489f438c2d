/** The rework of 2025 (section 3.5), beside what every released kernel does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AcsDescription, FunctionDescription, HostDescription } from '../../server/simulator/description.js';
import { bar, downstreamPort, endpoint, form, host, integrated, node, OFF, ON, pci, pciBridge, pcieToPci, rootPort, unit, upstreamPort, type Node, type Setting } from '../fabric/sample-host.js';
import { randomHosts } from '../fabric/random-host.js';

const reworked = (description: HostDescription): HostDescription => ({ ...description, kernel: { ...description.kernel, grouping: '2025-rework' } });
const both = (tree: Node[], setting?: Setting): [string, string] => [form(host(tree, setting)).text, form(reworked(host(tree, setting))).text];
const rework = (tree: Node[], setting?: Setting): string => both(tree, setting)[1];

const HIGH = 0xf000_0000n;

describe('root ports', () => {
  test('without ACS capability they count as isolating, with one that is off they do not (GR5-03)', () => {
    const tree = (acs: AcsDescription | 'none'): Node[] => [rootPort('00:01.0', { acs }, endpoint('01:00.0'))];
    expect(both(tree('none'))).toEqual(['{00:01.0 01:00.0}', '{00:01.0} {01:00.0}']);
    expect(both(tree(OFF))).toEqual(['{00:01.0 01:00.0}', '{00:01.0 01:00.0}']);
    expect(both(tree(ON))).toEqual(['{00:01.0} {01:00.0}', '{00:01.0} {01:00.0}']);
  });

  test('several without capability in one slot come apart (GR5-07)', () => {
    const tree = [rootPort('00:1c.0', {}, endpoint('01:00.0')), rootPort('00:1c.1', {}, endpoint('02:00.0'))];
    expect(both(tree)).toEqual(['{00:1c.0 00:1c.1 01:00.0 02:00.0}', '{00:1c.0} {00:1c.1} {01:00.0} {02:00.0}']);
  });

  test('one with ACS off takes the whole slot and everything below that port in (GR5-04, GR5-06)', () => {
    const tree = [rootPort('00:1c.0', { acs: OFF }, endpoint('01:00.0')), rootPort('00:1c.1', { acs: ON }, endpoint('02:00.0'))];
    expect(rework(tree)).toBe('{00:1c.0 00:1c.1 01:00.0 02:00.0}');
  });
});

describe('a switch', () => {
  const under = (...acs: (AcsDescription | 'none')[]): Node[] => [
    rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, ...acs.map((each, slot) => downstreamPort(`02:0${slot}.0`, { acs: each }, endpoint(`0${3 + slot}:00.0`))))),
  ];

  test('S10 one port without ACS lets everything below the switch see everything (GR5-01, GR5-02, GR5-03, GR5-07)', () => {
    expect(both(under('none', 'none'))).toEqual(['{00:01.0} {01:00.0} {02:00.0 03:00.0} {02:01.0 04:00.0}', '{00:01.0} {01:00.0} {02:00.0 02:01.0 03:00.0 04:00.0}']);
    expect(rework(under(ON, 'none'))).toBe('{00:01.0} {01:00.0} {02:00.0 02:01.0 03:00.0 04:00.0}');
    expect(rework(under(ON, ON))).toBe('{00:01.0} {01:00.0} {02:00.0} {02:01.0} {03:00.0} {04:00.0}');
  });

  test('what is no port on its internal bus draws the upstream port in (GR5-03)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', { acs: ON }, endpoint('03:00.0')), endpoint('02:1f.0')))];
    expect(rework(tree)).toBe('{00:01.0} {01:00.0 02:00.0 02:1f.0 03:00.0}');
  });
});

describe('functions of one slot', () => {
  const two = (first: AcsDescription | 'none', second: AcsDescription | 'none'): Node[] => [rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { acs: first }), endpoint('01:00.1', { acs: second }))];

  test('without any capability they are apart, with one that is off they are together (GR5-06, GR5-07, GR5-09)', () => {
    expect(both(two('none', 'none'))).toEqual(['{00:01.0} {01:00.0 01:00.1}', '{00:01.0} {01:00.0} {01:00.1}']);
    expect(rework(two(OFF, ON))).toBe('{00:01.0} {01:00.0 01:00.1}');
    expect(rework(two(OFF, 'none'))).toBe('{00:01.0} {01:00.0 01:00.1}');
  });

  test('one that is not marked as one of several shares (GR5-06)', () => {
    const tree = [rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', { multifunction: false }), endpoint('01:00.1'))];
    expect(rework(tree)).toBe('{00:01.0} {01:00.0 01:00.1}');
  });

  test('requester-ID aliases still join, virtual functions still stay alone (GR5-06)', () => {
    const marvell = endpoint('01:00.0', { ids: { vendor: 0x1b4b, device: 0x9230 } });
    expect(rework([rootPort('00:01.0', { acs: ON }, marvell, endpoint('01:00.1'))])).toBe('{00:01.0} {01:00.0 01:00.1}');
    const vf = endpoint('02:00.0', { virtualFunction: { of: '01:00.0', index: 0 } });
    expect(rework([rootPort('00:01.0', { acs: ON, buses: { secondary: 1, subordinate: 2 } }, endpoint('01:00.0', { acs: OFF }), endpoint('01:00.1', { acs: OFF }), vf)])).toBe('{00:01.0} {01:00.0 01:00.1} {02:00.0}');
  });
});

describe('conventional buses', () => {
  test('a PCIe-to-PCI bridge leaves the group behind it, unless it has registers in memory (GR5-03, GR5-07)', () => {
    const tree = (bars: ReturnType<typeof bar>[]): Node[] => [rootPort('00:01.0', { acs: ON }, pcieToPci('01:00.0', { bars }, pci('02:01.0'), pci('02:02.0')))];
    expect(both(tree([]))).toEqual(['{00:01.0} {01:00.0 02:01.0 02:02.0}', '{00:01.0} {01:00.0} {02:01.0 02:02.0}']);
    expect(rework(tree([bar(0, HIGH, 0x1000n)]))).toBe('{00:01.0} {01:00.0 02:01.0 02:02.0}');
  });

  test('a conventional bridge takes everything below it in (GR5-03, GR5-04)', () => {
    expect(rework([pciBridge('00:1e.0', {}, pci('05:00.0'), pciBridge('05:01.0', {}, pci('06:00.0')))])).toBe('{00:1e.0 05:00.0 05:01.0 06:00.0}');
    expect(rework([pciBridge('00:1e.0', {}, node('pci-to-pcie-bridge', '01:00.0', {}, endpoint('02:00.0')))])).toBe('{00:1e.0 01:00.0 02:00.0}');
  });

  test('a known conventional bridge counts as a PCIe-to-PCI bridge (GR5-03)', () => {
    expect(rework([rootPort('00:01.0', { acs: ON }, pciBridge('01:00.0', { ids: { vendor: 0x1b21, device: 0x1080 } }, pci('02:01.0'), pci('02:02.0')))])).toBe('{00:01.0} {01:00.0} {02:01.0 02:02.0}');
  });

  test('above a unit of its own a bridge starts a group (GR5-05)', () => {
    expect(rework([pciBridge('00:1e.0', { ids: { vendor: 0x14e4, device: 0x9000 } }, pci('05:00.0'))])).toBe('{00:1e.0 05:00.0}');
  });
});

describe('probing out of order', () => {
  const iommus = [unit('vtd', { id: 'u0', covers: ['01:00.0'] }), unit('vtd', { id: 'u1' })];

  test('S81 a device waits for the bridge above it instead of getting a group that is too narrow (GR5-05, GRP-23)', () => {
    const tree = [rootPort('00:01.0', { acs: OFF }, endpoint('01:00.0'))];
    expect(both(tree, { iommus })).toEqual(['{01:00.0} {00:01.0}', '{00:01.0 01:00.0}']);
    expect(form(reworked(host(tree, { iommus }))).messages).toContain('PCI device is probing out of order, upstream bridge device of 0000:01:00.0 is not probed yet');
  });

  test('what waits for a bridge that nobody translates stays without a group', () => {
    const formed = form(reworked(host([rootPort('00:01.0', {}, endpoint('01:00.0'))], { iommus: [iommus[0]!] })));
    expect(formed.groups).toEqual([]);
    expect(formed.ungrouped.map(({ device }) => device)).toEqual(['00:01.0', '01:00.0']);
  });

  test('what is behind a VMD endpoint joins it (GR5-05)', () => {
    const behind = { behindVmd: '00:0e.0' };
    expect(rework([integrated('00:0e.0'), rootPort('10000:e0:06.0', { acs: ON, ...behind }, endpoint('10000:e1:00.0', behind))])).toBe('{00:0e.0 10000:e0:06.0 10000:e1:00.0}');
  });
});

test('every function is in exactly one group, with a reason, whatever the host', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const formed = form(reworked(description));
    expect(formed.groups.flatMap(({ members }) => members).sort()).toEqual(description.functions.map(({ id }) => id).sort());
    for (const group of formed.groups) for (const { reasons } of group.why()) expect(reasons.length).toBeGreaterThan(0);
  }), { numRuns: 200 });
});

/**
 * Nobody uses the requester ID of a port: ports that join one another late open a group after devices below had theirs, which is
 * what the check is for.
 */
const withoutPortAliases = (description: HostDescription): HostDescription =>
  ({ ...description, functions: description.functions.map((fn) => (fn.upstream === null || /port|bridge/.test(fn.type) ? { ...fn, extraAliases: [], ids: undefined } : fn)) });

test('its own check finds nothing to complain about: requester IDs of one function lie in one group (GR5-08)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    expect(form(reworked(withoutPortAliases(description))).messages.filter((line) => line.includes('alias processing'))).toEqual([]);
  }), { numRuns: 200 });
});

test('switching ACS on everywhere never merges groups (GR5-03, GR5-06)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const on = { ...description, functions: description.functions.map((fn) => (fn.acs === 'none' ? fn : { ...fn, acs: { ...ON, control: 0x1d } })) };
    const outer = form(reworked(description)).groupOf;
    for (const { members } of form(reworked(on)).groups) expect(new Set(members.map((member) => outer.get(member))).size).toBe(1);
  }), { numRuns: 200 });
});

test('what is unknown lies between the two extremes; certain groups are the same in both', () => {
  fc.assert(fc.property(randomHosts, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (description, picks) => {
    const chosen = new Set(picks.map((pick) => description.functions[pick % description.functions.length]!.id));
    const withAcs = (acs: FunctionDescription['acs']): HostDescription => reworked({ ...description, functions: description.functions.map((fn) => (chosen.has(fn.id) ? { ...fn, acs } : fn)) });
    const extremes = [form(withAcs(OFF)), form(withAcs({ ...ON, control: 0x1d }))];
    for (const { members, uncertain } of form(withAcs('unknown')).groups) {
      const same = extremes.every(({ groups, groupOf }) => [...groups[groupOf.get(members[0]!)!]!.members].sort().join() === [...members].sort().join());
      expect(uncertain).toBe(!same);
    }
  }), { numRuns: 200 });
});
