/** Which range of PASIDs a driver asks for. */
import type { Device } from '../core.js';
import { maxPasids } from '../pasid.js';
import type { IdRange } from './calls.js';

/** 20 bits, as PCIe has them: also the capacity of the machine unless a driver installs another (IOX-01). */
export const PCI_PASID_MAX = 0x10_0000;
/** PASID 0 stands for requests without one: PASID_MIN is after it (IOA-08, PAS-12). */
const PASID_MIN = 1;

/** IOA-08: a driver that binds address spaces asks for 1 .. as many as device and IOMMU have. */
export function rangeFor(asked: IdRange | undefined, device: Device | undefined): IdRange {
  return asked ?? { min: PASID_MIN, max: (device === undefined ? PCI_PASID_MAX : maxPasids(device)) - 1 };
}
