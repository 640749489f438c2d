/** The virtio-iommu device by the rules of its section (VI-1 .., VIO 6.1 .. 6.3), and Linux's driver, which sends it requests. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { DriverProfile } from '../../server/simulator/hardware/architecture.js';
import { VirtioIommuDevice, type Access, type DeviceConfig } from '../../server/simulator/hardware/virtio/device.js';
import { firstPiece } from '../../server/simulator/hardware/virtio/pieces.js';
import { FAULT_FLAG, MAP_FLAG, REQUEST, REQUEST_SIZES, STATUSES } from '../../server/simulator/hardware/virtio/protocol.js';
import { VirtioUnit } from '../../server/simulator/hardware/virtio/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, READ_WRITE, Recorder, request, unitDescription } from './request.js';

const NIC = 0x100;
const DISK = 0x200;
const RW = MAP_FLAG.read | MAP_FLAG.write;
const ALL_SIZES = (1n << 64n) - 4096n;

function newDevice(changes: Partial<DeviceConfig> = {}): VirtioIommuDevice {
  const device = new VirtioIommuDevice({
    pageSizeMask: ALL_SIZES, inputRange: { start: 0n, last: (1n << 39n) - 1n }, checksRanges: true, exists: (endpoint) => endpoint < 0x1000,
    regionsOf: () => [{ range: { start: 0xfee0_0000n, last: 0xfeef_ffffn }, kind: 'msi' }, { range: { start: 0x1_0000_0000n, last: 0x1_0000_ffffn }, kind: 'reserved' }], ...changes,
  });
  device.bypass = false;
  return device;
}

/** "0x5000", "passes", "doorbell", "fault 2 0x102". */
function said(access: Access): string {
  switch (access.kind) {
    case 'fault': return `fault ${access.reason} 0x${access.flags.toString(16)}`;
    case 'mapped': return `0x${access.address.toString(16)}`;
    default: return access.kind;
  }
}

describe('the device', () => {
  test('VI-1: ATTACH makes the domain, says no to unknown flags and endpoints', () => {
    const device = newDevice();
    expect(device.attach(1, NIC, 2)).toBe('INVAL');
    expect(device.attach(1, 0x1000, 0)).toBe('NOENT');
    expect(device.attach(1, NIC, 0)).toBe('OK');
    expect(device.attach(2, NIC, 1)).toBe('OK');
    expect(device.map(1, 0n, 0xfffn, 0n, RW)).toBe('NOENT'); // went with its last endpoint
  });

  test('VI-1: existing mappings hold for an endpoint that comes later', () => {
    const device = newDevice();
    device.attach(1, NIC, 0);
    device.map(1, 0x1000n, 0x1fffn, 0x5000n, RW);
    device.attach(1, DISK, 0);
    expect(said(device.access(DISK, RW, 0x1010n))).toBe('0x5010');
    device.attach(2, NIC, 0);
    expect(said(device.access(DISK, RW, 0x1010n))).toBe('0x5010');
    expect(said(device.access(NIC, MAP_FLAG.read, 0x1010n))).toBe('fault 2 0x100');
  });

  test('VI-14: a refused ATTACH has detached the endpoint already', () => {
    const device = newDevice();
    device.attach(1, NIC, 0);
    device.attach(2, DISK, 1);
    expect(device.attach(2, NIC, 0)).toBe('INVAL');
    expect(said(device.access(NIC, MAP_FLAG.read, 0n))).toBe('fault 1 0x100');
    expect(device.detach(1, NIC)).toBe('INVAL');
  });

  test('VI-3: DETACH', () => {
    const device = newDevice();
    expect(device.detach(1, NIC)).toBe('NOENT');
    device.attach(1, NIC, 0);
    expect(device.detach(2, NIC)).toBe('INVAL');
    device.map(1, 0n, 0xfffn, 0n, RW);
    expect(device.detach(1, NIC)).toBe('OK');
    expect(device.detach(1, NIC)).toBe('INVAL');
    device.attach(1, NIC, 0);
    expect(said(device.access(NIC, MAP_FLAG.read, 0n))).toBe('fault 2 0x100'); // the mappings are lost
  });

  test('VI-4, VI-6: MAP', () => {
    const device = newDevice();
    device.attach(1, NIC, 0);
    device.attach(2, DISK, 1);
    expect(device.map(1, 0n, 0xfffn, 0n, 8)).toBe('INVAL');
    expect(device.map(3, 0n, 0xfffn, 0n, RW)).toBe('NOENT');
    expect(device.map(2, 0n, 0xfffn, 0n, RW)).toBe('INVAL');
    expect(device.map(1, 0x1000n, 0x2fffn, 0x5000n, RW | MAP_FLAG.mmio)).toBe('OK');
    expect(device.map(1, 0x2000n, 0x3fffn, 0x5000n, RW)).toBe('INVAL');
    expect(device.map(1, 0x3000n, 0x3fffn, 0x9000n, MAP_FLAG.read)).toBe('OK');
  });

  test('VI-4, VI-15: parts of pages and addresses outside the input range, for a device that looks', () => {
    const requests = [[0x800n, 0x17ffn, 0n], [0x1000n, 0x1fffn, 0x10n], [0x1000n, 0xfffn, 0n], [0x2000n, 0x1fffn, 0n], [1n << 39n, (1n << 39n) + 0xfffn, 0n]] as const;
    for (const [checksRanges, status] of [[true, 'RANGE'], [false, 'OK']] as const) {
      const device = newDevice({ checksRanges });
      device.attach(1, NIC, 0);
      for (const [start, end, to] of requests.slice(0, checksRanges ? 5 : 1)) expect(device.map(1, start, end, to, RW)).toBe(status);
    }
  });

  test('VI-5, VI-17: UNMAP takes whole mappings, or none', () => {
    const device = newDevice();
    device.attach(1, NIC, 0);
    for (const start of [0x1000n, 0x3000n]) device.map(1, start, start + 0x1fffn, start, RW);
    expect(device.unmap(1, 0x1000n, 0x3fffn)).toBe('RANGE');
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('0x1000');
    expect(device.unmap(1, 0x10_0000n, 0x10_0fffn)).toBe('OK');
    expect(device.unmap(1, 0n, 0xf_ffffn)).toBe('OK');
    expect(said(device.access(NIC, MAP_FLAG.read, 0x3000n))).toBe('fault 2 0x100');
    expect(device.unmap(7, 0n, 0xfffn)).toBe('NOENT');
    device.attach(2, DISK, 1);
    expect(device.unmap(2, 0n, 0xfffn)).toBe('INVAL');
  });

  test('VI-7: PROBE', () => {
    expect(newDevice().probe(0x1000)).toEqual({ status: 'NOENT' });
    expect(newDevice().probe(NIC)).toMatchObject({ status: 'OK', regions: [{ kind: 'msi' }, { kind: 'reserved' }] });
  });

  test('VI-8, VI-19: malformed requests', () => {
    const device = newDevice();
    expect([0, 6, 255].map((type) => device.malformed(type, 100))).toEqual(['UNSUPP', 'UNSUPP', 'UNSUPP']);
    for (const type of Object.values(REQUEST)) expect([3, REQUEST_SIZES[type]! - 1, REQUEST_SIZES[type]!].map((size) => device.malformed(type, size))).toEqual(['broken', 'INVAL', null]);
  });

  test('VI-9: the order of what is looked at', () => {
    const device = newDevice();
    device.attach(1, NIC, 0);
    device.map(1, 0x1_0000_0000n, 0x1_0000_0fffn, 0n, RW);
    expect(said(device.access(NIC, RW, 0xfee0_1000n))).toBe('doorbell');
    expect(said(device.access(NIC, RW, 0x1_0000_0010n))).toBe('fault 2 0x100'); // reserved wins over a mapping
    device.attach(2, NIC, 1);
    expect(said(device.access(NIC, RW, 0x1_0000_0010n))).toBe('fault 2 0x100'); // ... and over a bypass domain
    expect(said(device.access(NIC, RW, 0x1234_5678_9abcn))).toBe('passes');
  });

  test('VI-9, VI-16: reasons and flags', () => {
    const device = newDevice();
    expect(said(device.access(NIC, MAP_FLAG.write, 0n))).toBe('fault 0 0x100');
    expect(said(device.access(NIC, MAP_FLAG.write, 0xfee0_0000n))).toBe('fault 0 0x100');
    device.attach(1, NIC, 0);
    device.map(1, 0n, 0xfffn, 0x7000n, MAP_FLAG.read);
    device.map(1, 0x1000n, 0x1fffn, 0x7000n, 0);
    expect([MAP_FLAG.read, MAP_FLAG.write, RW].map((needs) => said(device.access(NIC, needs, 0x10n)))).toEqual(['0x7010', 'fault 2 0x102', 'fault 2 0x102']);
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('fault 2 0x103');
    device.detach(1, NIC);
    expect(said(device.access(NIC, MAP_FLAG.read, 0n))).toBe('fault 1 0x100');
  });

  test('VI-10: the bypass byte decides for endpoints without a domain', () => {
    const device = newDevice();
    device.bypass = true;
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('passes');
    device.attach(1, NIC, 0);
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('fault 2 0x100');
    device.detach(1, NIC);
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('passes');
    device.bypass = false;
    expect(said(device.access(NIC, RW, 0x1000n))).toBe('fault 1 0x100');
  });
});

describe('any sequence of requests', () => {
  const page = fc.bigInt(0n, 15n);
  const range = fc.tuple(page, fc.bigInt(1n, 4n)).map(([first, count]) => ({ start: first << 12n, end: ((first + count) << 12n) - 1n }));
  const domain = fc.integer({ min: 1, max: 2 });
  const endpoint = fc.constantFrom(NIC, DISK);
  const step = fc.oneof(
    fc.record({ op: fc.constant('attach' as const), domain, endpoint, flags: fc.nat(1) }),
    fc.record({ op: fc.constant('detach' as const), domain, endpoint }),
    fc.record({ op: fc.constant('map' as const), domain, range, to: page, flags: fc.nat(7) }),
    fc.record({ op: fc.constant('unmap' as const), domain, range }),
  );

  it('VI-1 .. VI-6: leaves every page where the last requests that were answered OK put it', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const device = newDevice();
      // The same by pages and without intervals.
      const pages = new Map<number, Map<bigint, string>>();
      const of = new Map<number, number>();
      const leave = (each: number): void => {
        const old = of.get(each);
        of.delete(each);
        if (old !== undefined && ![...of.values()].includes(old)) pages.delete(old);
      };
      for (const each of steps) {
        if (each.op === 'attach') {
          const status = device.attach(each.domain, each.endpoint, each.flags);
          leave(each.endpoint);
          if (status !== 'OK') continue;
          of.set(each.endpoint, each.domain);
          if (!pages.has(each.domain)) pages.set(each.domain, new Map());
        } else if (each.op === 'detach') {
          if (device.detach(each.domain, each.endpoint) === 'OK') leave(each.endpoint);
        } else if (each.op === 'map') {
          const { start, end } = each.range;
          if (device.map(each.domain, start, end, each.to << 12n, each.flags) !== 'OK') continue;
          for (let at = start; at <= end; at += 4096n) pages.get(each.domain)!.set(at, (each.flags & MAP_FLAG.read) === 0 ? 'fault 2 0x101' : `0x${((each.to << 12n) + at - start).toString(16)}`);
        } else if (device.unmap(each.domain, each.range.start, each.range.end) === 'OK') {
          for (let at = each.range.start; at <= each.range.end; at += 4096n) pages.get(each.domain)?.delete(at);
        }
      }
      for (const [each, in_] of of) {
        for (let at = 0n; at < 20n << 12n; at += 4096n) {
          const answer = said(device.access(each, MAP_FLAG.read, at));
          if (answer !== 'passes') expect(answer).toBe(pages.get(in_)!.get(at) ?? 'fault 2 0x100');
        }
      }
    }));
  });
});

test('VIO 6.3: errno by status', () => {
  expect(Object.entries(STATUSES).map(([status, { code, errno }]) => `${code} ${status} ${errno ?? '-'}`)).toEqual([
    '0 OK -', '1 IOERR EIO', '2 UNSUPP ENOSYS', '3 DEVERR EIO', '4 INVAL EINVAL', '5 RANGE ERANGE', '6 NOENT ENOENT', '7 FAULT EFAULT', '8 NOMEM ENOMEM',
  ]);
});

describe('MAP-02, MAP-03: what the core asks a driver to map', () => {
  const pieces = (sizes: bigint, at: bigint, to: bigint, size: bigint): string[] => {
    const found: string[] = [];
    for (let done = 0n; done < size; ) {
      const piece = firstPiece(sizes, at + done, to + done, size - done);
      found.push(`${piece.size / piece.pageSize} x 0x${piece.pageSize.toString(16)}`);
      done += piece.size;
    }
    return found;
  };

  test.each([
    ['one page of each size', ALL_SIZES, 0x10_0000n, 0x10_0000n, 0x7000n, ['1 x 0x4000', '1 x 0x2000', '1 x 0x1000']],
    ['small ones up to where a larger fits', ALL_SIZES, 0xf_f000n, 0xf_f000n, 0x3000n, ['1 x 0x1000', '1 x 0x2000']],
    ['addresses that lie differently', ALL_SIZES, 0x10_0000n, 0x20_1000n, 0x8000n, ['8 x 0x1000']],
    ['one size only', 0x1000n, 0x10_0000n, 0x10_0000n, 0x20_0000n, ['512 x 0x1000']],
    ['x86 sizes', 0x4020_1000n, 0x1f_f000n, 0x1f_f000n, 0x40_2000n, ['1 x 0x1000', '2 x 0x200000', '1 x 0x1000']],
    ['all of the address space', ALL_SIZES, 0n, 0n, 1n << 39n, ['1 x 0x8000000000']],
  ])('%s', (_what, sizes, at, to, size, expected) => expect(pieces(sizes, at, to, size)).toEqual(expected));
});

describe('the driver', () => {
  const newUnit = (version = 6012, changes = {}, profile: Partial<DriverProfile> = {}) =>
    new VirtioUnit(unitDescription('virtio-iommu', { interruptRemapping: false, ...changes }), new PhysicalMemory(), { ...kernel(version), ...profile });
  const attached = (unit: VirtioUnit, endpoint = NIC) => {
    const table = unit.createPageTable();
    unit.setDeviceEntry(endpoint, { kind: 'paging', table, domainId: 1, ats: false });
    return table;
  };
  const read = (address: bigint) => request(NIC, 'read', address);

  test('VI-10: what was never attached passes a device that boots with bypass on', () => {
    expect(outcome(newUnit(), read(0x1234n))).toBe('0x1234 rw');
  });

  test('VIO 6.3: an owned group sees a domain without mappings, an identity domain changes nothing', () => {
    const unit = newUnit();
    unit.setDeviceEntry(NIC, { kind: 'blocked' });
    expect(outcome(unit, read(0x1234n))).toBe('fault 0x02 flags 0x100');
    unit.setDeviceEntry(NIC, { kind: 'identity' });
    expect(outcome(unit, read(0x1234n))).toBe('0x1234 rw');
  });

  test('VIO 6.3: identity without bypass domains leaves reserved regions out', () => {
    const unit = newUnit(6012, { passThrough: false, addressWidth: 33 }, {
      endpointRegions: () => [{ range: { start: 0xfee0_0000n, last: 0xfeef_ffffn }, kind: 'msi' }, { range: { start: 0x1000n, last: 0x17ffn }, kind: 'reserved' }],
    });
    unit.setDeviceEntry(NIC, { kind: 'identity' });
    expect([0xfffn, 0x1000n, 0x1900n, 0x2000n, 0xfedf_ffffn, 0xfee0_0000n, 0xfef0_0000n, (1n << 33n) - 1n, 1n << 33n].map((address) => outcome(unit, read(address)))).toEqual([
      '0xfff rw', 'fault 0x02 flags 0x100', 'fault 0x02 flags 0x100', '0x2000 rw', '0xfedfffff rw', '0xfee00000 rw', '0xfef00000 rw', '0x1ffffffff rw', 'fault 0x02 flags 0x100',
    ]);
  });

  test.each([[5016, false, true, false], [5017, true, true, false], [6008, true, true, false], [6009, true, true, true], [6015, true, true, true], [6016, true, false, true]])(
    'VIO 6.3: %i: identity %s, domains finished at attach %s, lazy %s', (version, identityDomain, finishesDomainsAtAttach, deferredFlush) => {
      for (const passThrough of [true, false]) {
        expect(newUnit(version, { passThrough }).capabilities()).toMatchObject({ identityDomain, finishesDomainsAtAttach, deferredFlush, blockedDomain: false, isolatedMsi: false, maxPasids: 0 });
      }
    });

  test('PGS-07: sizes and width are the device\'s', () => {
    const { pageSizes, aperture } = newUnit().createPageTable();
    expect([pageSizes, aperture.last]).toEqual([ALL_SIZES, (1n << 39n) - 1n]);
    expect(newUnit(6012, { pageSizes: [4096n], addressWidth: 48 }).createPageTable()).toMatchObject({ pageSizes: 4096n, aperture: { last: (1n << 48n) - 1n } });
  });

  test('VI-1: a domain without endpoints exists in the driver only, and is told to the device again', () => {
    const unit = newUnit();
    const first = attached(unit);
    first.map(iova(0x1000n), physical(0x5000n), 0x3000n, READ_WRITE);
    expect(outcome(unit, read(0x3010n))).toBe('0x7010 rw');
    const second = attached(unit);
    expect(outcome(unit, read(0x3010n))).toBe('fault 0x02 flags 0x100');
    first.map(iova(0x8000n), physical(0x9000n), 0x1000n, { read: true, write: false });
    first.unmap(iova(0x1000n), 0x1000n);
    unit.setDeviceEntry(NIC, { kind: 'paging', table: first, domainId: 1, ats: false });
    expect([0x1000n, 0x3010n, 0x8000n].map((address) => outcome(unit, read(address)))).toEqual(['fault 0x02 flags 0x100', '0x7010 rw', '0x9000 r-']);
    expect(second.runs(9).total).toBe(0);
  });

  test('VIO 6.3: another unit\'s domain changes nothing', () => {
    const unit = newUnit();
    attached(unit).map(iova(0x1000n), physical(0x5000n), 0x1000n, READ_WRITE);
    unit.setDeviceEntry(NIC, { kind: 'paging', table: newUnit().createPageTable(), domainId: 1, ats: false });
    expect(outcome(unit, read(0x1000n))).toBe('0x5000 rw');
  });

  test('MAP-05: what the device refuses is heard of up to 6.8', () => {
    for (const [version, collides, beyond] of [[6008, 'EINVAL', 'ERANGE'], [6009, null, null]] as const) {
      const unit = newUnit(version);
      const table = attached(unit);
      expect(table.map(iova(0x3000n), physical(0x5000n), 0x1000n, READ_WRITE)).toBeNull();
      expect(table.map(iova(0x1000n), physical(0x8000n), 0x4000n, READ_WRITE)).toBe(collides);
      expect(outcome(unit, read(0x3000n))).toBe('0x5000 rw');
      expect(outcome(unit, read(0x1000n))).toBe('fault 0x02 flags 0x100');
      expect(table.lookup(iova(0x1000n))).toBeNull(); // MAP-04
      expect(table.map(iova(1n << 39n), physical(0n), 0x1000n, READ_WRITE)).toBe(beyond);
      expect(outcome(unit, read(1n << 39n))).toBe('fault 0x02 flags 0x100');
    }
  });

  test('UNM-02, UNM-03: a mapping goes as a whole, and not from its middle', () => {
    const table = attached(newUnit());
    table.map(iova(0x20_0000n), physical(0x60_0000n), 0x20_0000n, READ_WRITE);
    expect(table.unmap(iova(0x20_1000n), 0x1000n)).toBe(0n);
    expect(table.unmap(iova(0x20_0000n), 0x1000n)).toBe(0x20_0000n);
    expect(table.lookup(iova(0x20_1000n))).toBeNull();
  });

  test('UNM-02: a hole in what is to be unmapped at once: the driver forgets what it found, and does not tell the device', () => {
    const unit = newUnit();
    const table = attached(unit);
    table.map(iova(0x20_0000n), physical(0x8000_0000n), 0x2000n, READ_WRITE);
    expect(table.unmap(iova(0x20_0000n), 0x4000n)).toBe(0n);
    expect(table.lookup(iova(0x20_0000n))).toBeNull();
    expect(outcome(unit, read(0x20_0000n))).toBe('0x80000000 rw');
  });

  test('beyond the address space', () => {
    const table = attached(newUnit(6012, { addressWidth: 64 }));
    expect(table.map(iova((1n << 64n) - 0x1000n), physical(0n), 0x2000n, READ_WRITE)).toBe('ERANGE');
    expect(table.map(iova(0n), physical((1n << 64n) - 0x1000n), 0x2000n, READ_WRITE)).toBe('ERANGE');
    expect(table.map(iova((1n << 64n) - 0x1000n), physical(0n), 0x1000n, READ_WRITE)).toBeNull();
    expect(table.unmap(iova((1n << 64n) - 0x1000n), 0x1000n)).toBe(0x1000n);
  });

  test('domain numbers: the lowest that is free, one of them for bypass', () => {
    for (const [version, first] of [[6015, 0], [6016, 1]] as const) {
      const unit = newUnit(version);
      const table = attached(unit);
      table.map(iova(0n), physical(0n), 0x1000n, READ_WRITE);
      const seen = (): string => {
        const trace = new Recorder();
        unit.translate(read(0n), trace);
        return /domain \d+/.exec(trace.events[0]!.text)![0];
      };
      expect(seen()).toBe(`domain ${first}`);
      unit.setDeviceEntry(NIC, { kind: 'identity' });
      expect(seen()).toBe(`domain ${1 - first}`);
      table.free();
      const next = attached(unit);
      next.map(iova(0n), physical(0n), 0x1000n, READ_WRITE);
      expect(seen()).toBe(`domain ${first}`);
    }
  });

  test('DOM-28: an unmap that is not synchronised has not happened', () => {
    const unit = newUnit();
    unit.useIotlb();
    const table = attached(unit);
    table.map(iova(0x1000n), physical(0x5000n), 0x1000n, READ_WRITE);
    expect(outcome(unit, read(0x1000n))).toBe('fault 0x02 flags 0x100');
    unit.cache!.mapped();
    expect(unit.translate(read(0x1000n), null)).not.toHaveProperty('stale');
    table.unmap(iova(0x1000n), 0x1000n);
    expect(unit.translate(read(0x1000n), null)).toMatchObject({ kind: 'address', stale: true });
    unit.cache!.invalidate();
    expect(outcome(unit, read(0x1000n))).toBe('fault 0x02 flags 0x100');
  });

  test('DOM-28: the queue has an end', () => {
    const unit = newUnit();
    unit.useIotlb();
    const table = attached(unit);
    for (let page = 0n; page < 256n; page++) table.map(iova(page << 13n), physical(page << 13n), 0x1000n, READ_WRITE);
    expect(unit.cache!.pending).toBe(0);
    expect(outcome(unit, read(255n << 13n))).toBe('0x1fe000 rw');
  });

  test('VI-2, GRD-20: endpoints have IDs of 32 bits', () => {
    const unit = newUnit();
    attached(unit, 0x8001_0100).map(iova(0x1000n), physical(0x5000n), 0x1000n, READ_WRITE);
    expect(outcome(unit, request(0x8001_0100, 'write', 0x1008n))).toBe('0x5008 rw');
  });

  test('requests that the device does not know', () => {
    const unit = newUnit();
    expect(outcome(unit, request(NIC, 'read', 0n, { pasid: 1 }))).toBe('blocked');
    expect(outcome(unit, request(NIC, 'read', 0n, { addressType: 'translated' }))).toBe('blocked');
    expect(outcome(unit, request(NIC, 'read', 0n, { addressType: 'translation-request' }))).toBe('blocked');
  });

  test('RSV-26: without MSI region the window is an address as any', () => {
    const unit = newUnit(6012, {}, { endpointRegions: () => [] });
    attached(unit).map(iova(0xfee0_0000n), physical(0x5000n), 0x1000n, READ_WRITE);
    expect(outcome(unit, request(NIC, 'write', 0xfee0_0040n))).toBe('0x5040 rw');
    expect(outcome(newUnit(), request(NIC, 'write', 0xfee0_0040n, { data: 0x31 }))).toBe('interrupt 0x31');
  });

  test('VIO 6.3: the lines of faults', () => {
    const units = [unitDescription('vtd'), unitDescription('virtio-iommu', { id: 'a' }), unitDescription('virtio-iommu', { id: 'b' })];
    const unit = new VirtioUnit(units[2]!, new PhysicalMemory(), { ...kernel(6012), units });
    const table = attached(unit);
    table.map(iova(0x1000n), physical(0x5000n), 0x1000n, { read: true, write: false });
    table.map(iova(0x2000n), physical(0x5000n), 0x1000n, { read: false, write: true });
    table.map(iova(0x3000n), physical(0x5000n), 0x1000n, { read: false, write: false });
    const line = (asked: ReturnType<typeof request>) => {
      const answer = unit.translate(asked, null);
      return answer.kind === 'fault' ? unit.faultMessages(answer, asked) : answer.kind;
    };
    expect(line(request(NIC, 'write', 0x1004n))).toEqual(['virtio_iommu virtio1: page fault from EP 256 at 0x1004 [W]']);
    expect(line(request(NIC, 'read', 0x2000n))).toEqual(['virtio_iommu virtio1: page fault from EP 256 at 0x2000 [R]']);
    expect(line(request(NIC, 'atomic', 0x3000n))).toEqual(['virtio_iommu virtio1: page fault from EP 256 at 0x3000 [RW]']);
    expect(line(request(NIC, 'atomic', 0n))).toEqual(['virtio_iommu virtio1: page fault from EP 256 at 0x0 []']);
    unit.device.bypass = false;
    expect(line(request(DISK, 'read', 0n))).toEqual(['virtio_iommu virtio1: unknown fault from EP 512 at 0x0 []']);
    unit.device.attach(9, DISK, 0);
    unit.device.detach(9, DISK);
    expect(line(request(DISK, 'read', 0n))).toEqual(['virtio_iommu virtio1: domain fault from EP 512 at 0x0 []']);
    const withoutAddress = { kind: 'fault', code: 2, name: '', flags: FAULT_FLAG.write, recorded: true } as const;
    expect(unit.faultMessages(withoutAddress, request(DISK, 'read', 0n))).toEqual(['virtio_iommu virtio1: page fault from EP 512']);
  });

  test('GEN-02: a trace has what the device looked at, and changes nothing', () => {
    const unit = newUnit();
    const table = attached(unit);
    table.map(iova(0x10_0000n), physical(0x5000_0000n), 0x1_0000n, READ_WRITE);
    unit.setDeviceEntry(DISK, { kind: 'identity' });
    const events = (asked: ReturnType<typeof request>): string[] => {
      const trace = new Recorder();
      expect(unit.translate(asked, trace)).toEqual(unit.translate(asked, null));
      return trace.events.map((event) => `${event.verdict}: ${event.text}`);
    };
    expect(events(read(0x10_0000n))).toEqual(['continue: Endpoint 256 is attached to domain 0, which maps 0x100000 .. 0x10ffff to 0x50000000 (READ and WRITE)']);
    expect(events(read(0x20_0000n))).toEqual(['fault: endpoint 256 is attached to domain 0, which has no mapping there']);
    expect(events(request(NIC, 'write', 0xfee0_0000n))).toEqual(["bypass: 0xfee00000 .. 0xfeefffff is reserved for MSIs in endpoint 256's properties: the address stays as it is"]);
    expect(events(request(DISK, 'write', 0n))).toEqual(['bypass: Endpoint 512 is attached to domain 1, a bypass domain: the address stays as it is']);
    expect(events(request(0x300, 'write', 0n))).toEqual(["bypass: Endpoint 768 is attached to no domain, and the device's configuration lets such endpoints bypass it"]);
  });

  const mapping = fc.record({ page: fc.bigInt(0n, 64n), pages: fc.bigInt(1n, 12n), to: fc.bigInt(0n, 200n), read: fc.boolean(), write: fc.boolean() });

  it('UNM-04, VI-9: the device translates what the driver has mapped, through every attach, map and unmap', () => {
    fc.assert(fc.property(fc.array(fc.oneof(
      mapping.map((each) => ({ op: 'map' as const, ...each })),
      fc.record({ op: fc.constant('unmap' as const), at: fc.nat(7) }),
      fc.record({ op: fc.constant('move' as const), there: fc.boolean() }),
    ), { maxLength: 30 }), fc.constantFrom(5013, 6012, 6019), fc.boolean(), (steps, version, queued) => {
      const unit = newUnit(version);
      if (queued) unit.useIotlb();
      const table = unit.createPageTable();
      const made: { start: bigint; size: bigint }[] = [];
      const free = (start: bigint, size: bigint): boolean => made.every((each) => start + size <= each.start || each.start + each.size <= start);
      let there = false;
      for (const step of steps) {
        if (step.op === 'move') {
          there = step.there;
          unit.setDeviceEntry(NIC, there ? { kind: 'paging', table, domainId: 1, ats: false } : { kind: 'blocked' });
        } else if (step.op === 'map') {
          const [start, size] = [step.page << 12n, step.pages << 12n];
          if (!free(start, size)) continue;
          expect(table.map(iova(start), physical(step.to << 12n), size, step)).toBeNull();
          made.push({ start, size });
        } else {
          const [gone] = made.splice(step.at, 1);
          if (gone !== undefined) expect(table.unmap(iova(gone.start), gone.size)).toBe(gone.size);
        }
      }
      unit.cache?.invalidate();
      unit.setDeviceEntry(DISK, { kind: 'paging', table, domainId: 1, ats: false });
      for (let at = 0n; at < 80n << 12n; at += 4096n) {
        const known = table.lookup(iova(at));
        const expected = known === null ? 'fault 0x02 flags 0x100' : known.permission.read ? `0x${known.physical.toString(16)} r${known.permission.write ? 'w' : '-'}` : 'fault 0x02 flags 0x101';
        expect(outcome(unit, request(DISK, 'read', at))).toBe(expected);
        if (there) expect(outcome(unit, read(at))).toBe(expected);
      }
      const total = table.runs(1000).runs.reduce((sum, { iova: { start, last } }) => sum + last - start + 1n, 0n);
      expect(total).toBe(made.reduce((sum, { size }) => sum + size, 0n));
      expect(table.runs(2).runs).toEqual(table.runs(1000).runs.slice(0, 2));
    }));
  });
});
