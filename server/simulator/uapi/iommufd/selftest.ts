/**
 * IOMMU_TEST_CMD: what iommufd's own tests do beside the calls that everybody has (CONFIG_IOMMUFD_TEST, CNF-01 .. CNF-05). Every
 * method is one `op` of the call.
 */
import type { Permission } from '../../description.js';
import { Refusal } from '../../errno.js';
import { MOCK, MockTable } from '../../hardware/kernel-only/mock.js';
import type { Device, Kernel } from '../../kernel/core.js';
import type { PageRequests } from '../../kernel/io-page-faults.js';
import { ADDRESS_MAX, PAGE_SIZE, physical, type Iova } from '../../memory/address.js';
import type { OpenFile, Process } from '../process.js';
import { Access } from './access.js';
import type { IommufdFile } from './compat-container.js';
import type { IommufdContext } from './context.js';
import { BoundDevice, bindDevice } from './device.js';
import { since } from './dispatch.js';
import { DmaBuffer } from './dma-buffer.js';
import { Hwpt } from './hwpt.js';
import { Ioas } from './ioas.js';
import { mockCacheOf, MockDevices } from './mock-devices.js';
import { MOCK_DEVICE, MOCK_TYPE } from './mock-constants.js';
import { NestedHwpt } from './nested-hwpt.js';
import { IommufdObject } from './objects.js';
import type { AttachMode } from './pasid-attach.js';

/** IOMMUFD_OBJ_SELFTEST: a test device that is bound and attached; destroying it undoes both (CNF-02). */
export class TestDevice extends IommufdObject {
  readonly kind = 'selftest';
  bound: BoundDevice | null = null;

  constructor(
    readonly device: Device,
    private readonly devices: MockDevices,
  ) {
    super();
  }

  destroy(): void {
    this.bound?.unbind();
    this.devices.remove(this.device);
  }
}

/** What IOMMU_TEST_OP_MOCK_DOMAIN gives back. */
export interface TestDeviceIds {
  readonly stdev: number;
  readonly device: number;
  readonly hwpt: number;
  readonly mock: Device;
}

/** The file of a test access, with what it has pinned. */
export class TestAccess implements OpenFile {
  readonly kind = 'other';
  readonly items = new Map<number, { readonly iova: bigint; readonly pages: number }>();
  private nextItem = 0;

  constructor(
    readonly access: Access,
    readonly pins: boolean,
  ) {}

  add(iova: bigint, pages: number): number {
    this.items.set(this.nextItem, { iova, pages });
    return this.nextItem++;
  }

  /** The unmap callback: everything that touches the range is let go (ACC-13). */
  drop(iova: bigint, length: bigint): void {
    const last = iova + length - 1n;
    for (const [id, item] of this.items) {
      if (item.iova > last || item.iova + BigInt(item.pages) * PAGE_SIZE - 1n < iova) continue;
      this.items.delete(id);
      this.access.unpinPages(item.iova, item.pages);
    }
  }

  release(): void {
    this.drop(0n, ADDRESS_MAX);
    this.access.unbind();
  }
}

export class Selftest {
  private readonly devices: MockDevices;

  constructor(private readonly kernel: Kernel) {
    this.devices = new MockDevices(kernel);
  }

  /** @throws Refusal ENOTTY where the kernel was built without */
  private enter({ context }: IommufdFile): IommufdContext {
    if (this.kernel.buildOption('IOMMUFD_TEST')) return context;
    throw new Refusal('ENOTTY', 'CMP-05', 'this kernel was built without CONFIG_IOMMUFD_TEST');
  }

  // ---------------------------------------------------------------------------------------------- devices

  /** MOCK_DOMAIN, MOCK_DOMAIN_FLAGS (CNF-02, CNF-03). @throws Refusal of binding and attaching; nothing is left then */
  mockDomain(file: IommufdFile, pt: number, flags = 0): TestDeviceIds {
    const context = this.enter(file);
    const known = MOCK_DEVICE.NO_DIRTY | MOCK_DEVICE.HUGE_IOVA | (since(this.kernel.profile, 'mockPasids') ? MOCK_DEVICE.PASID : 0);
    if ((flags & ~known) !== 0) throw new Refusal('EINVAL', 'CNF-01', `flags ${flags} are unknown`);
    const test = context.objects.add(new TestDevice(this.devices.create(flags), this.devices));
    try {
      test.bound = bindDevice(context, test.device);
      const hwpt = test.bound.attachTo(pt);
      return { stdev: test.id, device: test.bound.id, hwpt: hwpt.id, mock: test.device };
    } catch (refusal) {
      context.objects.remove(test);
      throw refusal;
    }
  }

  private boundDevice(context: IommufdContext, stdev: number): BoundDevice {
    const { bound } = context.objects.get(stdev, TestDevice, 'a test device');
    if (bound === null) throw new Refusal('ENOENT', 'IFD-04', `the test device ${stdev} is not bound`);
    return bound;
  }

  /** MOCK_DOMAIN_REPLACE. @returns the hwpt */
  replace(file: IommufdFile, stdev: number, pt: number): number {
    return this.boundDevice(this.enter(file), stdev).attachTo(pt).id;
  }

  /** PASID_ATTACH, PASID_REPLACE (PAS-03 .. PAS-06). */
  attachPasid(file: IommufdFile, stdev: number, pasid: number, pt: number, mode: AttachMode): number {
    return this.boundDevice(this.enter(file), stdev).attachPasid(pt, pasid, mode).id;
  }

  /** PASID_DETACH. */
  detachPasid(file: IommufdFile, stdev: number, pasid: number): void {
    this.boundDevice(this.enter(file), stdev).detachPasid(pasid);
  }

  /** PASID_CHECK_HWPT: is that page table on the PASID? 0 means none. @throws Refusal ENOENT, EINVAL */
  checkPasid(file: IommufdFile, stdev: number, pasid: number, hwpt: number): void {
    const context = this.enter(file);
    const { group } = this.boundDevice(context, stdev).membership;
    const object = context.objects.find(hwpt);
    const wanted = object instanceof Hwpt || object instanceof NestedHwpt ? object.domain : null;
    if (group.pasids.domainOf(pasid) !== wanted) throw new Refusal('EINVAL', 'PAS-06', `another page table is on PASID ${pasid}`);
  }

  // ---------------------------------------------------------------------------------------------- address spaces

  /** ADD_RESERVED (IOP-06): for nobody, so it stays. */
  addReserved(file: IommufdFile, ioas: number, start: bigint, length: bigint): void {
    const { table } = this.enter(file).objects.get(ioas, Ioas, 'an address space');
    table.space.reserve({ start, last: start + length - 1n }, this, 'the test range');
  }

  private mockTable(context: IommufdContext, id: number): Hwpt {
    const hwpt = context.objects.get(id, Hwpt, 'a page table that the kernel fills');
    if (hwpt.domain.unit.description.architecture !== 'mock') throw new Refusal('EINVAL', 'CNF-01', `the hwpt ${id} is not of the test unit`);
    return hwpt;
  }

  /** MD_CHECK_MAP: does the page table lead to that memory of the process? @throws Refusal ENOENT, EINVAL, EFAULT */
  checkMap(file: IommufdFile, process: Process, id: number, iova: bigint, length: bigint, va: bigint): void {
    const { domain } = this.mockTable(this.enter(file), id);
    if (((iova | length | va) & (MOCK.PAGE - 1n)) !== 0n) throw new Refusal('EINVAL', 'CNF-01', 'not a multiple of the test page');
    for (let done = 0n; done < length; done += MOCK.PAGE) {
      const [piece] = process.pieces(va + done, MOCK.PAGE, { read: true, write: false });
      if (domain.translate((iova + done) as Iova) !== piece?.physical) throw new Refusal('EINVAL', 'CNF-01', `IOVA 0x${(iova + done).toString(16)} leads elsewhere`);
    }
  }

  /** DIRTY: the pages were written to, as if by a device. @returns how many are mapped. @throws Refusal EINVAL, ENOENT */
  markDirty(file: IommufdFile, id: number, iova: bigint, length: bigint, pageSize: bigint): bigint {
    const context = this.enter(file);
    if (pageSize === 0n || length === 0n || iova % pageSize !== 0n || length % pageSize !== 0n) throw new Refusal('EINVAL', 'CNF-01', 'the range is not made of such pages');
    const { domain } = this.mockTable(context, id);
    if (!domain.tracksDirty || domain.recordsWrites !== true || !(domain.pageTable instanceof MockTable)) throw new Refusal('EINVAL', 'CNF-01', `the hwpt ${id} does not record writes now`);
    const scale = since(this.kernel.profile, 'mockPageTable') ? 1n : pageSize / MOCK.PAGE;
    let marked = 0n;
    for (let at = iova; at < iova + length; at += pageSize) if (domain.pageTable.markDirty((at / (scale === 0n ? 1n : scale)) as Iova)) marked++;
    return marked;
  }

  // ---------------------------------------------------------------------------------------------- accesses

  /** CREATE_ACCESS. @returns the descriptor. @throws Refusal ENOENT, EADDRINUSE */
  createAccess(file: IommufdFile, process: Process, ioas: number, pins: boolean): { id: number; file: number } {
    const context = this.enter(file);
    const held: { test?: TestAccess } = {};
    const access = context.objects.add(new Access(context, { name: 'a test access', subject: '' }, (iova, length) => held.test?.drop(iova, length), pins));
    held.test = new TestAccess(access, pins);
    try {
      access.attachTo(ioas);
    } catch (refusal) {
      access.unbind();
      throw refusal;
    }
    return { id: access.id, file: process.open(held.test) };
  }

  private access(process: Process, fd: number): TestAccess {
    const file = process.files.get(fd);
    if (file instanceof TestAccess) return file;
    throw new Refusal('EBADFD', 'ACC-01', `file descriptor ${fd} is not a test access`);
  }

  /** ACCESS_REPLACE_IOAS (ACC-03). */
  replaceAccess(file: IommufdFile, process: Process, fd: number, ioas: number): void {
    this.enter(file);
    this.access(process, fd).access.replaceWith(ioas);
  }

  /** ACCESS_PAGES (ACC-10). @returns the item to let go by */
  pinPages(file: IommufdFile, process: Process, fd: number, iova: bigint, length: bigint, write: boolean): number {
    this.enter(file);
    const test = this.access(process, fd);
    if (!test.pins) throw new Refusal('EOPNOTSUPP', 'ACC-10', 'the access was made without pinning');
    const start = iova - (iova % PAGE_SIZE);
    const pages = Number((iova + length - start + PAGE_SIZE - 1n) / PAGE_SIZE);
    if (length > 0n) checkWrap(iova, length);
    test.access.pinPages(start, length === 0n ? 0 : pages, { read: true, write });
    return test.add(start, pages);
  }

  /** DESTROY_ACCESS_PAGES. @throws Refusal ENOENT */
  unpinPages(file: IommufdFile, process: Process, fd: number, item: number): void {
    this.enter(file);
    const test = this.access(process, fd);
    const found = test.items.get(item);
    if (found === undefined) throw new Refusal('ENOENT', 'ACC-13', `the access has pinned nothing under ${item}`);
    test.items.delete(item);
    test.access.unpinPages(found.iova, found.pages);
  }

  /** ACCESS_RW (ACC-11). */
  readWrite(file: IommufdFile, process: Process, fd: number, iova: bigint, length: bigint, permission: Permission): void {
    this.enter(file);
    this.access(process, fd).access.readWrite(process, iova, length, permission.write);
  }

  // ---------------------------------------------------------------------------------------------- nested page tables, events

  /** MD_CHECK_IOTLB. @throws Refusal ENOENT, EINVAL */
  checkIotlb(file: IommufdFile, id: number, entry: number, value: number): void {
    const { mockEntries } = this.enter(file).objects.get(id, NestedHwpt, 'a nested page table');
    if (mockEntries[entry] !== value) throw new Refusal('EINVAL', 'CNF-04', `IOTLB entry ${entry} is ${mockEntries[entry]}`);
  }

  /** DEV_CHECK_CACHE. @throws Refusal ENOENT, EINVAL */
  checkCache(file: IommufdFile, device: number, entry: number, value: number): void {
    const found = mockCacheOf(this.enter(file).objects.get(device, BoundDevice, 'a device').device)[entry];
    if (found !== value) throw new Refusal('EINVAL', 'CNF-04', `cache entry ${entry} is ${found}`);
  }

  /** TRIGGER_IOPF: the device asks for a page; whatever comes of it, the call succeeds. */
  triggerFault(file: IommufdFile, requests: PageRequests, device: number, address: bigint, pasid: number | undefined): void {
    const bound = this.enter(file).objects.get(device, BoundDevice, 'a device');
    try {
      requests.report(bound.device, { pasid, address, write: true, last: true });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  }

  /** TRIGGER_VEVENT: something happened to the device. @throws Refusal ENOENT */
  triggerEvent(file: IommufdFile, device: number): void {
    const bound = this.enter(file).objects.get(device, BoundDevice, 'a device');
    const { hwpt } = bound.membership;
    const viommu = hwpt instanceof NestedHwpt ? hwpt.viommu : null;
    const virtualId = viommu?.virtualIdOf(bound.device);
    const queue = viommu?.eventQueues.get(MOCK_TYPE.EVENT_QUEUE);
    if (virtualId === undefined || queue === undefined) throw new Refusal('ENOENT', 'IFD-84', `${bound.device.name} reports to no queue of a vIOMMU`);
    queue.report(virtualId);
  }

  // ---------------------------------------------------------------------------------------------- buffers

  /** DMABUF_GET. @returns the descriptor of a buffer with `length` bytes at `memory` */
  getBuffer(file: IommufdFile, process: Process, length: bigint, memory: bigint): number {
    this.enter(file);
    return process.open(new DmaBuffer(length, physical(memory)));
  }

  /** DMABUF_REVOKE: the exporter takes the buffer back, or gives it out again. @throws Refusal EINVAL */
  revokeBuffer(file: IommufdFile, process: Process, fd: number, revoked: boolean): void {
    this.enter(file);
    const buffer = process.file(fd);
    if (!(buffer instanceof DmaBuffer)) throw new Refusal('EINVAL', 'IFD-19', `file descriptor ${fd} is not a buffer of the tests`);
    if (revoked) buffer.revoke();
    else buffer.revoked = false;
  }
}

function checkWrap(iova: bigint, length: bigint): void {
  if (iova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'ACC-10', 'the range is beyond 64 bits');
}
