/** Regions of a device that its user may read, write and map: VFIO_DEVICE_GET_REGION_INFO of vfio-pci. */
import { Refusal } from '../../errno.js';
import type { BarDescription } from '../../description.js';
import type { Device } from '../../kernel/core.js';
import { isExpress } from './device-interrupts.js';

/** VFIO_PCI_*_REGION_INDEX; BARs are 0 to 5. */
const REGION = { LAST_BAR: 5, ROM: 6, CONFIG: 7, VGA: 8 } as const;
export const REGIONS = 9;

/** VFIO_REGION_INFO_FLAG_*. */
const REGION_FLAG = { READ: 1, WRITE: 2, MMAP: 4 } as const;
const READ_WRITE = REGION_FLAG.READ | REGION_FLAG.WRITE;

/** The offset of a region in the device's file: its index in the bits from here on. */
const OFFSET_SHIFT = 40n;
const CONFIG_SIZE = 256n;
const EXPRESS_CONFIG_SIZE = 4096n;
const VGA_CLASS = 0x0300;
const VGA_SIZE = 0xc0000n;
const PAGE = 4096n;

/** `struct vfio_region_info`. */
export interface RegionInfo {
  readonly flags: number;
  /** Bytes; 0 for a region that the function does not have. */
  readonly size: bigint;
  /** In the file of the device. */
  readonly offset: bigint;
}

/** @throws Refusal EINVAL */
export function regionInfo(device: Device, index: number): RegionInfo {
  if (device.kind !== 'pci' || index >= REGIONS || (index === REGION.VGA && device.description.classCode! >> 8 !== VGA_CLASS)) {
    throw new Refusal('EINVAL', 'VFG-16', `${device.name} has no region ${index}`, [device.subject]);
  }
  const offset = BigInt(index) << OFFSET_SHIFT;
  if (index === REGION.CONFIG) return { flags: READ_WRITE, size: isExpress(device) ? EXPRESS_CONFIG_SIZE : CONFIG_SIZE, offset };
  if (index === REGION.VGA) return { flags: READ_WRITE, size: VGA_SIZE, offset };
  const bar = device.description.bars.find((each) => each.index === index);
  const size = bar === undefined ? 0n : bar.range.last - bar.range.start + 1n;
  if (size === 0n) return { flags: 0, size, offset };
  if (index === REGION.ROM) return { flags: REGION_FLAG.READ, size, offset };
  return { flags: READ_WRITE | (isMappable(device.description.bars, bar!) ? REGION_FLAG.MMAP : 0), size, offset };
}

/** A page and more; or less when it begins a page that no other BAR of the function is in: the rest of it is then kept free. */
function isMappable(bars: readonly BarDescription[], bar: BarDescription): boolean {
  const { start, last } = bar.range;
  if (last - start + 1n >= PAGE) return true;
  return start % PAGE === 0n && bars.every((other) => other === bar || other.range.start / PAGE > start / PAGE || other.range.last < start);
}
