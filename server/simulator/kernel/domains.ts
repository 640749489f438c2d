/** Domains of the IOMMU core: two static ones and those with a page table. */
import type { Permission, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { DeviceEntry, IommuUnit, MappedRun, PageTable } from '../hardware/architecture.js';
import { hex, type AddressRange, type Iova, type PhysicalAddress } from '../memory/address.js';
import { ResourceLimit } from '../memory/physical-memory.js';
import type { BlockedDomain, Device, IdentityDomain, NestedDomain, PagingDomain } from './core.js';
import { maxPasids } from './pasid-numbers.js';

export const IDENTITY: IdentityDomain = { type: 'identity' };
export const BLOCKED: BlockedDomain = { type: 'blocked' };

/** Leaf entries that one machine may write. A file that maps more than this asks for the absurd: 16 GiB in pages of 4 KiB. */
const MAX_LEAVES = 1n << 22n;

/** Keeps absurd maps from hanging the simulator. */
export class MapBudget {
  private left = MAX_LEAVES;

  /** @throws ResourceLimit */
  spend(leaves: bigint): void {
    this.left -= leaves;
    if (this.left < 0n) throw new ResourceLimit(`more than ${MAX_LEAVES} page-table entries were mapped`);
  }
}

/** How many leaves map `size` bytes, roughly: as large as the two addresses allow together (MAP-02, MAP-03). */
function leafCount(iova: bigint, physical: bigint, size: bigint, pageSizes: bigint): bigint {
  const apart = iova ^ physical;
  const usable = apart === 0n ? pageSizes : pageSizes & ((apart & -apart) * 2n - 1n);
  const largest = 1n << BigInt(usable.toString(2).length - 1);
  return largest > size ? 1n : size / largest;
}

/**
 * Programs a device's entries: those of all its requester IDs (PCIE-07), or only its own where the driver does no more.
 * Requests under an alias find no entry then, and fault.
 */
export const programDevice = (device: Device, entry: DeviceEntry): void => {
  const { unit, requesterIds } = device;
  if (unit === null) return;
  const programmed = unit.capabilities().programsAliases === false ? requesterIds.slice(0, 1) : requesterIds;
  for (const requesterId of programmed) unit.setDeviceEntry(requesterId, entry, maxPasids(device));
};

/** A paging domain: its mappings are entries in simulated memory, in the format of its unit. */
export class TranslatedDomain implements PagingDomain {
  /** DRT-01: allocated to record which pages are written to; whether it does so now. */
  tracksDirty = false;
  ofIommufd = false;
  private recordsDirty = false;
  private snoops = false;
  /** Nothing was ever mapped: most default domains, whose tables nobody needs to read then. */
  private untouched = true;
  /** Domains of users that translate through this one as their second stage (NST-01). */
  readonly nested = new Set<NestedDomain>();
  /** Devices whose entries point at the table now. */
  private readonly attached = new Set<Device>();

  constructor(
    public type: PagingDomain['type'],
    readonly name: string,
    readonly unit: IommuUnit,
    readonly domainId: number,
    private readonly table: PageTable,
    private readonly log: string[],
    private readonly budget: MapBudget,
    private readonly freed: (domain: TranslatedDomain) => void,
    /** MAP-10: the table code takes whole ranges, and tests them itself. */
    private readonly takesRanges = false,
  ) {}

  get aperture(): AddressRange<Iova> {
    return this.table.aperture;
  }

  /** COH-02: DMA is snooped whatever the request says; leaves that are written from now on carry that bit (COH-03). */
  get enforcesCoherency(): boolean {
    return this.snoops;
  }
  set enforcesCoherency(on: boolean) {
    this.snoops = on;
    if ('snooped' in this.table) this.table.snooped = on;
  }

  /** Anything is mapped now (COH-03). */
  get isMapped(): boolean {
    return !this.untouched && this.table.runs(0).total > 0;
  }

  get pageSizes(): bigint {
    return this.table.pageSizes;
  }

  /** MAP-01: smallest page in bytes. */
  private get smallestPage(): bigint {
    return this.pageSizes & -this.pageSizes;
  }

  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): void {
    if (this.pageSizes === 0n) throw new Refusal('ENODEV', 'MAP-01', `the driver of ${this.unit.description.name} has no map operation (WARN)`);
    if (((iova | physical | size) & (this.smallestPage - 1n)) !== 0n) {
      if (this.takesRanges) throw new Refusal('ENXIO', 'MAP-10', `no page size fits IOVA ${hex(iova)}, physical address ${hex(physical)} and size ${hex(size)}: the smallest is ${hex(this.smallestPage)}`);
      const where = `iova ${hex(iova)} pa 0x${physical.toString(16).padStart(16, '0')} size ${hex(size)} min_pagesz ${hex(this.smallestPage)}`;
      this.log.push(`iommu: unaligned: ${where}`);
      throw new Refusal('EINVAL', 'MAP-01', `iommu_map wants multiples of the smallest page: ${where}`);
    }
    if (size === 0n) return; // MAP-06
    this.budget.spend(leafCount(iova, physical, size, this.pageSizes));
    this.untouched = false;
    const { root, levels } = this.table;
    const errno = this.table.map(iova, physical, size, permission, origin);
    // A table that grew has a new top: the entries of its devices must follow (AMD v1).
    if (this.table.root !== root || this.table.levels !== levels) this.attached.forEach((device) => this.program(device));
    // MAP-04: what the call had mapped before it failed is gone again. MAP-05: collisions and addresses out of range are found by the page-table code, not by the core.
    if (errno !== null) throw new Refusal(errno, 'MAP-05', `the page table of ${this.name} refuses IOVA ${hex(iova)} size ${hex(size)}`);
    this.unit.cache?.mapped(this.domainId, iova, size); // 4.3
  }

  /** UNM-01: never an errno; 0 for an unaligned request. MAP-10: an end within a leaf takes the whole leaf, nobody complains. */
  unmap(iova: Iova, size: bigint, invalidation: 'now' | 'deferred' = 'now'): bigint {
    if (this.pageSizes === 0n) return 0n;
    const rest = this.smallestPage - 1n;
    if (this.takesRanges && (iova & rest) === 0n) return this.remove(iova, (size + rest) & ~rest, invalidation);
    if (this.takesRanges) return 0n;
    if (((iova | size) & rest) !== 0n) {
      this.log.push(`iommu: unaligned: iova ${hex(iova)} size ${hex(size)} min_pagesz ${hex(this.smallestPage)}`);
      return 0n;
    }
    return this.remove(iova, size, invalidation);
  }

  private remove(iova: Iova, size: bigint, invalidation: 'now' | 'deferred'): bigint {
    const removed = this.table.unmap(iova, size);
    if (removed > 0n) for (const above of this.nested) above.forget(); // NST-01
    if (invalidation === 'now') this.unit.cache?.invalidate(this.domainId, iova, removed > size ? removed : size); // 4.3
    return removed;
  }

  /** UNM-04. */
  translate(iova: Iova): PhysicalAddress | null {
    const leaf = this.table.lookup(iova);
    return leaf === null ? null : leaf.physical;
  }

  mappings(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number } {
    return this.untouched ? { runs: [], total: 0 } : this.table.runs(limit);
  }

  /** Points the entries of a device (all aliases, PCIE-07) at the table. */
  attachDevice(device: Device): void {
    this.attached.add(device);
    this.program(device);
  }

  detachDevice(device: Device): void {
    this.attached.delete(device);
  }

  get recordsWrites(): boolean {
    return this.recordsDirty;
  }

  get pageTable(): PageTable {
    return this.table;
  }

  /** DRT-01: dirty bits are set from now on, or no more; switching on begins with none. */
  recordDirty(on: boolean): void {
    if (on) this.takeDirty(this.aperture.start, this.aperture.last - this.aperture.start + 1n, true);
    this.recordsDirty = on;
    this.attached.forEach((device) => this.program(device));
    this.nested.forEach((above) => above.parentChanged());
    this.unit.cache?.invalidateDomain(this.domainId);
  }

  /** Pages that were written to; with `clear` they count as clean again. */
  takeDirty(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[] {
    const dirty = this.table.takeDirty?.(iova, size, clear) ?? [];
    if (clear && dirty.length > 0) {
      this.unit.cache?.invalidateDomain(this.domainId);
      this.nested.forEach((above) => above.forget());
    }
    return dirty;
  }

  /** DMA to DMA-FQ on the living domain (TYP-04). */
  makeLazy(): void {
    this.type = 'DMA-FQ';
  }

  free(): void {
    this.unit.cache?.invalidateDomain(this.domainId);
    this.table.free();
    this.freed(this);
  }

  /** What an entry says that sends a device, or one of its PASIDs, through this table. */
  entryFor(device: Device): DeviceEntry {
    return { kind: 'paging', table: this.table, domainId: this.domainId, ats: usesAts(device), dirty: this.recordsDirty };
  }

  private program(device: Device): void {
    programDevice(device, this.entryFor(device));
  }
}

/** ATS is switched on when function and unit have it and the device is trusted (LNX-03, PAS-15). */
export const usesAts = (device: Device): boolean =>
  device.kind === 'pci' && device.description.ats && device.untrusted !== true && (device.unit?.description.deviceTlb ?? false);
