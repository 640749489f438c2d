import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Group, PagingDomain } from '../../server/simulator/kernel/core.js';
import { answer, boot, fn, rootPort, type Booted } from './hosts.js';

const functions = [rootPort('rp', '00:01.0', 1), fn('a', '01:00.0', { under: 'rp' }), fn('b', '01:00.1', { under: 'rp' })];
const X = { name: 'X' };
const Y = { name: 'Y' };

function machine(version = '6.19', more: Partial<Parameters<typeof boot>[0]> = {}): Booted & { readonly group: Group; newDomain(): PagingDomain } {
  const booted = boot({ functions, version, ...more });
  const a = booted.device('a');
  return { ...booted, group: a.group!, newDomain: () => booted.kernel.allocateDomain(a, 'test') };
}
type Machine = ReturnType<typeof machine>;

/** Ways into each state of the matrix in section 6.1. */
const STATES: Readonly<Record<string, (m: Machine) => void>> = {
  Free: () => undefined,
  Kernel: ({ kernel, device }) => kernel.bind(device('a'), 'nvme'),
  'Kernel-private': (m) => {
    STATES.Kernel!(m);
    m.group.attach(m.newDomain());
  },
  Private: ({ group, newDomain }) => group.attach(newDomain()),
  'Owned(X)': ({ group }) => group.claim(X),
  'Owned(X), dom = D': ({ group, newDomain }) => {
    group.claim(X);
    group.attach(newDomain());
  },
};

const EVENTS: Readonly<Record<string, (m: Machine) => void>> = {
  'native bind': ({ kernel, device }) => kernel.bind(device('b'), 'snd_hda_intel'),
  'vfio bind': ({ kernel, device }) => kernel.bind(device('b'), 'vfio-pci'),
  'group claim': ({ group }) => group.claim(Y),
  'device claim, same owner': ({ group, device }) => group.claimDevice(device('b'), X),
  'device claim, other owner': ({ group, device }) => group.claimDevice(device('b'), Y),
  attach: ({ group, newDomain }) => group.attach(newDomain()),
};

describe('OWN-01 .. OWN-09, OWN-24, OWN-31: state by event (section 6.1)', () => {
  test.each([
    ['Free', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'],
    ['Kernel', 'ok', 'ok', 'EPERM OWN-04', 'EPERM OWN-05', 'EPERM OWN-05', 'ok'],
    ['Kernel-private', 'EBUSY OWN-01', 'ok', 'EPERM OWN-04', 'EPERM OWN-05', 'EPERM OWN-05', 'EBUSY ATT-02'],
    ['Private', 'ok', 'ok', 'EBUSY OWN-04', 'EBUSY OWN-04', 'EBUSY OWN-04', 'EBUSY ATT-02'],
    ['Owned(X)', 'EBUSY OWN-01', 'ok', 'EPERM OWN-04', 'ok', 'EPERM OWN-05', 'ok'],
    ['Owned(X), dom = D', 'EBUSY OWN-01', 'ok', 'EPERM OWN-04', 'ok', 'EPERM OWN-05', 'EBUSY ATT-02'],
  ])('%s', (state, ...expected) => {
    const answers = Object.values(EVENTS).map((event) => {
      const m = machine();
      STATES[state]!(m);
      return answer(() => event(m));
    });
    expect(answers).toEqual(expected);
  });

  test('OWN-06, OWN-07: counted releases, then the default domain', () => {
    const { group, device } = machine();
    group.claimDevice(device('a'), X);
    group.claimDevice(device('b'), X);
    expect(group.ownerCount).toBe(2);
    expect(group.domain?.type).toBe('blocked');
    group.releaseDevice(device('b'));
    expect(group.owner).toBe(X);
    group.releaseDevice(device('a'));
    expect([group.owner, group.ownerCount, group.domain]).toEqual([null, 0, group.defaultDomain]);
    group.release(); // one too many does nothing
    expect(group.ownerCount).toBe(0);
  });

  test('S51, OWN-30: detached while owned, the group is blocked; not owned, it is the kernel\'s', () => {
    const { group, newDomain } = machine();
    group.attach(newDomain());
    group.detach();
    expect(group.domain).toBe(group.defaultDomain);
    group.claim(X);
    const blocking = group.domain;
    group.attach(newDomain());
    group.detach();
    expect(group.domain).toBe(blocking);
  });

  test('S50: a second domain is refused, replace is not', () => {
    const { group, newDomain } = machine();
    group.claim(X);
    group.attach(newDomain());
    const second = newDomain();
    expect(answer(() => group.attach(second))).toBe('EBUSY ATT-02');
    group.replace(second);
    expect(group.domain).toBe(second);
  });

  test('a unit without a blocked domain of its own blocks with an empty one', () => {
    const { group } = machine('6.1');
    group.claim(X);
    expect(group.domain).toMatchObject({ type: 'unmanaged' });
    expect(group.domain).not.toBe(group.defaultDomain);
  });

  test('refusals name who is in the way', () => {
    const { kernel, group, device } = machine();
    kernel.bind(device('b'), 'snd_hda_intel');
    expect(() => group.claim(X)).toThrow(expect.objectContaining({ errno: 'EPERM', offenders: ['b'] }));
  });

  test('OWN-03: an unbound driver no longer counts', () => {
    const { kernel, group, device } = machine();
    kernel.bind(device('b'), 'snd_hda_intel');
    kernel.unbind(device('b'));
    expect(answer(() => group.claim(X))).toBe('ok');
  });
});

describe('the model before 5.19', () => {
  test('OLD-01, OLD-08: nobody owns, and a detached group is the kernel\'s again', () => {
    const { group, newDomain, kernel, device } = machine('5.13');
    kernel.bind(device('b'), 'snd_hda_intel');
    expect(answer(() => group.claim(X))).toBe('ok');
    expect([group.owner, group.ownerCount]).toEqual([null, 0]);
    group.attach(newDomain());
    group.detach();
    expect(group.domain).toBe(group.defaultDomain);
  });

  test('OLD-09: a second domain is refused', () => {
    const { group, newDomain } = machine('5.13');
    group.attach(newDomain());
    expect(answer(() => group.attach(newDomain()))).toBe('EBUSY ATT-02');
  });
});

describe('ATT-03: one device of a group cannot take a domain', () => {
  const region = { id: 'r', range: { start: 0x10_0000n, last: 0x10_0fffn }, type: 'direct', devices: ['b'] } as const;

  test('RSV-44: since 6.6 the claim fails and nothing has moved', () => {
    const { group, kernel } = machine('6.6', { reservedRegions: [region] });
    expect(answer(() => group.claim(X))).toBe('EINVAL RSV-44');
    expect([group.owner, group.domain]).toEqual([null, group.defaultDomain]);
    expect(kernel.log.at(-1)).toBe('pci 0000:01:00.1: Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the device without a 1:1 mapping. Contact your platform vendor.');
  });

  test('RSV-45: in 6.1 the empty blocking domain is refused', () => {
    const { group, kernel } = machine('6.1', { reservedRegions: [region] });
    expect(answer(() => group.claim(X))).toBe('EPERM RSV-45');
    expect(kernel.log.at(-1)).toBe('pci 0000:01:00.1: Device is ineligible for IOMMU domain attach due to platform RMRR requirement.  Contact your platform vendor.');
  });

  test('a domain of another kind of unit is refused', () => {
    const { group } = machine();
    const other = boot({ functions, architecture: 'amd-vi' });
    expect(answer(() => group.attach(other.kernel.allocateDomain(other.device('a'), 'foreign')))).toBe('EINVAL ATT-02');
    const before = machine('6.6');
    expect(answer(() => before.group.attach(other.kernel.allocateDomain(other.device('a'), 'foreign')))).toBe('EINVAL ATD-02');
  });
});

test('any order of operations leaves the group with at most one owner, on a domain that fits its state', () => {
  const operation = fc.record({ event: fc.constantFrom('claim', 'claimDevice', 'release', 'releaseDevice', 'attach', 'detach', 'bind', 'unbind'), device: fc.constantFrom('a', 'b'), owner: fc.constantFrom(X, Y), driver: fc.constantFrom('nvme', 'vfio-pci', 'pci-stub') });
  fc.assert(fc.property(fc.array(operation, { maxLength: 40 }), fc.constantFrom('5.19', '6.1', '6.6', '6.12', '6.19'), (operations, version) => {
    const m = machine(version);
    const { group, kernel } = m;
    for (const { event, device: name, owner, driver } of operations) {
      const device = m.device(name);
      const before = group.owner;
      const run: Readonly<Record<string, () => void>> = {
        claim: () => group.claim(owner), claimDevice: () => group.claimDevice(device, owner), release: () => group.release(), releaseDevice: () => group.releaseDevice(device),
        attach: () => group.attach(m.newDomain()), detach: () => group.detach(), bind: () => kernel.bind(device, driver), unbind: () => kernel.unbind(device),
      };
      const result = answer(run[event]!);
      if (result !== 'ok') expect(group.owner).toBe(before);
      if (before !== null && group.owner !== null) expect(group.owner).toBe(before);
      expect(group.ownerCount).toBeGreaterThanOrEqual(group.owner === null ? 0 : 1);
      if (group.owner !== null) expect(group.domain).not.toBe(group.defaultDomain);
    }
  }), { numRuns: 200 });
});
