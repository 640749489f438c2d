/** What Linux's AMD IOMMU driver writes for guest translation: version 2 tables (PGS-05) and GCR3 tables (hw-x86 3.6, 4.1, 4.2). */
import { frameHigh, frameLow, frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry, DriverProfile } from '../architecture.js';
import { longModeFormat } from '../long-mode.js';
import { apertureOf, levelShift, RadixTable } from '../radix-table.js';
import type { AmdCapabilities } from './capabilities.js';
import type { AmdDriver } from './driver.js';

const GENERIC_FORMAT = longModeFormat('writable');
const OWN_FORMAT = longModeFormat('all');
/** PGS-05, whatever the options say about version 1 tables. */
const SIZES = (1n << 12n) | (1n << 21n) | (1n << 30n);

/** A version 2 table; its root goes into a GCR3 entry, not into the device table. */
export class GuestPageTable extends RadixTable {}

/** @param upperHalf whether the driver gives out addresses with the highest indexed bit set, which PASIDs other than 0 would read as a sign */
export function newGuestTable(memory: PhysicalMemory, hardware: AmdCapabilities, driver: AmdDriver, profile: DriverProfile, upperHalf = driver.guestAperture === 'whole'): GuestPageTable {
  const levels = guestLevels(hardware, driver);
  const width = levelShift(levels + 1);
  const generic = driver.pageTableCode === 'generic';
  return new GuestPageTable(memory, {
    format: generic ? GENERIC_FORMAT : OWN_FORMAT,
    levels,
    maxLevels: levels,
    leafSizes: SIZES,
    pageSizes: SIZES,
    aperture: apertureOf(upperHalf ? width : width - 1),
    collision: generic ? 'refuse' : 'replace', // MAP-05
    beyond: generic ? 'ERANGE' : 'ENOMEM',
    freesTables: generic,
    log: profile.log,
  });
}

/** Four, or five where unit and driver have them. */
export const guestLevels = (hardware: AmdCapabilities, driver: AmdDriver): number => (driver.fiveLevels ? hardware.guestLevels : 4);

const INDEX_BITS = 9;
const VALID = 1;

/** A device's GCR3 table as its device table entry names it. */
export interface Gcr3Root {
  readonly frame: number;
  /** GLX: levels less one. */
  readonly levels: number;
  /** GIoV: requests without PASID use the table of PASID 0. */
  readonly withoutPasid: boolean;
}

/** The GCR3 tables of one unit's devices. */
export class Gcr3Tables {
  private readonly roots = new Map<number, Gcr3Root>();

  constructor(private readonly memory: PhysicalMemory, private readonly driver: AmdDriver) {}

  of(requesterId: number): Gcr3Root | null {
    return this.roots.get(requesterId) ?? null;
  }

  /**
   * What attaching a device does: the old table goes, with all PASIDs in it. A new one is made for version 2 tables and, for devices with
   * PASIDs, beside an identity domain; version 1 tables have none, for the two would nest.
   * @param pasids numbers that the device may use
   */
  attach(requesterId: number, entry: DeviceEntry, pasids: number): void {
    this.drop(requesterId);
    const usable = this.driver.pasids ? pasids : 0;
    const guest = entry.kind === 'paging' && entry.table instanceof GuestPageTable ? entry.table : null;
    if (guest === null && (entry.kind !== 'identity' || usable === 0)) return;
    this.roots.set(requesterId, { frame: this.memory.allocate(), levels: levelsFor(Math.max(usable, 1)), withoutPasid: guest !== null });
    if (guest !== null) this.set(requesterId, 0, guest);
  }

  /** @param table null: the PASID has none any more */
  set(requesterId: number, pasid: number, table: GuestPageTable | null): void {
    const root = this.roots.get(requesterId);
    if (root === undefined) return;
    let page = this.memory.pageForWriting(root.frame);
    for (let level = root.levels; level > 0; level--) page = this.memory.pageForWriting(this.child(page, (pasid >>> (INDEX_BITS * level)) & 511));
    writeEntry(page, pasid & 511, table === null ? null : frameOf(table.root));
  }

  private child(page: Uint32Array, index: number): number {
    if ((page[2 * index]! & VALID) === 0) writeEntry(page, index, this.memory.allocate());
    return frameOfEntry(page[2 * index]!, page[2 * index + 1]!);
  }

  private drop(requesterId: number): void {
    const root = this.roots.get(requesterId);
    if (root === undefined) return;
    this.free(root.frame, root.levels);
    this.roots.delete(requesterId);
  }

  private free(frame: number, level: number): void {
    const page = this.memory.page(frame);
    for (let index = 0; level > 0 && page !== undefined && index < 512; index++) {
      if ((page[2 * index]! & VALID) !== 0) this.free(frameOfEntry(page[2 * index]!, page[2 * index + 1]!), level - 1);
    }
    this.memory.release(frame);
  }
}

/** Levels less one of the table for PASIDs below `pasids`. */
export const levelsFor = (pasids: number): number => Math.max(0, Math.ceil(Math.ceil(Math.log2(pasids)) / INDEX_BITS) - 1);

function writeEntry(page: Uint32Array, index: number, frame: number | null): void {
  page[2 * index] = frame === null ? 0 : frameLow(frame) | VALID;
  page[2 * index + 1] = frame === null ? 0 : frameHigh(frame);
}
