/**
 * VFIO's user API on one machine: `/dev/vfio/vfio`, `/dev/vfio/N` and what their ioctls answer, in the era of the kernel's
 * profile. Methods are calls of a process, files are its descriptors; a call that fails throws `Refusal`.
 */
import type { Permission } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device, Kernel } from '../../kernel/core.js';
import { PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import { isContainerFile, type ContainerFile, type DirtyPagesRequest, type DirtyRun, type DmaMapRequest, type DmaUnmapRequest, type IommufdContainer, type IommuInfo } from '../container.js';
import type { OpenFile, Process } from '../process.js';
import type { BackendDriver } from './backend.js';
import { DIRTY_PAGES, DMA_MAP, DMA_UNMAP, GROUP_STATUS } from './constants.js';
import { VfioContainer } from './container.js';
import { DeviceFile } from './device-file.js';
import { GroupFile, GroupFile2021, leaveVfioContainer, OwningGroupFile, type GroupStatus } from './group-file.js';
import type { MediatingDriver } from './mediating-driver.js';
import { NoIommuDriver } from './noiommu.js';
import { VfioRegistry, type VfioDevice, type VfioGroup } from './registry.js';
import { AuxDomains } from './type1/attachment.js';
import { Type1Driver } from './type1/type1.js';

export { DIRTY_PAGES, DMA_MAP, DMA_UNMAP, EXTENSION, IOMMU_MODELS } from './constants.js';
export { VfioContainer } from './container.js';
export { DeviceFile } from './device-file.js';
export { GroupFile, type GroupStatus } from './group-file.js';
export { VfioRegistry, type VfioDevice, type VfioGroup } from './registry.js';
export { Type1 } from './type1/type1.js';

/** What VFIO_DEVICE_GET_INFO says. */
export interface DeviceInfo {
  readonly flags: number;
  readonly regions: number;
  readonly irqs: number;
}

export class VfioSubsystem {
  /** Shared with character devices: one registry per machine. */
  readonly registry: VfioRegistry;
  readonly auxDomains = new AuxDomains();
  /** VFG-01: with CONFIG_IOMMUFD_VFIO_CONTAINER, what `/dev/vfio/vfio` opens. */
  iommufdContainers: (() => IommufdContainer) | null = null;
  private readonly drivers: readonly BackendDriver[];
  private opened = 0;

  constructor(readonly kernel: Kernel) {
    this.registry = new VfioRegistry(kernel, leaveVfioContainer);
    this.drivers = [new Type1Driver(kernel, this.auxDomains), new NoIommuDriver(kernel)];
  }

  // ---------------------------------------------------------------------------------------------- container

  /** VFG-01. @returns a file descriptor */
  openContainer(process: Process, name = `container ${this.opened + 1}`): number {
    this.opened++;
    if (this.kernel.profile.iommufd && this.kernel.buildOption('IOMMUFD_VFIO_CONTAINER') && this.iommufdContainers !== null) {
      return process.open(this.iommufdContainers());
    }
    return process.open(new VfioContainer(name, this.drivers));
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

  // ---------------------------------------------------------------------------------------------- group

  /** Opens `/dev/vfio/N` of the device's group (VFG-10, OWN-40). @returns a file descriptor */
  openGroup(process: Process, device: Device): number {
    const group = this.registry.groupOf(device);
    if (group === undefined || (group.members.size === 0 && this.kernel.profile.ownership === 'dma-owner')) {
      throw new Refusal('ENODEV', 'VFG-10', `no device of the group of ${device.name} is bound to a VFIO driver`, [device.subject]);
    }
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

  /** VFIO_DEVICE_GET_INFO of a PCI function: 9 regions, 5 interrupt indexes; RESET and PCI flags. */
  deviceInfo(process: Process, deviceFd: number): DeviceInfo {
    return this.infoOf(this.deviceFile(process, deviceFd).vfioDevice);
  }

  /** The same for a device that was opened some other way (CDV-01). */
  infoOf({ device }: VfioDevice): DeviceInfo {
    if (device.kind === 'platform') return { flags: DEVICE_FLAG.PLATFORM, regions: device.description.resources.length, irqs: 0 };
    return { flags: DEVICE_FLAG.RESET | DEVICE_FLAG.PCI, regions: PCI_REGIONS, irqs: PCI_IRQS };
  }

  deviceFile(process: Process, deviceFd: number): DeviceFile {
    const file = process.file(deviceFd);
    if (!(file instanceof DeviceFile)) throw wrongFile(file, 'a VFIO device');
    return file;
  }

  /** Takes the driver off. @returns 'blocked' when the driver's remove waits for the user to close the device (VFG-23) */
  unbind(device: Device): 'done' | 'blocked' {
    try {
      this.kernel.unbind(device);
      return 'done';
    } catch (refusal) {
      if (!(refusal instanceof Refusal) || refusal.rule !== 'VFG-23') throw refusal;
      this.registry.deviceOf(device)!.waiting.push(() => this.kernel.unbind(device));
      return 'blocked';
    }
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

  // ---------------------------------------------------------------------------------------------- files

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
const DEVICE_FLAG = { RESET: 1, PCI: 2, PLATFORM: 4 } as const;
const PCI_REGIONS = 9;
const PCI_IRQS = 5;

type Optional<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;

const pagesIn = (size: bigint): number => Number((size + PAGE_SIZE - 1n) / PAGE_SIZE);
const wrongFile = (file: OpenFile, wanted: string): Refusal => new Refusal('ENOTTY', 'VFG-17', `the file is of kind ${file.kind}, not ${wanted}`);
