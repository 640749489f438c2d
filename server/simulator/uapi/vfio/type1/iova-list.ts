/**
 * The I/O virtual addresses that type1 lets its user map: ascending, disjoint ranges; empty while the container has no
 * hardware domain, which means that nothing is checked (VFT-25). Every function returns a new list.
 */
import type { ReservedRegion } from '../../../kernel/core.js';
import { ADDRESS_MAX, contains, overlaps, type AddressRange, type Iova } from '../../../memory/address.js';

export type IovaList = readonly AddressRange<Iova>[];

const range = (start: bigint, last: bigint): AddressRange<Iova> => ({ start: start as Iova, last: last as Iova });

/** VFT-20: does the aperture of a new domain leave out something that is mapped? */
export function apertureConflicts(list: IovaList, aperture: AddressRange, isMapped: (range: AddressRange) => boolean): boolean {
  const first = list[0];
  const last = list.at(-1);
  if (first === undefined || last === undefined) return false;
  if (aperture.start > last.last || aperture.last < first.start) return true;
  if (aperture.start > first.start && isMapped(range(first.start, aperture.start - 1n))) return true;
  return aperture.last < last.last && isMapped(range(aperture.last + 1n, last.last));
}

/** Regions that the user must keep out of: all but the relaxable ones (VFT-21, VFT-22, RSV-46). */
const forbidding = (regions: readonly ReservedRegion[]): readonly ReservedRegion[] => regions.filter((region) => region.type !== 'direct-relaxable');

/** VFT-21: the first reserved region that something is mapped in. */
export const reservedConflict = (regions: readonly ReservedRegion[], isMapped: (range: AddressRange) => boolean): ReservedRegion | undefined =>
  forbidding(regions).find((region) => isMapped(region.range));

/** Cuts the list down to an aperture; an empty list becomes the aperture. */
export function withinAperture(list: IovaList, aperture: AddressRange): IovaList {
  if (list.length === 0) return [range(aperture.start, aperture.last)];
  return list.filter((each) => overlaps(each, aperture)).map((each) => range(larger(each.start, aperture.start), smaller(each.last, aperture.last)));
}

/** VFT-22: cuts reserved regions out. Empty when nothing is left. */
export function withoutReserved(list: IovaList, regions: readonly ReservedRegion[]): IovaList {
  return forbidding(regions).reduce<IovaList>((rest, region) => rest.flatMap((each) => subtract(each, region.range)), list);
}

function subtract(from: AddressRange<Iova>, cut: AddressRange): AddressRange<Iova>[] {
  if (!overlaps(from, cut)) return [from];
  const left: AddressRange<Iova>[] = [];
  if (from.start < cut.start) left.push(range(from.start, cut.start - 1n));
  if (cut.last < from.last) left.push(range(cut.last + 1n, from.last));
  return left;
}

/**
 * VFT-23: a domain has gone. The ends of the list widen to what all remaining apertures share, then the regions of the
 * remaining groups are cut out again. The old list stays when that leaves nothing.
 */
export function widened(list: IovaList, apertures: readonly AddressRange[], regions: readonly ReservedRegion[]): IovaList {
  if (list.length === 0) return list;
  const start = apertures.reduce((highest, each) => larger(highest, each.start), 0n);
  const last = apertures.reduce((lowest, each) => smaller(lowest, each.last), ADDRESS_MAX);
  const rebuilt = withoutReserved([range(start, last)], regions);
  return rebuilt.length > 0 ? rebuilt : list;
}

/** VFT-40's step 10: everything goes while the list is empty. */
export const isUsable = (list: IovaList, wanted: AddressRange): boolean => list.length === 0 || list.some((each) => contains(each, wanted));

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
