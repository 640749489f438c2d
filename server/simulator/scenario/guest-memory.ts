/** Where QEMU's q35 machine puts guest RAM. */
import type { KernelDescription } from '../description.js';

const GIB = 1n << 30n;
const FOUR_GIB = 4n * GIB;
/** q35 keeps this much below the PCI hole when the guest has more than 2.75 GiB, so that the rest is aligned to 1 GiB. */
const LOW_WHEN_SPLIT = 2n * GIB;
const LARGEST_UNSPLIT = 0xb000_0000n;
/** AMD's HyperTransport range, which no IOVA may meet (RSV-24); QEMU moves high memory above it when they would overlap. */
const HYPERTRANSPORT_START = 0xfd_0000_0000n;
const HYPERTRANSPORT_END = 0x100_0000_0000n;

export interface GuestRange {
  /** Into the memory. */
  readonly offset: bigint;
  readonly iova: bigint;
  readonly size: bigint;
}

/** One range for a small guest; below and above 4 GiB for a larger one. */
export function placeGuestMemory(size: bigint, cpuVendor: KernelDescription['cpuVendor']): GuestRange[] {
  if (size <= LARGEST_UNSPLIT) return [{ offset: 0n, iova: 0n, size }];
  const high = size - LOW_WHEN_SPLIT;
  const meetsHyperTransport = cpuVendor === 'amd' && FOUR_GIB + high > HYPERTRANSPORT_START;
  return [
    { offset: 0n, iova: 0n, size: LOW_WHEN_SPLIT },
    { offset: LOW_WHEN_SPLIT, iova: meetsHyperTransport ? HYPERTRANSPORT_END : FOUR_GIB, size: high },
  ];
}
