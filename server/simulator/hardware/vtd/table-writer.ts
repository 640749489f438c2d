/** What Linux's VT-d driver writes: root, context and second-stage entries (hw-x86 4.1, 4.2; LNX-05, LNX-10). */
import type { AddressRange, Iova } from '../../memory/address.js';
import { addressOf, frameHigh, frameLow, frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry, DriverProfile } from '../architecture.js';
import { optionWords } from '../command-line.js';
import { READ, WRITE } from '../entry-read.js';
import { apertureOf, EMPTY, LEAF, levelShift, RadixTable, TABLE, type EntryFormat, type TableRules } from '../radix-table.js';
import { LEAF_BYTES, widthOfLevels, type VtdCapabilities } from './capabilities.js';
import { TRANSLATION_TYPE } from './device-lookup.js';
import type { VtdDriver } from './driver.js';
import { DIRTY_BIT } from './second-stage.js';

const PAGE_SIZE_BIT = 0x80;
const SNOOP_BIT = 0x800;
/** LNX-01 */
export const IDENTITY_DOMAIN_ID = 1;
/** Every power of two from 4 KiB. */
const EVERY_POWER = 0xffff_ffff_ffff_f000n;
/** The width that a domain is asked to have, and the smallest input width that makes a number of levels worth while. */
const NEEDED_WIDTH: Readonly<Record<number, number>> = { 3: 30, 4: 39, 5: 48 };

/** Second-stage entries. `snooped` (VTD-31: SNP, no effect on the address) may be switched on while the table is empty (COH-03). */
export class SecondStageFormat implements EntryFormat {
  snooped = false;

  constructor(private readonly writeOnlyIsReadable: boolean) {}

  kind(page: Uint32Array, index: number, level: number): number {
    const low = page[2 * index]!;
    if ((low & (READ | WRITE)) === 0) return EMPTY;
    return level === 1 || (low & PAGE_SIZE_BIT) !== 0 ? LEAF : TABLE;
  }

  leafShift(_page: Uint32Array, _index: number, level: number): number {
    return levelShift(level);
  }

  leafFrame(page: Uint32Array, index: number): number {
    return frameOfEntry(page[2 * index]!, page[2 * index + 1]!);
  }

  permission(page: Uint32Array, index: number): number {
    return page[2 * index]! & (READ | WRITE);
  }

  writeTable(page: Uint32Array, index: number, _level: number, child: number): void {
    page[2 * index] = frameLow(child) | READ | WRITE;
    page[2 * index + 1] = frameHigh(child);
  }

  writeLeaf(page: Uint32Array, index: number, level: number, _shift: number, frame: number, permission: number): void {
    const granted = this.writeOnlyIsReadable ? permission | READ : permission;
    page[2 * index] = frameLow(frame) | granted | (level > 1 ? PAGE_SIZE_BIT : 0) | (this.snooped ? SNOOP_BIT : 0);
    page[2 * index + 1] = frameHigh(frame);
  }
}

/** LNX-13: levels by what the unit supports; the input width only shortens the aperture. */
export function domainLevels({ levels, addressWidth }: VtdCapabilities): number {
  return levels.findLast((count) => addressWidth >= NEEDED_WIDTH[count]!) ?? levels[0]!;
}

/** A second-stage table whose leaves can be made to carry SNP. */
export class SecondStageTable extends RadixTable {
  constructor(memory: PhysicalMemory, private readonly format: SecondStageFormat, rules: Omit<TableRules, 'format'>) {
    super(memory, { ...rules, format });
  }

  takeDirty(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[] {
    const found: AddressRange<Iova>[] = [];
    this.eachLeaf((page, index, frame, level) => {
      const start = addressOf(frame) as Iova;
      const last = (start + LEAF_BYTES[level]! - 1n) as Iova;
      if ((page[2 * index]! & DIRTY_BIT) === 0 || last < iova || start >= iova + size) return;
      if (clear) page[2 * index]! &= ~DIRTY_BIT;
      found.push({ start, last });
    });
    return found;
  }

  get snooped(): boolean {
    return this.format.snooped;
  }
  set snooped(on: boolean) {
    this.format.snooped = on;
  }
}

/** What the driver's own page table code logs (MAP-05). */
export function linesOf(): NonNullable<TableRules['lines']> {
  return {
    beyond: (width, end) => `DMAR: intel_iommu_map: iommu width (${width}) is not sufficient for the mapped address (${end.toString(16)})`,
    alreadySet: (frame, old) => `DMAR: ERROR: DMA PTE for vPFN 0x${frame.toString(16)} already set (to ${old.toString(16)})`,
  };
}

export function newSecondStage(memory: PhysicalMemory, capabilities: VtdCapabilities, driver: VtdDriver, profile: DriverProfile): SecondStageTable {
  const levels = domainLevels(capabilities);
  const leafSizes = optionWords(profile, 'intel_iommu').includes('sp_off') ? 1n << 12n : capabilities.pageSizes; // PGS-03, CMD-05
  const generic = driver.pageTableCode === 'generic';
  return new SecondStageTable(memory, new SecondStageFormat(driver.writeOnlyIsReadable), {
    levels,
    maxLevels: levels,
    leafSizes,
    pageSizes: driver.reportedSizes === 'every-power' ? EVERY_POWER : leafSizes, // PGS-01, PGS-02
    aperture: apertureOf(Math.min(widthOfLevels(levels), capabilities.addressWidth)),
    collision: generic ? 'refuse' : 'keep', // MAP-05
    beyond: generic ? 'ERANGE' : 'EFAULT',
    freesTables: true,
    log: profile.log,
    lines: generic ? undefined : linesOf(),
  });
}

/** Root and context tables of one unit, in legacy mode: a context table per bus, made when first needed (LNX-05). */
export class DeviceTables {
  /** Frame of the root table. */
  readonly root: number;

  constructor(private readonly memory: PhysicalMemory, private readonly capabilities: VtdCapabilities) {
    this.root = memory.allocate();
    memory.pageForWriting(this.root);
  }

  write(requesterId: number, entry: DeviceEntry): void {
    const page = this.contextTable(requesterId >>> 8);
    const at = 4 * (requesterId & 0xff);
    page.fill(0, at, at + 4);
    if (entry.kind === 'blocked') return;
    if (entry.kind === 'identity') {
      // LNX-03: pass-through never allows ATS.
      page[at] = 1 | (TRANSLATION_TYPE.passThrough << 2);
      page[at + 2] = (this.capabilities.levels.at(-1)! - 2) | (IDENTITY_DOMAIN_ID << 8);
      return;
    }
    const type = entry.ats && this.capabilities.deviceTlb ? TRANSLATION_TYPE.translateWithAts : TRANSLATION_TYPE.translate;
    const table = frameOf(entry.table.root);
    page[at] = frameLow(table) | (type << 2) | 1;
    page[at + 1] = frameHigh(table);
    page[at + 2] = (entry.table.levels - 2) | (entry.domainId << 8);
  }

  private contextTable(bus: number): Uint32Array {
    const root = this.memory.pageForWriting(this.root);
    if ((root[4 * bus]! & 1) === 0) {
      const fresh = this.memory.allocate();
      root[4 * bus] = frameLow(fresh) | 1;
      root[4 * bus + 1] = frameHigh(fresh);
    }
    return this.memory.pageForWriting(frameOfEntry(root[4 * bus]!, root[4 * bus + 1]!));
  }
}
