import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { iova, physical } from '../../server/simulator/memory/address.js';
import { ResourceLimit } from '../../server/simulator/memory/physical-memory.js';
import { answer, boot, fn } from './hosts.js';

const functions = [fn('nic', '00:1f.6', { type: 'integrated-endpoint' })];
const rw = { read: true, write: true };
const newDomain = (version = '6.12') => {
  const booted = boot({ functions, version });
  return { ...booted, domain: booted.kernel.allocateDomain(booted.device('nic'), 'test') };
};

describe('domains', () => {
  test('S57, MAP-01: what is not aligned is refused and logged', () => {
    const { domain, kernel } = newDomain();
    expect(answer(() => domain.map(iova(0x1000n), physical(0x2000n), 0x1800n, rw))).toBe('EINVAL MAP-01');
    expect(kernel.log.at(-1)).toBe('iommu: unaligned: iova 0x1000 pa 0x0000000000002000 size 0x1800 min_pagesz 0x1000');
  });

  test('MAP-06: nothing is mapped of no bytes', () => {
    const { domain } = newDomain();
    domain.map(iova(0x1000n), physical(0x2000n), 0n, rw);
    expect(domain.mappings(10).total).toBe(0);
  });

  test('S58: the largest pages that fit', () => {
    const { domain } = newDomain();
    domain.map(iova(0x1ff000n), physical(0x1ff000n), 0x402000n, rw);
    expect(domain.mappings(10).runs).toMatchObject([{ pageSizes: [0x1000n, 0x20_0000n] }]);
  });

  test('S59: addresses that differ below a page size never use it', () => {
    const { domain } = newDomain();
    domain.map(iova(0x1ff000n), physical(0x200000n), 0x402000n, rw);
    expect(domain.mappings(10).runs).toMatchObject([{ pageSizes: [0x1000n] }]);
  });

  test('UNM-01, UNM-02: bytes, 0 when unaligned, whole leaves', () => {
    const { domain } = newDomain();
    domain.map(iova(0x20_0000n), physical(0x20_0000n), 0x20_0000n, rw);
    expect(domain.unmap(iova(0x20_0000n), 0x800n)).toBe(0n);
    expect(domain.unmap(iova(0x60_0000n), 0x1000n)).toBe(0n);
    expect(domain.unmap(iova(0x20_0000n), 0x20_0000n)).toBe(0x20_0000n);
    expect(domain.translate(iova(0x20_0000n))).toBeNull();
  });

  test('LNX-01: domain IDs are given out from 2 and given back', () => {
    const { kernel, device } = boot({ functions, commandLine: 'iommu=pt' });
    const first = kernel.allocateDomain(device('nic'), 'first');
    const second = kernel.allocateDomain(device('nic'), 'second');
    expect([first.domainId, second.domainId]).toEqual([2, 3]);
    first.free();
    expect(kernel.allocateDomain(device('nic'), 'third').domainId).toBe(2);
  });

  test('an absurd number of entries stops the simulation instead of hanging it', () => {
    const { domain } = newDomain();
    expect(() => domain.map(iova(0n), physical(0x1000n), 1n << 40n, rw)).toThrow(ResourceLimit);
  });

  test('UNM-04: what was mapped is found where it was put', () => {
    fc.assert(fc.property(fc.bigInt(0n, (1n << 35n) - 1n), fc.bigInt(0n, (1n << 35n) - 1n), fc.bigInt(1n, 600n), fc.bigInt(0n, 599n), (at, to, pages, probe) => {
      const { domain } = newDomain();
      domain.map(iova(at << 12n), physical(to << 12n), pages << 12n, rw);
      const inside = probe % pages;
      expect(domain.translate(iova(((at + inside) << 12n) + 5n))).toBe(((to + inside) << 12n) + 5n);
      expect(domain.translate(iova((at + pages) << 12n))).toBeNull();
    }), { numRuns: 60 });
  });
});

describe('LNX-11: the DMA API', () => {
  test('addresses come from below 4 GiB downwards, aligned to their size, around what is reserved', () => {
    const { dmaApi, device } = boot({ functions });
    const map = (size: bigint, wanted?: bigint) => dmaApi.map(device('nic'), physical(0x1_2340_0000n), size, rw, wanted, 'step');
    expect(map(0x1000n)).toBe(0xffff_f000n);
    expect(map(0x1000n)).toBe(0xffff_e000n);
    expect(map(0x3000n)).toBe(0xffff_8000n);
    expect(map(0x100_0000n)).toBe(0xfd00_0000n); // 0xfe00_0000 would meet the interrupt window
    expect(map(0x1000n, 0x5000n)).toBe(0x5000n);
  });

  test('without translation the address is the physical one', () => {
    const { dmaApi, device } = boot({ functions, commandLine: 'iommu=pt' });
    expect(dmaApi.map(device('nic'), physical(0x1_2340_0000n), 0x1000n, rw, undefined, 'step')).toBe(0x1_2340_0000n);
  });

  test('a group that a user owns: the mapping is made where the device does not look', () => {
    const { dmaApi, device } = boot({ functions });
    device('nic').group!.claim({});
    const address = dmaApi.map(device('nic'), physical(0x1_2340_0000n), 0x1000n, rw, undefined, 'step');
    expect(device('nic').group?.domain?.type).toBe('blocked');
    expect(device('nic').group?.defaultDomain).toMatchObject({ type: 'DMA-FQ' });
    expect(address).toBe(0xffff_f000n);
  });
});
