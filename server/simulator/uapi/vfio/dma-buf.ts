/**
 * VFIO_DEVICE_FEATURE_DMA_BUF: a user gets memory of a BAR as a dma-buf, which another driver (or iommufd, IFD-19) may map. The
 * device takes its buffers back whenever that memory is not there: during a reset, asleep, and when it is closed.
 */
import { Refusal } from '../../errno.js';
import { hex, PAGE_SIZE, physical, type PhysicalAddress } from '../../memory/address.js';
import { DmaBuffer } from '../iommufd/dma-buffer.js';
import type { VfioDevice } from './registry.js';

/** Equal ranges of a region, one behind the other. */
export interface ExportRequest {
  /** BARs are 0 to 5. */
  readonly region: number;
  /** Bytes from the start of the region. */
  readonly start: bigint;
  /** Bytes of one range. */
  readonly size: bigint;
  readonly ranges: number;
}

const RULE = 'IFD-19';
const REGION_ROM = 6;
/** Drivers that say which memory they have. */
const EXPORTING: ReadonlySet<string | null> = new Set(['vfio-pci', 'nvgrace-gpu-vfio-pci']);

const invalid = (reason: string): Refusal => new Refusal('EINVAL', RULE, reason);

/** Asked before anything else about the feature. @throws Refusal EOPNOTSUPP */
export function wantExporter({ device }: VfioDevice): void {
  if (!EXPORTING.has(device.driver)) throw new Refusal('EOPNOTSUPP', RULE, `${device.driver ?? 'the driver'} of ${device.name} exports no memory`, [device.subject]);
}

/** @throws Refusal EINVAL, ENODEV */
export function exportMemory(vfioDevice: VfioDevice, { region, start, size, ranges }: ExportRequest): DmaBuffer {
  const { name } = vfioDevice.device;
  if (ranges <= 0) throw invalid('no range is given');
  if (region >= REGION_ROM) throw new Refusal('ENODEV', RULE, `region ${region} of ${name} is no BAR`);
  if (size === 0n || start % PAGE_SIZE !== 0n || size % PAGE_SIZE !== 0n) throw invalid(`offset ${hex(start)} size ${hex(size)} are no whole pages`);
  const total = size * BigInt(ranges);
  const first = memoryOf(vfioDevice, region, start, total);
  const buffer = new DmaBuffer(total, first, ranges);
  vfioDevice.buffers.add(buffer);
  return buffer;
}

/** @throws Refusal EINVAL for a BAR that the function does not have, and beyond its end */
function memoryOf({ device }: VfioDevice, region: number, start: bigint, size: bigint): PhysicalAddress {
  const bar = device.kind === 'pci' ? device.description.bars.find(({ index }) => index === region) : undefined;
  if (bar === undefined) throw invalid(`${device.name} has no memory in BAR ${region}`);
  const length = bar.range.last - bar.range.start + 1n;
  if (start + size > length) throw invalid(`offset ${hex(start)} size ${hex(size)} is beyond the end of BAR ${region}, which has ${hex(length)} bytes`);
  return physical(bar.range.start + start);
}

/** The memory is not there for a moment. Whoever had it mapped has lost it; it may be mapped anew. */
export function interruptBuffers(vfioDevice: VfioDevice): void {
  revokeBuffers(vfioDevice);
  giveBuffersBack(vfioDevice);
}

export function revokeBuffers({ buffers }: VfioDevice): void {
  for (const buffer of buffers) buffer.revoke();
}

export function giveBuffersBack({ buffers }: VfioDevice): void {
  for (const buffer of buffers) buffer.revoked = false;
}

/** The device is closed: nobody gives its buffers back any more. */
export function dropBuffers(vfioDevice: VfioDevice): void {
  revokeBuffers(vfioDevice);
  vfioDevice.buffers.clear();
}
