/** Which module models which IOMMU architecture. */
import type { EmbeddedIommuName, IommuArchitectureName } from '../description.js';
import { amdvi } from './amdvi/unit.js';
import type { IommuArchitecture } from './architecture.js';
import { EMBEDDED, isEmbedded } from './kernel-only/embedded.js';
import { smmuv3 } from './smmuv3/unit.js';
import { vtd } from './vtd/unit.js';

export type ArchitectureEntry =
  | { readonly modelled: true; readonly architecture: IommuArchitecture }
  /** One sentence for people. */
  | { readonly modelled: false; readonly reason: string };

const NAMES: Readonly<Record<Exclude<IommuArchitectureName, EmbeddedIommuName>, string>> = {
  'vtd': 'Intel VT-d', 'amd-vi': 'AMD-Vi', 'smmuv3': 'Arm SMMUv3', 'riscv-iommu': 'the RISC-V IOMMU', 'virtio-iommu': 'virtio-iommu', 'mock': "iommufd's own test unit",
};

const MODELLED: Partial<Record<IommuArchitectureName, IommuArchitecture>> = { 'vtd': vtd, 'amd-vi': amdvi, 'smmuv3': smmuv3 };

export function architectureOf(name: IommuArchitectureName): ArchitectureEntry {
  const architecture = MODELLED[name];
  return architecture !== undefined ? { modelled: true, architecture } : { modelled: false, reason: `${isEmbedded(name) ? EMBEDDED[name].title : NAMES[name]} is not modelled` };
}
