/** The driver core: binding and unbinding through sysfs, with the answers that a shell gets (OWN-20 .. OWN-25, VFG-21 .. VFG-23). */
import { Refusal } from '../errno.js';
import type { Device, DriverListener } from './core.js';
import { IommuGroup } from './group.js';
import type { KernelProfile } from './profile.js';

/** Numbers that the log shows for what a probe may say. */
const ERRNO_NUMBER: Readonly<Partial<Record<string, number>>> = { EPERM: 1, ENOMEM: 12, EBUSY: 16, EINVAL: 22 };

export class DriverCore {
  constructor(
    private readonly profile: KernelProfile,
    private readonly listeners: ReadonlySet<DriverListener>,
    private readonly log: string[],
  ) {}

  /** `echo ADDR > drivers/DRIVER/bind`. @throws Refusal ENODEV, EBUSY, what the driver's probe said, VFG-23 while it would wait, or 'BUG' */
  bind(device: Device, driver: string): void {
    if (device.driverOverride !== null && device.driverOverride !== driver) {
      throw new Refusal('ENODEV', 'OWN-21', `driver_override of ${device.name} is ${device.driverOverride}, so ${driver} does not match it`, [device.subject]);
    }
    // Up to 5.13 the driver is looked at before the device is locked.
    if (this.profile.bindAnswer === 'probe') for (const listener of this.listeners) listener.locked?.(device);
    if (device.driver !== null) {
      const errno = this.profile.bindAnswer === 'ENODEV' ? 'ENODEV' : 'EBUSY';
      throw new Refusal(errno, 'OWN-21', `${device.name} is bound to ${device.driver} already`, [device.subject]);
    }
    try {
      this.probe(device, driver);
    } catch (refusal) {
      throw this.answerOfBindFile(refusal);
    }
    this.bound(device, driver);
  }

  /**
   * `echo ADDR > drivers_probe`, with the driver that matches. What the driver's own probe answers is told in the log alone (OWN-21).
   * @throws Refusal EINVAL when the device's group is owned (recorded of 6.12 and 7.3; older kernels do not tell), or 'BUG'
   */
  attach(device: Device, driver: string): void {
    try {
      groupOf(device)?.useDefaultDomain(device, driver);
    } catch (refusal) {
      if (!(refusal instanceof Refusal) || refusal.errno === 'BUG') throw refusal;
      if (this.profile.bindAnswer === 'ENODEV') return;
      throw new Refusal('EINVAL', refusal.rule, refusal.reason, refusal.offenders);
    }
    try {
      this.callProbe(device, driver);
    } catch (refusal) {
      if (!(refusal instanceof Refusal) || refusal.errno === 'BUG') throw refusal;
      return;
    }
    this.bound(device, driver);
  }

  /** `really_probe`: DMA ownership first (OWN-01), then the driver's own probe. Nothing is printed on refusal (OWN-20). */
  probe(device: Device, driver: string): void {
    groupOf(device)?.useDefaultDomain(device, driver);
    this.callProbe(device, driver);
  }

  private callProbe(device: Device, driver: string): void {
    try {
      for (const listener of this.listeners) listener.probe?.(device, driver);
    } catch (refusal) {
      groupOf(device)?.unuseDefaultDomain(driver);
      if (refusal instanceof Refusal) this.log.push(...this.probeFailureLines(device, driver, refusal));
      throw refusal;
    }
  }

  private bound(device: Device, driver: string): void {
    device.driver = driver;
    for (const listener of this.listeners) listener.bound?.(device, driver); // OLD-04
  }

  /** ENODEV is no failure worth a line: the driver did not want the device. */
  private probeFailureLines(device: Device, driver: string, { errno }: Refusal): string[] {
    const number = ERRNO_NUMBER[errno];
    if (number === undefined) return [];
    return [this.profile.probeFailure === 'with-driver'
      ? `${driver} ${device.name}: probe with driver ${driver} failed with error -${number}`
      : `${driver}: probe of ${device.name} failed with error -${number}`];
  }

  /** `echo ADDR > driver/unbind`. @throws Refusal ENODEV without driver, or what the driver's remove waits for */
  unbind(device: Device): void {
    const driver = device.driver;
    if (driver === null) throw new Refusal('ENODEV', 'OWN-21', `${device.name} is not bound to a driver`, [device.subject]);
    for (const listener of this.listeners) listener.remove?.(device, driver);
    device.driver = null;
    groupOf(device)?.unuseDefaultDomain(driver); // OWN-03
  }

  /** OWN-21. */
  private answerOfBindFile(refusal: unknown): unknown {
    if (!(refusal instanceof Refusal) || refusal.errno === 'BUG') return refusal;
    const errno = this.profile.bindAnswer === 'ENODEV' ? 'ENODEV' : refusal.errno === 'EPROBE_DEFER' ? 'EAGAIN' : refusal.errno;
    return new Refusal(errno, refusal.rule, refusal.reason, refusal.offenders);
  }
}

/** The group whose DMA the driver core counts; mediated devices have no IOMMU and are not counted. */
const groupOf = (device: Device): IommuGroup | null => (device.unit !== null && device.group instanceof IommuGroup ? device.group : null);
