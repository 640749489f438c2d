/** PASIDs, what each driver programs, and what the log says (PAS, FEA, ATD, FINDINGS of recorded kernels). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { attachRules } from '../../server/simulator/kernel/attach-history.js';
import { checkTakesFaults } from '../../server/simulator/kernel/io-page-faults.js';
import { checkPasidCall, maxPasids, type AttachHandle } from '../../server/simulator/kernel/pasid.js';
import { PasidNumbers } from '../../server/simulator/kernel/pasid-numbers.js';
import { PROFILES } from '../../server/simulator/kernel/profile.js';
import { SharedAddressing, type AddressSpace } from '../../server/simulator/kernel/sva.js';
import { iova, physical } from '../../server/simulator/memory/address.js';
import { answer, boot, fn, rootPort, type Booted } from './hosts.js';

const SCALABLE = { scalableMode: true, firstStage: true, nested: true, deviceTlb: true, pasidBits: 20 };
const functions = [rootPort('rp', '00:01.0', 1), fn('a', '01:00.0', { under: 'rp', pasidBits: 20, ats: true }), rootPort('rp2', '00:02.0', 2), fn('b', '02:00.0', { under: 'rp2', pasidBits: 8, ats: true })];
const scalable = (version = '6.19', unit = {}): Booted => boot({ functions, version, commandLine: 'intel_iommu=on,sm_on', unit: { ...SCALABLE, ...unit } });

const read = (requesterId: number, address: bigint, pasid?: number): UnitRequest => ({ requesterId, access: 'read', addressType: 'untranslated', address, size: 4, pasid, privileged: false, execute: false });
const rw = { read: true, write: true };

test('PAS-11: the smaller of what the unit and the function have; a virtual function has its physical function\'s', () => {
  const vf = fn('vf', '01:10.0', { under: 'rp', virtualFunction: { of: 'a', index: 0 } });
  const { device } = boot({ functions: [...functions, vf], version: '6.19', commandLine: 'intel_iommu=on,sm_on', unit: { ...SCALABLE, pasidBits: 16 } });
  expect([maxPasids(device('a')), maxPasids(device('b')), maxPasids(device('vf')), maxPasids(device('rp'))]).toEqual([65536, 256, 65536, 0]);
  expect([device('a').pasidEnabled, device('vf').pasidEnabled]).toEqual([true, true]);
});

test('S68: the PASID of the process is 300, those of the device end at 255', () => {
  const { device } = scalable();
  const numbers = new PasidNumbers();
  for (let taken = 1; taken < 300; taken++) numbers.take(1 << 20);
  const sharing = new SharedAddressing(attachRules(PROFILES.at(-1)!), numbers);
  const space: AddressSpace = { name: 'app', areas: [] };
  expect(sharing.bind(device('a'), space)).toBe(300);
  expect(answer(() => sharing.bind(device('b'), space))).toBe('EOVERFLOW SVA-03');
});

describe('PAS-01, PAS-04: what is found first', () => {
  test.each([['6.1', 'ENOSYS PAS-01'], ['6.3', 'EOPNOTSUPP PAS-01'], ['6.6', 'ENODEV PAS-01'], ['6.14', 'ENODEV PAS-01']])('%s', (version, expected) => {
    const { kernel, device } = scalable(version);
    const domain = kernel.allocateDomain(device('a'), 'D');
    device('a').group = null;
    expect(answer(() => checkPasidCall(attachRules(kernel.profile), device('a'), domain, 'iommu_attach_device_pasid'))).toBe(expected);
  });
});

test('PAS-01 .. PAS-08: after any calls the unit translates just what is attached', () => {
  const call = fc.record({ kind: fc.constantFrom('attach', 'replace', 'detach'), pasid: fc.constantFrom(0, 1, 63, 64, 255, 32_768, 1 << 19), domain: fc.nat(2) });
  fc.assert(fc.property(fc.array(call, { maxLength: 30 }), (calls) => {
    const { kernel, device } = scalable();
    const a = device('a');
    const { pasids } = a.group!;
    const domains = [0, 1, 2].map((n) => kernel.allocateDomain(a, `D${n}`));
    domains.forEach((domain, n) => domain.map(iova(0x1000n), physical(BigInt(0x10_0000 * (n + 1))), 0x1000n, rw));
    const expected = new Map<number, number>();
    for (const { kind, pasid, domain } of calls) {
      const handle: AttachHandle = { domain: domains[domain]! };
      const result = answer(() => (kind === 'detach' ? pasids.detach(pasid) : pasids[kind as 'attach' | 'replace'](a, domains[domain]!, pasid, handle)));
      const attached = expected.has(pasid);
      const works = kind === 'detach' || (pasid !== 0 && attached === (kind === 'replace'));
      expect(result === 'ok').toBe(works);
      if (kind === 'detach') expected.delete(pasid);
      else if (works) expected.set(pasid, domain);
    }
    for (const pasid of [1, 63, 64, 255, 32_768, 1 << 19]) {
      const outcome = a.unit!.translate(read(a.requesterIds[0]!, 0x1000n, pasid), null);
      const domain = expected.get(pasid);
      if (domain === undefined) expect(outcome.kind).toBe('fault');
      else expect(outcome).toMatchObject({ kind: 'address', address: BigInt(0x10_0000 * (domain + 1)) });
    }
  }), { numRuns: 60 });
});

test('PAS-13, SVA-05: the lowest free number, and no number twice', () => {
  fc.assert(fc.property(fc.array(fc.record({ take: fc.boolean(), number: fc.integer({ min: 1, max: 12 }) }), { maxLength: 60 }), (calls) => {
    const numbers = new PasidNumbers();
    const taken = new Set<number>();
    for (const { take, number } of calls) {
      if (!take) expect(numbers.giveBack(number)).toBe(taken.delete(number));
      else {
        const lowest = Array.from({ length: number }, (_, i) => i + 1).find((n) => !taken.has(n)) ?? null;
        expect(numbers.take(number)).toBe(lowest);
        if (lowest !== null) taken.add(lowest);
      }
    }
  }));
});

test('ATD-04, S80: the words of 2021 about another SMMU', () => {
  const smmu = (id: string, covers: string) => ({ id, name: id, architecture: 'smmuv3' as const, segment: 0, covers: [covers], interruptRemapping: true, coherent: true, snoopControl: false, scalableMode: false, firstStage: false, nested: false, dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0 });
  const { kernel, device } = boot({ functions, version: '5.13', cpuVendor: 'arm', architecture: 'smmuv3', unit: smmu('smmu0', 'rp') });
  const other = boot({ functions, version: '5.13', cpuVendor: 'arm', architecture: 'smmuv3', unit: smmu('smmu1', 'rp') });
  const foreign = other.kernel.allocateDomain(other.device('a'), 'D');
  expect(answer(() => device('a').group!.attach(foreign))).toBe('ENXIO ATD-04');
  expect(kernel.log.at(-1)).toBe('pci 0000:01:00.0: cannot attach to SMMU smmu1 (upstream of smmu0)');
});

describe('what units of VT-d in scalable mode leave out', () => {
  const bridged = [rootPort('rp', '00:01.0', 1), fn('bridge', '01:00.0', { under: 'rp', type: 'pcie-to-pci-bridge', buses: { secondary: 2, subordinate: 2 } }), fn('card', '02:01.0', { under: 'bridge', type: 'pci' })];

  test.each([['intel_iommu=on', 'address'], ['intel_iommu=on,sm_on', 'fault']])('PCIE-07, aliases: with %s the request of the bridge ends in %s', (commandLine, expected) => {
    const { kernel, device } = boot({ functions: bridged, version: '6.12', commandLine, unit: SCALABLE });
    const card = device('card');
    const domain = kernel.allocateDomain(card, 'D');
    domain.map(iova(0x1000n), physical(0x10_0000n), 0x1000n, rw);
    card.group!.attach(domain);
    expect(card.requesterIds.length).toBeGreaterThan(1);
    expect(card.unit!.translate(read(card.requesterIds[0]!, 0x1000n), null).kind).toBe('address');
    expect(card.unit!.translate(read(card.requesterIds[1]!, 0x1000n), null).kind).toBe(expected);
  });

  test.each([['6.12', false], ['6.19', true]])('IFD-61: domains for users where there is a first stage only, %s: %s', (version, possible) => {
    const { device } = scalable(version, { nested: false });
    expect(device('a').unit!.capabilities().userDomains).toBe(possible);
  });
});

test.each([['5.13', true, true], ['5.13', false, false], ['6.19', false, true]])('COH-01, COH-02: with %s and snoop control %s, CACHE_COHERENCY is %s', (version, snoopControl, expected) => {
  const { device } = boot({ functions, version, commandLine: 'intel_iommu=on', unit: { snoopControl } });
  expect(device('a').unit!.capabilities()).toMatchObject({ cacheCoherency: expected, enforceCacheCoherency: snoopControl });
});

test('COH-03, VTD-31: leaves of a domain that enforces coherency carry SNP', () => {
  const { kernel, device } = boot({ functions, version: '6.19', commandLine: 'intel_iommu=on' });
  const domain = kernel.allocateDomain(device('a'), 'D');
  domain.enforcesCoherency = true;
  domain.map(iova(0n), physical(0x10_0000n), 0x1000n, rw);
  device('a').group!.attach(domain);
  const seen: unknown[] = [];
  device('a').unit!.translate(read(device('a').requesterIds[0]!, 0n), { push: (event) => void seen.push(event) });
  expect(JSON.stringify(seen, (_key, value: unknown) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))).toContain('0x100803');
});

test.each([['6.6', 'EOPNOTSUPP IOPF-03'], ['6.19', 'ENODEV IOPF-03']])('IOPF-03: who may have page requests reported, %s', (version, expected) => {
  const { kernel, device } = scalable(version);
  expect(answer(() => checkTakesFaults(attachRules(kernel.profile), device('a')))).toBe(expected);
});
