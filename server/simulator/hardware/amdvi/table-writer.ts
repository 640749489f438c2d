/** What Linux's AMD IOMMU driver writes: device table entries and version 1 host tables (hw-x86 4.1, 4.2). */
import { addressOf, frameHigh, frameLow, frameOf } from '../../memory/frame.js';
import type { AddressRange, Iova } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry, DriverProfile } from '../architecture.js';
import { optionWords } from '../command-line.js';
import { READ, WRITE } from '../entry-read.js';
import { apertureOf, EMPTY, LEAF, levelShift, RadixTable, TABLE, type EntryFormat } from '../radix-table.js';
import type { AmdCapabilities } from './capabilities.js';
import type { AmdDriver } from './driver.js';
import { GuestPageTable, type Gcr3Root } from './guest-writer.js';
import { DIRTY, encodedShift, frameOfLeaf, nextLevel, PERMISSION_SHIFT, PRESENT, SIZE_IN_ADDRESS } from './host-table.js';
import { INTERRUPT_CONTROL } from './interrupts.js';
import { ENTRIES_IN_PAGE, ENTRY_BYTES } from './registers.js';

/** PR, NextLevel at bit 9; IR, IW and FC (bit 60) in the high half. */
const NEXT_LEVEL_SHIFT = 9;
const FORCED_COHERENT = 1 << 28;
const ALL_ALLOWED = (READ | WRITE) << PERMISSION_SHIFT;

/** Levels of a new table; it grows on top (4.2). */
const FIRST_LEVELS = 3;
const ORDINARY_SIZES = (1n << 12n) | (1n << 21n) | (1n << 30n);

export const HOST_FORMAT: EntryFormat = {
  kind(page, index) {
    const low = page[2 * index]!;
    if ((low & PRESENT) === 0) return EMPTY;
    const next = nextLevel(low);
    return next === 0 || next === SIZE_IN_ADDRESS ? LEAF : TABLE;
  },
  leafShift(page, index, level) {
    const low = page[2 * index]!;
    return nextLevel(low) === 0 ? levelShift(level) : encodedShift(low, page[2 * index + 1]!);
  },
  leafFrame(page, index, level) {
    return frameOfLeaf(page[2 * index]!, page[2 * index + 1]!, HOST_FORMAT.leafShift(page, index, level));
  },
  permission(page, index) {
    return (page[2 * index + 1]! >>> PERMISSION_SHIFT) & (READ | WRITE);
  },
  writeTable(page, index, level, child) {
    page[2 * index] = frameLow(child) | ((level - 1) << NEXT_LEVEL_SHIFT) | PRESENT;
    page[2 * index + 1] = frameHigh(child) | ALL_ALLOWED;
  },
  // AMD-20: a size between two levels is the run of ones in the address, up to one bit below the size.
  writeLeaf(page, index, level, shift, frame, permission) {
    const own = shift === levelShift(level);
    const field = own ? frame : frame + 2 ** (shift - 13) - 1;
    page[2 * index] = frameLow(field) | (own ? 0 : SIZE_IN_ADDRESS << NEXT_LEVEL_SHIFT) | PRESENT;
    page[2 * index + 1] = frameHigh(field) | (permission << PERMISSION_SHIFT) | FORCED_COHERENT;
  },
};

/** A version 1 table, from which dirty bits can be taken (AMD-22, DRT-01). */
class HostPageTable extends RadixTable {
  takeDirty(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[] {
    const found: AddressRange<Iova>[] = [];
    this.eachLeaf((page, index, frame, level) => {
      const shift = HOST_FORMAT.leafShift(page, index, level);
      const start = addressOf(frame) as Iova;
      const last = (start + (1n << BigInt(shift)) - 1n) as Iova;
      if (last < iova || start >= iova + size || !isDirty(page, index, 2 ** (shift - levelShift(level)), clear)) return;
      found.push({ start, last });
    });
    return found;
  }
}

/** AMD-20: a leaf of several entries is dirty when one of them is. */
function isDirty(page: Uint32Array, first: number, entries: number, clear: boolean): boolean {
  let dirty = false;
  for (let index = first; index < first + entries; index++) {
    dirty ||= (page[2 * index]! & DIRTY) !== 0;
    if (clear) page[2 * index]! &= ~DIRTY;
  }
  return dirty;
}

export function newHostTable(memory: PhysicalMemory, hardware: AmdCapabilities, driver: AmdDriver, profile: DriverProfile, rootMoved: () => void): HostPageTable {
  const options = driver.sizeOptions ? optionWords(profile, 'amd_iommu') : [];
  const limit = options.includes('nohugepages') ? 1n << 12n : options.includes('v2_pgsizes_only') ? ORDINARY_SIZES : ~0n;
  const generic = driver.pageTableCode === 'generic';
  return new HostPageTable(memory, {
    format: HOST_FORMAT,
    levels: FIRST_LEVELS,
    maxLevels: hardware.maxLevels,
    leafSizes: hardware.pageSizes & limit,
    pageSizes: driver.reportedSizes & limit, // PGS-04
    aperture: apertureOf(driver.aperture === 'levels' ? Math.min(64, levelShift(hardware.maxLevels + 1)) : 64),
    collision: generic ? 'refuse' : 'replace', // MAP-05
    beyond: generic ? 'ERANGE' : 'ENOMEM',
    freesTables: generic,
    rootMoved,
    log: profile.log,
  });
}

const HALVES = ENTRY_BYTES / 4;
/** 65,536 entries. */
const TABLE_PAGES = 512;
const VALID = 1;
const TRANSLATION_VALID = 2;
/** HAD: both kinds of bits. */
const SETS_DIRTY = 3 << 7;
/** GV and GIoV, of the second half. */
const GUEST_VALID = 1 << 23;
const GUEST_WITHOUT_PASID = 1 << 22;
/** 4.2: IntTabLen 9 = 512 entries. */
const INTERRUPT_WORD_LOW = (9 << 1) | 1;

/** The device table of one unit. Only the pages up to the highest programmed device exist; the size register says so. */
export class DeviceTableWriter {
  private readonly first: number;
  private pages = 0;

  constructor(private readonly memory: PhysicalMemory, private readonly driver: AmdDriver, private readonly remapsInterrupts: boolean, private readonly guestLevels: number) {
    this.first = memory.allocate(TABLE_PAGES);
    this.cover(0);
  }

  /** The device table register: base and size. */
  get register(): bigint {
    return addressOf(this.first) | BigInt(this.pages - 1);
  }

  write(requesterId: number, entry: DeviceEntry, gcr3: Gcr3Root | null): void {
    this.cover(requesterId);
    const page = this.memory.pageForWriting(this.first + Math.floor(requesterId / ENTRIES_IN_PAGE));
    const at = HALVES * (requesterId % ENTRIES_IN_PAGE);
    page.fill(0, at, at + HALVES);
    page[at] = VALID | TRANSLATION_VALID;
    this.writeInterrupts(page, at);
    if (entry.kind === 'blocked') {
      if (this.driver.detachedIsInvalid) page[at] = VALID;
    } else if (entry.kind === 'identity') {
      page[at + 1] = ALL_ALLOWED;
      page[at + 3] = entry.ats === true || this.driver.identityHasAts ? 1 : 0; // LNX-02
    } else if (entry.table instanceof GuestPageTable) {
      page[at + 1] = ALL_ALLOWED;
      page[at + 2] = entry.domainId;
      page[at + 3] = entry.ats ? 1 : 0;
    } else {
      const table = frameOf(entry.table.root);
      page[at] = frameLow(table) | (entry.table.levels << NEXT_LEVEL_SHIFT) | (entry.dirty ? SETS_DIRTY : 0) | TRANSLATION_VALID | VALID;
      page[at + 1] = frameHigh(table) | ALL_ALLOWED;
      page[at + 2] = entry.domainId;
      page[at + 3] = entry.ats ? 1 : 0;
    }
    if (gcr3 !== null) this.writeGuestFields(page, at, gcr3);
  }

  private writeGuestFields(page: Uint32Array, at: number, { frame, levels, withoutPasid }: Gcr3Root): void {
    page[at + 1] = page[at + 1]! | GUEST_VALID | (withoutPasid ? GUEST_WITHOUT_PASID : 0) | (levels << 24) | ((frame & 7) << 26);
    page[at + 2] = page[at + 2]! | ((Math.floor(frame / 8) & 0xffff) << 16);
    page[at + 3] = page[at + 3]! | (Math.floor(frame / 0x8_0000) << 11);
    page[at + 5] = page[at + 5]! | ((this.guestLevels - 4) << 22);
  }

  private writeInterrupts(page: Uint32Array, at: number): void {
    if (!this.remapsInterrupts) return;
    page[at + 4] = INTERRUPT_WORD_LOW;
    page[at + 5] = INTERRUPT_CONTROL.remap << 28;
  }

  /** Makes the table reach `requesterId`. At boot Linux makes every entry valid without permissions. */
  private cover(requesterId: number): void {
    const needed = Math.floor(requesterId / ENTRIES_IN_PAGE) + 1;
    if (needed <= this.pages) return;
    const pages = 2 ** Math.ceil(Math.log2(needed));
    for (let i = this.pages; i < pages; i++) {
      const page = this.memory.pageForWriting(this.first + i);
      for (let at = 0; at < page.length; at += HALVES) {
        page[at] = VALID | TRANSLATION_VALID;
        this.writeInterrupts(page, at);
      }
    }
    this.pages = pages;
  }
}
