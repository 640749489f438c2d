/**
 * The driver core's files in sysfs, as the probe in the guest writes them. Which native driver wants which device is a
 * fact of the record: whoever drove a device at boot matches every device with the same ids.
 */
import { Refusal } from '../../server/simulator/errno.js';
import type { Device } from '../../server/simulator/kernel/core.js';
import type { MachineKernel } from '../../server/simulator/kernel/machine-kernel.js';
import type { VfioSubsystem } from '../../server/simulator/uapi/vfio/index.js';
import { NotCovered } from './kernel-guest.js';
import type { RecordedTopology } from './topologies.js';

/** The call waits: it goes on when a device is closed. */
export class Blocked extends Error {
  /** Set when it is through. */
  finished = false;
  /** Its process was killed: the kernel finishes what it waits for, but nothing follows. */
  cancelled = false;

  constructor(
    /** It cannot be killed meanwhile: what its process has open stays open. */
    readonly uninterruptible = false,
  ) {
    super();
  }
}

/** It matches every bridge by its class, and then takes ports of PCI Express alone. */
const PORT_DRIVER = 'pcieport';
const isBridge = (device: Device): boolean => device.kind === 'pci' && (device.description.classCode ?? 0) >> 8 === 0x0604;
const isPort = (device: Device): boolean => device.kind === 'pci' && device.description.type.endsWith('port');

export class RecordedDrivers {
  /** "8086:10d3" → "e1000e". */
  private readonly native = new Map<string, string>();
  /** Ids that were written to a driver's new_id. */
  private readonly added = new Map<string, string[]>();
  /** All drivers of the kernel. */
  private readonly names: ReadonlySet<string>;

  constructor(
    private readonly kernel: MachineKernel,
    private readonly vfio: VfioSubsystem,
    devices: RecordedTopology['inventory']['devices'],
    /** Drivers that match only by driver_override or an added id. */
    matchNothing: readonly string[],
  ) {
    for (const { vendor, device, driver } of devices) if (driver !== '') this.native.set(`${vendor}:${device}`, driver);
    this.names = new Set([...matchNothing, ...this.native.values()]);
  }

  /** `echo ADDR > drivers/DRIVER/bind`. */
  bind(device: Device, driver: string): void {
    if (!this.names.has(driver)) throw new Refusal('ENOENT', 'OWN-21', `there is no driver ${driver}`);
    if (!this.matches(driver, device)) throw new Refusal('ENODEV', 'OWN-21', `${driver} does not match ${device.name}`);
    if (driver === PORT_DRIVER && device.driver === null && !isPort(device)) throw new Refusal('ENODEV', 'OWN-21', `${driver} does not want ${device.name}`);
    if (this.vfio.bind(device, driver) === 'done') return;
    const blocked = new Blocked(true);
    this.vfio.registry.deviceOf(device)!.waiting.push(() => void (blocked.finished = true));
    throw blocked;
  }

  /** `echo ADDR > devices/ADDR/driver/unbind`; `afterwards` runs when a blocked one is through. */
  unbind(device: Device, afterwards: () => void = () => undefined): void {
    if (this.shown(device) === '') throw new Refusal('ENOENT', 'OWN-21', `${device.name} has no driver`);
    if (this.vfio.unbind(device) === 'done') return afterwards();
    const blocked = new Blocked();
    this.vfio.registry.deviceOf(device)!.waiting.push(() => {
      if (!blocked.cancelled) afterwards();
      blocked.finished = true;
    });
    throw blocked;
  }

  /** `echo ADDR > drivers_probe`. */
  probe(device: Device, driver = this.wanted(device)): void {
    if (device.driver === null && driver !== undefined) this.kernel.attachDriver(device, driver);
  }

  /** The probe's shorthand: unbind, override, drivers_probe; nothing when the wanted driver is there. */
  change(device: Device, wanted: 'vfio-pci' | 'pci-stub' | null): void {
    if (wanted !== null && this.shown(device) === wanted) return;
    const rebind = (): void => {
      device.driverOverride = wanted;
      this.probe(device);
    };
    if (this.shown(device) === '') rebind();
    else this.unbind(device, rebind);
  }

  /** A driver that is being removed has lost its link already. */
  shown(device: Device): string {
    const removing = (this.vfio.registry.deviceOf(device)?.waiting.length ?? 0) > 0;
    return removing ? '' : (device.driver ?? '');
  }

  writeFile(path: string, data: string): { readonly outputs: Readonly<Record<string, unknown>> } {
    const file = /^\/sys\/bus\/pci\/drivers\/([^/]+)\/(new_id|remove_id|bind|unbind)$/.exec(path);
    if (file === null) throw new NotCovered(`writing ${path}`);
    const [, driver = '', name] = file;
    if (name === 'new_id') this.addId(driver, data.replace(' ', ':'));
    else if (name === 'remove_id') this.removeId(driver, data.replace(' ', ':'));
    else this.writeBind(driver, name === 'bind', data);
    return { outputs: { path } };
  }

  private addId(driver: string, id: string): void {
    const ids = this.added.get(driver) ?? [];
    this.added.set(driver, ids);
    // 5.10 looks at the driver's own table alone, so that an id may be added twice.
    if (ids.includes(id) && this.kernel.profile.bindAnswer === 'probe') throw new Refusal('EEXIST', 'OWN-21', `${driver} has the id ${id} already`);
    ids.push(id);
    for (const device of this.kernel.devices) if (device.driverOverride === null && this.ids(device) === id) this.probe(device, driver);
  }

  private removeId(driver: string, id: string): void {
    const ids = this.added.get(driver) ?? [];
    const at = ids.indexOf(id);
    if (at < 0) throw new Refusal('ENODEV', 'OWN-21', `${driver} has no added id ${id}`);
    ids.splice(at, 1);
  }

  private writeBind(driver: string, bind: boolean, address: string): void {
    const device = this.kernel.deviceByName(address);
    if (device === undefined || (!bind && device.driver !== driver)) throw new Refusal('ENODEV', 'OWN-21', `${driver} has no device ${address}`);
    if (bind) this.bind(device, driver);
    else this.unbind(device);
  }

  private ids(device: Device): string {
    if (device.kind !== 'pci' || device.description.ids === undefined) return '';
    const { vendor, device: id } = device.description.ids;
    return `${vendor.toString(16).padStart(4, '0')}:${id.toString(16).padStart(4, '0')}`;
  }

  private matches(driver: string, device: Device): boolean {
    if (device.driverOverride !== null) return device.driverOverride === driver;
    return this.added.get(driver)?.includes(this.ids(device)) === true || this.native.get(this.ids(device)) === driver || (driver === PORT_DRIVER && isBridge(device));
  }

  private wanted(device: Device): string | undefined {
    const { driverOverride } = device;
    if (driverOverride !== null) return this.names.has(driverOverride) ? driverOverride : undefined;
    return this.native.get(this.ids(device)) ?? [...this.added].find(([, ids]) => ids.includes(this.ids(device)))?.[0];
  }
}
