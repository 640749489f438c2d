/**
 * What a driver of an architecture without a hardware model knows of a page table: its mappings and the sizes of the leaves they are
 * made of, but no entries in memory, because nothing here could read them back.
 */
import type { Permission, SubjectId } from '../../description.js';
import type { Errno } from '../../errno.js';
import { iova as asIova, physical as asPhysical, type AddressRange, type Iova, type PhysicalAddress } from '../../memory/address.js';
import { IntervalMap, type Interval } from '../../memory/interval-map.js';
import type { MappedRun, PageTable } from '../architecture.js';

interface Mapping {
  /** What is to be added to an I/O virtual address. */
  readonly offset: bigint;
  readonly permission: Permission;
  readonly origin: SubjectId | undefined;
}

export interface TableShape {
  /** Bit n = leaves of 2^n bytes. */
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  /** UNM-02: an unmap of part of a larger leaf splits it, or is refused with a line in the log. */
  readonly splitsLeaves: boolean;
  log(line: string): void;
}

/** UNM-02: io-pgtable-arm's words. */
const PARTIAL_UNMAP = 'Unmap of a partial large IOPTE is not allowed';

export class KernelOnlyTable implements PageTable {
  readonly root = asPhysical(0n);
  readonly levels = 0;
  private readonly mapped = new IntervalMap<Mapping, Iova>();
  /** Ascending, in bytes. */
  private readonly sizes: readonly bigint[];

  constructor(private readonly shape: TableShape) {
    this.sizes = bitsOf(shape.pageSizes);
  }

  get pageSizes(): bigint {
    return this.shape.pageSizes;
  }

  get aperture(): AddressRange<Iova> {
    return this.shape.aperture;
  }

  /** MAP-05: ERANGE beyond the table, EEXIST over another mapping. */
  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): Errno | null {
    const range = { start: iova, last: asIova(iova + size - 1n) };
    if (range.last > this.aperture.last) return 'ERANGE';
    return this.mapped.insert(range, { offset: physical - iova, permission, origin }) ? null : 'EEXIST';
  }

  unmap(iova: Iova, size: bigint): bigint {
    const end = iova + size;
    let at: bigint = iova;
    while (at < end) {
      const found = this.mapped.at(at);
      if (found === undefined) break;
      const last = this.removable(found, at, end - 1n);
      if (last === null) break;
      this.cut(found, at, last);
      at = last + 1n;
    }
    return at - iova;
  }

  lookup(iova: Iova) {
    const found = this.mapped.at(iova);
    if (found === undefined) return null;
    const { offset, permission } = found.value;
    return { physical: asPhysical(iova + offset), pageSize: this.leafAt(found, iova), permission };
  }

  runs(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number } {
    const runs: MappedRun[] = [];
    for (const found of this.mapped.entries()) {
      if (runs.length === limit) break;
      const { offset, permission, origin } = found.value;
      const sizes = leafSizes(found.start, found.last, this.usable(offset));
      runs.push({ iova: { start: found.start, last: found.last }, physical: asPhysical(found.start + offset), permission, pageSizes: [...sizes].sort((a, b) => (a < b ? -1 : 1)), origin });
    }
    return { runs, total: this.mapped.size };
  }

  free(): void {
    this.mapped.clear();
  }

  /** Last address that goes of `found` when everything up to `last` is wanted; null when a leaf would have to be split and cannot. */
  private removable(found: Interval<Mapping, Iova>, at: bigint, last: bigint): bigint | null {
    const wanted = last < found.last ? last : found.last;
    if (this.shape.splitsLeaves || (this.isLeafStart(found, at) && this.isLeafStart(found, wanted + 1n))) return wanted;
    this.shape.log(PARTIAL_UNMAP);
    if (!this.isLeafStart(found, at)) return null;
    // Whole leaves before the one that would have to be split still go.
    const leaf = this.leafAt(found, wanted);
    const before = wanted - (wanted % leaf) - 1n;
    return before < at ? null : before;
  }

  private isLeafStart(found: Interval<Mapping, Iova>, address: bigint): boolean {
    return address > found.last || address === found.start || address % this.leafAt(found, address) === 0n;
  }

  /** MAP-02: the largest leaf around the address that fits. */
  private leafAt(found: Interval<Mapping, Iova>, address: bigint): bigint {
    const fits = (size: bigint): boolean => address - (address % size) >= found.start && address - (address % size) + size - 1n <= found.last;
    return this.usable(found.value.offset).findLast(fits) ?? this.sizes[0]!;
  }

  private usable(offset: bigint): bigint[] {
    return this.sizes.filter((size) => offset % size === 0n);
  }

  private cut(found: Interval<Mapping, Iova>, first: bigint, last: bigint): void {
    this.mapped.remove(found.start);
    if (found.start < first) this.mapped.insert({ start: found.start, last: asIova(first - 1n) }, found.value);
    if (last < found.last) this.mapped.insert({ start: asIova(last + 1n), last: found.last }, found.value);
  }
}

/** Sizes of the leaves that a mapping consists of (MAP-02, MAP-03). @param usable ascending */
function leafSizes(start: bigint, last: bigint, usable: readonly bigint[], found = new Set<bigint>()): Set<bigint> {
  const size = usable.at(-1);
  if (size === undefined || start > last) return found;
  const smaller = usable.slice(0, -1);
  const first = (start + size - 1n) & -size;
  const end = (last + 1n) & -size;
  if (first >= end) return leafSizes(start, last, smaller, found);
  found.add(size);
  leafSizes(start, first - 1n, smaller, found);
  return leafSizes(end, last, smaller, found);
}

/** Powers of two in a bit map, ascending. */
function bitsOf(map: bigint): bigint[] {
  const bits: bigint[] = [];
  for (let left = map; left > 0n; left &= left - 1n) bits.push(left & -left);
  return bits;
}
