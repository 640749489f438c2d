/** Which I/O virtual addresses of an IOAS are free, reserved, or the kernel's to choose from (IOP-05, IOP-06, IOP-10, IFD-14). */
import { Refusal } from '../../errno.js';
import { ADDRESS_MAX, hex, overlaps, PAGE_SIZE, type AddressRange } from '../../memory/address.js';
import type { IntervalMap } from '../../memory/interval-map.js';

/** Alignment that automatic addresses get at most: a huge page (IOP-10). */
const HUGE_PAGE_SIZE = 1n << 21n;
/** IOP-10: neither the first page nor the last is ever chosen. */
const AUTOMATIC: AddressRange = { start: PAGE_SIZE, last: ADDRESS_MAX - PAGE_SIZE };

const rangeText = (range: AddressRange): string => `${hex(range.start)} .. ${hex(range.last)}`;

/** Ranges that somebody keeps free of mappings. Several owners may reserve the same range (IOP-05). */
class Reservations {
  private readonly byRange = new Map<string, { readonly range: AddressRange; readonly owners: Set<object> }>();
  /** Disjoint and ascending; null when it must be computed again. */
  private joined: AddressRange[] | null = [];

  add(range: AddressRange, owner: object): void {
    const key = rangeText(range);
    const known = this.byRange.get(key);
    if (known !== undefined) {
      known.owners.add(owner);
      return;
    }
    this.byRange.set(key, { range, owners: new Set([owner]) });
    this.joined = null;
  }

  remove(owner: object): void {
    for (const [key, { owners }] of this.byRange) {
      if (!owners.delete(owner) || owners.size > 0) continue;
      this.byRange.delete(key);
      this.joined = null;
    }
  }

  merged(): readonly AddressRange[] {
    return (this.joined ??= joinRanges([...this.byRange.values()].map(({ range }) => range)));
  }

  hit(range: AddressRange): AddressRange | undefined {
    return this.merged().find((reserved) => overlaps(reserved, range));
  }
}

function joinRanges(ranges: AddressRange[]): AddressRange[] {
  const joined: { start: bigint; last: bigint }[] = [];
  for (const { start, last } of ranges.sort((a, b) => (a.start < b.start ? -1 : 1))) {
    const before = joined.at(-1);
    if (before === undefined || start > before.last + 1n) joined.push({ start, last });
    else if (last > before.last) before.last = last;
  }
  return joined;
}

/** What lies between `used` (disjoint, ascending) in `within`, ascending. */
export function* holes(used: Iterable<AddressRange>, within: AddressRange): Generator<AddressRange> {
  let at = within.start;
  for (const { start, last } of used) {
    if (start > within.last) break;
    if (start > at) yield { start: at, last: start - 1n };
    if (last >= at) at = last + 1n;
  }
  if (at <= within.last) yield { start: at, last: within.last };
}

export class IovaSpace {
  private readonly reserved = new Reservations();
  /** Disjoint and ascending; empty = everything. */
  private allowed: readonly AddressRange[] = [];
  /** Per kind of automatic request, below which address nothing has fitted; until addresses become free again. */
  private readonly noneBelow = new Map<string, bigint>();

  /** `areas`: what is mapped. */
  constructor(private readonly areas: IntervalMap<{ readonly subject?: string }>) {}

  /** Called when addresses may have become free. */
  freed(): void {
    this.noneBelow.clear();
  }

  /** IOP-06. @throws Refusal EADDRINUSE when something is mapped there, or user space wants addresses from there */
  reserve(range: AddressRange, owner: object, what: string, subjects: readonly string[] = []): void {
    const area = this.areas.firstOverlap(range);
    if (area !== undefined) {
      throw new Refusal('EADDRINUSE', 'IOP-06', `${what} ${rangeText(range)} cannot be reserved: IOVA ${rangeText(area)} is mapped`, area.value.subject === undefined ? subjects : [...subjects, area.value.subject]);
    }
    const allowed = this.allowed.find((each) => overlaps(each, range));
    if (allowed !== undefined) {
      throw new Refusal('EADDRINUSE', 'IOP-06', `${what} ${rangeText(range)} cannot be reserved: IOVA ${rangeText(allowed)} was allowed by IOMMU_IOAS_ALLOW_IOVAS`, subjects);
    }
    this.reserved.add(range, owner);
  }

  unreserve(owner: object): void {
    this.reserved.remove(owner);
    this.freed();
  }

  /** IFD-14. @throws Refusal EINVAL, EADDRINUSE; the old list stays then */
  allow(ranges: readonly AddressRange[]): void {
    const wrong = ranges.find(({ start, last }) => start >= last);
    if (wrong !== undefined) throw new Refusal('EINVAL', 'IFD-14', `${rangeText(wrong)} is not a range of several addresses`);
    const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
    const twice = sorted.find((range, i) => i > 0 && overlaps(sorted[i - 1]!, range));
    if (twice !== undefined) throw new Refusal('EINVAL', 'IFD-14', `${rangeText(twice)} overlaps another range of the call`);
    for (const range of sorted) {
      const reserved = this.reserved.hit(range);
      if (reserved !== undefined) throw new Refusal('EADDRINUSE', 'IFD-14', `${rangeText(range)} meets the reserved range ${rangeText(reserved)}`);
    }
    this.allowed = sorted;
    this.freed();
  }

  /** IFD-15: everything that is not reserved. */
  usable(): AddressRange[] {
    return [...holes(this.reserved.merged(), { start: 0n, last: ADDRESS_MAX })];
  }

  /** A fixed range (IFD-18 step 8b). @throws Refusal EINVAL, EOVERFLOW, EEXIST */
  check(start: bigint, length: bigint, alignment: bigint): void {
    if (start % alignment !== 0n) throw new Refusal('EINVAL', 'IFD-18', `IOVA ${hex(start)} is not a multiple of ${alignment}`);
    const last = start + length - 1n;
    if (last > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-18', `IOVA ${hex(start)} size ${hex(length)} is beyond 64 bits`);
    const reserved = this.reserved.hit({ start, last });
    if (reserved !== undefined) throw new Refusal('EINVAL', 'IFD-18', `IOVA ${rangeText({ start, last })} meets the reserved range ${rangeText(reserved)}`);
    const area = this.areas.firstOverlap({ start, last });
    if (area !== undefined) {
      throw new Refusal('EEXIST', 'IFD-18', `IOVA ${rangeText(area)} is mapped already`, area.value.subject === undefined ? [] : [area.value.subject]);
    }
  }

  /**
   * Automatic address (IOP-10): first fit, keeping the alignment that the memory has at `address`.
   * @throws Refusal EOVERFLOW, EINVAL, ENOSPC
   */
  choose(length: bigint, address: bigint, alignment: bigint): bigint {
    if (length === 0n || length >= ADDRESS_MAX / 2n) throw new Refusal('EOVERFLOW', 'IOP-10', `no room for ${hex(length)} bytes can be looked for`);
    const wanted = naturalAlignment(length, address);
    if (wanted < alignment) throw new Refusal('EINVAL', 'IOP-10', `the memory allows an alignment of ${wanted} bytes, the IOAS wants ${alignment}`);
    const offset = address % PAGE_SIZE;
    const request = `${length}/${wanted}/${offset}`;
    const found = this.firstFit(length, wanted, offset, this.noneBelow.get(request) ?? 0n);
    if (found === undefined) throw new Refusal('ENOSPC', 'IOP-10', `no free IOVA range of ${hex(length)} bytes is left`);
    this.noneBelow.set(request, found);
    return found;
  }

  private firstFit(length: bigint, alignment: bigint, offset: bigint, from: bigint): bigint | undefined {
    for (const window of this.allowed.length === 0 ? [AUTOMATIC] : this.allowed) {
      const first = maximum(window.start, AUTOMATIC.start);
      const last = minimum(window.last, AUTOMATIC.last);
      const start = fit({ start: maximum(first, from), last }, length, alignment, offset);
      if (start === undefined) continue;
      for (const hole of this.free({ start, last })) {
        const candidate = fit(hole, length, alignment, offset);
        if (candidate !== undefined) return candidate;
      }
    }
    return undefined;
  }

  /** Neither reserved nor mapped. */
  private *free(within: AddressRange): Generator<AddressRange> {
    for (const open of holes(this.reserved.merged(), within)) yield* holes(this.areas.overlapping(open), open);
  }
}

const minimum = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const maximum = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** IOP-10: the length rounded up to a power of two, but no more than the memory's address and a huge page allow. */
function naturalAlignment(length: bigint, address: bigint): bigint {
  const rounded = length === 1n ? 1n : 1n << BigInt((length - 1n).toString(2).length);
  const kept = address === 0n ? rounded : minimum(rounded, address & -address);
  return minimum(kept, HUGE_PAGE_SIZE);
}

/** The lowest aligned place in a hole that holds `length` bytes; a hole of one address never does. */
function fit(hole: AddressRange, length: bigint, alignment: bigint, offset: bigint): bigint | undefined {
  const start = ((hole.start + alignment - 1n) & ~(alignment - 1n)) | offset;
  return start < hole.last && hole.last - start >= length - 1n ? start : undefined;
}
