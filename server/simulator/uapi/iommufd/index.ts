/**
 * iommufd and VFIO's character devices as user space calls them. Every method is one system call: it throws `Refusal`
 * with the errno that the kernel finds first, and returns what the kernel writes back.
 */
import { Refusal } from '../../errno.js';
import type { Device, Kernel } from '../../kernel/core.js';
import type { AddressRange, Iova } from '../../memory/address.js';
import { wantNode } from '../device-nodes.js';
import type { Process } from '../process.js';
import type { VfioRegistry } from '../vfio/registry.js';
import * as spaces from './address-spaces.js';
import { BoundDevice } from './device.js';
import { CdevFile, type AttachRequest, type BindRequest, type DetachRequest } from './cdev.js';
import { IommufdFile } from './compat-container.js';
import { IommufdContext } from './context.js';
import { checkEnvelope, since, type Envelope, type IoctlName } from './dispatch.js';
import { EventQueueFile, type VirtualEvent } from './event-queue.js';
import { FAULT_RECORD, FaultQueueFile, type FaultRecord, type Told } from './fault-queue.js';
import { allocateHwQueue, type HwQueueCall } from './hw-queue.js';
import { invalidate, type InvalidateCall } from './invalidate.js';
import * as tables from './page-tables.js';
import { Selftest } from './selftest.js';
import * as viommus from './viommu.js';
import { mapViommuPage, type PageMapping } from './viommu-page.js';

export { MAP_FLAGS, OPTION, OPTION_OP, VFIO_IOAS_OP } from './address-spaces.js';
export { CdevFile } from './cdev.js';
export { IommufdFile } from './compat-container.js';
export type { Envelope } from './dispatch.js';
export { HWPT_FLAGS } from './hwpt.js';
export type { MemoryFile } from './pages.js';
export { checkEnvelope, isIoctlName, sizeOfStructure } from './dispatch.js';
export { FAULT_RECORD, PAGE_RESPONSE } from './fault-queue.js';
export { InvalidateRefusal } from './invalidate.js';
export type { AttachMode } from './pasid-attach.js';
export { VTD_S1 } from './nested-hwpt.js';
export { INVALIDATE_DATA, NESTED_DATA, type UserData } from './user-data.js';
export { MOCK_DEVICE, MOCK_VIOMMU_DATA, MOCK_VIOMMU_INVALIDATE } from './mock-constants.js';
export { offsetOf } from './viommu-page.js';

export class IommufdSubsystem {
  /** What the tests of the kernel ask beside (CNF-01). */
  readonly selftest: Selftest;
  private opened = 0;

  /** @param registry devices that a VFIO driver has; shared with the group side of VFIO (CDV-06) */
  constructor(
    private readonly kernel: Kernel,
    private readonly registry: VfioRegistry,
  ) {
    this.selftest = new Selftest(kernel);
  }

  // ---------------------------------------------------------------------------------------------- files

  /** `open("/dev/iommu")` (IFD-06). @returns the file descriptor. @throws Refusal ENOENT where the kernel has none */
  open(process: Process): number {
    if (!this.exists('IOMMUFD')) throw new Refusal('ENOENT', 'VER-06', 'this kernel has no /dev/iommu');
    wantNode(process, { path: '/dev/iommu', mode: '0660', rule: 'IFD-06' });
    return process.open(new IommufdFile(new IommufdContext(this.kernel, process.name, ++this.opened)));
  }

  /** In this kernel, unless its description says that it was built without. */
  private exists(option: 'IOMMUFD' | 'VFIO_DEVICE_CDEV'): boolean {
    const { profile } = this.kernel;
    if (!profile.iommufd || this.kernel.buildOption('!IOMMUFD')) return false;
    return option === 'IOMMUFD' || (profile.cdev && !this.kernel.buildOption('!VFIO_DEVICE_CDEV'));
  }

  /** What opens as `/dev/vfio/vfio` with CONFIG_IOMMUFD_VFIO_CONTAINER: it counts memory as VFIO does (CMP-01, IFD-06). */
  containerFile(ownerName = 'a container'): IommufdFile {
    const context = new IommufdContext(this.kernel, ownerName, ++this.opened);
    context.accountMode = 'mm';
    return new IommufdFile(context);
  }

  /** The iommufd behind a descriptor. @throws Refusal EBADF, ENOTTY */
  file(process: Process, fd: number): IommufdFile {
    const file = process.file(fd);
    if (!(file instanceof IommufdFile)) throw new Refusal('ENOTTY', 'CMP-05', `file descriptor ${fd} is not an iommufd`);
    return file;
  }

  private enter(process: Process, fd: number, name: IoctlName, call: Envelope): IommufdContext {
    const { context } = this.file(process, fd);
    checkEnvelope(this.kernel.profile.release, name, call);
    return context;
  }

  // ---------------------------------------------------------------------------------------------- objects

  /** IFD-10. */
  destroy(process: Process, fd: number, call: Envelope & { readonly id: number }): void {
    this.enter(process, fd, 'IOMMU_DESTROY', call).objects.destroy(call.id);
  }

  /** IFD-11. */
  ioasAlloc(process: Process, fd: number, call: Envelope = {}): { id: number } {
    const context = this.enter(process, fd, 'IOMMU_IOAS_ALLOC', call);
    return writtenBack(call, { id: spaces.allocate(context) }, ({ id }) => context.objects.destroy(id));
  }

  /** IFD-14. */
  ioasAllowIovas(process: Process, fd: number, call: Envelope & { readonly ioas: number; readonly ranges: readonly AddressRange[] }): void {
    spaces.allowIovas(this.enter(process, fd, 'IOMMU_IOAS_ALLOW_IOVAS', call), call.ioas, call.ranges);
  }

  /** IFD-15. `room`: how many ranges the caller can take, as many as there are unless said. */
  ioasIovaRanges(process: Process, fd: number, call: Envelope & { readonly ioas: number; readonly room?: number }): { ranges: readonly AddressRange[]; alignment: bigint } {
    return spaces.iovaRanges(this.enter(process, fd, 'IOMMU_IOAS_IOVA_RANGES', call), call.ioas, call.room ?? Infinity);
  }

  /** IFD-18. Without FIXED_IOVA in `flags` the kernel chooses the address. */
  ioasMap(process: Process, fd: number, call: spaces.MapCall): { iova: Iova } {
    return writtenBack(call, { iova: spaces.map(this.enter(process, fd, 'IOMMU_IOAS_MAP', call), process, call) });
  }

  /** IFD-19. */
  ioasMapFile(process: Process, fd: number, call: spaces.MapFileCall): { iova: Iova } {
    return writtenBack(call, { iova: spaces.mapFromFile(this.enter(process, fd, 'IOMMU_IOAS_MAP_FILE', call), process, call) });
  }

  /** IFD-16. */
  ioasCopy(process: Process, fd: number, call: spaces.CopyCall): { iova: Iova } {
    return writtenBack(call, { iova: spaces.copy(this.enter(process, fd, 'IOMMU_IOAS_COPY', call), call) });
  }

  /** IFD-20. @returns bytes removed */
  ioasUnmap(process: Process, fd: number, call: spaces.UnmapCall): { unmapped: bigint } {
    return writtenBack(call, { unmapped: spaces.unmap(this.enter(process, fd, 'IOMMU_IOAS_UNMAP', call), call) });
  }

  /** IFD-22. */
  ioasChangeProcess(process: Process, fd: number, call: Envelope = {}): void {
    spaces.changeProcess(this.enter(process, fd, 'IOMMU_IOAS_CHANGE_PROCESS', call), process);
  }

  /** IFD-12, IFD-13. */
  option(process: Process, fd: number, call: spaces.OptionCall): { value: bigint } {
    return { value: spaces.option(this.enter(process, fd, 'IOMMU_OPTION', call), process, call) };
  }

  /** IFD-17. */
  vfioIoas(process: Process, fd: number, call: Envelope & { readonly op: number; readonly ioas?: number }): { id: number } {
    return { id: spaces.vfioIoas(this.enter(process, fd, 'IOMMU_VFIO_IOAS', call), call.op, call.ioas ?? 0) };
  }

  // ---------------------------------------------------------------------------------------------- page tables

  /** IFD-60. Whoever uses the device says what page table it wants (ARG-02). */
  hwptAlloc(process: Process, fd: number, call: tables.HwptAllocCall): { id: number } {
    const context = this.enter(process, fd, 'IOMMU_HWPT_ALLOC', call);
    return writtenBack(call, { id: tables.allocate(context, call) }, ({ id }) => context.objects.destroy(id));
  }

  /** IFD-65. */
  getHwInfo(process: Process, fd: number, call: tables.HardwareInfoCall): tables.HardwareInfo {
    return tables.hardwareInfo(this.enter(process, fd, 'IOMMU_GET_HW_INFO', call), call);
  }

  /** IFD-70. */
  setDirtyTracking(process: Process, fd: number, call: Envelope & { readonly hwpt: number }): void {
    tables.setDirtyTracking(this.enter(process, fd, 'IOMMU_HWPT_SET_DIRTY_TRACKING', call), call.hwpt, ((call.flags ?? 0) & 1) !== 0);
  }

  /** IFD-71. */
  getDirtyBitmap(process: Process, fd: number, call: tables.DirtyBitmapCall): { dirtyPages: bigint } {
    return { dirtyPages: tables.dirtyBitmap(this.enter(process, fd, 'IOMMU_HWPT_GET_DIRTY_BITMAP', call), call) };
  }

  /** IFD-72. @returns entries handled */
  hwptInvalidate(process: Process, fd: number, call: InvalidateCall): { handled: number } {
    return { handled: invalidate(this.enter(process, fd, 'IOMMU_HWPT_INVALIDATE', call), call) };
  }

  /** IFD-75. @returns the object's id and the descriptor that reads it */
  faultQueueAlloc(process: Process, fd: number, call: Envelope = {}): { id: number; file: number } {
    const context = this.enter(process, fd, 'IOMMU_FAULT_QUEUE_ALLOC', call);
    return writtenBack(call, tables.allocateFaultQueue(context, process), ({ id, file }) => {
      process.close(file);
      context.objects.destroy(id);
    });
  }

  /** `read()` of a fault queue or of a vIOMMU's event queue. @param bytes of the reader's buffer. @throws Refusal */
  readEvents(process: Process, fd: number, bytes: number): { readonly faults: readonly FaultRecord[]; readonly events: readonly VirtualEvent[] } {
    const file = process.file(fd);
    const checksRoom = since(this.kernel.profile, 'bounds');
    if (file instanceof FaultQueueFile) return { faults: file.queue.read(bytes, checksRoom), events: [] };
    if (file instanceof EventQueueFile) return { faults: [], events: file.queue.read(bytes, checksRoom) };
    throw new Refusal('EINVAL', 'IFD-75', `file descriptor ${fd} is no queue of an iommufd`);
  }

  /** `write()` to a fault queue: the answer to one group of faults (IFD-75). */
  respondToFault(process: Process, fd: number, cookie: number, code: number, bytes: number = FAULT_RECORD.RESPONSE): Told {
    const file = process.file(fd);
    if (!(file instanceof FaultQueueFile)) throw new Refusal('EINVAL', 'IFD-75', `file descriptor ${fd} is no fault queue`);
    return file.queue.respond(bytes, cookie, code);
  }

  // ---------------------------------------------------------------------------------------------- virtual IOMMUs

  /** IFD-80. */
  viommuAlloc(process: Process, fd: number, call: viommus.ViommuCall): { id: number; value: bigint | null } {
    return viommus.allocateViommu(this.enter(process, fd, 'IOMMU_VIOMMU_ALLOC', call), call);
  }

  /** IFD-82. */
  vdeviceAlloc(process: Process, fd: number, call: viommus.VdeviceCall): { id: number } {
    return { id: viommus.allocateVdevice(this.enter(process, fd, 'IOMMU_VDEVICE_ALLOC', call), call) };
  }

  /** IFD-84. @returns the object's id and the descriptor that reads it */
  eventQueueAlloc(process: Process, fd: number, call: viommus.EventQueueCall): { id: number; file: number } {
    return viommus.allocateEventQueue(this.enter(process, fd, 'IOMMU_VEVENTQ_ALLOC', call), process, call);
  }

  /** IFD-86. */
  hwQueueAlloc(process: Process, fd: number, call: HwQueueCall): { id: number } {
    return { id: allocateHwQueue(this.enter(process, fd, 'IOMMU_HW_QUEUE_ALLOC', call), call) };
  }

  /** `mmap()` of an iommufd: a page that a vIOMMU's driver shows (IFD-88). @returns what it says */
  mapPage(process: Process, fd: number, call: PageMapping): { value: bigint; file: number } {
    return mapViommuPage(this.file(process, fd).context, process, call);
  }

  /** An interrupt of a bound device is set up, whose doorbell is there (IFD-44). @returns where the device writes; null = to the doorbell itself */
  requestInterrupt(process: Process, fd: number, doorbell: bigint): Iova | null {
    const { object, registered } = this.cdev(process, fd);
    if (!(object instanceof BoundDevice)) throw new Refusal('EINVAL', 'IFD-44', `${registered.device.name} is not bound`, [registered.device.subject]);
    return object.context.messages.request(object.device, doorbell, object.membership.hwpt);
  }

  // ---------------------------------------------------------------------------------------------- character devices

  /** `open("/dev/vfio/devices/vfioX")` (CDV-01). @throws Refusal ENOENT for a device that has no such node */
  openCdev(process: Process, device: Device): number {
    const registered = this.registry.openable(device);
    const nodes = this.exists('VFIO_DEVICE_CDEV');
    // VFG-29: devices without IOMMU have none either.
    if (!nodes || registered === undefined || registered.kind === 'noiommu') {
      const why = nodes ? `${device.name} is not bound to a VFIO driver behind an IOMMU` : 'this kernel has no /dev/vfio/devices';
      throw new Refusal('ENOENT', 'CDV-01', why, [device.subject]);
    }
    wantNode(process, { path: `/dev/vfio/devices/vfio${registered.number}`, mode: '0600', rule: 'CDV-01' }, [device.subject]);
    return process.open(new CdevFile(registered, this.registry, this.kernel.profile.iommufdSince613));
  }

  private cdev(process: Process, fd: number): CdevFile {
    const file = process.file(fd);
    if (!(file instanceof CdevFile)) throw new Refusal('ENOTTY', 'CDV-03', `file descriptor ${fd} is not a VFIO character device`);
    return file;
  }

  /** CDV-02. @returns the id of the device (or access) object */
  bindIommufd(process: Process, fd: number, call: BindRequest): { id: number } {
    return { id: this.cdev(process, fd).bind(process, call) };
  }

  /** CDV-03: attach, or replace. @returns the id of what translates now */
  attach(process: Process, fd: number, call: AttachRequest): { id: number } {
    return { id: this.cdev(process, fd).attach(call) };
  }

  /** CDV-04. */
  detach(process: Process, fd: number, call: DetachRequest = {}): void {
    this.cdev(process, fd).detach(call);
  }
}

/** IFD-02: where the answer cannot be written back, an object that was made for it goes; what was mapped or unmapped stays so. @throws Refusal EFAULT */
function writtenBack<T>({ readOnly }: Envelope, answer: T, undo?: (answer: T) => void): T {
  if (!readOnly) return answer;
  undo?.(answer);
  throw new Refusal('EFAULT', 'IFD-02', 'the answer cannot be written into the structure');
}
