/** How the IOMMU core cuts a range into what it hands to a driver: pages of one size, as many as are useful (MAP-02, MAP-03). */

export interface Piece {
  /** Bytes, a multiple of `pageSize`. */
  readonly size: bigint;
  readonly pageSize: bigint;
}

/** Largest power of two in `value`, which is not 0. */
const highestBit = (value: bigint): bigint => 1n << BigInt(value.toString(2).length - 1);

/**
 * The first piece of [iova, iova+size): the largest page that both addresses and the size allow, and as many of them as come before a
 * larger page fits.
 * @param pageSizes bit n = pages of 2^n bytes; the addresses and `size` are multiples of the smallest
 */
export function firstPiece(pageSizes: bigint, iova: bigint, physical: bigint, size: bigint): Piece {
  const merged = iova | physical;
  const bySize = pageSizes & (2n * highestBit(size) - 1n);
  const pageSize = highestBit(merged === 0n ? bySize : bySize & (2n * (merged & -merged) - 1n));
  const larger = pageSizes & -(2n * pageSize);
  if (larger === 0n) return { size: size - (size % pageSize), pageSize };
  const next = larger & -larger;
  const offset = next - (merged & (next - 1n));
  const growsLater = ((iova ^ physical) & (next - 1n)) === 0n && offset + next <= size;
  const piece = growsLater ? offset : size;
  return { size: piece - (piece % pageSize), pageSize };
}
