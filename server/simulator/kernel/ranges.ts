/** Sets of address ranges. */
import type { AddressRange } from '../memory/address.js';

const byStart = (a: AddressRange, b: AddressRange): number => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0);

/** Disjoint ranges, ascending, that cover the same addresses; neighbours are joined. */
export function joinRanges(ranges: Iterable<AddressRange>): AddressRange[] {
  const result: { start: bigint; last: bigint }[] = [];
  for (const { start, last } of [...ranges].sort(byStart)) {
    const before = result.at(-1);
    if (before !== undefined && start <= before.last + 1n) before.last = last > before.last ? last : before.last;
    else result.push({ start, last });
  }
  return result;
}

/** What is left of `range` without `pieces`, which are disjoint and ascending. */
export function subtractRanges(range: AddressRange, pieces: readonly AddressRange[]): AddressRange[] {
  const left: AddressRange[] = [];
  let at = range.start;
  for (const piece of pieces) {
    if (piece.last < at) continue;
    if (piece.start > range.last) break;
    if (piece.start > at) left.push({ start: at, last: piece.start - 1n });
    at = piece.last + 1n;
  }
  if (at <= range.last) left.push({ start: at, last: range.last });
  return left;
}
