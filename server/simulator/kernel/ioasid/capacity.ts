/** How many PASIDs the machine has, and how many are promised to nobody yet (IOX-01). */
import { Refusal } from '../../errno.js';
import type { IoasidSurroundings } from './calls.js';
import { PCI_PASID_MAX } from './ranges.js';

export class Capacity {
  private total = PCI_PASID_MAX;
  private left = PCI_PASID_MAX;

  constructor(private readonly surroundings: IoasidSurroundings) {}

  get available(): number {
    return this.left;
  }

  /** By the IOMMU driver at boot. It counts as set when it is no longer the usual one. */
  install(count: number): void {
    if (this.total !== PCI_PASID_MAX) {
      this.surroundings.log.push('IOASID capacity is already set.');
      return;
    }
    this.total = count;
    this.left = count;
  }

  /** 0 takes all. @returns how many. @throws Refusal ENOSPC */
  reserve(count: number): number {
    if (count > this.left) throw new Refusal('ENOSPC', 'IOX-01', `${count} PASIDs are asked for, ${this.left} are left`);
    const reserved = count === 0 ? this.left : count;
    this.left -= reserved;
    return reserved;
  }

  /** @returns how many are available now. @throws Refusal EINVAL */
  cancel(count: number): number {
    if (count + this.left > this.total) throw new Refusal('EINVAL', 'IOX-01', `${count} PASIDs given back would make more than the ${this.total} there are`);
    this.left += count;
    return this.left;
  }
}
