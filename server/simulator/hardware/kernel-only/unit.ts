/**
 * Units of architectures whose tables and walker are not modelled. The kernel's side is there: groups, reserved regions, default domains,
 * what may be mapped where. A request that meets such a unit ends in "not modelled", never in a guess.
 */
import type { IommuArchitectureName, IommuDescription } from '../../description.js';
import { Refusal } from '../../errno.js';
import { iova } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DriverProfile, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities } from '../architecture.js';
import { EMBEDDED, isEmbedded, type EmbeddedIommu } from './embedded.js';
import { KernelOnlyTable } from './table.js';

/** What the drivers of one architecture do. */
interface Driver {
  /** Bits of input address unless described; virtio-iommu's are those that QEMU gives it on a PC. */
  readonly addressWidth: number;
  /** Leaf sizes that come with each granule, smallest first (PGS-06, PGS-07). */
  readonly granules: readonly bigint[];
  /** Release from which unmaps may be flushed later (DOM-28). */
  readonly deferredFlushSince: number;
  /** Interrupts are isolated by the interrupt controller (an ITS, an IMSIC), not by the IOMMU. */
  readonly isolatedMsi: boolean;
  /** Release (major * 1000 + minor) with a static blocked domain. */
  readonly blockedDomainSince: number;
  /** Release from which larger leaves are no longer split by an unmap (UNM-02). */
  readonly splitsLeavesUntil: number;
  /** Release up to which a domain learns its aperture when it is first attached. */
  readonly finishesDomainsAtAttachUntil?: number;
  /** Nobody but the kernel has tables made. */
  readonly onlyKernelTables?: boolean;
}

const bytes = (...shifts: readonly number[]): bigint => shifts.reduce((map, shift) => map | (1n << BigInt(shift)), 0n);
/** Every power of two from 4 KiB to 2^63. */
const ALL_FROM_4_KIB = (1n << 64n) - 4096n;

const DRIVERS: Readonly<Partial<Record<IommuArchitectureName, Driver>>> = {
  'virtio-iommu': { addressWidth: 39, granules: [ALL_FROM_4_KIB], deferredFlushSince: 6009, isolatedMsi: false, blockedDomainSince: Infinity, splitsLeavesUntil: 0, finishesDomainsAtAttachUntil: 6015 },
  'riscv-iommu': { addressWidth: 48, granules: [bytes(12, 21, 30)], deferredFlushSince: 0, isolatedMsi: true, blockedDomainSince: 6013, splitsLeavesUntil: 0 },
};

export function kernelOnlyUnit(description: IommuDescription, memory: PhysicalMemory, profile: DriverProfile, notModelled: string): IommuUnit {
  const driver = isEmbedded(description.architecture) ? embeddedDriver(EMBEDDED[description.architecture]) : DRIVERS[description.architecture];
  if (driver === undefined) throw new Error(`${description.architecture} has a model`);
  return new KernelOnlyUnit(description, memory, profile, driver, notModelled);
}

const embeddedDriver = ({ addressWidth, pages, isolatedMsi = false, onlyKernelTables = false }: EmbeddedIommu): Driver =>
  ({ addressWidth, granules: pages.map((shifts) => bytes(...shifts)), deferredFlushSince: 0, isolatedMsi, blockedDomainSince: onlyKernelTables ? 0 : Infinity, splitsLeavesUntil: Infinity, onlyKernelTables });

class KernelOnlyUnit implements IommuUnit {
  readonly domainCompatibilityKey: string;

  constructor(
    readonly description: IommuDescription,
    readonly memory: PhysicalMemory,
    private readonly profile: DriverProfile,
    private readonly driver: Driver,
    readonly notModelled: string,
  ) {
    this.domainCompatibilityKey = `${description.architecture} ${description.id}`;
  }

  capabilities(): UnitCapabilities {
    const { driver, description } = this;
    return {
      cacheCoherency: description.coherent, enforceCacheCoherency: false, isolatedMsi: driver.isolatedMsi || description.interruptRemapping, deferredFlush: this.profile.version >= driver.deferredFlushSince,
      dirtyTracking: false, nested: false, maxPasids: 0, blockedDomain: this.profile.version >= driver.blockedDomainSince, identityDomain: description.passThrough,
      finishesDomainsAtAttach: this.profile.version <= (driver.finishesDomainsAtAttachUntil ?? 0),
    };
  }

  /** @throws Refusal EOPNOTSUPP when the driver makes no tables for others */
  createPageTable(use: TableUse = 'kernel'): PageTable {
    if (use !== 'kernel' && this.driver.onlyKernelTables) throw new Refusal('EOPNOTSUPP', 'DOM-25', `the driver of ${this.description.name} makes no page tables for anybody but the kernel`, [this.description.id]);
    const width = BigInt(this.description.addressWidth ?? this.driver.addressWidth);
    return new KernelOnlyTable({
      pageSizes: this.pageSizes(),
      aperture: { start: iova(0n), last: iova((1n << width) - 1n) },
      splitsLeaves: this.profile.version <= this.driver.splitsLeavesUntil,
      log: (line) => this.profile.log?.(line),
    });
  }

  /** PGS-06: one granule of those that the unit has, the CPU's page size (4 KiB) first. PGS-07: what the device says. */
  private pageSizes(): bigint {
    const described = this.description.pageSizes?.reduce((map, size) => map | size, 0n);
    const { granules } = this.driver;
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
