/**
 * The vendor's driver of a mediated device (MDV-21): it reads the guest's addresses, pins the pages behind them through
 * VFIO and gives them to its parent device or to the CPU. This one is well-behaved unless it is told to forget.
 */
import type { Permission } from '../../description.js';
import type { Device } from '../../kernel/core.js';
import { PAGE_SHIFT, PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import type { MediatedMemory } from '../container.js';

export class MediatingDriver {
  /** IOVA page numbers it holds, with how often. */
  private readonly held = new Map<bigint, number>();
  /** Where its pins come from while the device is open. */
  memory: MediatedMemory | null = null;
  /** A driver with a bug: it ignores that its user unmaps (MDV-22, IOP-35). */
  forgetful = false;

  constructor(
    readonly device: Device,
    /** It registers a DMA_UNMAP notifier, later has a `dma_unmap` operation: kind K3 of MDV-20 (MDV-22). */
    readonly listens: boolean,
  ) {}

  get heldPages(): number {
    return this.held.size;
  }

  pin(iova: bigint, pages: number, permission: Permission): readonly PhysicalAddress[] {
    const memory = this.memory!;
    const found = memory.pinPages(iova, pages, permission);
    for (const page of pageNumbers(iova, pages)) this.held.set(page, (this.held.get(page) ?? 0) + 1);
    return found;
  }

  unpin(iova: bigint, pages: number): number {
    const released = this.memory!.unpinPages(iova, pages);
    for (const page of pageNumbers(iova, released)) this.drop(page);
    return released;
  }

  /** The user unmaps a range: everything held in it is given back. */
  unmapped(iova: bigint, size: bigint): void {
    if (this.forgetful) return;
    for (const page of this.heldWithin(iova, size)) {
      for (let times = this.held.get(page) ?? 0; times > 0; times--) this.memory?.unpinPages(page * PAGE_SIZE, 1);
      this.held.delete(page);
    }
  }

  /** Held pages of a range: by page when the range is the smaller of the two. */
  private heldWithin(iova: bigint, size: bigint): bigint[] {
    const first = iova >> BigInt(PAGE_SHIFT);
    const last = (iova + size - 1n) >> BigInt(PAGE_SHIFT);
    if (last - first < BigInt(this.held.size)) return [...pageNumbers(iova, Number(last - first) + 1)].filter((page) => this.held.has(page));
    return [...this.held.keys()].filter((page) => page >= first && page <= last);
  }

  /** The device is closed: nothing may stay pinned. */
  closed(): void {
    this.unmapped(0n, 1n << 64n);
    this.held.clear();
    this.memory = null;
  }

  private drop(page: bigint): void {
    const times = this.held.get(page) ?? 0;
    if (times > 1) this.held.set(page, times - 1);
    else this.held.delete(page);
  }
}

function* pageNumbers(iova: bigint, pages: number): Generator<bigint> {
  for (let i = 0; i < pages; i++) yield (iova >> BigInt(PAGE_SHIFT)) + BigInt(i);
}
