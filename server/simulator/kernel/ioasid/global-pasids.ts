/**
 * What there is today (HIS-04): most PASIDs belong to one device, and whoever attaches picks the number. Only where a number must mean the same on
 * every device (ENQCMD takes it from a register of the processor) is it taken from one space for the machine, and that is asked for by name.
 */
import type { Device } from '../core.js';
import { absent } from './absent.js';
import { INVALID_IOASID, type Allocation, type IoasidCalls, type IoasidSurroundings, type SetNumber } from './calls.js';
import { IdSpace } from './id-space.js';
import { FIRST_PASID, type MaxPasids } from './ranges.js';

export class GlobalPasids implements IoasidCalls {
  private readonly ids = new IdSpace();

  constructor(
    private readonly surroundings: IoasidSurroundings,
    private readonly maxPasids: MaxPasids,
  ) {}

  /** `iommu_alloc_global_pasid` (PAS-13). */
  allocateGlobal(device: Device): number {
    const count = this.maxPasids(device);
    if (count === 0) return this.failed(`${device.name} has no PASIDs`);
    return this.ids.take(FIRST_PASID, count - 1) ?? this.failed(`all of 1 .. ${count - 1} are in use`);
  }

  /** `iommu_free_global_pasid`. */
  freeGlobal(id: number): void {
    if (id === INVALID_IOASID) this.surroundings.changed({ text: 'WARNING: an invalid PASID is freed', rule: 'PAS-13' });
    else this.ids.giveBack(id);
  }

  /** What became of the old call, as far as it names a device: a global PASID. Set and range are nothing to ask for any more. */
  allocate({ device }: Allocation): number {
    if (device === undefined) throw absent('allocate', 'today');
    this.tell(`Today this is iommu_alloc_global_pasid(${device.name}): no set and no range, the lowest number that is free on the whole machine`);
    return this.allocateGlobal(device);
  }

  free(_set: SetNumber | null, id: number): void {
    this.tell(`Today this is iommu_free_global_pasid(${id}): nobody asks whose it was`);
    this.freeGlobal(id);
  }

  private tell(text: string): void {
    this.surroundings.changed({ text, rule: 'HIS-04' });
  }

  private failed(why: string): number {
    this.surroundings.changed({ text: `The allocation fails: ${why}`, rule: 'PAS-13' });
    return INVALID_IOASID;
  }
}
