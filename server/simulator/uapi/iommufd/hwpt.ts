/** Hardware page tables: one paging domain that shows an IOAS (IFD-10b, IFD-60 .. IFD-62). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device, PagingDomain } from '../../kernel/core.js';
import type { IommufdContext } from './context.js';
import type { FaultQueue } from './fault-queue.js';
import type { Ioas } from './ioas.js';
import { IommufdObject } from './objects.js';

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

export class Hwpt extends IommufdObject {
  readonly kind = 'hwpt';
  faultQueue: FaultQueue | null = null;

  constructor(
    readonly ioas: Ioas,
    readonly domain: PagingDomain,
    readonly options: HwptOptions,
  ) {
    super();
    ioas.hold();
    ioas.hwpts.add(this);
  }

  useFaultQueue(queue: FaultQueue): void {
    this.faultQueue = queue;
    queue.hold();
  }

  destroy(): void {
    this.ioas.hwpts.delete(this);
    this.ioas.table.removeDomain(this.domain);
    this.domain.free();
    this.ioas.drop();
    this.faultQueue?.drop();
  }
}

/**
 * A paging hwpt for `device` on `ioas`, filled with everything the IOAS has mapped.
 * @param attach called between allocation and filling (IFD-41); gives back how to undo it
 * @throws Refusal of the domain's allocation, of `attach`, or of filling (IOP-07); nothing is left then
 */
export function allocatePagingHwpt(context: IommufdContext, ioas: Ioas, device: Device, options: HwptOptions, attach?: (hwpt: Hwpt) => () => void): Hwpt {
  refuseMissingStage(context, device);
  const domain = context.kernel.allocateDomain(device, `iommufd of ${context.ownerName}, IOAS ${ioas.id}`, options.dirtyTracking ? 'dirty-tracking' : 'user');
  // IFD-42.
  if (device.unit?.capabilities().enforceCacheCoherency) domain.enforcesCoherency = true;
  const hwpt = context.objects.add(new Hwpt(ioas, domain, options));
  let undo: (() => void) | undefined;
  try {
    undo = attach?.(hwpt);
    ioas.table.addDomain(domain);
  } catch (refusal) {
    undo?.();
    context.objects.remove(hwpt);
    throw refusal;
  }
  return hwpt;
}

/** IFD-61: up to 6.12 the VT-d driver makes second-stage tables for users and no others, which some units lack. @throws Refusal EINVAL */
function refuseMissingStage({ kernel }: IommufdContext, { unit, subject }: Device): void {
  if (unit === null || unit.capabilities().userDomains !== false) return;
  kernel.log.push(`DMAR: No second level translation support on ${unit.description.name}`);
  throw new Refusal('EINVAL', 'IFD-61', `${unit.description.name} translates by first-stage tables only, and this kernel gives users second-stage tables`, [subject]);
}

/** IOMMU drivers that take flags at all in IOMMU_HWPT_ALLOC (IFD-61). */
const TAKES_FLAGS: ReadonlySet<IommuArchitectureName> = new Set(['vtd', 'amd-vi', 'smmuv3']);

/**
 * IFD-61: may this device's IOMMU driver make such a paging domain? `extended`: a kernel with the calls of 6.13 and later.
 * @throws Refusal EOPNOTSUPP
 */
export function checkPagingFlags(device: Device, flags: number, userData: boolean, extended: boolean): void {
  const refuse = (why: string): never => {
    throw new Refusal('EOPNOTSUPP', 'IFD-61', why, [device.subject]);
  };
  const unit = device.unit;
  const name = unit?.description.name ?? 'no IOMMU';
  if ((flags !== 0 || userData) && (unit === null || !TAKES_FLAGS.has(unit.description.architecture))) refuse(`the driver of ${name} takes neither flags nor data`);
  const { NEST_PARENT, DIRTY_TRACKING, FAULT_ID_VALID, PASID } = HWPT_FLAGS;
  const known = NEST_PARENT | DIRTY_TRACKING | (extended ? FAULT_ID_VALID | PASID : 0);
  if ((flags & ~known) !== 0) refuse(`the driver of ${name} does not know the flags 0x${(flags & ~known).toString(16)}`);
  const capabilities = unit?.capabilities();
  if (flags & DIRTY_TRACKING && !capabilities?.dirtyTracking) refuse(`${name} does not track dirty pages`);
  if (flags & FAULT_ID_VALID && flags & NEST_PARENT) refuse('a parent of nested page tables reports no faults');
  if (flags & NEST_PARENT && !capabilities?.nested) refuse(`${name} does not nest page tables`);
  if (userData) refuse(`the driver of ${name} takes no data for a page table that the kernel fills`);
}

/**
 * IFD-62: a nested hwpt on `parent`. No modelled unit walks two stages, so a parent that may be nested cannot exist and
 * the call always ends at one of the kernel's own checks.
 * @throws Refusal EOPNOTSUPP, EINVAL
 */
export function refuseNested(parent: Hwpt, device: Device, flags: number, userData: boolean): never {
  const { FAULT_ID_VALID, PASID } = HWPT_FLAGS;
  const architecture = device.unit?.description.architecture;
  if ((flags & ~(FAULT_ID_VALID | PASID)) !== 0 || !userData || architecture === undefined || !TAKES_FLAGS.has(architecture)) {
    throw new Refusal('EOPNOTSUPP', 'IFD-62', 'a nested page table takes data of its driver and no flags but faults and PASID', [device.subject]);
  }
  if (parent.options.automatic || !parent.options.nestParent || parent.domain.unit.description.architecture !== architecture) {
    throw new Refusal('EINVAL', 'IFD-62', `the hwpt ${parent.id} was not allocated as a parent of nested page tables`, [device.subject]);
  }
  throw new Refusal('EOPNOTSUPP', 'IFD-62', `${parent.domain.unit.description.name} does not nest page tables`, [device.subject]);
}
