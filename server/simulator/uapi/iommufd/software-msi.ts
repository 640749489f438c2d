/**
 * Doorbells of interrupts where the IOMMU translates them too, as on Arm: user space has a window of addresses reserved for
 * them, and every page with a doorbell gets its place in it (IFD-44).
 */
import { Refusal } from '../../errno.js';
import type { Device, Group, PagingDomain } from '../../kernel/core.js';
import { iova, PAGE_SIZE, physical, type Iova } from '../../memory/address.js';
import type { PageTableObject } from './hwpt.js';

/** Distinct doorbell pages of one iommufd. */
const MOST_PAGES = 64;

/** One doorbell page; the same place in every page table of the iommufd. */
interface Doorbell {
  readonly page: bigint;
  readonly iova: Iova;
}

export class MessageWindow {
  /** In the order of the first request, by where the window begins. */
  private readonly doorbells = new Map<bigint, Doorbell[]>();
  private count = 0;
  /** What interrupts of a group need. */
  private readonly needed = new Map<Group, Set<Doorbell>>();
  private readonly shown = new WeakMap<PagingDomain, Set<Doorbell>>();

  /**
   * An interrupt of the device is set up, whose doorbell is at `address`. @returns where the device has to write; null where its
   * IOMMU does not translate interrupts. @throws Refusal EOVERFLOW, what mapping says
   */
  request(device: Device, address: bigint, hwpt: PageTableObject | null): Iova | null {
    const base = windowOf(device);
    const { group } = device;
    if (base === null || group === null || hwpt === null) return null;
    const doorbell = this.doorbellAt(base, address - (address % PAGE_SIZE), device);
    let needs = this.needed.get(group);
    if (needs === undefined) this.needed.set(group, (needs = new Set()));
    needs.add(doorbell);
    this.show(doorbell, hwpt);
    return iova(doorbell.iova + (address % PAGE_SIZE));
  }

  /** First attachment of a group to a page table, or a replacement: what its interrupts need is there too. @throws Refusal of mapping */
  prepare(group: Group, device: Device, hwpt: PageTableObject): void {
    if (windowOf(device) === null) return;
    for (const doorbell of this.needed.get(group) ?? []) this.show(doorbell, hwpt);
  }

  private doorbellAt(base: bigint, page: bigint, device: Device): Doorbell {
    let known = this.doorbells.get(base);
    if (known === undefined) this.doorbells.set(base, (known = []));
    const found = known.find((doorbell) => doorbell.page === page);
    if (found !== undefined) return found;
    if (this.count === MOST_PAGES) throw new Refusal('EOVERFLOW', 'IFD-44', `the iommufd has ${MOST_PAGES} doorbell pages already`, [device.subject]);
    const doorbell = { page, iova: iova(base + BigInt(known.length) * PAGE_SIZE) };
    known.push(doorbell);
    this.count++;
    return doorbell;
  }

  private show(doorbell: Doorbell, { domain }: PageTableObject): void {
    const paging = domain.type === 'nested' ? domain.parent : domain;
    let shown = this.shown.get(paging);
    if (shown === undefined) this.shown.set(paging, (shown = new Set()));
    if (shown.has(doorbell)) return;
    paging.map(doorbell.iova, physical(doorbell.page), PAGE_SIZE, { read: true, write: true });
    shown.add(doorbell);
  }
}

/** Where the window of a device begins; null for units that leave interrupts alone. */
const windowOf = (device: Device): bigint | null => device.reservedRegions.find((region) => region.type === 'software-msi')?.range.start ?? null;
