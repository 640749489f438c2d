/**
 * VFIO's own view of devices: which are registered with it, as what kind, and the VFIO group of each IOMMU group. It
 * listens to the driver core, because VFIO drivers come and go there. Group files and character devices (CDV-06) share it.
 */
import { Refusal } from '../../errno.js';
import type { Device, DriverListener, Group, Kernel } from '../../kernel/core.js';
import { isVfioDriver, VIABLE_DRIVERS } from '../../kernel/drivers.js';
import type { ContainerFile, DeviceBinding, RegistrationKind } from '../container.js';
import type { DmaBuffer } from '../iommufd/dma-buffer.js';
import { DeviceInterrupts } from './device-interrupts.js';
import { MediatingDriver } from './mediating-driver.js';

/** `struct vfio_device`: a device whose driver registered it. */
export interface VfioDevice {
  /** Of its node, /dev/vfio/devices/vfioX: the lowest that was free (CDV-01). */
  readonly number: number;
  readonly device: Device;
  readonly kind: RegistrationKind;
  readonly group: VfioGroup;
  /** Open files: through the group or through the character device. */
  openCount: number;
  /** Open character device files, bound or not: each keeps the driver (VFG-23). */
  cdevFiles: number;
  /** While it is open through a group that an iommufd contains, or through its character device. */
  binding: DeviceBinding | null;
  /** The vendor's driver of a mediated device, which pins for its guest. */
  readonly mediating: MediatingDriver | null;
  readonly interrupts: DeviceInterrupts;
  /** Its user put it to sleep (VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY). */
  asleep: boolean;
  /** Its memory that users exported (VFIO_DEVICE_FEATURE_DMA_BUF). */
  readonly buffers: Set<DmaBuffer>;
  /** What waits for the last close: the driver's remove (VFG-23). */
  readonly waiting: (() => void)[];
  /** Its driver is being removed, and nobody can open it any more. */
  leaving: boolean;
}

/** `struct vfio_group`. */
export class VfioGroup {
  readonly members = new Set<VfioDevice>();
  /** The group file is open (or, since 5.19, a device file that keeps it alive). */
  opened = false;
  /** Character devices of this group that are bound to an iommufd (VFG-10, CDV-06). */
  boundCdevs = 0;
  container: ContainerFile | null = null;
  /** The container's users: the group itself and its open devices. */
  users = 0;
  /** The last device has left: the file answers ENODEV from now on. */
  revoked = false;

  constructor(
    readonly iommuGroup: Group,
    readonly kind: RegistrationKind,
  ) {}

  /** "12", or "noiommu-0": its node under /dev/vfio. */
  get nodeName(): string {
    return this.kind === 'noiommu' ? `noiommu-${this.iommuGroup.id}` : `${this.iommuGroup.id}`;
  }

  subjects(): string[] {
    return this.iommuGroup.devices.map((device) => device.subject);
  }
}

/** Bridges: PCI devices whose header type is not 0 (VFG-12). */
const BRIDGES: ReadonlySet<string> = new Set(['root-port', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge', 'pci-bridge']);
export const isBridge = (device: Device): boolean => device.kind === 'pci' && BRIDGES.has(device.description.type);

export class VfioRegistry implements DriverListener {
  private readonly byDevice = new Map<Device, VfioDevice>();
  private readonly byGroup = new Map<Group, VfioGroup>();

  /** @param dissolve takes a group out of its container, whatever uses it still */
  constructor(
    private readonly kernel: Kernel,
    private readonly dissolve: (group: VfioGroup) => void,
  ) {
    for (const device of kernel.devices) {
      if (device.kind === 'mdev') this.addMediated(device);
      else if (isVfioDriver(device.driver)) this.register(device);
    }
    kernel.driverListeners.add(this);
  }

  /** The registered device, if a VFIO driver has it. */
  deviceOf(device: Device): VfioDevice | undefined {
    return this.byDevice.get(device);
  }

  /** As `deviceOf`, but not while its driver waits to be removed. */
  openable(device: Device): VfioDevice | undefined {
    const registered = this.byDevice.get(device);
    return registered?.leaving === true ? undefined : registered;
  }

  registered(): readonly VfioDevice[] {
    return [...this.byDevice.values()];
  }

  bySubject(subject: string): VfioDevice | undefined {
    const device = this.kernel.device(subject);
    return device === undefined ? undefined : this.byDevice.get(device);
  }

  /** The VFIO group of a device; undefined when no device of its IOMMU group is registered. */
  groupOf(device: Device): VfioGroup | undefined {
    return device.group === null ? undefined : this.byGroup.get(device.group);
  }

  /** MDV-05: every mediated device is alone in a group made for it, which no IOMMU knows. Whether that is a group at all: ARG-01 says no, ARG-03 yes (THR-07). */
  addMediated(device: Device): void {
    if (device.kind !== 'mdev') return;
    const group = device.group ?? this.kernel.createGroup([device], null);
    // GRL-10: the mdev core made the group then; VFIO does now, and says nothing.
    if (this.kernel.profile.mediated === 'external-domain') this.kernel.log.push(`vfio_mdev ${device.name}: MDEV: group_id = ${group.id}`);
    // MDV-07: kinds that borrow the parent's IOMMU need an interface that went away with the external domain.
    const borrows = device.description.kind === 'parent-aux' || device.description.kind === 'parent-rid';
    if (borrows && this.kernel.profile.mediated === 'emulated-group') return;
    this.register(device);
  }

  /** VFG-12, OLD-01: may its members be given to a user? @returns the devices that say no */
  notViable(group: VfioGroup): readonly Device[] {
    return group.iommuGroup.devices.filter((device) => device.driver !== null && !VIABLE_DRIVERS.has(device.driver) && !isBridge(device) && !this.byDevice.has(device));
  }

  // ---------------------------------------------------------------------------------------------- driver core

  /** VFG-22, OWN-46: what `vfio_register_group_dev` and vfio-pci's probe ask. */
  probe(device: Device, driver: string): void {
    if (!isVfioDriver(driver)) return;
    if (isBridge(device)) throw new Refusal('EINVAL', 'VFG-22', `${device.name} is a bridge; ${driver} takes functions with a type 0 header only`, [device.subject]);
    this.refuseEnabledVirtualFunctions(device, driver);
    this.register(device);
  }

  /** A function that is described as VFIO's and with virtual functions got them from its user, later (vfio_pci.enable_sriov). */
  private refuseEnabledVirtualFunctions(device: Device, driver: string): void {
    if (device.kind !== 'pci' || (device.description.sriov?.enabled ?? 0) === 0 || isVfioDriver(device.description.driver)) return;
    this.kernel.log.push(`${driver} ${device.name}: Cannot bind to PF with ${this.kernel.profile.ownership === 'viability' ? 'SRIOV' : 'SR-IOV'} enabled`);
    throw new Refusal('EBUSY', 'VFG-22', `${device.name} has virtual functions enabled`, [device.subject]);
  }

  /** VFG-21, OLD-04: in the old model, a foreign driver in a group that a user has stops the machine. */
  bound(device: Device, driver: string): void {
    if (this.kernel.profile.ownership !== 'viability' || isVfioDriver(driver) || VIABLE_DRIVERS.has(driver) || isBridge(device)) return;
    const group = this.groupOf(device);
    if (group === undefined || group.users === 0) return;
    throw new Refusal('BUG', 'OLD-04', `${driver} bound to ${device.name} while a user has group ${group.nodeName}: vfio_iommu_group_notifier hits a BUG()`, [device.subject]);
  }

  /** OLD-06: in the old model VFIO hears of devices that join a group in use. */
  joined(device: Device): void {
    if (this.kernel.profile.ownership !== 'viability' || (this.groupOf(device)?.users ?? 0) === 0) return;
    this.kernel.log.push(`${device.driver ?? device.bus} ${device.name}: Device added to live group ${device.group!.id}!`);
  }

  /** VFG-23: a remove that waits keeps the device locked, and a bind waits with it. */
  locked(device: Device): void {
    if ((this.byDevice.get(device)?.waiting.length ?? 0) > 0) throw new Refusal('EBUSY', 'VFG-23', `the driver of ${device.name} is being removed, and the bind waits until that is through`, [device.subject]);
  }

  /** VFG-23: the driver's remove waits until nobody has the device open; in the old model also until its last device's group left its container. */
  remove(device: Device): void {
    const registered = this.byDevice.get(device);
    if (registered === undefined) return;
    if (registered.openCount + registered.cdevFiles > 0) {
      registered.leaving = this.kernel.profile.ownership === 'dma-owner';
      this.kernel.log.push(`vfio-pci ${device.name}: ${registered.interrupts.relaysRequests ? 'Relaying device request to user (#0)' : 'No device request channel registered, blocked until released by user'}`);
      throw new Refusal('EBUSY', 'VFG-23', `${device.name} is open: the driver's remove waits until its user closes it`, [device.subject]);
    }
    if (this.kernel.profile.ownership === 'viability' && registered.group.users > 0 && registered.group.members.size === 1) {
      throw new Refusal('EBUSY', 'VFG-23', `group ${registered.group.nodeName} is in a container: the driver's remove waits until it leaves`, [device.subject]);
    }
    this.unregister(registered);
  }

  /**
   * VFG-23: tries, and when it must wait for the user of the device, again whenever he lets go of something.
   * @returns 'blocked' while it waits. @throws Refusal for any other reason
   */
  attempt(device: Device, act: () => void): 'done' | 'blocked' {
    try {
      act();
      return 'done';
    } catch (refusal) {
      const registered = this.byDevice.get(device);
      if (!(refusal instanceof Refusal) || refusal.rule !== 'VFG-23' || registered === undefined) throw refusal;
      registered.waiting.push(() => this.tryAgain(device, act));
      return 'blocked';
    }
  }

  /** Whoever waited gets the refusal, not whoever woke him: another waiter may have been first. */
  private tryAgain(device: Device, act: () => void): void {
    try {
      this.attempt(device, act);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }

  // ---------------------------------------------------------------------------------------------- members

  private register(device: Device): void {
    const kind = this.kindOf(device);
    const group = this.groupFor(device, kind);
    const mediating = device.kind === 'mdev' ? new MediatingDriver(device, device.description.kind !== 'software-no-dma') : null;
    const registered: VfioDevice = { number: this.lowestNumber(), device, kind, group, openCount: 0, cdevFiles: 0, binding: null, mediating, interrupts: new DeviceInterrupts(device, this.kernel.profile.errorInterrupts), asleep: false, buffers: new Set(), waiting: [], leaving: false };
    group.members.add(registered);
    this.byDevice.set(device, registered);
  }

  private lowestNumber(): number {
    const taken = new Set([...this.byDevice.values()].map(({ number }) => number));
    let number = 0;
    while (taken.has(number)) number++;
    return number;
  }

  private kindOf(device: Device): RegistrationKind {
    if (device.kind === 'mdev') return 'emulated';
    return device.group === null || device.group.name === NOIOMMU_GROUP ? 'noiommu' : 'iommu';
  }

  private groupFor(device: Device, kind: RegistrationKind): VfioGroup {
    const iommuGroup = device.group ?? this.createNoIommuGroup(device);
    if (kind === 'iommu') this.checkCoherency(device);
    let group = this.byGroup.get(iommuGroup);
    if (group === undefined) this.byGroup.set(iommuGroup, (group = new VfioGroup(iommuGroup, kind)));
    return group;
  }

  /** VFG-25. @throws Refusal EINVAL when the mode is off (VFG-22) */
  private createNoIommuGroup(device: Device): Group {
    const on = this.kernel.buildOption('VFIO_NOIOMMU') && isOn(this.kernel.moduleParameter('vfio', 'enable_unsafe_noiommu_mode'));
    const busHasIommu = this.kernel.profile.ownership === 'viability' && this.kernel.devices.some((other) => other.bus === device.bus && other.unit !== null);
    if (!on || busHasIommu) throw new Refusal('EINVAL', 'VFG-22', `${device.name} is in no IOMMU group, and VFIO's no-IOMMU mode is ${on ? 'only for buses without IOMMU' : 'off'}`, [device.subject]);
    const group = this.kernel.createGroup([device], NOIOMMU_GROUP);
    this.kernel.log.push(`vfio-pci ${device.name}: Adding kernel taint for vfio-noiommu group on device`);
    return group;
  }

  /** OWN-46: since 5.19 a device behind a non-coherent IOMMU is not for VFIO. */
  private checkCoherency(device: Device): void {
    if (this.kernel.profile.ownership === 'viability' || device.unit === null || device.unit.capabilities().cacheCoherency) return;
    throw new Refusal('EINVAL', 'VFG-22', `the IOMMU of ${device.name} does not keep DMA coherent with the CPU's caches`, [device.subject]);
  }

  private unregister(registered: VfioDevice): void {
    const { group, device } = registered;
    this.byDevice.delete(device);
    group.members.delete(registered);
    if (group.members.size > 0) return;
    // The old model keeps the group while its file is open; the new one takes it from its user at once.
    if (this.kernel.profile.ownership === 'viability' && group.opened) return;
    this.dissolve(group);
    // From a container it is gone; its link to an iommufd stays, useless.
    group.revoked = true;
    this.byGroup.delete(group.iommuGroup);
  }

  /** The group file is closed: a group without devices goes. */
  closed(group: VfioGroup): void {
    group.opened = false;
    if (group.members.size === 0 && this.byGroup.get(group.iommuGroup) === group) this.byGroup.delete(group.iommuGroup);
  }
}

const NOIOMMU_GROUP = 'vfio-noiommu';
/** A boolean module parameter. */
export const isOn = (value: string | undefined): boolean => value !== undefined && /^(1|y|on)/i.test(value);
