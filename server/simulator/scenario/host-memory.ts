/** RAM of the simulated host, and who gets which of it. */
import type { HostDescription } from '../description.js';
import { Refusal } from '../errno.js';
import { joinRanges, subtractRanges } from '../kernel/ranges.js';
import { PAGE_SIZE, physical, sizeOf, type AddressRange, type PhysicalAddress } from '../memory/address.js';
import { MAX_PAGES } from '../memory/physical-memory.js';
import { sizeText } from '../memory/sizes.js';

/** What a host has that describes no memory: 256 GiB, with the usual hole below 4 GiB. */
export const DEFAULT_MEMORY: readonly AddressRange<PhysicalAddress>[] = [
  { start: physical(0n), last: physical(0x9_ffffn) },
  { start: physical(0x10_0000n), last: physical(0x7fff_ffffn) },
  { start: physical(0x1_0000_0000n), last: physical(0x40_7fff_ffffn) },
];

export const memoryOf = (host: HostDescription): readonly AddressRange<PhysicalAddress>[] => (host.memory.length > 0 ? host.memory : DEFAULT_MEMORY);

/** Below this the allocator gives nothing: firmware and the kernel live there. */
const LOWEST = 0x100_0000n;
/** Bytes of the region that page tables come from: all that a run may touch. */
const TABLE_REGION = BigInt(MAX_PAGES) * PAGE_SIZE;

/** Physically contiguous memory. */
export interface Stretch {
  readonly physical: PhysicalAddress;
  readonly size: bigint;
}

/**
 * Hands out memory from the top down, each time in one stretch. The stretch is aligned to `backing` and to nothing larger,
 * so that page tables use the same leaves as for pieces of `backing` bytes scattered over the machine, while lists of
 * mappings stay as short as a person wants them.
 */
export class HostMemory {
  private readonly free: { readonly start: bigint; end: bigint }[];

  /**
   * @param tableTop end of the region that page tables are taken from, which nobody else gets
   * @param taken what else nobody gets; whole pages around it
   */
  constructor(readonly ranges: readonly AddressRange<PhysicalAddress>[], tableTop: bigint, taken: readonly AddressRange[] = []) {
    const pages = taken.map(({ start, last }) => ({ start: start & ~(PAGE_SIZE - 1n), last: last | (PAGE_SIZE - 1n) }));
    const kept = joinRanges([{ start: 0n, last: LOWEST - 1n }, { start: tableTop - TABLE_REGION, last: tableTop - 1n }, ...pages]);
    this.free = ranges.flatMap((range) => subtractRanges(range, kept)).map(({ start, last }) => ({ start, end: last + 1n })).reverse();
  }

  /** Bytes of RAM. */
  get size(): bigint {
    return this.ranges.reduce((sum, range) => sum + sizeOf(range), 0n);
  }

  /**
   * `size` bytes; in several stretches only when no free range is large enough.
   * @param backing bytes, a power of two
   * @throws Refusal ENOMEM when the host has not that much left
   */
  allocate(size: bigint, backing: bigint): Stretch[] {
    const roomy = this.free.find((range) => range.end - range.start >= size + 3n * backing);
    const found: Stretch[] = [];
    let given = 0n;
    for (const range of roomy === undefined ? this.free : [roomy]) {
      const stretch = given < size ? takeFrom(range, size - given, backing, given) : null;
      if (stretch === null) continue;
      found.push(stretch);
      given += stretch.size;
    }
    if (given < size) throw new Refusal('ENOMEM', 'SRC-10', `${sizeText(size)} of memory are asked for, and of the host's ${sizeText(this.size)} not enough is left`);
    return found;
  }
}

/**
 * Takes up to `size` bytes from the end of a free range; null when not even one piece fits. They back the memory from
 * `offset` on: the two differ by an odd number of pieces, where there is room for that.
 */
function takeFrom(range: { readonly start: bigint; end: bigint }, size: bigint, backing: bigint, offset: bigint): Stretch | null {
  const lowest = (range.start + backing - 1n) & ~(backing - 1n);
  const end = range.end & ~(backing - 1n);
  const whole = (size + backing - 1n) & ~(backing - 1n);
  const wanted = end - whole > lowest ? end - whole : lowest;
  const isOdd = (start: bigint): boolean => BigInt.asUintN(64, start - offset) % (2n * backing) !== 0n;
  const start = [wanted, wanted - backing, wanted + backing].find((each) => each >= lowest && each < end && isOdd(each)) ?? wanted;
  if (start >= end) return null;
  range.end = start;
  return { physical: physical(start), size: end - start < size ? end - start : size };
}
