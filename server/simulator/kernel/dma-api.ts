/** The DMA API of kernel drivers: streaming maps in the group's default domain, and when their IOTLB entries go (LNX-11, 4.3). */
import type { Permission, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import { iova, type AddressRange, type PhysicalAddress } from '../memory/address.js';
import type { Device, PagingDomain } from './core.js';
import { beyond, retaining, type DmaRanges } from './dma-ranges.js';
import { FlushQueue } from './flush-queue.js';
import { IovaAllocator } from './iova-allocator.js';
import { deviceLine } from './log-lines.js';
import { joinRanges } from './ranges.js';
import type { LazinessTest } from './strictness.js';

/** Highest address that a PCI driver gets by default: allocation is from here down (`iommu.forcedac` aside). */
const HIGHEST = 0xffff_ffffn;

/** A range that a driver has mapped. */
export interface DmaMapping {
  readonly address: bigint;
  readonly size: bigint;
  readonly physical: PhysicalAddress;
  /** How the address was got, and so how it is given back; `chosen` over a range that is taken leaves nothing to give back. */
  readonly got: 'allocated' | 'reserved' | 'chosen';
}

export type DmaUnmap =
  /** The device uses physical addresses: there is nothing to undo. */
  | { readonly kind: 'untranslated' }
  | { readonly kind: 'not-mapped'; readonly address: bigint | undefined }
  /** Strict: the IOTLB has forgotten the range. */
  | { readonly kind: 'invalidated'; readonly mapping: DmaMapping }
  /** Lazy: the range waits, the last of `waiting`; the queue was full and `flushed` ranges went first. */
  | { readonly kind: 'queued'; readonly mapping: DmaMapping; readonly waiting: number; readonly flushed: number };

/** The timer of a domain's flush queue fired. */
export interface TimedFlush {
  readonly domain: PagingDomain;
  readonly ranges: number;
}

/** What the DMA API keeps for each default domain. */
interface Space {
  readonly addresses: IovaAllocator;
  readonly mappings: Map<bigint, DmaMapping>;
  readonly queue: FlushQueue<DmaMapping>;
}

/** What boot knows. */
export interface DmaApiSetting {
  /** Ranges that look like the BARs of peers (RSV-35). */
  readonly windows: readonly AddressRange[];
  readonly isLazy: LazinessTest;
  /** What PCI devices may address (RSV-36). */
  readonly ranges?: DmaRanges;
}

export class DmaApi {
  private readonly spaces = new Map<PagingDomain, Space>();
  /** Addresses that each device has mapped, the latest last; some may be unmapped again. */
  private readonly handles = new Map<Device, bigint[]>();
  /** Milliseconds since boot. Steps take no time; only `wait` does. */
  private now = 0;

  constructor(private readonly setting: DmaApiSetting) {}

  /** `iommu_setup_dma_ops` of each device at boot: what the log says of those for which it fails (RSV-38). */
  setUpMessages(devices: readonly Device[]): string[] {
    return devices.flatMap((device) => {
      const domain = translatingDefault(device);
      const why = domain === null ? null : this.unusable(device, domain);
      return why === null ? [] : [deviceLine(device, why), retaining(device.name)];
    });
  }

  /** Why the device uses physical addresses although a domain translates them. */
  private unusable(device: Device, { aperture }: PagingDomain): string | null {
    const ranges = this.rangesOf(device);
    return ranges === undefined ? null : (ranges.fault ?? beyond(ranges, aperture));
  }

  private readonly rangesOf = ({ kind }: Device): DmaRanges | undefined => (kind === 'pci' ? this.setting.ranges : undefined);

  /** The domain that its mappings go to; null: addresses are physical, because nothing translates or the set-up failed (RSV-38). */
  private domainOf(device: Device): PagingDomain | null {
    const domain = translatingDefault(device);
    return domain === null || this.unusable(device, domain) !== null ? null : domain;
  }

  /**
   * `dma_map_page`: what the driver gives its device. Without translation it is the physical address itself. The mapping
   * goes into the group's default domain, also while the device translates through another one.
   * @param wanted an address to use instead of the allocator's
   * @throws Refusal EINVAL for no bytes; ENOMEM without room; what the page table says
   */
  map(device: Device, physical: PhysicalAddress, size: bigint, permission: Permission, wanted: bigint | undefined, origin: SubjectId): bigint {
    if (size === 0n) throw new Refusal('EINVAL', 'LNX-11', 'a mapping of no bytes', [device.subject]);
    const domain = this.domainOf(device);
    if (domain === null) return physical;
    const space = this.spaceOf(device, domain);
    const address = wanted ?? space.addresses.allocate(size);
    if (address === null) throw new Refusal('ENOMEM', 'LNX-11', `no I/O virtual address below ${space.addresses.limit} is left for ${device.name}`, [device.subject]);
    domain.map(iova(address), physical, size, permission, origin);
    const got = wanted === undefined ? 'allocated' : space.addresses.reserve(wanted, size) ? 'reserved' : 'chosen';
    space.mappings.set(address, { address, size, physical, got });
    this.handlesOf(device).push(address);
    return address;
  }

  /**
   * `dma_unmap_page`: the table entries go at once. Strict, the IOTLB's go too before this returns; lazy, the range joins
   * the flush queue and its address stays taken.
   * @param wanted what `map` gave; without it, the latest mapping of the device
   */
  unmap(device: Device, wanted: bigint | undefined): DmaUnmap {
    const domain = this.domainOf(device);
    if (domain === null) return { kind: 'untranslated' };
    const space = this.spaceOf(device, domain);
    const address = wanted ?? this.latest(device, space);
    const mapping = address === undefined ? undefined : space.mappings.get(address);
    if (mapping === undefined) return { kind: 'not-mapped', address };
    space.mappings.delete(mapping.address);
    const lazy = this.setting.isLazy(device, domain);
    domain.unmap(iova(mapping.address), mapping.size, lazy ? 'deferred' : 'now');
    if (lazy) {
      const flushed = space.queue.add(mapping, this.now);
      return { kind: 'queued', mapping, flushed, waiting: space.queue.length };
    }
    giveBack(space.addresses, mapping);
    return { kind: 'invalidated', mapping };
  }

  /** Lets time pass. @returns the flushes that timers caused, by domain in the order of first use */
  wait(milliseconds: number): TimedFlush[] {
    this.now += milliseconds;
    const flushes: TimedFlush[] = [];
    for (const [domain, { queue }] of this.spaces) {
      const ranges = queue.advance(this.now);
      if (ranges !== null) flushes.push({ domain, ranges });
    }
    return flushes;
  }

  private handlesOf(device: Device): bigint[] {
    const known = this.handles.get(device);
    if (known !== undefined) return known;
    const handles: bigint[] = [];
    this.handles.set(device, handles);
    return handles;
  }

  private latest(device: Device, { mappings }: Space): bigint | undefined {
    const handles = this.handlesOf(device);
    while (handles.length > 0 && !mappings.has(handles.at(-1)!)) handles.pop();
    return handles.pop();
  }

  /** RSV-35, RSV-36, RSV-37: host-bridge windows, what `dma-ranges` leave out, and reserved regions are never given out. */
  private spaceOf(device: Device, domain: PagingDomain): Space {
    const known = this.spaces.get(domain);
    if (known !== undefined) return known;
    const regions = device.group?.reservedRegions().filter((region) => region.type !== 'software-msi').map((region) => region.range) ?? [];
    const ranges = this.rangesOf(device);
    const highest = ranges === undefined || ranges.first < HIGHEST ? HIGHEST : ranges.last;
    const limit = highest < domain.aperture.last ? highest : domain.aperture.last;
    const addresses = new IovaAllocator(limit + 1n, joinRanges([...this.setting.windows, ...(ranges?.gaps ?? []), ...regions]));
    const queue = new FlushQueue<DmaMapping>((ranges) => {
      domain.unit.cache?.invalidateDomain(domain.domainId);
      for (const range of ranges) giveBack(addresses, range);
    });
    const space = { addresses, mappings: new Map<bigint, DmaMapping>(), queue };
    this.spaces.set(domain, space);
    return space;
  }
}

/** The default domain of the device's group, if it translates. */
function translatingDefault(device: Device): PagingDomain | null {
  const domain = device.group?.defaultDomain ?? null;
  return domain === null || domain.type === 'identity' || domain.type === 'blocked' || domain.type === 'nested' ? null : domain;
}

function giveBack(addresses: IovaAllocator, { address, size, got }: DmaMapping): void {
  if (got === 'allocated') addresses.free(address, size);
  if (got === 'reserved') addresses.release(address, size);
}
