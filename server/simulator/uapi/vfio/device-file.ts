/** An open device (VFG-16, VFG-19): what VFIO_GROUP_GET_DEVICE_FD returned. */
import type { OpenFile } from '../process.js';
import { dropBuffers } from './dma-buf.js';
import type { VfioDevice } from './registry.js';

/** A file through which a device may be used: from its group, or its character device once that is bound (CDV-01). */
export interface DeviceHolder extends OpenFile {
  readonly vfioDevice: VfioDevice;
  readonly isBound: boolean;
  /** The file is the character device, so the caller speaks of iommufd's objects and not of groups. */
  readonly byCdev: boolean;
}

export const isDeviceHolder = (file: OpenFile): file is DeviceHolder => file.kind === 'device' || file.kind === 'cdev';

export class DeviceFile implements DeviceHolder {
  readonly kind = 'device';
  readonly isBound = true;
  readonly byCdev = false;

  constructor(
    readonly vfioDevice: VfioDevice,
    private readonly closed: () => void,
  ) {}

  release(): void {
    this.closed();
  }
}

/** Counts an open; the mediating driver gets its memory at the first. */
export function opened(vfioDevice: VfioDevice, memory: () => MemorySource): void {
  vfioDevice.openCount++;
  if (vfioDevice.openCount === 1 && vfioDevice.mediating !== null) vfioDevice.mediating.memory = memory();
}

/** Counts a close. @returns true for the last one; whoever waits for it must be told with `wakeWaiting` once all is undone */
export function closed(vfioDevice: VfioDevice): boolean {
  if (vfioDevice.openCount === 1) vfioDevice.mediating?.closed();
  vfioDevice.openCount--;
  if (vfioDevice.openCount === 0) {
    dropBuffers(vfioDevice);
    vfioDevice.interrupts.reset();
    vfioDevice.asleep = false;
  }
  return vfioDevice.openCount === 0;
}

/** VFG-23: the driver's remove goes on once nobody has the device open. */
export function wakeWaiting(vfioDevice: VfioDevice): void {
  if (vfioDevice.openCount + vfioDevice.cdevFiles > 0) return;
  for (const goOn of vfioDevice.waiting.splice(0)) goOn();
}

type MemorySource = NonNullable<VfioDevice['mediating']>['memory'];
