/** The DMA API of kernel drivers: addresses for streaming maps, out of the group's default domain (LNX-11). */
import type { Permission, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import { iova, type AddressRange, type PhysicalAddress } from '../memory/address.js';
import { IntervalMap } from '../memory/interval-map.js';
import type { Device, PagingDomain } from './core.js';
import { joinRanges } from './ranges.js';

/** Highest address that a PCI driver gets by default: allocation is from here down (`iommu.forcedac` aside). */
const HIGHEST = 0xffff_ffffn;

export class DmaApi {
  /** Taken and reserved ranges of each default domain. */
  private readonly taken = new Map<PagingDomain, IntervalMap<true>>();
  private readonly lowestTaken = new Map<PagingDomain, bigint>();

  /** @param windows ranges that look like the BARs of peers (RSV-35) */
  constructor(private readonly windows: readonly AddressRange[]) {}

  /**
   * `dma_map_page`: what the driver gives its device. Without translation it is the physical address itself. The mapping
   * goes into the group's default domain, also while the device translates through another one.
   * @param wanted an address to use instead of the allocator's
   * @throws Refusal EINVAL for no bytes; ENOMEM without room; what the page table says
   */
  map(device: Device, physical: PhysicalAddress, size: bigint, permission: Permission, wanted: bigint | undefined, origin: SubjectId): bigint {
    if (size === 0n) throw new Refusal('EINVAL', 'LNX-11', 'a mapping of no bytes', [device.subject]);
    const domain = device.group?.defaultDomain ?? null;
    if (domain === null || domain.type === 'identity' || domain.type === 'blocked') return physical;
    const address = iova(wanted ?? this.allocate(device, domain, size));
    domain.map(address, physical, size, permission, origin);
    return address;
  }

  /** Top down and aligned to the size, which is rounded up to a power of two. */
  private allocate(device: Device, domain: PagingDomain, size: bigint): bigint {
    const taken = this.takenIn(device, domain);
    const rounded = powerOfTwoAbove(size);
    const limit = HIGHEST < domain.aperture.last ? HIGHEST : domain.aperture.last;
    let start = alignDown((this.lowestTaken.get(domain) ?? limit + 1n) - rounded, rounded);
    for (; start > 0n; start = alignDown(start, rounded)) {
      const range = { start, last: start + rounded - 1n };
      const inTheWay = taken.firstOverlap(range);
      if (inTheWay === undefined) {
        taken.insert(range, true);
        this.lowestTaken.set(domain, start);
        return start;
      }
      start = inTheWay.start - rounded;
    }
    throw new Refusal('ENOMEM', 'LNX-11', `no I/O virtual address below ${limit + 1n} is left for ${device.name}`, [device.subject]);
  }

  /** RSV-35, RSV-37: host-bridge windows and reserved regions are never given out, nor is page 0. */
  private takenIn(device: Device, domain: PagingDomain): IntervalMap<true> {
    const known = this.taken.get(domain);
    if (known !== undefined) return known;
    const taken = new IntervalMap<true>();
    const regions = device.group?.reservedRegions().filter((region) => region.type !== 'software-msi').map((region) => region.range) ?? [];
    for (const range of joinRanges([...this.windows, ...regions])) taken.insert(range, true);
    this.taken.set(domain, taken);
    return taken;
  }
}

const alignDown = (value: bigint, alignment: bigint): bigint => (value < 0n ? 0n : value & ~(alignment - 1n));

/** The power of two that is not below `size`, at least a page. */
function powerOfTwoAbove(size: bigint): bigint {
  let power = 4096n;
  while (power < size) power <<= 1n;
  return power;
}
