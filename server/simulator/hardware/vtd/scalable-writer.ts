/** What Linux's VT-d driver writes in scalable mode: PASID tables and first-stage entries (hw-x86 4.1, 4.2, LNX-04). */
import { frameHigh, frameLow, frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry, DriverProfile, UserTable } from '../architecture.js';
import { optionWords } from '../command-line.js';
import { longModeFormat } from '../long-mode.js';
import { apertureOf, RadixTable } from '../radix-table.js';
import type { VtdCapabilities } from './capabilities.js';
import type { VtdDriver } from './driver.js';
import { SETS_DIRTY, TABLE_TYPE } from './scalable-lookup.js';
import { IDENTITY_DOMAIN_ID, linesOf } from './table-writer.js';

const FIRST_STAGE_FORMAT = longModeFormat('writable');

export class FirstStageTable extends RadixTable {}

/** PGS-03: 48 or 57 bits sign-extended, of which the lower half is used. */
export function newFirstStage(memory: PhysicalMemory, hardware: VtdCapabilities, driver: VtdDriver, profile: DriverProfile): FirstStageTable {
  const levels = hardware.addressWidth > 48 ? 5 : 4;
  const leafSizes = optionWords(profile, 'intel_iommu').includes('sp_off') ? 1n << 12n : hardware.pageSizes;
  const generic = driver.pageTableCode === 'generic';
  return new FirstStageTable(memory, {
    format: FIRST_STAGE_FORMAT,
    levels,
    maxLevels: levels,
    leafSizes,
    pageSizes: driver.reportedSizes === 'every-power' ? 0xffff_ffff_ffff_f000n : leafSizes,
    aperture: apertureOf(levels === 5 ? 56 : 47),
    collision: generic ? 'refuse' : 'keep',
    beyond: generic ? 'ERANGE' : 'EFAULT',
    freesTables: true,
    log: profile.log,
    lines: generic ? undefined : linesOf(),
  });
}

/** A directory page holds the entries for 2^15 PASIDs: the smallest that Linux makes. */
const SMALLEST_SIZE_FIELD = 2;
const CONTEXT_HALVES = 8;
const ENTRY_HALVES = 16;
const PASIDS_IN_TABLE = 64;
const SLOTS_IN_PAGE = 512;

/** Root, context and PASID tables of one unit. Requests without PASID use the entry of PASID 0. */
export class ScalableDeviceTables {
  /** Frame of the root table. */
  readonly root: number;
  private readonly sizeField: number;

  constructor(private readonly memory: PhysicalMemory, private readonly hardware: VtdCapabilities) {
    this.root = this.newTable();
    this.sizeField = Math.max(SMALLEST_SIZE_FIELD, Math.min(hardware.pasidBits, 20) - 13);
  }

  write(requesterId: number, entry: DeviceEntry, pasid = 0): void {
    const page = this.pasidTable(requesterId, pasid);
    const at = ENTRY_HALVES * (pasid % PASIDS_IN_TABLE);
    page.fill(0, at, at + ENTRY_HALVES);
    if (entry.kind === 'paging') this.writePaging(page, at, entry);
    if (entry.kind === 'paging' && entry.userTable !== undefined) writeUserTable(page, at, entry.userTable);
    if (entry.kind === 'identity') {
      page[at] = 1 | ((this.hardware.levels.at(-1)! - 2) << 2) | (TABLE_TYPE.passThrough << 6);
      page[at + 2] = IDENTITY_DOMAIN_ID;
    }
  }

  private writePaging(page: Uint32Array, at: number, { table, domainId, dirty }: DeviceEntry & { kind: 'paging' }): void {
    const frame = frameOf(table.root);
    page[at + 2] = domainId;
    if (table instanceof FirstStageTable) {
      page[at] = 1 | (TABLE_TYPE.firstStage << 6);
      page[at + 4] = frameLow(frame) | ((table.levels - 4) << 2);
      page[at + 5] = frameHigh(frame);
    } else {
      page[at] = frameLow(frame) | 1 | ((table.levels - 2) << 2) | (TABLE_TYPE.secondStage << 6) | (dirty ? SETS_DIRTY : 0);
      page[at + 1] = frameHigh(frame);
    }
  }

  /** The page with the entries of 64 PASIDs of a device, among them `pasid`; its context entry is made when Linux probes it. */
  private pasidTable(requesterId: number, pasid: number): Uint32Array {
    const root = this.memory.pageForWriting(this.root);
    const contexts = this.child(root, 2 * (2 * (requesterId >>> 8) + ((requesterId >>> 7) & 1)), 1, 1);
    const at = CONTEXT_HALVES * (requesterId & 0x7f);
    const { deviceTlb, pasidBits } = this.hardware;
    const flags = 1 | (deviceTlb ? 4 : 0) | (pasidBits > 0 ? 8 : 0) | (this.sizeField << 9);
    const directory = this.child(contexts, at, flags, 2 ** (this.sizeField - SMALLEST_SIZE_FIELD));
    const slot = Math.floor(pasid / PASIDS_IN_TABLE);
    if (slot < SLOTS_IN_PAGE) return this.child(directory, 2 * slot, 1, 1);
    const first = frameOfEntry(contexts[at]!, contexts[at + 1]!);
    return this.child(this.memory.pageForWriting(first + Math.floor(slot / SLOTS_IN_PAGE)), 2 * (slot % SLOTS_IN_PAGE), 1, 1);
  }

  /** The table that the entry at half `at` of `page` points to, made with these `flags` when missing. */
  private child(page: Uint32Array, at: number, flags: number, pages: number): Uint32Array {
    if ((page[at]! & 1) === 0) {
      const fresh = this.newTable(pages);
      page[at] = frameLow(fresh) | flags;
      page[at + 1] = frameHigh(fresh);
    }
    return this.memory.pageForWriting(frameOfEntry(page[at]!, page[at + 1]!));
  }

  private newTable(pages = 1): number {
    const first = this.memory.allocate(pages);
    for (let i = 0; i < pages; i++) this.memory.pageForWriting(first + i);
    return first;
  }
}

/** NST-01: the entry as `writePaging` left it gets the user's first stage in front of the second. */
function writeUserTable(page: Uint32Array, at: number, { root, levels, writeProtect, supervisor }: UserTable): void {
  const frame = frameOf(root);
  page[at] = (page[at]! & ~(7 << 6)) | (TABLE_TYPE.nested << 6);
  page[at + 4] = frameLow(frame) | (supervisor ? SUPERVISOR_REQUESTS : 0) | ((levels - 4) << 2) | (writeProtect ? WRITE_PROTECT : 0);
  page[at + 5] = frameHigh(frame);
}

/** SRE and WPE of a PASID entry. */
const SUPERVISOR_REQUESTS = 1;
const WRITE_PROTECT = 0x10;
