/** Which module models which IOMMU architecture. */
import type { IommuArchitectureName } from '../description.js';
import { amdvi } from './amdvi/unit.js';
import type { IommuArchitecture } from './architecture.js';
import { EMBEDDED, isEmbedded } from './kernel-only/embedded.js';
import { riscv } from './riscv/unit.js';
import { smmuv3 } from './smmuv3/unit.js';
import { virtioIommu } from './virtio/unit.js';
import { vtd } from './vtd/unit.js';

export type ArchitectureEntry =
  | { readonly modelled: true; readonly architecture: IommuArchitecture }
  /** One sentence for people. */
  | { readonly modelled: false; readonly reason: string };

const MODELLED: Partial<Record<IommuArchitectureName, IommuArchitecture>> = { 'vtd': vtd, 'amd-vi': amdvi, 'smmuv3': smmuv3, 'riscv-iommu': riscv, 'virtio-iommu': virtioIommu };

export function architectureOf(name: IommuArchitectureName): ArchitectureEntry {
  const architecture = MODELLED[name];
  return architecture !== undefined ? { modelled: true, architecture } : { modelled: false, reason: `${isEmbedded(name) ? EMBEDDED[name].title : "iommufd's own test unit"} is not modelled` };
}
