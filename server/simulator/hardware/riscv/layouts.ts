/** How the structures of a RISC-V IOMMU are divided (RVI 4.1.2). */
import { hex } from '../../memory/address.js';
import { flag, type EntryLayout, type FieldLayout } from '../entry-read.js';
import type { PagingMode } from './modes.js';

/** A page number, shown as the address of the page. */
const page = (name: string, bit: number, width: number): FieldLayout => ({ name, bit, width, meaning: (value) => hex(value << 12n) });
const plain = (name: string, bit: number, width: number): FieldLayout => ({ name, bit, width });

const pointerLayout = (entry: string, level: number): EntryLayout => ({ entry, level, stage: 'device', fields: [flag('V', 0, 'valid', 'not valid'), page('PPN', 10, 44)] });

/** By level, 1 and 2: contexts take the place of level 0. */
export const DIRECTORY_ENTRY: readonly EntryLayout[] = [0, 1, 2].map((level) => pointerLayout('device directory entry', level));
export const PROCESS_ENTRY: readonly EntryLayout[] = [0, 1, 2].map((level) => pointerLayout('process directory entry', level));

const FIRST_STAGE_MODES = { 0: 'Bare', 8: 'Sv39, or Sv32 with SXL', 9: 'Sv48', 10: 'Sv57' };
const BASE_FIELDS: readonly FieldLayout[] = [
  flag('V', 0, 'valid', 'not valid'),
  flag('EN_ATS', 1, 'ATS allowed', 'no ATS'),
  flag('EN_PRI', 2, 'page requests allowed', 'no page requests'),
  flag('T2GPA', 3, 'translation requests give guest addresses', 'translation requests give physical addresses'),
  flag('DTF', 4, 'faults are not recorded', 'faults are recorded'),
  flag('PDTV', 5, 'fsc is a process directory', 'fsc is a page table'),
  flag('PRPR', 6, 'page responses carry the PASID', 'page responses carry no PASID'),
  flag('GADE', 7, 'the unit sets A and D of the second stage', 'A and D of the second stage are not set'),
  flag('SADE', 8, 'the unit sets A and D of the first stage', 'A and D of the first stage are not set'),
  flag('DPE', 9, 'requests without PASID use PASID 0', 'requests without PASID skip the first stage'),
  flag('SBE', 10, 'first-stage tables are big-endian', 'first-stage tables are little-endian'),
  flag('SXL', 11, '32-bit first stage', '64-bit first stage'),
  page('iohgatp.PPN', 64, 44),
  plain('GSCID', 108, 16),
  { name: 'iohgatp.MODE', bit: 124, width: 4, meaning: { 0: 'Bare', 8: 'Sv39x4, or Sv32x4 with GXL', 9: 'Sv48x4', 10: 'Sv57x4' } },
  plain('PSCID', 140, 20),
  page('fsc.PPN', 192, 44),
  { name: 'fsc.MODE', bit: 252, width: 4, meaning: { ...FIRST_STAGE_MODES, 1: 'PD8', 2: 'PD17', 3: 'PD20' } },
];

export const BASE_DEVICE_CONTEXT: EntryLayout = { entry: 'device context', stage: 'device', fields: BASE_FIELDS };
export const EXTENDED_DEVICE_CONTEXT: EntryLayout = {
  entry: 'device context', stage: 'device',
  fields: [
    ...BASE_FIELDS,
    page('msiptp.PPN', 256, 44),
    { name: 'msiptp.MODE', bit: 316, width: 4, meaning: { 0: 'Off', 1: 'Flat' } },
    page('msi_addr_mask', 320, 52),
    page('msi_addr_pattern', 384, 52),
  ],
};

export const PROCESS_CONTEXT: EntryLayout = {
  entry: 'process context', stage: 'device',
  fields: [
    flag('V', 0, 'valid', 'not valid'),
    flag('ENS', 1, 'privileged requests allowed', 'no privileged requests'),
    flag('SUM', 2, 'privileged requests may go to pages of users', 'privileged requests stay off pages of users'),
    plain('PSCID', 12, 20),
    page('fsc.PPN', 64, 44),
    { name: 'fsc.MODE', bit: 124, width: 4, meaning: FIRST_STAGE_MODES },
  ],
};

export const MSI_ENTRY: EntryLayout = {
  entry: 'MSI page table entry', stage: 'interrupt',
  fields: [
    flag('V', 0, 'valid', 'not valid'),
    { name: 'M', bit: 1, width: 2, meaning: { 0: 'reserved', 1: 'interrupt file in memory', 2: 'reserved', 3: 'basic translation' } },
    page('PPN', 10, 44),
    flag('C', 63, 'custom', 'standard'),
    plain('NID', 64, 10),
    page('NPPN', 74, 44),
  ],
};

type PageStage = 'stage 1' | 'stage 2';

/** What a pointer to a table has; also how an entry without V is shown. */
function pointerEntry(mode: PagingMode, level: number, stage: PageStage): EntryLayout {
  return { entry: `${mode.name} PTE`, level, stage, fields: [flag('V', 0, 'valid', 'not valid'), { name: 'XWR', bit: 1, width: 3, meaning: { 0: 'points to a table' } }, page('PPN', 10, pageNumberBits(mode))] };
}

function leafEntry(mode: PagingMode, level: number, stage: PageStage): EntryLayout {
  return {
    entry: `${mode.name} PTE`, level, stage,
    fields: [
      flag('V', 0, 'valid', 'not valid'),
      flag('R', 1, 'readable', 'not readable'),
      flag('W', 2, 'writable', 'not writable'),
      flag('X', 3, 'execution allowed', 'no execution'),
      flag('U', 4, 'user requests allowed', 'privileged requests only'),
      flag('G', 5, 'global', 'not global'),
      flag('A', 6, 'accessed', 'not accessed'),
      flag('D', 7, 'dirty', 'clean'),
      page('PPN', 10, pageNumberBits(mode)),
      ...(mode.entryBytes === 8 ? [
        { name: 'PBMT', bit: 61, width: 2, meaning: { 0: 'PMA', 1: 'non-cacheable', 2: 'I/O', 3: 'reserved' } },
        flag('N', 63, 'part of 64 KiB that are mapped together', 'a page by itself'),
      ] : []),
    ],
  };
}

const pageNumberBits = ({ entryBytes }: PagingMode): number => (entryBytes === 8 ? 44 : 22);

/** Both kinds, by level. */
type PageLayouts = readonly { readonly pointer: EntryLayout; readonly leaf: EntryLayout }[];
const LAYOUTS = new Map<PagingMode, PageLayouts>();

function layoutOf(mode: PagingMode, level: number, stage: PageStage, leaf: boolean): EntryLayout {
  let layouts = LAYOUTS.get(mode);
  if (layouts === undefined) LAYOUTS.set(mode, (layouts = mode.shifts.map((_, each) => ({ pointer: pointerEntry(mode, each, stage), leaf: leafEntry(mode, each, stage) }))));
  return leaf ? layouts[level]!.leaf : layouts[level]!.pointer;
}

export const firstStageLayout = (mode: PagingMode, level: number, leaf: boolean): EntryLayout => layoutOf(mode, level, 'stage 1', leaf);
export const secondStageLayout = (mode: PagingMode, level: number, leaf: boolean): EntryLayout => layoutOf(mode, level, 'stage 2', leaf);
