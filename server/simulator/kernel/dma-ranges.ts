/** `dma-ranges` of a host bridge (RSV-36): outside of them the DMA API gives out nothing; what is wrong with them keeps it from being set up (RSV-38). */
import { ADDRESS_MAX, type AddressRange } from '../memory/address.js';
import type { KernelProfile } from './profile.js';
import { joinRanges, subtractRanges } from './ranges.js';

export interface DmaRanges {
  /** What is reserved. */
  readonly gaps: readonly AddressRange[];
  /** Ends of the whole. */
  readonly first: bigint;
  readonly last: bigint;
  /** What the log says when they cannot be used; null when they can. */
  readonly fault: string | null;
}

/** First release that sorts them, and does not mind ranges that touch. */
const SORTS = 6003;

const paddedHex = (address: bigint): string => `0x${address.toString(16).padStart(16, '0')}`;

/** @param ranges in the order of the device tree; without any, everything may be addressed */
export function readDmaRanges(ranges: readonly AddressRange[], { release }: KernelProfile): DmaRanges | undefined {
  if (ranges.length === 0) return undefined;
  const whole = joinRanges(ranges);
  const gaps = subtractRanges({ start: 0n, last: ADDRESS_MAX }, whole);
  return { gaps, first: whole[0]!.start, last: whole.at(-1)!.last, fault: release >= SORTS ? overlap(ranges) : disorder(ranges) };
}

function overlap(ranges: readonly AddressRange[]): string | null {
  let end = 0n;
  for (const { start, last } of [...ranges].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))) {
    if (start < end) return `Failed to reserve IOVA [${paddedHex(start)}-${paddedHex(end)}]`;
    end = last + 1n;
  }
  return null;
}

/** The gap before each range must have an address in it: also before the first, and between two. */
function disorder(ranges: readonly AddressRange[]): string | null {
  let end = 0n;
  for (const { start, last } of ranges) {
    if (start <= end) return 'Failed to reserve IOVA';
    end = last + 1n;
  }
  return null;
}

/** RSV-38: a unit that translates none of them. */
export const beyond = ({ first, last }: DmaRanges, aperture: AddressRange): string | null =>
  (first > aperture.last || last < aperture.start ? 'specified DMA range outside IOMMU capability' : null);

/** RSV-38: why the DMA API of a device goes on without the IOMMU. */
export const retaining = (name: string): string => `Failed to set up IOMMU for device ${name}; retaining platform DMA ops`;
