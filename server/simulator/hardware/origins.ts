/** Who asked for which mapping: kept beside a page table, because a table entry has no room for it. */
import type { SubjectId } from '../description.js';
import type { AddressRange, Iova } from '../memory/address.js';
import { IntervalMap } from '../memory/interval-map.js';

export class Origins {
  private readonly ranges = new IntervalMap<SubjectId, Iova>();

  /** A range that continues one of the same origin makes it longer, so that a million small mappings of one statement cost one entry. */
  record(range: AddressRange<Iova>, origin: SubjectId | undefined): void {
    this.forget(range);
    if (origin === undefined) return;
    const before = range.start > 0n ? this.ranges.at(range.start - 1n) : undefined;
    if (before?.value === origin && this.ranges.extend(before.start, range.last)) return;
    this.ranges.insert(range, origin);
  }

  forget(range: AddressRange<Iova>): void {
    if (this.ranges.size === 0) return;
    if (this.ranges.firstOverlap(range) === undefined) return;
    for (const found of [...this.ranges.overlapping(range)]) {
      this.ranges.remove(found.start);
      if (found.start < range.start) this.ranges.insert({ start: found.start, last: (range.start - 1n) as Iova }, found.value);
      if (found.last > range.last) this.ranges.insert({ start: (range.last + 1n) as Iova, last: found.last }, found.value);
    }
  }

  at(iova: bigint): { readonly last: bigint; readonly value: SubjectId } | undefined {
    return this.ranges.size === 0 ? undefined : this.ranges.at(iova);
  }
}
