/**
 * VFIO's user API on one machine: `/dev/vfio/vfio`, `/dev/vfio/N` and what their ioctls answer, in the era of the kernel's
 * profile. Methods are calls of a process, files are its descriptors; a call that fails throws `Refusal`.
 */
import type { Permission } from '../../description.js';
import { Refusal } from '../../errno.js';
import { attachRules } from '../../kernel/attach-history.js';
import { AuxiliaryDomains } from '../../kernel/aux-domains.js';
import type { Device, Kernel, PagingDomain } from '../../kernel/core.js';
import { PasidNumbers } from '../../kernel/pasid-numbers.js';
import { PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import { wantNode } from '../device-nodes.js';
import { isContainerFile, type ContainerFile, type DirtyPagesRequest, type DirtyRun, type DmaMapRequest, type DmaUnmapRequest, type IommufdContainer, type IommuInfo } from '../container.js';
import type { OpenFile, Process } from '../process.js';
import type { BackendDriver } from './backend.js';
import { DIRTY_PAGES, DMA_MAP, DMA_UNMAP, GROUP_STATUS } from './constants.js';
import { VfioContainer } from './container.js';
import { DeviceCalls } from './device-calls.js';
import { DeviceFile, isDeviceHolder } from './device-file.js';
import { GroupFile, GroupFile2021, leaveVfioContainer, OwningGroupFile, type GroupStatus } from './group-file.js';
import type { MediatingDriver } from './mediating-driver.js';
import { KvmDevice } from './kvm-device.js';
import { MediatedDevices } from './mediated-devices.js';
import { NoIommuDriver } from './noiommu.js';
import { VfioRegistry, type VfioGroup } from './registry.js';
import { Type1, Type1Driver } from './type1/type1.js';

export { DIRTY_PAGES, DMA_MAP, DMA_UNMAP, EXTENSION, IOMMU_MODELS } from './constants.js';
export { VfioContainer } from './container.js';
export { DeviceCalls, type DeviceInfo } from './device-calls.js';
export type { ExportRequest } from './dma-buf.js';
export { FEATURE_FLAG, FEATURES } from './device-features.js';
export { IRQ_SET } from './device-interrupts.js';
export { DeviceFile } from './device-file.js';
export { GroupFile, type GroupStatus } from './group-file.js';
export { VfioRegistry, type VfioDevice, type VfioGroup } from './registry.js';
export { Type1 } from './type1/type1.js';

export class VfioSubsystem {
  /** Shared with character devices: one registry per machine. */
  readonly registry: VfioRegistry;
  /** ioctls of open devices. */
  readonly deviceCalls: DeviceCalls;
  readonly mediatedDevices: MediatedDevices;
  /** VFG-01: with CONFIG_IOMMUFD_VFIO_CONTAINER, what `/dev/vfio/vfio` opens. */
  iommufdContainers: (() => IommufdContainer) | null = null;
  private readonly drivers: readonly BackendDriver[];
  private opened = 0;

  /** @param auxDomains those of the machine; without a machine its own */
  constructor(readonly kernel: Kernel, readonly auxDomains = new AuxiliaryDomains(attachRules(kernel.profile), new PasidNumbers(), kernel.log)) {
    this.registry = new VfioRegistry(kernel, leaveVfioContainer);
    this.deviceCalls = new DeviceCalls(kernel, this.registry);
    this.mediatedDevices = new MediatedDevices(kernel, this.registry);
    this.drivers = [new Type1Driver(kernel, this.auxDomains), new NoIommuDriver(kernel)];
  }

  // ---------------------------------------------------------------------------------------------- container

  /** VFG-01. @returns a file descriptor */
  openContainer(process: Process, name = `container ${this.opened + 1}`): number {
    wantNode(process, { path: '/dev/vfio/vfio', mode: '0666', rule: 'VFG-01' });
    this.opened++;
    if (this.kernel.profile.iommufd && this.kernel.buildOption('IOMMUFD_VFIO_CONTAINER') && this.iommufdContainers !== null) {
      return process.open(this.iommufdContainers());
    }
    return process.open(new VfioContainer(name, this.drivers, this.opened));
  }

  apiVersion(process: Process, containerFd: number): number {
    return this.container(process, containerFd).apiVersion();
  }

  checkExtension(process: Process, containerFd: number, extension: number): number {
    return this.container(process, containerFd).checkExtension(extension);
  }

  setIommu(process: Process, containerFd: number, model: number): void {
    this.container(process, containerFd).setIommu(process, model);
  }

  iommuInfo(process: Process, containerFd: number, argsz = INFO_BUFFER): IommuInfo {
    return this.container(process, containerFd).info(argsz);
  }

  mapDma(process: Process, containerFd: number, request: Optional<DmaMapRequest, 'argsz'>): void {
    this.container(process, containerFd).map(process, { argsz: DMA_MAP.SIZE, ...request });
  }

  /** @returns bytes unmapped */
  unmapDma(process: Process, containerFd: number, request: Optional<DmaUnmapRequest, 'argsz' | 'flags'>): bigint {
    return this.container(process, containerFd).unmap(process, { argsz: DMA_UNMAP.SIZE, flags: 0, ...request });
  }

  dirtyPages(process: Process, containerFd: number, request: Optional<DirtyPagesRequest, 'argsz'>): readonly DirtyRun[] | null {
    return this.container(process, containerFd).dirtyPages(process, { argsz: DIRTY_PAGES.GET_SIZE, ...request });
  }

  /** VFT-12: the PASID of its parent that a mediated device uses; null where it has none, or is in no container. */
  borrowedPasid(device: Device): number | null {
    const group = this.registry.groupOf(device);
    const backend = group?.container instanceof VfioContainer ? group.container.backend : null;
    if (device.kind !== 'mdev' || !(backend instanceof Type1)) return null;
    const found = backend.state.domains.find(({ attachments }) => attachments.some((attachment) => attachment.group === group));
    return found === undefined ? null : (this.auxDomains.of(found.domain, device.parent)?.pasid ?? null);
  }

  // ---------------------------------------------------------------------------------------------- group

  /**
   * Opens `/dev/vfio/N` of the device's group (VFG-10, OWN-40). The kernel's own answer for a group without VFIO devices is
   * ENODEV, but its node comes with the first of them and goes with the last, so that whoever opens it finds no file.
   * @returns a file descriptor. @throws Refusal ENOENT, EPERM, EACCES, EBUSY
   */
  openGroup(process: Process, device: Device): number {
    const group = this.registry.groupOf(device);
    if (group === undefined || (group.members.size === 0 && this.kernel.profile.ownership === 'dma-owner')) {
      const why = device.group === null ? `${device.name} is in no IOMMU group` : `no device of the group of ${device.name} is bound to a VFIO driver`;
      throw new Refusal('ENOENT', 'VFG-10', `${why}, so there is no file to open`, [device.subject]);
    }
    wantNode(process, { path: `/dev/vfio/${group.nodeName}`, mode: '0600', rule: 'VFG-10' }, [device.subject]);
    if (group.kind === 'noiommu' && !process.has('SYS_RAWIO')) throw new Refusal('EPERM', 'VFG-10', 'a group without IOMMU can be opened with CAP_SYS_RAWIO only', group.subjects());
    this.refuseSecondOpen(group);
    return process.open(this.kernel.profile.ownership === 'viability' ? new GroupFile2021(this.kernel, this.registry, group) : new OwningGroupFile(this.kernel, this.registry, group));
  }

  private refuseSecondOpen(group: VfioGroup): void {
    const why =
      group.boundCdevs > 0 ? 'a character device of it is bound to an iommufd'
      : group.opened ? 'it is open already'
      : group.container !== null ? 'devices that were opened through it are still open'
      : null;
    if (why !== null) throw new Refusal('EBUSY', 'VFG-10', `group ${group.nodeName} cannot be opened: ${why}`, group.subjects());
  }

  groupStatus(process: Process, groupFd: number, argsz: number = GROUP_STATUS.SIZE): GroupStatus {
    return this.group(process, groupFd).status(argsz);
  }

  setContainer(process: Process, groupFd: number, containerFd: number): void {
    this.group(process, groupFd).setContainer(process, containerFd);
  }

  unsetContainer(process: Process, groupFd: number): void {
    this.group(process, groupFd).unsetContainer();
  }

  /** VFG-16, OWN-44. `name`: as sysfs shows the device, with ` vf_token=UUID` behind it where a token is wanted. @returns a file descriptor */
  getDeviceFd(process: Process, groupFd: number, name: string): number {
    return process.open(this.group(process, groupFd).getDevice(process, name));
  }

  // ---------------------------------------------------------------------------------------------- device

  deviceFile(process: Process, deviceFd: number): DeviceFile {
    const file = process.file(deviceFd);
    if (!(file instanceof DeviceFile)) throw wrongFile(file, 'a VFIO device');
    return file;
  }

  /** Puts a driver on. @returns 'blocked' while another one is being removed (VFG-23). @throws Refusal as `DriverCore.bind` */
  bind(device: Device, driver: string): 'done' | 'blocked' {
    return this.registry.attempt(device, () => this.kernel.bind(device, driver));
  }

  /** Takes the driver off. @returns 'blocked' when the driver's remove waits for the user to close the device (VFG-23) */
  unbind(device: Device): 'done' | 'blocked' {
    return this.registry.attempt(device, () => this.kernel.unbind(device));
  }

  // ---------------------------------------------------------------------------------------------- mediating drivers

  /** `vfio_pin_pages` of the device's own driver (VFT-70, VFT-71, ACC-10). @returns host pages */
  pinPages(device: Device, iova: bigint, size: bigint, permission: Permission): readonly PhysicalAddress[] {
    return this.mediatingDriver(device).pin(iova, pagesIn(size), permission);
  }

  /** VFT-73. @returns pages released */
  unpinPages(device: Device, iova: bigint, size: bigint): number {
    return this.mediatingDriver(device).unpin(iova, pagesIn(size));
  }

  /** `vfio_dma_rw` (VFT-74). */
  dmaRw(process: Process, device: Device, iova: bigint, size: bigint, write: boolean): void {
    this.mediatingDriver(device).memory!.readWrite(process, iova, size, write);
  }

  mediatingDriver(device: Device): MediatingDriver {
    const driver = this.registry.deviceOf(device)?.mediating;
    if (driver === null || driver === undefined || driver.memory === null) {
      throw new Refusal('EINVAL', 'VFT-70', `${device.name} is not an open mediated device: nobody's memory can be pinned`, [device.subject]);
    }
    return driver;
  }

  /**
   * `vfio_group_iommu_domain`, by which a driver of 2021 would have learnt the PASID of its mediated device (VFT-67).
   * @throws Refusal ENODEV for a group that no domain translates for; ENOSYS where it is not exported
   */
  groupIommuDomain(device: Device): { readonly domain: PagingDomain; readonly pasid: number | null } {
    if (!this.kernel.profile.groupDomainExported) throw new Refusal('ENOSYS', 'VFT-67', 'this kernel exports no vfio_group_iommu_domain');
    const group = this.registry.groupOf(device);
    const backend = group?.container instanceof VfioContainer ? group.container.backend : null;
    if (group === undefined || backend === null) throw new Refusal('EINVAL', 'VFT-67', `the group of ${device.name} is in no container with an IOMMU back end`, [device.subject]);
    const found = backend instanceof Type1 ? backend.domainOf(group) : null;
    if (found === null) throw new Refusal('ENODEV', 'VFT-67', `no IOMMU domain translates for the group of ${device.name}`, [device.subject]);
    const parent = device.kind === 'mdev' ? device.parent : device;
    return { domain: found, pasid: this.auxDomains.of(found, parent)?.pasid ?? null };
  }

  // ---------------------------------------------------------------------------------------------- KVM

  /** KVM_CREATE_DEVICE(KVM_DEV_TYPE_VFIO). @returns a file descriptor */
  openKvmDevice(process: Process): number {
    return process.open(new KvmDevice());
  }

  /** KVM_DEV_VFIO_GROUP_ADD and KVM_DEV_VFIO_GROUP_DEL (VFG-24). */
  kvmGroup(process: Process, kvmFd: number, groupFd: number, action: 'add' | 'remove'): void {
    const file = process.file(kvmFd);
    if (!(file instanceof KvmDevice)) throw wrongFile(file, "KVM's VFIO device");
    file[action](this.group(process, groupFd));
  }

  // ---------------------------------------------------------------------------------------------- files

  /** An ioctl that no file of VFIO or iommufd has. @throws Refusal always */
  unknownIoctl(process: Process, fd: number): never {
    const file = process.file(fd);
    if (file instanceof VfioContainer) file.unknownIoctl();
    if (isDeviceHolder(file)) this.deviceCalls.open(process, fd);
    throw new Refusal('ENOTTY', file.kind === 'iommufd' ? 'CMP-05' : 'VFG-17', `a file of kind ${file.kind} has no such ioctl`);
  }

  /** @throws Refusal EBADF; VFG-17: ENOTTY for a file that knows no container ioctls */
  private container(process: Process, fd: number): ContainerFile {
    const file = process.file(fd);
    if (!isContainerFile(file)) throw wrongFile(file, 'a container');
    return file;
  }

  private group(process: Process, fd: number): GroupFile {
    const file = process.file(fd);
    if (!(file instanceof GroupFile)) throw wrongFile(file, 'a VFIO group');
    return file;
  }
}

const INFO_BUFFER = 4096;
type Optional<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

const pagesIn = (size: bigint): number => Number((size + PAGE_SIZE - 1n) / PAGE_SIZE);
const wrongFile = (file: OpenFile, wanted: string): Refusal => new Refusal('ENOTTY', 'VFG-17', `the file is of kind ${file.kind}, not ${wanted}`);
