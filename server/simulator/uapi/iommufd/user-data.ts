/** What user space gives to a driver through iommufd: typed data, whose layout only the driver knows (IFD-60, IFD-72, IFD-80). */
import type { IommuArchitectureName, SubjectId } from '../../description.js';
import { Refusal } from '../../errno.js';

/** `data_type`, `data_len`, `data_uptr` of a call. */
export interface UserData {
  readonly type: number;
  /** Bytes. */
  readonly length: number;
  /** The pointer is bad. */
  readonly unreadable?: boolean;
  /** Fields of the structure by name; absent ones are 0. */
  readonly fields?: Readonly<Record<string, bigint>>;
}

/** A structure that a driver reads. */
export interface DataLayout {
  readonly type: number;
  /** Bytes: neither fewer nor more are taken. */
  readonly size: number;
}

/** IOMMU_HWPT_DATA_*: what nested page tables are made of, by driver. */
export const NESTED_DATA: Readonly<Partial<Record<IommuArchitectureName, DataLayout>>> = {
  vtd: { type: 1, size: 24 },
  mock: { type: 0xdead, size: 4 },
};

/** IOMMU_HWPT_INVALIDATE_DATA_*: one entry of what makes a nested page table forget. */
export const INVALIDATE_DATA: Readonly<Partial<Record<IommuArchitectureName, DataLayout>>> = {
  vtd: { type: 0, size: 24 },
  mock: { type: 0xdeadbeef, size: 8 },
};

/** Copies the structure. @throws Refusal EINVAL for another size, EFAULT */
export function copyUserData(data: UserData, { size }: DataLayout, rule: string, offenders: readonly SubjectId[] = []): Readonly<Record<string, bigint>> {
  if (data.length !== size) throw new Refusal('EINVAL', rule, `the driver's data has ${size} bytes, not ${data.length}`, offenders);
  if (data.unreadable) throw new Refusal('EFAULT', rule, "the driver's data cannot be read", offenders);
  return data.fields ?? {};
}
