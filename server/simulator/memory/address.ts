/**
 * 64-bit addresses, exact everywhere. An address is a `bigint` with a brand that says which space it lives in; inside
 * page tables and interval maps, page frame numbers are plain `number`s (a 64-bit address shifted by 12 fits 2^52).
 */
declare const space: unique symbol;

/** An I/O virtual address: what a device puts on the bus. */
export type Iova = bigint & { readonly [space]: 'iova' };
/** A host physical address: what the memory controller or a BAR decodes. */
export type PhysicalAddress = bigint & { readonly [space]: 'physical' };
/** A virtual address of a process. */
export type VirtualAddress = bigint & { readonly [space]: 'virtual' };

/** 2^64 - 1, the highest address. */
export const ADDRESS_MAX = 0xffff_ffff_ffff_ffffn;
export const PAGE_SHIFT = 12;
/** Bytes of the smallest page (all modelled architectures). */
export const PAGE_SIZE = 4096n;

function checked(value: bigint, what: string): bigint {
  if (value < 0n || value > ADDRESS_MAX) throw new RangeError(`${what} ${value} is not a 64-bit address`);
  return value;
}

/** @throws RangeError when `value` is not in 0 .. 2^64-1 (as for the two below). */
export const iova = (value: bigint): Iova => checked(value, 'IOVA') as Iova;
export const physical = (value: bigint): PhysicalAddress => checked(value, 'physical address') as PhysicalAddress;
export const virtual = (value: bigint): VirtualAddress => checked(value, 'virtual address') as VirtualAddress;

/** A range of addresses; both ends belong to it, as in /proc/iomem. `last >= start`. */
export interface AddressRange<A extends bigint = bigint> {
  readonly start: A;
  readonly last: A;
}

/** Bytes in the range: 1 .. 2^64. */
export const sizeOf = (range: AddressRange): bigint => range.last - range.start + 1n;
export const overlaps = (a: AddressRange, b: AddressRange): boolean => a.start <= b.last && b.start <= a.last;
export const contains = (outer: AddressRange, inner: AddressRange): boolean => outer.start <= inner.start && inner.last <= outer.last;

/** Lower-case hexadecimal with `0x`, the one text form of an address in reports and messages. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
