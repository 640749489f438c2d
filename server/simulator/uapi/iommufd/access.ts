/** Access objects: how the driver of an emulated device uses an IOAS, with no IOMMU in between (ACC-*, SBS-02). */
import type { Permission, SubjectId } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import { ADDRESS_MAX, hex, PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import type { MediatedMemory, UnmapListener } from '../container.js';
import type { Process } from '../process.js';
import type { IommufdContext } from './context.js';
import type { PlacedArea, TableAccess } from './io-pagetable.js';
import { Ioas } from './ioas.js';
import { IommufdObject } from './objects.js';

/** Who uses it: a device, or a part of the kernel. */
export type AccessUser = Pick<Device, 'name' | 'subject'> & { readonly kind?: Device['kind'] };

/** One device's use of an IOAS. Who attached first does not matter: domains and accesses pin apart from one another (ACC-14). */
export class Access extends IommufdObject implements TableAccess, MediatedMemory {
  readonly kind = 'access';
  /** `iommufd_access_rw` alone asks for no alignment (IOP-01). */
  readonly alignment: bigint;
  areasLocked = false;
  private ioas: Ioas | null = null;
  /** IOVA page number → how often the driver holds it. */
  private readonly held = new Map<bigint, number>();

  /** @param onUnmap the driver's `dma_unmap`; null when it has none */
  constructor(
    readonly context: IommufdContext,
    readonly device: AccessUser,
    private readonly onUnmap: UnmapListener | null,
    /** ACC-01: drivers that pin need whole pages. */
    pins = true,
  ) {
    super();
    this.alignment = pins ? PAGE_SIZE : 1n;
    context.hold();
    this.hold(); // IFD-09: its driver keeps it
  }

  private get offenders(): SubjectId[] {
    return this.device.subject === '' ? [] : [this.device.subject];
  }

  get attachedTo(): Ioas | null {
    return this.ioas;
  }

  get pinnedPages(): number {
    return this.held.size;
  }

  // ---------------------------------------------------------------------------------------------- binding

  /** ACC-02, and ACC-03 for a device that is attached. @throws Refusal ENOENT, EADDRINUSE; the old IOAS stays then */
  attachTo(target: number): void {
    const next = this.context.objects.get(target, Ioas, 'an address space');
    const old = this.ioas;
    if (next === old) return;
    next.table.addAccess(this);
    next.hold();
    if (old !== null) this.leave(old);
    this.ioas = next;
  }

  /** ACC-04. */
  detach(): void {
    if (this.ioas === null) return;
    this.leave(this.ioas);
    this.ioas = null;
  }

  unbind(): void {
    this.detach();
    this.drop();
    this.context.objects.remove(this);
  }

  /** The same of an access that the kernel made for itself, which has no number. */
  discard(): void {
    this.detach();
    this.destroy();
  }

  /** ACC-03 of the kernel's own interface. @throws Refusal ENOENT for one that is not attached, then as `attachTo` */
  replaceWith(target: number): void {
    if (this.ioas === null) throw new Refusal('ENOENT', 'ACC-03', `${this.device.name} is attached to no address space, so nothing can be replaced`);
    this.attachTo(target);
  }

  destroy(): void {
    this.context.drop();
  }

  /** The driver drops its pins; what it forgets, the kernel takes back. */
  private leave(ioas: Ioas): void {
    this.unmap(0n, ADDRESS_MAX);
    for (const [page, times] of [...this.held]) for (let i = 0; i < times; i++) this.unpinPages(page * PAGE_SIZE, 1);
    ioas.table.removeAccess(this);
    ioas.drop();
  }

  /** ACC-13: the driver's callback. */
  unmap(iova: bigint, length: bigint): void {
    this.onUnmap?.(iova, length);
  }

  // ---------------------------------------------------------------------------------------------- memory

  /** ACC-10, for the whole pages from the one that holds `iova`. @throws Refusal; nothing is pinned then */
  pinPages(iova: bigint, pages: number, permission: Permission): readonly PhysicalAddress[] {
    if (pages <= 0 || this.onUnmap === null) {
      // VFT-70: a driver that cannot be told of an unmap may not pin.
      throw new Refusal('EINVAL', pages <= 0 ? 'ACC-10' : 'VFT-70', pages <= 0 ? 'no pages are asked for' : `the driver of ${this.device.name} has no dma_unmap operation`, this.offenders);
    }
    const start = iova - (iova % PAGE_SIZE);
    const parts = this.lookUp(start, BigInt(pages) * PAGE_SIZE, permission.write);
    const pinned: { area: PlacedArea; first: bigint; last: bigint }[] = [];
    const found: PhysicalAddress[] = [];
    try {
      for (const { area, first, last } of parts) {
        this.checkAligned(area, first, last);
        for (const { physical, size } of area.value.pages.pin(first, last)) {
          for (let at = 0n; at < size; at += PAGE_SIZE) found.push((physical + at) as PhysicalAddress);
        }
        pinned.push({ area, first, last });
      }
    } catch (refusal) {
      for (const { area, first, last } of pinned) area.value.pages.unpin(first, last);
      throw refusal;
    }
    for (const { area, first, last } of pinned) area.value.accesses += Number((last - first + 1n) / PAGE_SIZE);
    for (let i = 0; i < pages; i++) this.count(start / PAGE_SIZE + BigInt(i), 1);
    return found;
  }

  /** Pages that it does not hold are left alone (the kernel warns). */
  unpinPages(iova: bigint, pages: number): number {
    let released = 0;
    for (let i = 0; i < pages; i++) {
      const page = iova / PAGE_SIZE + BigInt(i);
      const area = this.held.has(page) ? this.ioas?.table.areas.at(page * PAGE_SIZE) : undefined;
      if (area === undefined) continue;
      const byte = area.value.offset + (page * PAGE_SIZE - area.start);
      area.value.pages.unpin(byte, byte + PAGE_SIZE - 1n);
      area.value.accesses--;
      this.count(page, -1);
      released++;
    }
    return released;
  }

  /** IFD-86: what the pages are part of cannot be unmapped; `change` is 1 or -1. */
  lockAreas(start: bigint, pages: number, change: 1 | -1): void {
    for (const { area } of this.ioas?.table.cover(start, BigInt(pages) * PAGE_SIZE, 'IFD-86') ?? []) area.value.locks += change;
    this.areasLocked = change > 0;
  }

  /** ACC-11: a copy by the CPU. @throws Refusal EINVAL, EOVERFLOW, ENOENT, EPERM, EFAULT */
  readWrite(_process: Process, iova: bigint, size: bigint, write: boolean): void {
    for (const { area, first, last } of this.lookUp(iova, size, write)) area.value.pages.touch(first, last);
  }

  /** What ACC-10 and ACC-11 ask first; `first` and `last` count bytes of each area's pages. */
  private lookUp(iova: bigint, length: bigint, write: boolean): { area: PlacedArea; first: bigint; last: bigint }[] {
    if (length === 0n) throw new Refusal('EINVAL', 'ACC-10', 'no bytes are asked for', this.offenders);
    if (iova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'ACC-10', `IOVA ${hex(iova)} size ${hex(length)} is beyond 64 bits`, this.offenders);
    if (this.ioas === null) throw new Refusal('ENOENT', 'CDV-07', `${this.device.name} is attached to no address space`, this.offenders);
    return this.ioas.table.cover(iova, length, 'ACC-10').map(({ area, part }) => {
      this.checkPermission(area, write);
      const first = area.value.offset + (part.start - area.start);
      return { area, first, last: first + (part.last - part.start) };
    });
  }

  private checkPermission({ start, value }: PlacedArea, write: boolean): void {
    const offenders = value.subject === undefined ? [] : [value.subject];
    if (value.pages.source.dmaBuffer !== undefined) throw new Refusal('EINVAL', 'ACC-11', `IOVA ${hex(start)} is a dma-buf, which no CPU copies and nobody pins`, offenders);
    if (value.unmapping) throw new Refusal('EINVAL', 'IOP-36', `IOVA ${hex(start)} is being unmapped`, offenders);
    if (write ? value.permission.write : value.permission.read) return;
    throw new Refusal('EPERM', 'ACC-10', `IOVA ${hex(start)} is not mapped for ${write ? 'writing' : 'reading'}`, offenders);
  }

  private checkAligned({ start, value }: PlacedArea, first: bigint, last: bigint): void {
    if ((first | (last + 1n)) % PAGE_SIZE === 0n) return;
    throw new Refusal('EINVAL', 'ACC-10', `the memory behind IOVA ${hex(start)} does not begin and end at pages`, value.subject === undefined ? [] : [value.subject]);
  }

  private count(page: bigint, change: number): void {
    const times = (this.held.get(page) ?? 0) + change;
    if (times > 0) this.held.set(page, times);
    else this.held.delete(page);
  }
}
