/**
 * Units of architectures whose tables and walker are not modelled. The kernel's side is there: groups, reserved regions, default domains,
 * what may be mapped where. A request that meets such a unit ends in "not modelled", never in a guess.
 */
import type { IommuDescription } from '../../description.js';
import { Refusal } from '../../errno.js';
import { iova } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DriverProfile, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities } from '../architecture.js';
import { EMBEDDED, isEmbedded, type EmbeddedIommu } from './embedded.js';
import { KernelOnlyTable } from './table.js';

/** Release (major * 1000 + minor) up to which io-pgtable-arm splits a leaf of which a part is unmapped (UNM-02). */
const ARM_TABLES_SPLIT_UNTIL = 6013;

/** @throws Error for an architecture whose hardware is modelled */
export function kernelOnlyUnit(description: IommuDescription, memory: PhysicalMemory, profile: DriverProfile, notModelled: string): IommuUnit {
  if (!isEmbedded(description.architecture)) throw new Error(`${description.architecture} has a model`);
  return new KernelOnlyUnit(description, memory, profile, EMBEDDED[description.architecture], notModelled);
}

class KernelOnlyUnit implements IommuUnit {
  readonly domainCompatibilityKey: string;

  constructor(
    readonly description: IommuDescription,
    readonly memory: PhysicalMemory,
    private readonly profile: DriverProfile,
    private readonly driver: EmbeddedIommu,
    readonly notModelled: string,
  ) {
    this.domainCompatibilityKey = `${description.architecture} ${description.id}`;
  }

  capabilities(): UnitCapabilities {
    const { driver, description } = this;
    return {
      cacheCoherency: description.coherent, enforceCacheCoherency: false, isolatedMsi: driver.isolatedMsi === true || description.interruptRemapping, deferredFlush: true,
      dirtyTracking: false, nested: false, maxPasids: 0, blockedDomain: driver.onlyKernelTables === true, identityDomain: description.passThrough,
    };
  }

  /** @throws Refusal EOPNOTSUPP when the driver makes no tables for others */
  createPageTable(use: TableUse = 'kernel'): PageTable {
    if (use !== 'kernel' && this.driver.onlyKernelTables) throw new Refusal('EOPNOTSUPP', 'DOM-25', `the driver of ${this.description.name} makes no page tables for anybody but the kernel`, [this.description.id]);
    const width = BigInt(this.description.addressWidth ?? this.driver.addressWidth);
    return new KernelOnlyTable({
      pageSizes: this.pageSizes(),
      aperture: { start: iova(0n), last: iova((1n << width) - 1n) },
      splitsLeaves: this.driver.armTables !== true || this.profile.version <= ARM_TABLES_SPLIT_UNTIL,
      log: (line) => this.profile.log?.(line),
    });
  }

  /** PGS-06: one granule of those that the unit has, the CPU's page size (4 KiB) first. */
  private pageSizes(): bigint {
    const described = this.description.pageSizes?.reduce((map, size) => map | size, 0n);
    const granules = this.driver.pages.map((shifts) => shifts.reduce((map, shift) => map | (1n << BigInt(shift)), 0n));
    if (described === undefined) return granules[0]!;
    const granule = granules.find((each) => (each & -each & described) !== 0n);
    return granule === undefined ? described : granule & described;
  }

  setDeviceEntry(): void {
    // Nothing reads the entries of such a unit.
  }

  translate(): UnitAnswer {
    return { kind: 'blocked', reason: this.notModelled };
  }

  faultMessages(): readonly string[] {
    return [];
  }
}
