/** What holds for groups whatever the host looks like. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FunctionDescription, GroupingName, HostDescription } from '../../server/simulator/description.js';
import { requesterIdOf } from '../../server/simulator/fabric/pci-address.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { bootAcs } from '../../server/simulator/kernel/acs-boot.js';
import { parseAcsParameters } from '../../server/simulator/kernel/acs-parameters.js';
import { AcsQuestions } from '../../server/simulator/kernel/acs.js';
import { KernelAliases } from '../../server/simulator/kernel/alias-quirks.js';
import { form, host, ON } from '../fabric/sample-host.js';
import { randomHosts } from '../fabric/random-host.js';
import { referenceGroups } from './reference-grouping.js';

const partition = (description: HostDescription): string[] => form(description).groups.map(({ members }) => [...members].sort().join(' '));

/** Every group of `fine` lies within one of `coarse`. */
function refines(fine: HostDescription, coarse: HostDescription): boolean {
  const outer = form(coarse).groupOf;
  return form(fine).groups.every(({ members }) => new Set(members.map((member) => outer.get(member))).size === 1);
}

test('every function is in exactly one group, numbered from 0, with a reason (GRP-07)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const formed = form(description);
    expect(formed.groups.flatMap(({ members }) => members).sort()).toEqual(description.functions.map(({ id }) => id).sort());
    expect(formed.groups.map(({ number }) => number)).toEqual(formed.groups.map((_, position) => position));
    for (const { members, number, why } of formed.groups) {
      for (const member of members) expect(formed.groupOf.get(member)).toBe(number);
      expect(why().map(({ device }) => device)).toEqual(members);
      for (const { reasons } of why()) expect(reasons.length).toBeGreaterThan(0);
    }
  }));
});

test('the indexed algorithm answers as one that scans every device for every step (GRP-02 .. GRP-09)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const topology = new Topology(description);
    const boot = bootAcs(topology, { parameters: parseAcsParameters(new Map()), requested: () => true, release: 6019 });
    const acs = new AcsQuestions(topology, { boot, override: null, hasAmdIommu: false, release: 6019 });
    expect(partition(description)).toEqual(referenceGroups(topology, acs, new KernelAliases(topology)).map((members) => members.sort().join(' ')));
  }), { numRuns: 300 });
});

test('switching ACS on somewhere never merges groups (GRP-04, GRP-06)', () => {
  fc.assert(fc.property(randomHosts, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (description, picks) => {
    const chosen = new Set(picks.map((pick) => description.functions[pick % description.functions.length]!.id));
    const more = { ...description, functions: description.functions.map((fn) => (chosen.has(fn.id) ? { ...fn, acs: { ...ON, control: 0x1d } } : fn)) };
    expect(refines(more, description)).toBe(true);
  }), { numRuns: 300 });
});

test('what is unknown lies between the two extremes; certain groups are the same in both', () => {
  fc.assert(fc.property(randomHosts, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), (description, picks) => {
    const chosen = new Set(picks.map((pick) => description.functions[pick % description.functions.length]!.id));
    const withAcs = (acs: FunctionDescription['acs']): HostDescription => ({ ...description, functions: description.functions.map((fn) => (chosen.has(fn.id) ? { ...fn, acs } : fn)) });
    const formed = form(withAcs('unknown'));
    const extremes = [form(withAcs('none')), form(withAcs({ ...ON, control: 0x1d }))];
    for (const { members, uncertain } of formed.groups) {
      const same = extremes.every(({ groups, groupOf }) => [...groups[groupOf.get(members[0]!)!]!.members].sort().join() === [...members].sort().join());
      expect(uncertain).toBe(!same);
    }
  }), { numRuns: 300 });
});

test('only of functions with something unknown the answer can be unknown', () => {
  fc.assert(fc.property(randomHosts, fc.array(fc.constantFrom('type', 'acs', 'both', 'nothing'), { minLength: 1, maxLength: 6 }), (plain, kinds) => {
    const functions = plain.functions.map((fn, i): FunctionDescription => {
      const kind = kinds[i % kinds.length]!;
      return { ...fn, ...(kind !== 'acs' && kind !== 'nothing' && { type: 'unknown' }), ...(kind !== 'type' && kind !== 'nothing' && { acs: 'unknown' }) };
    });
    const topology = new Topology({ ...plain, functions });
    const boot = bootAcs(topology, { parameters: parseAcsParameters(new Map()), requested: () => true, release: 6019 });
    const acs = new AcsQuestions(topology, { boot, override: null, hasAmdIommu: false, release: 6019 });
    for (const fn of topology.functions) if (acs.of(fn).isolates === 'unknown') expect(acs.hasUnknown(fn)).toBe(true);
  }));
});

test('neither identities nor the order of writing matter', () => {
  fc.assert(fc.property(randomHosts, fc.integer(), (description, salt) => {
    const renamed = (id: string): string => `${(Number(id.slice(1)) * 7919 + salt) >>> 0}-${id}`;
    const functions = description.functions.map((fn) => ({
      ...fn, id: renamed(fn.id), upstream: fn.upstream === null ? null : renamed(fn.upstream), ...(fn.virtualFunction && { virtualFunction: { ...fn.virtualFunction, of: renamed(fn.virtualFunction.of) } }),
    }));
    const original = form(description).groups.map(({ members }) => members.map(renamed));
    expect(form({ ...description, functions }).groups.map(({ members }) => members)).toEqual(original);
    expect(form({ ...description, functions: functions.reverse() }).groups.map(({ members }) => members)).toEqual(original);
  }));
});

test('requester IDs: its own first, each once (PCIE-07)', () => {
  fc.assert(fc.property(randomHosts, (description) => {
    const formed = form(description);
    for (const fn of description.functions) {
      const ids = formed.requesterIds(fn.id);
      expect(ids[0]).toBe(requesterIdOf(fn.address));
      expect(new Set(ids).size).toBe(ids.length);
    }
  }));
});

describe('size', () => {
  /** Root ports in as many segments as needed, each with a device of seven functions, some without ACS, some behind bridges. */
  function large(functions: number): HostDescription {
    const template = host([]).functions;
    const all: FunctionDescription[] = [...template];
    const base = { ari: false, ats: false, pri: false, pasidBits: 0, msi: true, bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver: null };
    for (let port = 0; all.length < functions; port++) {
      const segment = Math.floor(port / 200);
      const bus = 1 + (port % 200);
      const id = `p${port}`;
      all.push({ ...base, id, name: id, address: { segment, bus: 0, device: (port % 200) >> 3, function: port & 7 }, type: 'root-port', upstream: null, acs: port % 3 === 0 ? 'none' : port % 3 === 1 ? ON : 'unknown' });
      for (let number = 0; number < 7; number++) all.push({ ...base, id: `${id}f${number}`, name: id, address: { segment, bus, device: 0, function: number }, type: 'endpoint', upstream: id, acs: 'none', ids: { vendor: 0x1b4b, device: 0x9230 } });
    }
    const description = host([]);
    return { ...description, iommus: Array.from({ length: 300 }, (_, segment) => ({ ...description.iommus[0]!, id: `u${segment}`, segment })), functions: all };
  }

  function fastest(functions: number, grouping: GroupingName): number {
    const plain = large(functions);
    const description = { ...plain, kernel: { ...plain.kernel, grouping } };
    return Math.min(...Array.from({ length: 6 }, () => {
      const start = process.cpuUsage();
      form(description);
      const { user, system } = process.cpuUsage(start);
      return user + system;
    }));
  }

  test.each(['classic', '2025-rework'] as const)('time grows with the number of functions, not with its square: %s', (grouping) => {
    fastest(1_500, grouping);
    /* Eight times the functions: linear is 8, quadratic 64; caches and the collector take their share of a larger host. */
    expect(fastest(12_000, grouping) / fastest(1_500, grouping)).toBeLessThan(32);
  });
});
