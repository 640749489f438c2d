/** `/dev/vfio/N`: the file of a VFIO group, as the old model (up to 5.18) and the new one answer its ioctls. */
import { Refusal } from '../../errno.js';
import type { Kernel } from '../../kernel/core.js';
import { isContainerFile, isIommufdContainer, type ContainerFile } from '../container.js';
import type { OpenFile, Process } from '../process.js';
import { GROUP_STATUS } from './constants.js';
import { VfioContainer } from './container.js';
import { closed, DeviceFile, opened, wakeWaiting } from './device-file.js';
import type { VfioDevice, VfioGroup, VfioRegistry } from './registry.js';
import { matchByName } from './vf-token.js';

export interface GroupStatus {
  readonly flags: number;
  readonly viable: boolean;
  readonly containerSet: boolean;
}

/** What both models share. */
export abstract class GroupFile implements OpenFile {
  readonly kind = 'group';

  constructor(
    protected readonly kernel: Kernel,
    protected readonly registry: VfioRegistry,
    readonly group: VfioGroup,
  ) {
    group.opened = true;
  }

  /** VFG-11, OWN-41. */
  status(argsz: number): GroupStatus {
    if (argsz < GROUP_STATUS.SIZE) throw new Refusal('EINVAL', 'VFG-11', 'the request is too small');
    const containerSet = this.group.container !== null;
    const viable = this.viable();
    return { flags: (viable ? GROUP_STATUS.VIABLE : 0) | (containerSet ? GROUP_STATUS.CONTAINER_SET : 0), viable, containerSet };
  }

  /** Clear, QEMU refuses the group with "group N is not viable" (OLD-07). */
  protected abstract viable(): boolean;
  abstract setContainer(process: Process, containerFd: number): void;
  abstract unsetContainer(): void;
  abstract getDevice(process: Process, name: string): DeviceFile;
  abstract release(): void;
  /** KVM wants to keep the group (VFG-24). @returns how it lets go. @throws Refusal EINVAL, EPERM */
  abstract addExternalUser(): () => void;

  protected wantRawIo(process: Process): void {
    if (this.group.kind !== 'noiommu' || process.has('SYS_RAWIO')) return;
    throw new Refusal('EPERM', 'VFG-26', 'a device without IOMMU can be had with CAP_SYS_RAWIO only', this.group.subjects());
  }

  protected find(name: string): VfioDevice {
    return matchByName(this.registry, this.group, name);
  }

  protected tellOfNoIommu(process: Process, { device }: VfioDevice): void {
    if (this.group.kind === 'noiommu') this.kernel.log.push(`vfio-pci ${device.name}: vfio-noiommu device opened by user (${process.name}:0)`);
  }
}

/** Up to 5.18: nobody owns anything, viability is asked when a device is wanted. */
export class GroupFile2021 extends GroupFile {
  protected viable(): boolean {
    return this.registry.notViable(this.group).length === 0;
  }

  setContainer(process: Process, containerFd: number): void {
    const { group } = this;
    if (containerFd < 0) throw new Refusal('EINVAL', 'VFG-13', 'the file descriptor is negative');
    if (group.users > 0) throw new Refusal('EINVAL', 'VFG-13', `group ${group.nodeName} is in a container already`, group.subjects());
    this.wantRawIo(process);
    const file = process.file(containerFd);
    if (!(file instanceof VfioContainer)) throw new Refusal('EINVAL', 'VFG-13', 'the file is not a VFIO container');
    file.add(group, process);
    group.container = file;
    group.users = 1;
  }

  /** VFG-15, OWN-43. */
  unsetContainer(): void {
    if (this.group.users === 0) throw new Refusal('EINVAL', 'VFG-15', `group ${this.group.nodeName} is in no container`, this.group.subjects());
    if (this.group.users > 1) throw new Refusal('EBUSY', 'VFG-15', `devices of group ${this.group.nodeName} are open`, this.group.subjects());
    this.leave();
  }

  /** VFG-16, OWN-44; in the old model viability is asked here only (OLD-03, OLD-05). */
  getDevice(process: Process, name: string): DeviceFile {
    const { group } = this;
    if (!(group.container instanceof VfioContainer) || group.container.backend === null) {
      throw new Refusal('EINVAL', 'VFG-16', `group ${group.nodeName} is in no container with an IOMMU back end`, group.subjects());
    }
    const { backend } = group.container;
    const unfit = this.registry.notViable(group);
    if (unfit.length > 0) {
      const drivers = unfit.map((device) => `${device.driver} drives ${device.name}`).join(', ');
      throw new Refusal('EINVAL', 'VFG-16', `group ${group.nodeName} is not viable: ${drivers}`, unfit.map((device) => device.subject));
    }
    this.wantRawIo(process);
    const found = this.find(name);
    opened(found, () => backend.memoryOf(group));
    group.users++;
    this.tellOfNoIommu(process, found);
    return new DeviceFile(found, () => this.deviceClosed(found));
  }

  /** VFG-24: an external user counts like an open device. */
  addExternalUser(): () => void {
    const { group } = this;
    if (group.users === 0) throw new Refusal('EINVAL', 'VFG-24', `group ${group.nodeName} is in no container`, group.subjects());
    if (group.kind === 'noiommu') throw new Refusal('EPERM', 'VFG-28', 'a group without IOMMU is not for KVM', group.subjects());
    if (!(group.container instanceof VfioContainer) || group.container.backend === null || !this.viable()) {
      throw new Refusal('EINVAL', 'VFG-24', `group ${group.nodeName} is not viable, or its container has no IOMMU back end`, group.subjects());
    }
    group.users++;
    return () => {
      if (--group.users === 0) this.leave();
    };
  }

  private deviceClosed(device: VfioDevice): void {
    const last = closed(device);
    if (--this.group.users === 0) this.leave();
    if (last) wakeWaiting(device);
  }

  /** VFG-18: devices that are still open keep the group in its container. */
  release(): void {
    if (this.group.users > 0 && --this.group.users === 0) this.leave();
    this.registry.closed(this.group);
  }

  private leave(): void {
    const { container } = this.group;
    this.group.users = 0;
    this.group.container = null;
    if (container instanceof VfioContainer) container.remove(this.group);
    for (const member of [...this.group.members]) wakeWaiting(member);
  }
}

/** Since 5.19: joining a container takes DMA ownership of the group (VFG-14, OWN-42). */
export class OwningGroupFile extends GroupFile {
  /** The descriptor, and every open device, which keeps the file alive (VFG-10, VFG-18). */
  private holders = 1;

  protected viable(): boolean {
    this.refuseRevoked();
    return this.group.container !== null || this.group.iommuGroup.ownerCount === 0;
  }

  setContainer(process: Process, containerFd: number): void {
    const file = process.file(containerFd);
    if (this.group.container !== null) throw new Refusal('EINVAL', 'VFG-13', `group ${this.group.nodeName} is in a container already`, this.group.subjects());
    this.refuseRevoked();
    if (file instanceof VfioContainer) this.join(file, process);
    else if (isContainerFile(file) && isIommufdContainer(file) && this.kernel.profile.iommufd) file.linkGroup(this.group.kind === 'noiommu'); // CMP-02
    else throw new Refusal(this.kernel.profile.notContainer, 'VFG-13', 'the file is neither a VFIO container nor an iommufd');
    this.group.container = file as ContainerFile;
    this.group.users = 1;
  }

  private join(container: VfioContainer, process: Process): void {
    this.wantRawIo(process);
    const owns = this.group.kind === 'iommu';
    container.refuseMix(this.group);
    if (owns) this.group.iommuGroup.claim(this.group); // VFG-14
    try {
      container.add(this.group, process);
    } catch (refusal) {
      if (owns) this.group.iommuGroup.release();
      throw refusal;
    }
  }

  unsetContainer(): void {
    if (this.group.container === null) throw new Refusal('EINVAL', 'VFG-15', `group ${this.group.nodeName} is in no container`, this.group.subjects());
    if (this.group.container instanceof VfioContainer && this.group.users !== 1) throw new Refusal('EBUSY', 'VFG-15', `devices of group ${this.group.nodeName} are open`, this.group.subjects());
    leaveContainer(this.group);
  }

  getDevice(process: Process, name: string): DeviceFile {
    const { group } = this;
    const found = this.find(name);
    if (group.container === null) throw new Refusal('EINVAL', 'VFG-16', `group ${group.nodeName} is in no container`, group.subjects());
    if (found.openCount === 0) this.firstOpen(process, found, group.container);
    else opened(found, () => null);
    this.holders++;
    this.tellOfNoIommu(process, found);
    return new DeviceFile(found, () => this.deviceClosed(found));
  }

  private firstOpen(process: Process, found: VfioDevice, container: ContainerFile): void {
    if (isIommufdContainer(container)) {
      const { mediating } = found;
      const listener = mediating?.listens ? (iova: bigint, size: bigint): void => mediating.unmapped(iova, size) : null;
      const binding = container.openDevice(process, found.device, found.kind, listener); // CMP-03
      found.binding = binding;
      opened(found, () => binding.memory);
      return;
    }
    const backend = container instanceof VfioContainer ? container.backend : null;
    if (backend === null) throw new Refusal('EINVAL', 'VFG-16', `the container of group ${this.group.nodeName} has no IOMMU back end`, this.group.subjects());
    this.wantRawIo(process);
    this.group.users++;
    opened(found, () => backend.memoryOf(this.group));
  }

  /** Now KVM holds the file itself, so the group stays open as long as KVM has it. */
  addExternalUser(): () => void {
    this.holders++;
    return () => this.dropHolder();
  }

  private deviceClosed(device: VfioDevice): void {
    const last = closed(device);
    if (last && device.binding !== null) {
      device.binding.close();
      device.binding = null;
    } else if (last) {
      this.group.users--;
    }
    this.dropHolder();
    if (last) wakeWaiting(device);
  }

  release(): void {
    this.dropHolder();
  }

  private dropHolder(): void {
    if (--this.holders > 0) return;
    leaveContainer(this.group);
    this.registry.closed(this.group);
  }

  private refuseRevoked(): void {
    if (this.group.revoked) throw new Refusal('ENODEV', 'VFG-11', `group ${this.group.nodeName} has lost its last device, and this file is dead for ever`, this.group.subjects());
  }
}

/** VFG-20: out of the container or away from the iommufd; DMA ownership that the group took is given back. */
export function leaveContainer(group: VfioGroup): void {
  leaveVfioContainer(group);
  if (group.container !== null && isIommufdContainer(group.container)) group.container.unlinkGroup(); // IFD-07
  group.container = null;
  group.users = 0;
}

/** What happens when the last device of a group goes: a link to an iommufd stays. */
export function leaveVfioContainer(group: VfioGroup): void {
  const { container } = group;
  if (!(container instanceof VfioContainer)) return;
  group.container = null;
  group.users = 0;
  container.remove(group);
  if (group.kind === 'iommu') group.iommuGroup.release();
}
