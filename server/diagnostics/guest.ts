/** What a VM has to find room for: its memory and the BARs of its devices. */
import type { Facts } from './facts.js';
import type { BarDescription, HostDescription, OwnerDescription } from '../simulator/description.js';
import { placeGuestMemory } from '../simulator/scenario/guest-memory.js';

/** What the guest's firmware opens above the memory unless told (OVMF's PciMmio64Size, QEMU's pci-hole64-size of q35). */
export const USUAL_PCI_WINDOW = 32n << 30n;

const FOUR_GIB = 1n << 32n;

export interface LargeBar {
  readonly device: string;
  readonly bar: BarDescription;
  readonly size: bigint;
}

/** BARs that go above the memory: prefetchable ones, and what the host has above 4 GiB. */
export function largeBars(facts: Facts, owner: OwnerDescription): LargeBar[] {
  return owner.assigned.flatMap(({ device }) => (facts.fn(device)?.bars ?? []).flatMap((bar): LargeBar[] => {
    const is64 = bar.prefetchable || bar.range.last >= FOUR_GIB;
    return is64 ? [{ device, bar, size: bar.range.last - bar.range.start + 1n }] : [];
  }));
}

/** The first address above all memory of the VM. */
export function memoryEnd(owner: OwnerDescription, host: HostDescription): bigint {
  const ends = owner.memory.flatMap((memory) => (memory.at !== undefined ? [memory.at + memory.size] : placeGuestMemory(memory.size, host.kernel.cpuVendor).map((part) => part.iova + part.size)));
  return ends.reduce((highest, end) => (end > highest ? end : highest), 0n);
}

/** The least power of two that is not below. */
export function powerOfTwoFrom(value: bigint): bigint {
  let power = 1n;
  while (power < value) power <<= 1n;
  return power;
}
