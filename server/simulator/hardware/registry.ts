/** Which module models which IOMMU architecture. */
import type { IommuArchitectureName } from '../description.js';
import { amdvi } from './amdvi/unit.js';
import type { IommuArchitecture } from './architecture.js';
import { vtd } from './vtd/unit.js';

export type ArchitectureEntry =
  | { readonly modelled: true; readonly architecture: IommuArchitecture }
  /** One sentence for people. */
  | { readonly modelled: false; readonly reason: string };

const NAMES: Readonly<Record<IommuArchitectureName, string>> = {
  'vtd': 'Intel VT-d', 'amd-vi': 'AMD-Vi', 'smmuv3': 'Arm SMMUv3', 'riscv-iommu': 'the RISC-V IOMMU', 'virtio-iommu': 'virtio-iommu',
};

const MODELLED: Partial<Record<IommuArchitectureName, IommuArchitecture>> = { 'vtd': vtd, 'amd-vi': amdvi };

export function architectureOf(name: IommuArchitectureName): ArchitectureEntry {
  const architecture = MODELLED[name];
  return architecture !== undefined ? { modelled: true, architecture } : { modelled: false, reason: `${NAMES[name]} is not modelled` };
}
