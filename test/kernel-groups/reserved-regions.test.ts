/** Reserved regions: producers, merging, text (section 4). */
import { describe, expect, test } from 'vitest';
import type { HostDescription, ReservedRegionDescription, ReservedType } from '../../server/simulator/description.js';
import type { ReservedRegion } from '../../server/simulator/kernel/core.js';
import { mergeRegions, regionLine, ReservedRegions } from '../../server/simulator/kernel/reserved-regions.js';
import { endpoint, form, host, integrated, ON, pci, pcieToPci, rootPort, unit } from '../fabric/sample-host.js';

function linesOf(description: HostDescription, device: string): string[] {
  const { topology, units } = form(description);
  return mergeRegions([new ReservedRegions(description, topology, (id) => units.get(id)).of(device)]).map(regionLine);
}

const described = (start: bigint, last: bigint, devices: string[], type: ReservedType = 'direct'): ReservedRegionDescription => ({ id: `r${start}`, range: { start, last }, type, devices });
const region = (start: bigint, last: bigint, type: ReservedType): ReservedRegion => ({ range: { start, last } as ReservedRegion['range'], type });

const MSI = '0x00000000fee00000 0x00000000feefffff msi';

test('drivers of the small kind report what the device tree says and nothing of their own (RSV-27, RSV-30)', () => {
  const tree = [endpoint('00:01.0')];
  const told = described(0x8000_0000n, 0x800f_ffffn, ['00:01.0']);
  const arm = (architecture: 'exynos' | 'smmuv2'): HostDescription => {
    const plain = host(tree, { iommus: [unit(architecture)], reservedRegions: [told] });
    return { ...plain, kernel: { ...plain.kernel, cpuVendor: 'arm' } };
  };
  expect(linesOf(arm('exynos'), '00:01.0')).toEqual(['0x0000000080000000 0x00000000800fffff direct']);
  expect(linesOf(arm('smmuv2'), '00:01.0')).toEqual(['0x0000000008000000 0x00000000080fffff msi', '0x0000000080000000 0x00000000800fffff direct']);
});

describe('Intel', () => {
  const rmrr = (...devices: string[]): ReservedRegionDescription => described(0x9f80_0000n, 0xbfff_ffffn, devices);
  const tree = [
    integrated('00:02.0', { classCode: 0x030000 }), integrated('00:14.0', { classCode: 0x0c0330 }), pci('00:1f.0', { classCode: 0x060100 }),
    rootPort('00:1c.0', { acs: ON }, pcieToPci('01:00.0', {}, pci('02:00.0', { classCode: 0x020000 }))),
  ];
  const lines = (device: string, ...regions: ReservedRegionDescription[]): string[] => linesOf(host(tree, { reservedRegions: regions }), device);

  test('S35 a display or USB device may drop its direct mapping (RSV-20, RSV-22, RSV-40)', () => {
    for (const device of ['00:02.0', '00:14.0']) expect(lines(device, rmrr('00:02.0', '00:14.0'))).toEqual(['0x000000009f800000 0x00000000bfffffff direct-relaxable', MSI]);
  });

  test('S36 others may not, and a scope takes in what is below a bridge (RSV-01, RSV-02, RSV-20)', () => {
    expect(lines('02:00.0', rmrr('00:1c.0'))).toEqual(['0x000000009f800000 0x00000000bfffffff direct', MSI]);
    expect(lines('00:02.0', rmrr('00:1c.0'))).toEqual([MSI]);
  });

  test('the ISA bridge has the first 16 MiB, unless the work-around is not built in (RSV-21)', () => {
    expect(lines('00:1f.0')).toEqual(['0x0000000000000000 0x0000000000ffffff direct-relaxable', MSI]);
    const without = host(tree);
    expect(linesOf({ ...without, kernel: { ...without.kernel, buildOptions: ['!INTEL_IOMMU_FLOPPY_WA'] } }, '00:1f.0')).toEqual([MSI]);
  });

  test('a region for nobody in particular is for every device (RSV-03)', () => {
    expect(lines('00:02.0', described(0x1000n, 0x1fffn, [], 'reserved'))).toEqual(['0x0000000000001000 0x0000000000001fff reserved', MSI]);
  });
});

describe('other units', () => {
  const lines = (architecture: Parameters<typeof unit>[0], ...reservedRegions: ReservedRegionDescription[]): string[] =>
    linesOf(host([endpoint('01:00.0', { classCode: 0x030000 })], { iommus: [unit(architecture)], reservedRegions }), '01:00.0');

  test('S37 AMD: the interrupt window and the HyperTransport range; firmware ranges are direct for all classes (RSV-23, RSV-24)', () => {
    expect(lines('amd-vi')).toEqual([MSI, '0x000000fd00000000 0x000000ffffffffff reserved']);
    expect(lines('amd-vi', described(0x1800n, 0x1900n, ['01:00.0']))[0]).toBe('0x0000000000002000 0x0000000000002fff direct');
    expect(lines('amd-vi', described(0x1000n, 0x1fffn, ['01:00.0']))[0]).toBe('0x0000000000001000 0x0000000000001fff direct');
  });

  test('S38 SMMUv3 and virtio: the window for the doorbell, with the same word (RSV-04, RSV-05, RSV-25, RSV-26)', () => {
    const software = '0x0000000008000000 0x00000000080fffff msi';
    expect(lines('smmuv3')).toEqual([software]);
    expect(lines('virtio-iommu')).toEqual([MSI]); // what QEMU's device says on a PC
    expect(lines('virtio-iommu', described(0xfee0_0000n, 0xfeef_ffffn, [], 'msi'))).toEqual([MSI]);
    expect(lines('riscv-iommu')).toEqual([]); // RSV-31
  });

  test('without a unit nothing is reported', () => {
    expect(linesOf(host([endpoint('01:00.0')], { iommus: [] }), '01:00.0')).toEqual([]);
  });
});

describe('merging', () => {
  test('S39 overlapping and touching regions of one type become one, across another type (RSV-10, RSV-11)', () => {
    const merged = mergeRegions([[region(0x1000n, 0x1fffn, 'reserved'), region(0x2000n, 0x2fffn, 'reserved'), region(0x1800n, 0x18ffn, 'msi')]]);
    expect(merged.map(regionLine)).toEqual(['0x0000000000001000 0x0000000000002fff reserved', '0x0000000000001800 0x00000000000018ff msi']);
  });

  test('equal starts are ordered by type; other types are not touched (RSV-10, RSV-11)', () => {
    const merged = mergeRegions([[region(0x1000n, 0x1fffn, 'msi'), region(0x1000n, 0x4fffn, 'direct'), region(0x1000n, 0x2fffn, 'reserved')]]);
    expect(merged.map(({ type }) => type)).toEqual(['direct', 'reserved', 'msi']);
  });

  test('a gap of one byte stays (RSV-11)', () => {
    expect(mergeRegions([[region(0x1000n, 0x1fffn, 'reserved')], [region(0x2001n, 0x2fffn, 'reserved')]])).toHaveLength(2);
  });

  test('devices of a group one after the other; the same window once (RSV-13)', () => {
    expect(mergeRegions(Array(5).fill([region(0xfee0_0000n, 0xfeef_ffffn, 'msi')])).map(regionLine)).toEqual([MSI]);
  });

  test('up to the last address', () => {
    expect(mergeRegions([[region(0xffff_ffff_ffff_f000n, 0xffff_ffff_ffff_ffffn, 'reserved')]]).map(regionLine)).toEqual(['0xfffffffffffff000 0xffffffffffffffff reserved']);
  });
});
