/** Hardware page tables: a paging domain that shows an IOAS, or a user's own stage over one (IFD-10b, IFD-60 .. IFD-63). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device, NestedDomain, PagingDomain } from '../../kernel/core.js';
import type { AttachHandle } from '../../kernel/pasid.js';
import type { IommufdContext } from './context.js';
import type { FaultQueue } from './fault-queue.js';
import type { Ioas } from './ioas.js';
import { IommufdObject } from './objects.js';
import { iova } from '../../memory/address.js';

/** IOMMU_HWPT_ALLOC_*. */
export const HWPT_FLAGS = { NEST_PARENT: 1, DIRTY_TRACKING: 2, FAULT_ID_VALID: 4, PASID: 8 } as const;

export interface HwptOptions {
  readonly nestParent: boolean;
  readonly dirtyTracking: boolean;
  /** PAS-01: may serve a device that also has PASIDs attached. */
  readonly pasid: boolean;
  /** Made by ATTACH to an IOAS: goes with its last attachment (IFD-10b). */
  readonly automatic: boolean;
}

export const AUTOMATIC: HwptOptions = { nestParent: false, dirtyTracking: false, pasid: false, automatic: true };

/** What ATTACH takes beside an IOAS. */
export abstract class PageTableObject extends IommufdObject {
  abstract readonly domain: PagingDomain | NestedDomain;
  abstract readonly options: HwptOptions;
  /** Whose reserved regions count (IFD-43). */
  abstract readonly ioas: Ioas;
  faultQueue: FaultQueue | null = null;

  useFaultQueue(queue: FaultQueue): void {
    this.faultQueue = queue;
    queue.hold();
  }

  /** PAS-10: another one for each attachment; with a fault queue it takes page requests there. */
  handleFor(owner: { readonly id: number }): AttachHandle {
    return this.faultQueue === null ? { domain: this.domain } : this.faultQueue.handleFor(this.domain, owner);
  }

  /** IFD-51: whoever waits for an answer through that attachment gets one. */
  released(handle: AttachHandle | null): void {
    if (handle !== null) this.faultQueue?.forget(handle);
  }
}

export class Hwpt extends PageTableObject {
  readonly kind = 'hwpt';

  constructor(
    readonly ioas: Ioas,
    readonly domain: PagingDomain,
    readonly options: HwptOptions,
  ) {
    super();
    ioas.hold();
    ioas.hwpts.add(this);
  }

  destroy(): void {
    this.ioas.hwpts.delete(this);
    this.ioas.table.removeDomain(this.domain);
    this.domain.free();
    this.ioas.drop();
    this.faultQueue?.drop();
  }
}

/** The aperture of a domain that has never been attached, where the driver asks the device then (virtio-iommu before 6.16): recorded of 6.12. */
const NOTHING_YET = { start: iova(0n), last: iova(0n) };

/**
 * A paging hwpt for `device` on `ioas`, filled with everything the IOAS has mapped.
 * @param attach called between allocation and filling (IFD-41); gives back how to undo it
 * @throws Refusal of the domain's allocation, of `attach`, or of filling (IOP-07); nothing is left then
 */
export function allocatePagingHwpt(context: IommufdContext, ioas: Ioas, device: Device, options: HwptOptions, attach?: (hwpt: Hwpt) => () => void): Hwpt {
  const use = options.dirtyTracking ? 'dirty-tracking' : options.nestParent ? 'nest-parent' : options.pasid && device.unit?.capabilities().pasidTables === 'own-kind' ? 'pasid' : 'user';
  const domain = context.kernel.allocateDomain(device, `iommufd of ${context.ownerName}, IOAS ${ioas.id}`, use);
  domain.ofIommufd = true;
  // IFD-42.
  if (device.unit?.capabilities().enforceCacheCoherency) domain.enforcesCoherency = true;
  const hwpt = context.objects.add(new Hwpt(ioas, domain, options));
  let undo: (() => void) | undefined;
  try {
    undo = attach?.(hwpt);
    const isUnfinished = attach === undefined && device.unit?.capabilities().finishesDomainsAtAttach === true;
    ioas.table.addDomain(domain, isUnfinished ? NOTHING_YET : domain.aperture);
  } catch (refusal) {
    undo?.();
    context.objects.remove(hwpt);
    throw refusal;
  }
  return hwpt;
}

/** What an IOMMU driver takes in IOMMU_HWPT_ALLOC for a page table that the kernel fills (IFD-61). */
interface PagingAllocation {
  readonly flags: number;
  /** Release from which data of the user is looked at by nobody instead of being refused. */
  readonly ignoresDataSince: number;
}

const { NEST_PARENT, DIRTY_TRACKING, FAULT_ID_VALID, PASID } = HWPT_FLAGS;
/** Drivers that take flags at all. */
const ALLOCATIONS: Readonly<Partial<Record<IommuArchitectureName, PagingAllocation>>> = {
  vtd: { flags: NEST_PARENT | DIRTY_TRACKING | FAULT_ID_VALID | PASID, ignoresDataSince: Infinity },
  'amd-vi': { flags: NEST_PARENT | DIRTY_TRACKING | FAULT_ID_VALID | PASID, ignoresDataSince: Infinity },
  smmuv3: { flags: NEST_PARENT | DIRTY_TRACKING | FAULT_ID_VALID | PASID, ignoresDataSince: Infinity },
  mock: { flags: NEST_PARENT | DIRTY_TRACKING | FAULT_ID_VALID | PASID, ignoresDataSince: 6013 },
};

export const takesFlags = (architecture: IommuArchitectureName): boolean => ALLOCATIONS[architecture] !== undefined;

/**
 * IFD-61: may this device's IOMMU driver make such a paging domain?
 * @throws Refusal EOPNOTSUPP
 */
export function checkPagingFlags({ kernel: { profile } }: IommufdContext, device: Device, flags: number, userData: boolean): void {
  const refuse = (why: string): never => {
    throw new Refusal('EOPNOTSUPP', 'IFD-61', why, [device.subject]);
  };
  const unit = device.unit;
  const name = unit?.description.name ?? 'no IOMMU';
  const driver = unit === null ? undefined : ALLOCATIONS[unit.description.architecture];
  if ((flags !== 0 || userData) && driver === undefined) refuse(`the driver of ${name} takes neither flags nor data`);
  const known = (driver?.flags ?? 0) & (profile.iommufdSince613 ? ~0 : NEST_PARENT | DIRTY_TRACKING);
  if ((flags & ~known) !== 0) refuse(`the driver of ${name} does not know the flags 0x${(flags & ~known).toString(16)}`);
  const capabilities = unit?.capabilities();
  if (flags & DIRTY_TRACKING && !capabilities?.dirtyTracking) refuse(`${name} does not track dirty pages`);
  if (flags & PASID && capabilities?.pasidTables === 'none') refuse(`${name} translates no PASIDs`);
  if (flags & PASID && flags & DIRTY_TRACKING && capabilities?.pasidTables !== undefined) refuse(`${name} tracks dirty pages in version 1 tables, beside which there are no PASIDs`);
  if (flags & FAULT_ID_VALID && flags & NEST_PARENT) refuse('a parent of nested page tables reports no faults');
  if (flags & NEST_PARENT && !capabilities?.nested) refuse(`${name} does not nest page tables`);
  if (userData && (driver === undefined || profile.release < driver.ignoresDataSince)) refuse(`the driver of ${name} takes no data for a page table that the kernel fills`);
}
