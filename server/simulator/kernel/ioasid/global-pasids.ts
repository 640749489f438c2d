/**
 * What there is today (HIS-04): most PASIDs belong to one device, and whoever attaches picks the number. Only where a number must mean the same on
 * every device (ENQCMD takes it from a register of the processor) is it taken from one space for the machine, and that is asked for by name (PAS-13). The argument about it: THR-06.
 */
import { maxPasids } from '../pasid.js';
import { absent } from './absent.js';
import { INVALID_IOASID, type Allocation, type IoasidCalls, type IoasidSurroundings, type SetNumber } from './calls.js';
import type { IdSpace } from './id-space.js';
import { rangeFor } from './ranges.js';

export class GlobalPasids implements IoasidCalls {
  constructor(
    private readonly surroundings: IoasidSurroundings,
    private readonly space: IdSpace,
  ) {}

  /** What became of the old call, as far as it names a device: a global PASID. Set and range are nothing to ask for any more. */
  allocate({ device }: Allocation): number {
    if (device === undefined) throw absent('allocate', 'today');
    this.tell(`Today this is iommu_alloc_global_pasid(${device.name}): no set and no range, the lowest number that is free on the whole machine`);
    const { min, max } = rangeFor(undefined, device);
    const id = this.space.take(min, max);
    if (id === null) this.tell(`The allocation fails: ${maxPasids(device) === 0 ? `${device.name} has no PASIDs` : `all of ${min} .. ${max} are in use`}`);
    return id ?? INVALID_IOASID;
  }

  free(_set: SetNumber | null, id: number): void {
    this.tell(`Today this is iommu_free_global_pasid(${id}): nobody asks whose it was`);
    if (!this.space.giveBack(id)) this.tell('WARNING: that number was not allocated');
  }

  private tell(text: string): void {
    this.surroundings.changed({ text, rule: 'HIS-04' });
  }
}
