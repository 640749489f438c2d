/** The hwpt, device and fault calls of an iommufd, behind their structures' checks (IFD-60 .. IFD-75). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import { maxPasids as maxPasidsOf } from '../../kernel/pasid.js';
import { ADDRESS_MAX, hex, type AddressRange, type Iova } from '../../memory/address.js';
import type { Process } from '../process.js';
import type { IommufdContext } from './context.js';
import { BoundDevice } from './device.js';
import { since, type Envelope } from './dispatch.js';
import { FaultQueue, FaultQueueFile } from './fault-queue.js';
import type { IommufdObject } from './objects.js';
import { allocatePagingHwpt, checkPagingFlags, Hwpt, HWPT_FLAGS, type PageTableObject } from './hwpt.js';
import { Ioas } from './ioas.js';
import { allocateNested } from './nested-hwpt.js';
import type { UserData } from './user-data.js';
import { Viommu } from './viommu.js';

export interface HwptAllocCall extends Envelope {
  readonly device: number;
  /** An IOAS, a parent hwpt, or a vIOMMU. */
  readonly pt: number;
  /** Driver data: IOMMU_HWPT_DATA_*, 0 = none. */
  readonly data?: UserData;
  readonly faultQueue?: number;
}
export interface HardwareInfoCall extends Envelope {
  readonly device: number;
  /** With the INPUT_TYPE flag: the type that is wanted. */
  readonly dataType?: number;
}
export interface HardwareInfo {
  readonly dataType: number;
  /** Bytes that the driver has to tell. */
  readonly dataLength: number;
  readonly capabilities: number;
  readonly maxPasidLog2: number;
}
export interface DirtyBitmapCall extends Envelope {
  readonly hwpt: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly pageSize: bigint;
}
/** IOMMU_HW_INFO_FLAG_INPUT_TYPE; unknown to 6.12. */
const INPUT_TYPE = 1;
/** IOMMU_HW_CAP_*, and since which release a kernel tells it. */
const CAPABILITIES: readonly { readonly bit: number; readonly since: number; readonly has: (device: Device) => boolean }[] = [
  { bit: 1, since: 6007, has: ({ unit }) => unit?.capabilities().dirtyTracking ?? false }, // DIRTY_TRACKING
  { bit: 8, since: 7001, has: (device) => device.kind !== 'pci' || !(device.description.ats && device.unit?.description.deviceTlb) }, // PCI_ATS_NOT_SUPPORTED
];
/** IFD-65: type and bytes of what drivers tell. */
const HARDWARE_DATA: Readonly<Partial<Record<IommuArchitectureName, { readonly type: number; readonly length: number }>>> = {
  vtd: { type: 1, length: 24 },
  smmuv3: { type: 2, length: 32 },
  mock: { type: 0xfeedbeef, length: 8 },
};

const findDevice = (context: IommufdContext, id: number): BoundDevice => context.objects.get(id, BoundDevice, 'a device');
const findHwpt = (context: IommufdContext, id: number): Hwpt => context.objects.get(id, Hwpt, 'a page table');
const extended = (context: IommufdContext): boolean => context.kernel.profile.iommufdSince613;

const NO_DATA: UserData = { type: 0, length: 0 };

/** The first release whose structure has data, and that knows flags. */
const WITH_FLAGS = 6007;

/** IFD-60. @returns the hwpt's id */
export function allocate(context: IommufdContext, call: HwptAllocCall): number {
  const { flags = 0, data = NO_DATA } = call;
  const isFirst = context.kernel.profile.release < WITH_FLAGS;
  if (isFirst) {
    if (data.type !== 0 || data.length !== 0) throw new Refusal('E2BIG', 'IFD-01', 'this kernel knows no data of page tables');
    if (flags !== 0) throw new Refusal('EOPNOTSUPP', 'IFD-03', `IOMMU_HWPT_ALLOC does not know the flags ${hex(flags)}`);
  }
  if ((data.type === 0) !== (data.length === 0)) throw new Refusal('EINVAL', 'IFD-60', `data type ${data.type} with ${data.length} bytes of data`);
  const { device } = findDevice(context, call.device);
  const base = isFirst ? context.objects.get(call.pt, Ioas, 'an address space') : context.objects.find(call.pt);
  const hwpt = base instanceof Hwpt || base instanceof Viommu ? allocateNested(context, base, device, flags, data) : allocatePaging(context, base, device, flags, call);
  if (flags & HWPT_FLAGS.FAULT_ID_VALID) addFaultQueue(context, hwpt, call.faultQueue ?? 0);
  return hwpt.id;
}

/** IFD-61. */
function allocatePaging(context: IommufdContext, base: IommufdObject | undefined, device: Device, flags: number, { pt, data = NO_DATA }: HwptAllocCall): Hwpt {
  if (!(base instanceof Ioas)) throw new Refusal('EINVAL', 'IFD-60', `${pt} is no address space and no page table`, [device.subject]);
  checkPagingFlags(context, device, flags, data.length > 0);
  return allocatePagingHwpt(context, base, device, {
    nestParent: (flags & HWPT_FLAGS.NEST_PARENT) !== 0, dirtyTracking: (flags & HWPT_FLAGS.DIRTY_TRACKING) !== 0, pasid: (flags & HWPT_FLAGS.PASID) !== 0, automatic: false,
  });
}

/** IFD-60 step 6. @throws Refusal ENOENT; the new hwpt is gone then */
function addFaultQueue(context: IommufdContext, hwpt: PageTableObject, id: number): void {
  try {
    hwpt.useFaultQueue(context.objects.get(id, FaultQueue, 'a fault queue'));
  } catch (refusal) {
    context.objects.remove(hwpt);
    throw refusal;
  }
}

/** IFD-65. */
export function hardwareInfo(context: IommufdContext, call: HardwareInfoCall): HardwareInfo {
  const { flags = 0, dataType = 0 } = call;
  if ((flags & ~(extended(context) ? INPUT_TYPE : 0)) !== 0) throw new Refusal('EOPNOTSUPP', 'IFD-65', `flags ${hex(flags)} are unknown`);
  const { device } = findDevice(context, call.device);
  const { unit, subject } = device;
  const data = (unit === null ? undefined : HARDWARE_DATA[unit.description.architecture]) ?? { type: 0, length: 0 };
  if (flags & INPUT_TYPE && dataType !== 0 && dataType !== data.type) throw new Refusal('EOPNOTSUPP', 'IFD-65', `the driver has no data of type ${dataType}`, [subject]);
  const { release } = context.kernel.profile;
  const maxPasids = device.kind === 'pci' ? (unit?.capabilities().maxPasids ?? 0) : maxPasidsOf(device);
  return {
    dataType: data.type, dataLength: data.length,
    capabilities: CAPABILITIES.reduce((bits, { bit, since, has }) => (release >= since && has(device) ? bits | bit : bits), 0),
    maxPasidLog2: maxPasids > 1 ? Math.floor(Math.log2(maxPasids)) : 0,
  };
}

/** IFD-70, DRT-01. @throws Refusal ENOENT, EOPNOTSUPP */
export function setDirtyTracking(context: IommufdContext, id: number, on: boolean): void {
  const hwpt = findHwpt(context, id);
  if (!hwpt.domain.tracksDirty || hwpt.domain.recordDirty === undefined) throw noDirtyPages(hwpt, 'IFD-70');
  hwpt.domain.recordDirty(on);
}

/** IFD-71. @returns bits that are set: pages of `pageSize` bytes that were written to. @throws Refusal ENOENT, EOVERFLOW, EINVAL, EOPNOTSUPP */
export function dirtyBitmap(context: IommufdContext, call: DirtyBitmapCall): bigint {
  const hwpt = findHwpt(context, call.hwpt);
  const { iova, length, pageSize } = call;
  const { alignment } = hwpt.ioas.table;
  if (length === 0n && since(context.kernel.profile, 'emptyBitmap')) throw new Refusal('EINVAL', 'IFD-71', 'the range is empty');
  if (length === 0n || iova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-71', `IOVA ${hex(iova)} size ${hex(length)} is no range of 64 bits`);
  if (((iova | (iova + length)) & (alignment - 1n)) !== 0n) throw new Refusal('EINVAL', 'IFD-71', `IOVA ${hex(iova)} size ${hex(length)} is not aligned to ${alignment} bytes`);
  // The kernel masks with the page size less one, also where that is no power of two.
  if (pageSize === 0n || ((iova | (iova + length)) & (pageSize - 1n)) !== 0n) throw new Refusal('EINVAL', 'IFD-71', `the range is not made of pages of ${pageSize} bytes`);
  const { domain } = hwpt;
  if (!domain.tracksDirty || domain.takeDirty === undefined) throw noDirtyPages(hwpt, 'IFD-71');
  const dirty = domain.takeDirty(iova as Iova, length, ((call.flags ?? 0) & NO_CLEAR) === 0);
  return countPages(dirty, { start: iova, last: iova + length - 1n }, pageSize);
}

/** IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR */
const NO_CLEAR = 1;

/** Pages of `pageSize` bytes inside `within` that the ranges, which ascend, touch. */
function countPages(ranges: readonly AddressRange[], within: AddressRange, pageSize: bigint): bigint {
  let count = 0n;
  let next = within.start / pageSize;
  for (const { start, last } of ranges) {
    const first = (start > within.start ? start : within.start) / pageSize;
    const end = (last < within.last ? last : within.last) / pageSize + 1n;
    const from = first > next ? first : next;
    if (end > from) count += end - from;
    next = end > next ? end : next;
  }
  return count;
}

const noDirtyPages = (hwpt: Hwpt, rule: string): Refusal =>
  new Refusal('EOPNOTSUPP', rule, `the domain of hwpt ${hwpt.id} does not track dirty pages`);

/** IFD-75. */
export function allocateFaultQueue(context: IommufdContext, process: Process): { id: number; file: number } {
  const queue = context.objects.add(new FaultQueue());
  return { id: queue.id, file: process.open(new FaultQueueFile(context, queue)) };
}
