/** Units of which only the kernel's side is modelled, and devices that come and go. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelOnlyTable } from '../../server/simulator/hardware/kernel-only/table.js';
import { iova, physical } from '../../server/simulator/memory/address.js';
import { answer, boot, fn, rootPort } from './hosts.js';

const rw = { read: true, write: true };
const SIZES = (1n << 12n) | (1n << 21n) | (1n << 30n);

function table(splitsLeaves = true) {
  const log: string[] = [];
  const made = new KernelOnlyTable({ pageSizes: SIZES, aperture: { start: iova(0n), last: iova((1n << 39n) - 1n) }, splitsLeaves, log: (line) => void log.push(line) });
  return { table: made, log };
}

describe('tables without entries', () => {
  test('MAP-05: collisions and what is out of range', () => {
    const { table: t } = table();
    expect(t.map(iova(0x1000n), physical(0x5000n), 0x2000n, rw)).toBeNull();
    expect(t.map(iova(0x2000n), physical(0x9000n), 0x1000n, rw)).toBe('EEXIST');
    expect(t.map(iova((1n << 39n) - 0x1000n), physical(0n), 0x2000n, rw)).toBe('ERANGE');
  });

  test('S58, MAP-02, MAP-03: the leaves of a mapping', () => {
    const { table: t } = table();
    t.map(iova(0x1f_f000n), physical(0x1f_f000n), 0x40_2000n, rw);
    expect(t.runs(9).runs[0]?.pageSizes).toEqual([0x1000n, 0x20_0000n]);
    expect(t.lookup(iova(0x20_0000n))?.pageSize).toBe(0x20_0000n);
    expect(t.lookup(iova(0x1f_f000n))?.pageSize).toBe(0x1000n);
  });

  test('S60, UNM-02: a part of a larger leaf', () => {
    const splitting = table();
    splitting.table.map(iova(0x20_0000n), physical(0x20_0000n), 0x20_0000n, rw);
    expect(splitting.table.unmap(iova(0x20_1000n), 0x1000n)).toBe(0x1000n);
    expect(splitting.table.lookup(iova(0x20_1000n))).toBeNull();
    expect(splitting.table.lookup(iova(0x20_2000n))?.pageSize).toBe(0x1000n);
    const whole = table(false);
    whole.table.map(iova(0x20_0000n), physical(0x20_0000n), 0x20_0000n, rw);
    expect(whole.table.unmap(iova(0x20_1000n), 0x1000n)).toBe(0n);
    expect(whole.log).toEqual(['Unmap of a partial large IOPTE is not allowed']);
  });

  test('UNM-02: it stops at the first hole', () => {
    const { table: t } = table();
    t.map(iova(0x1000n), physical(0x1000n), 0x1000n, rw);
    t.map(iova(0x3000n), physical(0x3000n), 0x1000n, rw);
    expect(t.unmap(iova(0x1000n), 0x3000n)).toBe(0x1000n);
  });

  test('UNM-04: what is mapped, and nothing else, is found, whatever is unmapped of it', () => {
    const page = fc.bigInt(0n, 1200n);
    fc.assert(fc.property(page, fc.bigInt(1n, 1200n), page, fc.bigInt(1n, 600n), fc.boolean(), page, (at, pages, from, count, splits, probe) => {
      const { table: t } = table(splits);
      t.map(iova(at << 12n), physical((at + 512n) << 12n), pages << 12n, rw);
      const removed = t.unmap(iova(from << 12n), count << 12n) >> 12n;
      const isIn = probe >= at && probe < at + pages && !(probe >= from && probe < from + removed);
      expect(t.lookup(iova(probe << 12n))?.physical).toBe(isIn ? (probe + 512n) << 12n : undefined);
      expect(removed).toBeLessThanOrEqual(count);
    }));
  });
});

describe('behind an SMMU', () => {
  const functions = [rootPort('rp', '00:01.0', 1), fn('nic', '01:00.0', { under: 'rp' })];
  const machine = (version: string, pageSizes?: readonly bigint[]) => {
    const booted = boot({ functions, architecture: 'smmuv3', cpuVendor: 'arm', version, unit: { pageSizes } });
    return { ...booted, domain: booted.kernel.allocateDomain(booted.device('nic'), 'd') };
  };

  test('PGS-06: one granule of those that the unit has, 4 KiB before the others', () => {
    expect(machine('6.19').domain.pageSizes).toBe(SIZES);
    expect(machine('6.19', [4096n, 65536n]).domain.pageSizes).toBe(4096n);
    expect(machine('6.19', [65536n, 1n << 29n]).domain.pageSizes).toBe(65536n | (1n << 29n));
    expect(machine('6.19', [16384n]).domain.pageSizes).toBe(16384n);
  });

  test.each([['6.12', 4096], ['6.14', 0]])('S60, UNM-03: a page of a 2 MiB leaf in %s', (version, removed) => {
    const { domain } = machine(version);
    domain.map(iova(0x20_0000n), physical(0x20_0000n), 0x20_0000n, rw);
    expect(domain.unmap(iova(0x20_0000n), 0x1000n)).toBe(BigInt(removed));
  });

  test('PGS-07: virtio-iommu has the sizes and the width of its device', () => {
    const booted = boot({ functions, architecture: 'virtio-iommu', version: '6.19', unit: { addressWidth: 40, pageSizes: [1n << 12n] } });
    const domain = booted.kernel.allocateDomain(booted.device('nic'), 'd');
    expect([domain.pageSizes, domain.aperture.last]).toEqual([1n << 12n, (1n << 40n) - 1n]);
  });

  test('OWN-04: it can be owned, and blocks', () => {
    const { device, kernel } = machine('6.19');
    expect(answer(() => device('nic').group!.claim({}))).toBe('ok');
    expect(device('nic').group?.domain?.type).toBe('blocked');
    expect(answer(() => kernel.bind(device('nic'), 'ixgbe'))).toBe('EBUSY OWN-01');
  });
});

describe('devices that come and go', () => {
  const functions = [rootPort('rp', '00:01.0', 1), fn('a', '01:00.0', { under: 'rp' }), fn('b', '01:00.1', { under: 'rp', driver: 'nvme' })];

  test('GRL-03, GRL-04: the lines of leaving and joining', () => {
    const { hotPlug, kernel, device } = boot({ functions });
    const b = device('b');
    hotPlug.remove(b);
    expect(kernel.log.at(-1)).toBe('pci 0000:01:00.1: Removing from iommu group 1');
    hotPlug.add(b);
    expect(kernel.log.at(-1)).toBe('pci 0000:01:00.1: Adding to iommu group 1');
    expect(b.driver).toBe('nvme');
  });

  test('GRL-02, GRL-05: an emptied group is gone, and its number is free', () => {
    const { hotPlug, kernel, device } = boot({ functions });
    const rp = device('rp');
    hotPlug.remove(rp);
    expect(kernel.groups).toEqual([]);
    expect(kernel.devices).toEqual([]);
    hotPlug.add(rp);
    expect(rp.group?.id).toBe(0);
  });

  test.each([['5.13', 'default'], ['6.1', 'nothing'], ['6.19', 'blocked']])('GRL-06: what a newcomer of a claimed group gets in %s', (version, what) => {
    const { hotPlug, device } = boot({ functions, version });
    const a = device('a');
    hotPlug.remove(device('b'));
    a.group!.claim({});
    expect(a.group!.devices).toHaveLength(1);
    hotPlug.add(hotPlug.absentDevice('b')!);
    expect(a.group!.devices).toHaveLength(2);
    // A driver that uses DMA finds the group taken, except where nobody owns anything.
    expect(a.group!.devices[1]?.driver).toBe(what === 'default' ? 'nvme' : null);
  });

  test('OLD-06: in the old model whoever listens hears of it', () => {
    const { hotPlug, kernel, device } = boot({ functions, version: '5.13' });
    const heard: string[] = [];
    kernel.driverListeners.add({ joined: ({ name }) => void heard.push(name) });
    const b = device('b');
    hotPlug.remove(b);
    hotPlug.add(b);
    expect(heard).toEqual(['0000:01:00.1']);
  });

  test('RSV-42: page 0 of a second device is mapped again up to 6.19, known from 7.0 on', () => {
    const region = { id: 'r', range: { start: 0n, last: 0xffffn }, type: 'direct', devices: ['a', 'b'] } as const;
    const complaints = (version: string) => boot({ functions, version, architecture: 'smmuv3', reservedRegions: [region] }).kernel.log.filter((line) => line.includes('FW requested direct mapping'));
    expect(complaints('6.19')).toHaveLength(1);
    expect(complaints('7.0')).toHaveLength(0);
  });
});
