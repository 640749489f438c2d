/** Devices of iommufd's own tests: they come and go by a call, each alone in its IOMMU group (CNF-01, CNF-02). */
import { MOCK, MockUnit } from '../../hardware/kernel-only/mock.js';
import type { Device, Kernel } from '../../kernel/core.js';
import { MOCK_CACHE_ENTRIES, MOCK_CACHE_VALUE, MOCK_DEVICE } from './mock-constants.js';

/** Beyond every requester ID of a described device. */
const FIRST_REQUESTER = 0x1_0000;

/** CNF-04: what stands for a cache in a device. */
const caches = new WeakMap<Device, number[]>();

export function mockCacheOf(device: Device): number[] {
  let cache = caches.get(device);
  if (cache === undefined) caches.set(device, (cache = Array<number>(MOCK_CACHE_ENTRIES).fill(MOCK_CACHE_VALUE)));
  return cache;
}

/** Names of devices are counted in the whole kernel; the lowest free number is next. */
export class MockDevices {
  private readonly used = new Set<number>();

  constructor(private readonly kernel: Kernel) {}

  /** @param flags MOCK_FLAGS_DEVICE_* */
  create(flags: number): Device {
    let number = 0;
    while (this.used.has(number)) number++;
    this.used.add(number);
    const name = `iommufd_mock${number}`;
    const pasids = (flags & MOCK_DEVICE.PASID) !== 0;
    const device: Device = {
      subject: name, name, bus: 'iommufd_mock', kind: 'platform', description: { id: name, name, streamIds: [], driver: null, resources: [] },
      group: null, driver: null, driverOverride: null, unit: new MockUnit({ dirtyTracking: (flags & MOCK_DEVICE.NO_DIRTY) === 0, pasids }),
      requesterIds: [FIRST_REQUESTER + number], reservedRegions: [], requireDirect: false, busMaster: true, pasidBits: pasids ? MOCK.PASID_BITS : 0, priEnabled: true,
    };
    this.kernel.plug(device);
    return device;
  }

  remove(device: Device): void {
    this.kernel.unplug(device);
    this.used.delete(Number(device.name.slice('iommufd_mock'.length)));
  }
}
