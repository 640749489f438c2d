/** The first-stage tables that Linux's driver makes for its domains (RVI 5): the widest of Sv39, Sv48 and Sv57 that the unit has. */
import type { Iova } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { IommuDescription } from '../../description.js';
import type { DriverProfile, PageTable } from '../architecture.js';
import { READ, WRITE } from '../entry-read.js';
import { apertureOf, EMPTY, LEAF, levelShift, RadixTable, TABLE, type EntryFormat } from '../radix-table.js';
import type { RiscvCapabilities } from './capabilities.js';
import type { RiscvDriver } from './driver.js';
import { widestFirstStage } from './modes.js';
import { ENTRY, frameOfPpn, isLeaf, leafShift, targetOf } from './page-entry.js';

const NAPOT_SHIFT = 16;
const NAPOT_FRAMES = 2 ** (NAPOT_SHIFT - 12);
/** N, in the high half; 64 KiB in the place of the page number's low bits. */
const NAPOT_HIGH = 0x8000_0000;
const NAPOT_PATTERN = 8;
const PPN_IN_LOW = 2 ** 22;
/** READ | WRITE are the bits R and W of an entry, one place lower. */
const PERMISSION_SHIFT = 1;
const BASE = ENTRY.valid | ENTRY.user | ENTRY.accessed;

function write(page: Uint32Array, index: number, frame: number, bits: number, high: number): void {
  page[2 * index] = ((frame % PPN_IN_LOW) << 10) | bits;
  page[2 * index + 1] = Math.floor(frame / PPN_IN_LOW) | high;
}

/** @param alwaysDirty pages that can be written say dirty from the start @param executable generic code forbids execution nowhere */
const formatOf = (alwaysDirty: boolean, executable: boolean): EntryFormat => ({
  kind(page, index) {
    const low = page[2 * index]!;
    if ((low & ENTRY.valid) === 0) return EMPTY;
    return isLeaf(low) ? LEAF : TABLE;
  },
  leafShift: (page, index, level) => leafShift(page[2 * index + 1]!, levelShift(level)),
  leafFrame: (page, index) => targetOf(page[2 * index]!, page[2 * index + 1]!, 0, (page[2 * index + 1]! & NAPOT_HIGH) !== 0 ? NAPOT_FRAMES : 1),
  permission: (page, index) => (page[2 * index]! >>> PERMISSION_SHIFT) & (READ | WRITE),
  child: (page, index) => frameOfPpn(page[2 * index]!, page[2 * index + 1]!),
  writeTable: (page, index, _level, child) => write(page, index, child, ENTRY.valid, 0),
  writeLeaf(page, index, _level, shift, frame, permission) {
    const writable = (permission & WRITE) !== 0;
    // W without R is reserved: what can be written can be read.
    const access = ENTRY.read | (writable ? ENTRY.write : 0) | (writable && alwaysDirty ? ENTRY.dirty : 0) | (executable ? ENTRY.execute : 0);
    const napot = shift === NAPOT_SHIFT;
    write(page, index, napot ? frame + NAPOT_PATTERN : frame, BASE | access, napot ? NAPOT_HIGH : 0);
  },
});

/** Leaf sizes of the driver's own code, of which those count that the aperture has room for. */
const OWN_SIZES = (1n << 12n) | (1n << 21n) | (1n << 30n) | (1n << 39n);
/** Shared code also makes leaves of 16 pages, and leaves in every level. */
const GENERIC_SIZES = OWN_SIZES | (1n << 16n) | (1n << 48n);

/** The driver's own code clears no part of a leaf: it stops, without a word. */
class OwnTable extends RadixTable {
  override unmap(iova: Iova, size: bigint): bigint {
    const leaf = this.lookup(iova);
    return leaf !== null && iova % leaf.pageSize !== 0n ? 0n : super.unmap(iova, size);
  }
}

/** @throws Error where the unit has no 64-bit first stage, which no described unit lacks */
export function newPageTable(memory: PhysicalMemory, description: IommuDescription, capabilities: RiscvCapabilities, { pageTableCode }: RiscvDriver, profile: DriverProfile): PageTable {
  const mode = widestFirstStage(capabilities);
  if (mode === undefined) throw new Error(`${description.name} has no first stage for 64-bit addresses`);
  const generic = pageTableCode === 'generic';
  // The upper half of the addresses repeats the highest bit in the bits above, which nobody who maps does.
  const aperture = apertureOf(mode.addressBits - 1);
  const described = description.pageSizes?.reduce((map, size) => map | size, 0n) ?? ~0n;
  const sizes = ((generic ? GENERIC_SIZES : OWN_SIZES) & aperture.last & described) | (1n << 12n);
  return new (generic ? RadixTable : OwnTable)(memory, {
    format: formatOf(generic || !capabilities.setsAccessedDirty, generic), levels: mode.levels, maxLevels: mode.levels, leafSizes: sizes, pageSizes: sizes, aperture,
    collision: generic ? 'refuse' : 'replace', ...(!generic && { largerLeaf: 'ENOMEM' as const }), beyond: 'ERANGE', freesTables: generic, log: profile.log,
  });
}
