/** VFG-16: which BARs of a function VFIO lets its user map. */
import { expect, test } from 'vitest';
import { regionInfo } from '../../server/simulator/uapi/vfio/device-regions.js';
import { Lab } from './machine.js';

const MMAP = 4;
const HOST = (bars: string): string => `root-port rp9 at 00:09.0 { acs SV, RR, CR, UF   function S at 03:00.0 { class nvme  driver vfio-pci  ${bars} } }`;

async function mappable(bars: string): Promise<boolean[]> {
  const lab = await Lab.boot('6.12 cmdline "intel_iommu=on"', HOST(bars));
  const device = lab.machine.kernel.devices.find((each) => each.kind === 'pci' && each.description.name === 'S')!;
  return [0, 1].map((index) => (regionInfo(device, index).flags & MMAP) !== 0);
}

test.each([
  ['a page and more', 'bar 0 at 0xf000_0000 size 4KiB  bar 1 at 0xf000_4000 size 16KiB', [true, true]],
  ['less than a page, each at the begin of its own', 'bar 0 at 0xf000_0000 size 256  bar 1 at 0xf000_1000 size 256', [true, true]],
  ['two in one page', 'bar 0 at 0xf000_0000 size 256  bar 1 at 0xf000_0100 size 256', [false, false]],
  ['less than a page, not at its begin', 'bar 0 at 0xf000_0800 size 256  bar 1 at 0xf000_1000 size 4KiB', [false, true]],
] as const)('%s', async (_name, bars, expected) => expect(await mappable(bars)).toEqual(expected));
