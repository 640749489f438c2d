/** Before any handler: does the call exist in this kernel, is its structure long enough, are its flags known (IFD-01, IFD-03, IFD-08)? */
import { Refusal } from '../../errno.js';
import type { KernelProfile } from '../../kernel/profile.js';
import { hex } from '../../memory/address.js';

interface IoctlSpec {
  /** Bytes of the structure: the least that is accepted, and all that the kernel knows. */
  readonly minimum: number;
  readonly full: number;
  /** Flag bits that the handler's first test lets through; the rest is EOPNOTSUPP. Undefined: flags are tested later or there are none. */
  readonly flags?: number;
  /** First kernel, as `KernelProfile.release` counts. */
  readonly since: number;
}

/** IFD-08. */
const IOCTLS = {
  IOMMU_DESTROY: { minimum: 8, full: 8, since: 6002 },
  IOMMU_IOAS_ALLOC: { minimum: 12, full: 12, flags: 0, since: 6002 },
  IOMMU_IOAS_ALLOW_IOVAS: { minimum: 24, full: 24, since: 6002 },
  IOMMU_IOAS_COPY: { minimum: 40, full: 40, flags: 7, since: 6002 },
  IOMMU_IOAS_IOVA_RANGES: { minimum: 32, full: 32, since: 6002 },
  IOMMU_IOAS_MAP: { minimum: 40, full: 40, flags: 7, since: 6002 },
  IOMMU_IOAS_UNMAP: { minimum: 24, full: 24, since: 6002 },
  IOMMU_OPTION: { minimum: 24, full: 24, since: 6002 },
  IOMMU_VFIO_IOAS: { minimum: 12, full: 12, since: 6002 },
  IOMMU_HWPT_ALLOC: { minimum: 24, full: 48, since: 6006 },
  IOMMU_GET_HW_INFO: { minimum: 32, full: 40, since: 6006 },
  IOMMU_HWPT_SET_DIRTY_TRACKING: { minimum: 16, full: 16, flags: 1, since: 6007 },
  IOMMU_HWPT_GET_DIRTY_BITMAP: { minimum: 48, full: 48, flags: 1, since: 6007 },
  IOMMU_HWPT_INVALIDATE: { minimum: 32, full: 32, since: 6008 },
  IOMMU_FAULT_QUEUE_ALLOC: { minimum: 16, full: 16, flags: 0, since: 6011 },
  IOMMU_IOAS_MAP_FILE: { minimum: 40, full: 40, flags: 7, since: 6013 },
  IOMMU_VIOMMU_ALLOC: { minimum: 24, full: 40, flags: 0, since: 6013 },
  IOMMU_VDEVICE_ALLOC: { minimum: 24, full: 24, since: 6013 },
  IOMMU_VEVENTQ_ALLOC: { minimum: 28, full: 28, flags: 0, since: 6015 },
  IOMMU_HW_QUEUE_ALLOC: { minimum: 40, full: 40, flags: 0, since: 6017 },
  IOMMU_IOAS_CHANGE_PROCESS: { minimum: 8, full: 8, since: 6014 },
} as const satisfies Record<string, IoctlSpec>;

export type IoctlName = keyof typeof IOCTLS;
export const isIoctlName = (name: string): name is IoctlName => Object.hasOwn(IOCTLS, name);
/** Bytes of a structure as this kernel knows it. */
export const sizeOfStructure = (name: IoctlName): number => IOCTLS[name].full;

/** What later releases do otherwise, and since which. */
const CHANGES = {
  /** IFD-99: upper bounds of counts, and reads that are too small for the first record. */
  bounds: 7001,
  /** An empty range of a dirty bitmap is EINVAL; before, it wrapped (seen to change between 7.1 and 7.3). */
  emptyBitmap: 7003,
  /** The test unit keeps a real page table; before, it looked pages up by their number in the caller's page size. */
  mockPageTable: 6019,
  /** Test devices may have PASIDs. */
  mockPasids: 6015,
} as const;

export const since = ({ release }: KernelProfile, change: keyof typeof CHANGES): boolean => release >= CHANGES[change];

/** What every structure has, as a caller may fill it; all absent = a correct call. */
export interface Envelope {
  /** The `size` field. */
  readonly size?: number;
  /** Some byte beyond the structure that the kernel knows is not zero. */
  readonly tailNotZero?: boolean;
  readonly flags?: number;
  /** The reserved field. */
  readonly reserved?: number;
  /** The structure can be read and not be written back (IFD-02). */
  readonly readOnly?: boolean;
}

/** @throws Refusal ENOTTY, EINVAL, E2BIG, EOPNOTSUPP, in this order */
export function checkEnvelope(release: number, name: IoctlName, call: Envelope): void {
  const spec: IoctlSpec = IOCTLS[name];
  if (release < spec.since) throw new Refusal('ENOTTY', 'IFD-08', `this kernel has no ${name}`);
  const size = call.size ?? spec.full;
  if (size < spec.minimum) throw new Refusal('EINVAL', 'IFD-01', `${size} bytes are less than ${name} needs, ${spec.minimum}`);
  if (size > spec.full && call.tailNotZero) throw new Refusal('E2BIG', 'IFD-01', `${name} has data beyond the ${spec.full} bytes that this kernel knows`);
  const unknown = (call.flags ?? 0) & ~(spec.flags ?? ~0);
  if (unknown !== 0) throw new Refusal('EOPNOTSUPP', 'IFD-03', `${name} does not know the flags ${hex(unknown >>> 0)}`);
  if ((call.reserved ?? 0) !== 0) throw new Refusal('EOPNOTSUPP', 'IFD-03', `a reserved field of ${name} is not zero`);
}
