/**
 * The table of one IOAS: areas (which IOVA range shows which bytes of which pages), kept the same in every domain and
 * under every access (IOP-01 .. IOP-41).
 */
import type { Permission, SubjectId } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { PagingDomain } from '../../kernel/core.js';
import { ADDRESS_MAX, hex, PAGE_SIZE, type AddressRange, type Iova } from '../../memory/address.js';
import { IntervalMap } from '../../memory/interval-map.js';
import { IovaSpace } from './iova-space.js';
import type { Pages, PageSource } from './pages.js';

/** IOP-35: how often the drivers are asked to let go of an area before the kernel gives up. */
const UNMAP_TRIES = 100;

/** One range of I/O virtual addresses; the key of the map holds the range itself. */
export interface Area {
  readonly pages: Pages;
  /** Of the first byte, counted from the start of the pages' first page. */
  readonly offset: bigint;
  readonly permission: Permission;
  readonly subject?: SubjectId;
  /** Pins that accesses hold in it. */
  accesses: number;
  /** IFD-86: hardware reads it by physical address. */
  locks: number;
  /** IOP-36: being unmapped, so nothing new may be pinned. */
  unmapping: boolean;
}

export type PlacedArea = AddressRange<Iova> & { readonly value: Area };

/** Bytes of a pages object that are to be mapped. */
export interface PageRange {
  readonly pages: Pages;
  readonly offset: bigint;
  readonly length: bigint;
}

/** A user of the table that is no domain: an access object (ACC-*). */
export interface TableAccess {
  readonly alignment: bigint;
  /** The driver shall drop every pin in the range (ACC-13). */
  unmap(iova: bigint, length: bigint): void;
}

export interface Placement {
  /** null: the kernel chooses (IOP-10). */
  readonly iova: bigint | null;
  readonly permission: Permission;
  readonly subject?: SubjectId;
}

/** MAP-01: the smallest page of a domain, in bytes. */
const smallestPage = (domain: PagingDomain): bigint => domain.pageSizes & -domain.pageSizes;
const byteSpan = (area: PlacedArea): { first: bigint; last: bigint } => ({ first: area.value.offset, last: area.value.offset + (area.last - area.start) });

export class IoPageTable {
  readonly areas = new IntervalMap<Area, Iova>();
  readonly space = new IovaSpace(this.areas);
  readonly domains = new Set<PagingDomain>();
  private readonly accesses = new Set<TableAccess>();
  private hugePages = true;
  /** IOP-01: bytes of which every area's address, length and page offset is a multiple. */
  alignment = 1n;

  // ---------------------------------------------------------------------------------------------- alignment

  get largePages(): boolean {
    return this.hugePages;
  }

  /** IOMMU_OPTION_HUGE_PAGES (IFD-13). @throws Refusal EINVAL, EADDRINUSE */
  setLargePages(enabled: boolean): void {
    if (enabled === this.hugePages) return;
    if (!enabled && this.domains.size > 0 && this.areas.size > 0) {
      throw new Refusal('EINVAL', 'IFD-13', 'domains have mapped areas with large pages already');
    }
    this.hugePages = enabled;
    try {
      this.setAlignment(this.neededAlignment());
    } catch (refusal) {
      this.hugePages = !enabled;
      throw refusal;
    }
  }

  private neededAlignment(): bigint {
    let needed = this.hugePages ? 1n : PAGE_SIZE;
    for (const domain of this.domains) if (smallestPage(domain) > needed) needed = smallestPage(domain);
    for (const access of this.accesses) if (access.alignment > needed) needed = access.alignment;
    return needed;
  }

  /** IOP-02. @throws Refusal EADDRINUSE when an area is not aligned so; nothing changes then */
  private setAlignment(alignment: bigint): void {
    if (alignment > this.alignment) {
      for (const area of this.areas.entries()) {
        if (((area.start | (area.last - area.start + 1n) | area.value.offset) & (alignment - 1n)) === 0n) continue;
        throw new Refusal('EADDRINUSE', 'IOP-02', `IOVA ${hex(area.start)} is mapped and not aligned to ${alignment} bytes`, subjects(area));
      }
    }
    this.alignment = alignment;
  }

  // ---------------------------------------------------------------------------------------------- domains

  /** IOP-07. @param aperture what the domain says that it translates @throws Refusal EINVAL, EADDRINUSE, EFAULT, ENOMEM, what the domain says; the domain may then hold leftovers and must be freed */
  addDomain(domain: PagingDomain, aperture = domain.aperture): void {
    const smallest = smallestPage(domain);
    if (smallest > PAGE_SIZE) throw new Refusal('EINVAL', 'IOP-07', `the smallest page of ${domain.name} (${smallest} bytes) is larger than a page of the kernel`);
    const before = this.alignment;
    if (smallest > before) this.setAlignment(smallest);
    try {
      this.reserveOutside(domain, aperture);
      this.fillDomain(domain);
    } catch (refusal) {
      this.space.unreserve(domain);
      this.alignment = before;
      throw refusal;
    }
    this.domains.add(domain);
  }

  /** IOP-41: the caller frees the domain, so its entries need not be removed one by one. */
  removeDomain(domain: PagingDomain): void {
    if (!this.domains.delete(domain)) return;
    this.space.unreserve(domain);
    if (this.domains.size === 0) for (const area of this.areas.entries()) unpinArea(area);
    this.alignment = this.neededAlignment();
  }

  /** IOP-05: what a domain cannot translate is nobody's. */
  private reserveOutside(domain: PagingDomain, { start, last }: AddressRange<Iova>): void {
    const what = `the range outside of what ${domain.name} translates`;
    if (start > 0n) this.space.reserve({ start: 0n, last: start - 1n }, domain, what);
    if (last < ADDRESS_MAX) this.space.reserve({ start: last + 1n, last: ADDRESS_MAX }, domain, what);
  }

  private fillDomain(domain: PagingDomain): void {
    const pinnedHere: PlacedArea[] = [];
    try {
      for (const area of this.areas.entries()) {
        const pieces = pinArea(area);
        pinnedHere.push(area);
        this.mapPieces([domain], area, pieces);
      }
    } catch (refusal) {
      pinnedHere.forEach(unpinArea);
      throw refusal;
    }
    // One pin per area serves all domains (IOP-30).
    if (this.domains.size > 0) pinnedHere.forEach(unpinArea);
  }

  // ---------------------------------------------------------------------------------------------- map

  /**
   * Steps 7 to 10 of IFD-18, for consecutive pieces of memory. @returns the first address.
   * @throws Refusal; nothing is mapped then
   */
  map(ranges: readonly PageRange[], placement: Placement): Iova {
    const length = ranges.reduce((sum, range) => sum + range.length, 0n);
    if (length === 0n || (length & (this.alignment - 1n)) !== 0n) {
      throw new Refusal('EINVAL', 'IFD-18', `${hex(length)} bytes are not a multiple of the IOAS's alignment, ${this.alignment}`);
    }
    const start = this.place(ranges[0]!, length, placement.iova);
    const placed: PlacedArea[] = [];
    try {
      let at = start;
      for (const range of ranges) {
        const area = this.newArea(at, range, placement);
        this.areas.insert(area, area.value);
        placed.push(area);
        at = (area.last + 1n) as Iova;
      }
      this.fillAreas(placed);
    } catch (refusal) {
      for (const area of placed) this.areas.remove(area.start);
      throw refusal;
    }
    return start;
  }

  private place(first: PageRange, length: bigint, iova: bigint | null): Iova {
    if (iova === null) return this.space.choose(length, first.pages.source.start - first.pages.offset + first.offset, this.alignment) as Iova;
    this.space.check(iova, length, this.alignment);
    return iova as Iova;
  }

  private newArea(start: Iova, range: PageRange, { permission, subject }: Placement): PlacedArea {
    if (permission.write && !range.pages.writable) throw new Refusal('EPERM', 'IFD-16', 'the memory was first mapped for reading only');
    if (((range.offset % PAGE_SIZE) & (this.alignment - 1n)) !== 0n) {
      throw new Refusal('EINVAL', 'IFD-18', `the memory begins ${range.offset % PAGE_SIZE} bytes into a page, which is not a multiple of the IOAS's alignment, ${this.alignment}`);
    }
    range.pages.source.dmaBuffer?.importedBy(this);
    const value: Area = { pages: range.pages, offset: range.offset, permission, subject, accesses: 0, locks: 0, unmapping: false };
    return { start, last: (start + range.length - 1n) as Iova, value };
  }

  /** IOP-30: pins and maps into every domain, or nothing. Without a domain nobody looks at the memory (IFD-18a). */
  private fillAreas(areas: readonly PlacedArea[]): void {
    if (this.domains.size === 0) return;
    const filled: PlacedArea[] = [];
    try {
      for (const area of areas) {
        const pieces = pinArea(area);
        filled.push(area);
        this.mapPieces(this.domains, area, pieces);
      }
    } catch (refusal) {
      filled.forEach((area) => this.empty(area));
      throw refusal;
    }
  }

  /** Without large pages every page is an entry of its own, so that an area can be cut later (IOP-40). */
  private mapPieces(domains: Iterable<PagingDomain>, area: PlacedArea, pieces: ReturnType<typeof pinArea>): void {
    for (const domain of domains) {
      let at = area.start;
      for (const { physical, size } of pieces) {
        const step = this.hugePages ? size : PAGE_SIZE;
        for (let done = 0n; done < size; done += step) {
          domain.map((at + done) as Iova, (physical + done) as typeof physical, step, area.value.permission, area.value.subject);
        }
        at = (at + size) as Iova;
      }
    }
  }

  private empty(area: PlacedArea): void {
    for (const domain of this.domains) domain.unmap(area.start, area.last - area.start + 1n);
    if (this.domains.size > 0) unpinArea(area);
  }

  // ---------------------------------------------------------------------------------------------- unmap

  /**
   * IOP-35, not atomic: areas below the one that fails stay removed. @returns bytes removed.
   * @throws Refusal ENOENT for an area that is only partly inside, EDEADLOCK when a driver keeps its pins
   */
  unmap(range: AddressRange): bigint {
    let removed = 0n;
    for (const area of this.areas.overlapping(range)) {
      if (area.value.locks > 0) throw new Refusal('EBUSY', 'IOP-35', `hardware reads IOVA ${hex(area.start)} .. ${hex(area.last)} by its physical address (IFD-86)`, subjects(area));
      if (area.start < range.start || area.last > range.last) {
        throw new Refusal('ENOENT', 'IOP-35', `IOVA ${hex(area.start)} .. ${hex(area.last)} is mapped as one and only partly to be unmapped`, subjects(area));
      }
      this.expelAccesses(area);
      this.areas.remove(area.start);
      this.empty(area);
      this.space.freed();
      removed += area.last - area.start + 1n;
    }
    return removed;
  }

  unmapAll(): bigint {
    return this.unmap({ start: 0n, last: ADDRESS_MAX });
  }

  private expelAccesses(area: PlacedArea): void {
    const { value } = area;
    for (let tries = 0; value.accesses > 0; tries++) {
      if (tries === UNMAP_TRIES) {
        throw new Refusal('EDEADLOCK', 'IOP-35', `a driver keeps pages of IOVA ${hex(area.start)} .. ${hex(area.last)} pinned after being asked ${UNMAP_TRIES} times to let go`, subjects(area));
      }
      value.unmapping = true;
      for (const access of [...this.accesses]) access.unmap(area.start, area.last - area.start + 1n);
    }
  }

  /** IOP-40: cuts the area that reaches over `last` into two. @throws Refusal EBUSY, EINVAL */
  cutAfter(last: bigint): void {
    const area = this.areas.at(last);
    if (area === undefined || area.last === last) return;
    const { value } = area;
    const low = last - area.start + 1n;
    if (value.unmapping) throw new Refusal('EBUSY', 'IOP-40', `IOVA ${hex(area.start)} is being unmapped`, subjects(area));
    if (value.pages.source.dmaBuffer) throw new Refusal('EOPNOTSUPP', 'IOP-40', `IOVA ${hex(area.start)} is a dma-buf, which is not cut`, subjects(area));
    if ((((last + 1n) | (value.offset + low)) & (this.alignment - 1n)) !== 0n) {
      throw new Refusal('EINVAL', 'IOP-40', `IOVA ${hex(area.start)} .. ${hex(area.last)} cannot be cut at ${hex(last + 1n)}, which is not aligned to ${this.alignment} bytes`, subjects(area));
    }
    if (value.accesses > 0) throw new Refusal('EINVAL', 'IOP-40', `a driver has pages of IOVA ${hex(area.start)} pinned`, subjects(area));
    if (this.domains.size > 0 && this.hugePages) throw new Refusal('EINVAL', 'IOP-40', `IOVA ${hex(area.start)} may be mapped with large pages`, subjects(area));
    this.areas.remove(area.start);
    this.areas.insert({ start: area.start, last: last as Iova }, value);
    this.areas.insert({ start: (last + 1n) as Iova, last: area.last }, { ...value, offset: value.offset + low });
  }

  // ---------------------------------------------------------------------------------------------- look-up

  /** The parts of the areas under [start, start+length). @throws Refusal ENOENT when some address is not mapped */
  cover(start: bigint, length: bigint, rule: string): { readonly area: PlacedArea; readonly part: AddressRange }[] {
    const last = start + length - 1n;
    const found: { area: PlacedArea; part: AddressRange }[] = [];
    let at = start;
    for (const area of this.areas.overlapping({ start, last })) {
      if (area.start > at) break;
      found.push({ area, part: { start: at, last: area.last < last ? area.last : last } });
      at = area.last + 1n;
    }
    if (at <= last) throw new Refusal('ENOENT', rule, `nothing is mapped at IOVA ${hex(at)}`);
    return found;
  }

  /** IFD-19: the exporter took a dma-buf back; its areas stay, but no domain shows them any more. */
  revoke(source: PageSource['dmaBuffer']): void {
    for (const area of this.areas.entries()) {
      if (area.value.pages.source.dmaBuffer !== source) continue;
      for (const domain of this.domains) domain.unmap(area.start, area.last - area.start + 1n);
    }
  }

  /** Every memory object that an area shows; one may come several times. */
  *pages(): Generator<Pages> {
    for (const area of this.areas.entries()) yield area.value.pages;
  }

  // ---------------------------------------------------------------------------------------------- accesses

  /** @throws Refusal EADDRINUSE (ACC-02) */
  addAccess(access: TableAccess): void {
    if (access.alignment > this.alignment) this.setAlignment(access.alignment);
    this.accesses.add(access);
  }

  removeAccess(access: TableAccess): void {
    if (this.accesses.delete(access)) this.alignment = this.neededAlignment();
  }
}

function pinArea(area: PlacedArea) {
  const { first, last } = byteSpan(area);
  return area.value.pages.pin(first, last);
}

function unpinArea(area: PlacedArea): void {
  const { first, last } = byteSpan(area);
  area.value.pages.unpin(first, last);
}

const subjects = (area: PlacedArea): string[] => (area.value.subject === undefined ? [] : [area.value.subject]);
