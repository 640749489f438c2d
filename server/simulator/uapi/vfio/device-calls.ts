/**
 * What a user may ask of an open device: regions, interrupts, resets, features. The answers are those of vfio-pci; nothing
 * is stored of what a device would do with them but which interrupts are on.
 */
import { Refusal } from '../../errno.js';
import type { Device, Kernel } from '../../kernel/core.js';
import type { OpenFile, Process } from '../process.js';
import { deviceFeature, DMA_BUF, FEATURE_FLAG, wantFeature, type FeatureRequest } from './device-features.js';
import { exportMemory, interruptBuffers, type ExportRequest } from './dma-buf.js';
import { isDeviceHolder, type DeviceHolder } from './device-file.js';
import { irqInfo, IRQ_INDEXES, type IrqInfo, type IrqRequest } from './device-interrupts.js';
import { regionInfo, REGIONS, type RegionInfo } from './device-regions.js';
import { GroupFile } from './group-file.js';
import { checkHotReset, hotResetInfo, type HotResetInfo } from './hot-reset.js';
import type { VfioDevice, VfioGroup, VfioRegistry } from './registry.js';

/** What VFIO_DEVICE_GET_INFO says. */
export interface DeviceInfo {
  readonly flags: number;
  readonly regions: number;
  readonly irqs: number;
}

/** VFIO_DEVICE_FLAGS_*. */
const DEVICE_FLAG = { RESET: 1, PCI: 2, PLATFORM: 4 } as const;

/** Bytes of the smallest requests: what comes before the first optional field. */
const SIZE = { INFO: 16, REGION: 32, IRQ: 16 } as const;

export class DeviceCalls {
  constructor(
    private readonly kernel: Kernel,
    private readonly registry: VfioRegistry,
  ) {}

  /** VFIO_DEVICE_GET_INFO of a PCI function: 9 regions, 5 interrupt indexes; RESET and PCI flags. */
  info(process: Process, fd: number, argsz: number = SIZE.INFO): DeviceInfo {
    const { device } = this.open(process, fd);
    wantSize(argsz, SIZE.INFO);
    if (device.kind === 'platform') return { flags: DEVICE_FLAG.PLATFORM, regions: device.description.resources.length, irqs: 0 };
    return { flags: (resetWorks(device) ? DEVICE_FLAG.RESET : 0) | DEVICE_FLAG.PCI, regions: REGIONS, irqs: IRQ_INDEXES };
  }

  /** VFIO_DEVICE_GET_REGION_INFO. */
  region(process: Process, fd: number, index: number, argsz: number = SIZE.REGION): RegionInfo {
    const { device } = this.open(process, fd);
    wantSize(argsz, SIZE.REGION);
    return regionInfo(device, index);
  }

  /** VFIO_DEVICE_GET_IRQ_INFO. */
  irq(process: Process, fd: number, index: number, argsz: number = SIZE.IRQ): IrqInfo {
    const { device } = this.open(process, fd);
    wantSize(argsz, SIZE.IRQ);
    return irqInfo(device, index, this.kernel.profile.errorInterrupts);
  }

  /** VFIO_DEVICE_SET_IRQS. */
  setIrqs(process: Process, fd: number, request: IrqRequest): void {
    this.open(process, fd).interrupts.set(request);
  }

  /** VFIO_DEVICE_RESET: the function alone. @throws Refusal EINVAL when there is no way to do that */
  reset(process: Process, fd: number): void {
    const vfioDevice = this.open(process, fd);
    const { device } = vfioDevice;
    if (!resetWorks(device)) throw new Refusal('EINVAL', 'VFG-16', `${device.name} has no way to be reset alone`, [device.subject]);
    interruptBuffers(vfioDevice);
  }

  hotResetInfo(process: Process, fd: number): HotResetInfo {
    const file = this.holder(process, fd);
    return hotResetInfo(this.kernel, this.registry, file.vfioDevice, file.byCdev);
  }

  /** VFIO_DEVICE_PCI_HOT_RESET. @param fds of groups @returns what was reset */
  hotReset(process: Process, fd: number, fds: readonly number[]): readonly Device[] {
    const file = this.holder(process, fd);
    const groups = (): VfioGroup[] => fds.map((each) => groupOf(process.file(each)));
    const hit = checkHotReset(this.kernel, this.registry, file.vfioDevice, file.byCdev, { count: fds.length, groups });
    for (const device of hit) {
      const registered = this.registry.deviceOf(device);
      if (registered !== undefined) interruptBuffers(registered);
    }
    return hit;
  }

  feature(process: Process, fd: number, request: FeatureRequest): void {
    deviceFeature(this.open(process, fd), request, this.kernel.profile);
  }

  /** VFIO_DEVICE_FEATURE_DMA_BUF. @returns the descriptor of the buffer. @throws Refusal ENOTTY, EOPNOTSUPP, EINVAL, ENODEV */
  exportMemory(process: Process, fd: number, request: ExportRequest): number {
    const vfioDevice = this.open(process, fd);
    wantFeature(vfioDevice, { feature: DMA_BUF, flags: FEATURE_FLAG.GET }, this.kernel.profile);
    return process.open(exportMemory(vfioDevice, request));
  }

  /** @throws Refusal EBADF, ENOTTY, EINVAL (CDV-01) */
  open(process: Process, fd: number): VfioDevice {
    return this.holder(process, fd).vfioDevice;
  }

  private holder(process: Process, fd: number): DeviceHolder {
    const file = process.file(fd);
    if (!isDeviceHolder(file)) throw new Refusal('ENOTTY', 'VFG-17', `the file is of kind ${file.kind}, not a VFIO device`);
    if (!file.isBound) throw new Refusal('EINVAL', 'CDV-01', `${file.vfioDevice.device.name} is not bound to an iommufd, so its file can do nothing else`, [file.vfioDevice.device.subject]);
    return file;
  }
}

function groupOf(file: OpenFile): VfioGroup {
  if (file instanceof GroupFile) return file.group;
  throw new Refusal('EINVAL', 'VFG-16', `a descriptor of kind ${file.kind} shows nobody's ownership of a group`);
}

function wantSize(argsz: number, least: number): void {
  if (argsz < least) throw new Refusal('EINVAL', 'VFG-16', `argsz ${argsz} is less than ${least}`);
}

/** The kernel found a way at boot; nothing recorded means that nothing speaks against it. */
const resetWorks = (device: Device): boolean => device.kind !== 'pci' || device.description.resetMethods?.length !== 0;
