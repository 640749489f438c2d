/**
 * The unit that iommufd brings for its own tests: a driver without hardware behind it (CNF-01). What it can do is data, so
 * that the tests of the kernel can be asked here (section 6).
 */
import type { IommuDescription } from '../../description.js';
import type { Errno } from '../../errno.js';
import { iova, type AddressRange, type Iova } from '../../memory/address.js';
import { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry, IommuUnit, PageTable, TableUse, UnitAnswer, UnitCapabilities } from '../architecture.js';
import { KernelOnlyTable } from './table.js';

/** CNF-01: half a page of the CPU, and what the tests call the aperture. */
export const MOCK = {
  PAGE: 2048n,
  APERTURE: { start: iova(1n << 24n), last: iova((1n << 31n) - 1n) },
  PASID_BITS: 20,
  /** CNF-04: each second programming of this PASID fails. */
  FAILING_PASID: 1024,
} as const;

/** What one device of it has (MOCK_FLAGS_DEVICE_*). */
export interface MockDeviceAbilities {
  readonly dirtyTracking: boolean;
  readonly pasids: boolean;
}

export const MOCK_UNIT: IommuDescription = {
  id: 'iommufd_selftest_iommu.0', name: 'iommufd_selftest_iommu.0', architecture: 'mock', segment: 0, covers: [], interruptRemapping: true, coherent: true, snoopControl: false,
  scalableMode: false, firstStage: false, nested: true, dirtyTracking: true, passThrough: false, deviceTlb: false, pageRequests: true, cachingMode: false, pasidBits: MOCK.PASID_BITS,
};

/** Mappings, and which pages a test said were written to. */
export class MockTable extends KernelOnlyTable {
  /** Numbers of pages of `MOCK.PAGE` bytes. */
  private readonly dirty = new Set<bigint>();

  constructor() {
    super({ pageSizes: MOCK.PAGE, aperture: MOCK.APERTURE, splitsLeaves: true, log: () => undefined });
  }

  /** IOMMU_TEST_OP_DIRTY. @returns whether the page is mapped */
  markDirty(address: Iova): boolean {
    if (this.lookup(address) === null) return false;
    this.dirty.add(address / MOCK.PAGE);
    return true;
  }

  override unmap(address: Iova, size: bigint): bigint {
    this.takeDirty(address, size, true);
    return super.unmap(address, size);
  }

  takeDirty(address: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[] {
    const first = address / MOCK.PAGE;
    const last = (address + size - 1n) / MOCK.PAGE;
    const found = [...this.dirty].filter((page) => first <= page && page <= last).sort((a, b) => (a < b ? -1 : 1));
    if (clear) found.forEach((page) => this.dirty.delete(page));
    return found.map((page) => ({ start: iova(page * MOCK.PAGE), last: iova((page + 1n) * MOCK.PAGE - 1n) }));
  }
}

/** One test unit as a device sees it: all of them are the same unit to whoever compares (`description`). */
export class MockUnit implements IommuUnit {
  readonly description = MOCK_UNIT;
  readonly domainCompatibilityKey = 'mock';
  readonly notModelled = 'the test unit of iommufd has no hardware that could translate';
  readonly memory = new PhysicalMemory();
  /** CNF-04: the next programming of the failing PASID fails. */
  private failsNext = false;

  constructor(private readonly abilities: MockDeviceAbilities) {}

  capabilities(): UnitCapabilities {
    return {
      cacheCoherency: true, enforceCacheCoherency: false, isolatedMsi: true, deferredFlush: false, dirtyTracking: this.abilities.dirtyTracking, nested: true,
      maxPasids: this.abilities.pasids ? 2 ** MOCK.PASID_BITS : 0, pasidAttach: true, pasidDirty: true, blockedDomain: true, identityDomain: false,
    };
  }

  createPageTable(_use?: TableUse): PageTable {
    return new MockTable();
  }

  setDeviceEntry(): void {
    // There is no hardware to program.
  }

  setPasidEntry(_requesterId: number, pasid: number, entry: DeviceEntry): void {
    if (pasid === MOCK.FAILING_PASID && entry.kind === 'blocked') this.failsNext = false;
  }

  checkPasid(_requesterId: number, pasid: number): Errno | null {
    if (pasid !== MOCK.FAILING_PASID) return null;
    this.failsNext = !this.failsNext;
    return this.failsNext ? null : 'ENOMEM';
  }

  translate(): UnitAnswer {
    return { kind: 'blocked', reason: this.notModelled };
  }

  faultMessages(): readonly string[] {
    return [];
  }
}
