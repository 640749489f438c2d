/** Which PASIDs a device can use, and which range a driver therefore asks for. */
import type { FunctionDescription, SubjectId } from '../../description.js';
import type { Device } from '../core.js';
import type { IdRange } from './calls.js';

/** How many PASIDs a device has, 0 for one without (PAS-11). */
export type MaxPasids = (device: Device) => number;

/** 20 bits, as PCIe has them: also the capacity of the machine unless a driver installs another (IOX-01). */
export const PCI_PASID_MAX = 0x10_0000;
/** PASID 0 stands for requests without one: IOMMU_NO_PASID, and IOMMU_FIRST_GLOBAL_PASID after it (PAS-12). */
export const FIRST_PASID = 1;

/** PAS-11: what the function and its IOMMU both can do. A virtual function has the capability of its physical function. */
export function maxPasidsOf(device: Device, functionOf: (subject: SubjectId) => FunctionDescription | undefined): number {
  if (device.kind !== 'pci' || device.unit === null) return 0;
  const { description } = device;
  const owner = description.virtualFunction === undefined ? description : (functionOf(description.virtualFunction.of) ?? description);
  const bits = Math.min(owner.pasidBits, device.unit.description.pasidBits);
  return bits === 0 ? 0 : 2 ** bits;
}

/** IOA-08: a driver that binds address spaces asks for 1 .. as many as device and IOMMU have. */
export function rangeFor(asked: IdRange | undefined, device: Device | undefined, maxPasids: MaxPasids): IdRange {
  return asked ?? { min: FIRST_PASID, max: (device === undefined ? PCI_PASID_MAX : maxPasids(device)) - 1 };
}
