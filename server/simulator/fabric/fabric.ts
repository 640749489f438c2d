/** The fabric of a running machine: the tree, its address windows, the ACS registers as they are now, and who translates for whom. */
import type { AcsRegisters } from './acs.js';
import type { AliasKnowledge } from './aliases.js';
import type { Topology } from './topology.js';
import type { UnitMap } from './units.js';
import { AddressMap } from './windows.js';

/**
 * What a root complex may do without its IOMMU is the platform's choice and nowhere described (PCIE-24, PCIE-25).
 */
export interface RootComplexPolicy {
  /** Requests for a peer take a direct way when the root port does not redirect them. */
  readonly directPeers: boolean;
  /** A translated address that belongs to a device reaches it. */
  readonly peersAfterTranslation: boolean;
}

/** As on most x86 root complexes: every request meets the IOMMU first, and its output may be a peer's BAR. */
export const USUAL_ROOT_COMPLEX: RootComplexPolicy = { directPeers: false, peersAfterTranslation: true };

export class Fabric {
  readonly addresses: AddressMap;

  constructor(
    readonly topology: Topology,
    readonly acs: AcsRegisters,
    readonly units: UnitMap,
    readonly aliases: AliasKnowledge,
    readonly rootComplex: RootComplexPolicy = USUAL_ROOT_COMPLEX,
  ) {
    this.addresses = new AddressMap(topology);
  }
}
