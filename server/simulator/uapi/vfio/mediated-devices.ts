/** The life of mediated devices in sysfs: `create` below the type of a parent, `remove` in the device itself (MDV-02 .. MDV-05). */
import type { MediatedDeviceDescription } from '../../description.js';
import { Refusal, type Errno } from '../../errno.js';
import type { Device, Kernel } from '../../kernel/core.js';
import type { MediatingLimit } from '../../kernel/profile.js';
import { mediatedDevice } from '../../kernel/devices.js';
import type { VfioRegistry } from './registry.js';

/**
 * MDV-03: what vendor drivers said when their parent had no instance left, by the name of the parent's driver. Since 6.1 the
 * core counts instead (MDV-02), and says EUSERS.
 */
const VENDOR_LIMIT: Readonly<Record<string, Errno>> = { 'vfio_ccw': 'EPERM', 'vfio_ap': 'EPERM', 'mtty': 'ENOSPC', 'mdpy': 'ENOMEM', 'mbochs': 'ENOMEM', 'i915': 'ENOMEM' };

export class MediatedDevices {
  constructor(
    private readonly kernel: Kernel,
    private readonly registry: VfioRegistry,
  ) {}

  /** `echo UUID > create`. @throws Refusal EEXIST, EUSERS and the vendors' own, ENODEV */
  create(description: MediatedDeviceDescription): Device {
    if (this.kernel.device(description.id) !== undefined) throw new Refusal('EEXIST', 'MDV-02', `${description.name} exists already: a UUID is used once in the whole system`, [description.id]);
    const parent = this.kernel.device(description.parent);
    if (parent === undefined) throw new Refusal('ENODEV', 'MDV-02', `the parent of ${description.name} is not there`, [description.id]);
    this.refuseBeyondLimit(description, parent);
    const device = mediatedDevice(description, parent);
    this.kernel.plug(device);
    this.registry.addMediated(device);
    return device;
  }

  /** MDV-02, MDV-03: instances of a type that the parent still has. */
  private refuseBeyondLimit(description: MediatedDeviceDescription, parent: Device): void {
    const limit = description.instances;
    if (limit === undefined || this.instances(description, parent) < limit) return;
    const { errno, rule } = limitAnswer(this.kernel.profile.mediatedLimit, parent.driver);
    throw new Refusal(errno, rule, `${parent.name} has ${limit} ${limit === 1 ? 'instance' : 'instances'} of this type, and all are used`, [description.id, parent.subject]);
  }

  private instances({ typeName }: MediatedDeviceDescription, parent: Device): number {
    return this.kernel.devices.filter((device) => device.kind === 'mdev' && device.parent === parent && device.description.typeName === typeName).length;
  }

  /** `echo 1 > remove` (MDV-04). @returns 'blocked' while somebody has it open (VFG-23) @throws Refusal ENODEV */
  remove(device: Device): 'done' | 'blocked' {
    if (device.kind !== 'mdev') throw new Refusal('ENODEV', 'MDV-04', `${device.name} is no mediated device`, [device.subject]);
    return this.registry.attempt(device, () => {
      this.registry.remove(device);
      this.dissolve(device);
    });
  }

  /** MDV-05: its group was made for it alone. */
  private dissolve(device: Device): void {
    if (this.kernel.profile.mediated === 'external-domain') this.kernel.log.push(`vfio_mdev ${device.name}: MDEV: detaching iommu`);
    this.kernel.unplug(device);
  }
}

function limitAnswer(by: MediatingLimit, driver: string | null): { readonly errno: Errno; readonly rule: string } {
  if (by === 'core') return { errno: 'EUSERS', rule: 'MDV-02' };
  return { errno: VENDOR_LIMIT[driver ?? ''] ?? 'ENOSPC', rule: 'MDV-03' };
}
