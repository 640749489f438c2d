/** How VT-d's legacy structures are divided (hw-x86 2.4, 2.10). */
import { flag, pointer, type EntryLayout } from '../entry-read.js';

export const ROOT_ENTRY: EntryLayout = {
  entry: 'root entry', stage: 'device',
  fields: [flag('P', 0, 'present', 'not present'), pointer('CTP', 12, 63), { name: 'reserved', bit: 64, width: 64 }],
};

export const CONTEXT_ENTRY: EntryLayout = {
  entry: 'context entry', stage: 'device',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('FPD', 1, 'faults are not recorded', 'faults are recorded'),
    {
      name: 'TT', bit: 2, width: 2,
      meaning: { 0: 'second stage', 1: 'second stage, ATS allowed', 2: 'pass-through', 3: 'reserved' },
    },
    pointer('SSPTPTR', 12, 63),
    { name: 'AW', bit: 64, width: 3, meaning: (aw) => (aw >= 1n && aw <= 3n ? `${30n + 9n * aw} bits, ${aw + 2n} levels` : 'reserved') },
    { name: 'DID', bit: 72, width: 16 },
  ],
};

const NAMES = ['', 'SS-PTE', 'SS-PDE', 'SS-PDPE', 'SS-PML4E', 'SS-PML5E'];

/** By level, 1 .. 5. */
export const SECOND_STAGE_ENTRY: readonly EntryLayout[] = NAMES.map((entry, level) => ({
  entry, level, stage: 'stage 2',
  fields: [
    flag('R', 0, 'readable', 'not readable'),
    flag('W', 1, 'writable', 'not writable'),
    ...(level === 2 || level === 3 ? [flag('PS', 7, 'this is a leaf', 'points to a table')] : []),
    flag('SNP', 11, 'snooped whatever the request says', 'snooped unless the request says otherwise'),
    pointer('ADDR', 12, 51),
    flag('TM', 62, 'reserved: transient mapping once', 'clear, as it must be'),
  ],
}));

export const INTERRUPT_ENTRY: EntryLayout = {
  entry: 'interrupt remapping entry', stage: 'interrupt',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('FPD', 1, 'faults are not recorded', 'faults are recorded'),
    flag('DM', 2, 'logical destination', 'physical destination'),
    flag('IM', 15, 'posted', 'remapped'),
    { name: 'V', bit: 16, width: 8 },
    { name: 'DST', bit: 32, width: 32 },
    { name: 'SID', bit: 64, width: 16 },
    { name: 'SQ', bit: 80, width: 2 },
    { name: 'SVT', bit: 82, width: 2, meaning: { 0: 'source not checked', 1: 'source must be SID', 2: 'source bus must be in SID', 3: 'reserved' } },
  ],
};

// ------------------------------------------------------------------------------------------------ scalable mode (2.5)

export const SCALABLE_ROOT_ENTRY: EntryLayout = {
  entry: 'root entry', stage: 'device',
  fields: [flag('P', 0, 'present', 'not present'), pointer('CTP', 12, 63)],
};

export const SCALABLE_CONTEXT_ENTRY: EntryLayout = {
  entry: 'context entry', stage: 'device',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('FPD', 1, 'faults are not recorded', 'faults are recorded'),
    flag('DTE', 2, 'ATS allowed', 'no ATS'),
    flag('PASIDE', 3, 'requests with PASID allowed', 'no requests with PASID'),
    flag('PRE', 4, 'page requests allowed', 'no page requests'),
    { name: 'PDTS', bit: 9, width: 3, meaning: (n) => `PASIDs below 2^${n + 13n}` },
    pointer('PASIDDIRPTR', 12, 63),
    { name: 'RID_PASID', bit: 64, width: 20, meaning: (pasid) => `requests without PASID use ${pasid}` },
    flag('RID_PRIV', 84, 'requests without PASID are privileged', 'requests without PASID are not privileged'),
  ],
};

export const PASID_DIRECTORY_ENTRY: EntryLayout = {
  entry: 'PASID directory entry', stage: 'device',
  fields: [flag('P', 0, 'present', 'not present'), flag('FPD', 1, 'faults are not recorded', 'faults are recorded'), pointer('SMPTBLPTR', 12, 63)],
};

export const PASID_ENTRY: EntryLayout = {
  entry: 'PASID entry', stage: 'device',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('FPD', 1, 'faults are not recorded', 'faults are recorded'),
    { name: 'AW', bit: 2, width: 3, meaning: (aw) => `${aw + 2n} levels` },
    { name: 'PGTT', bit: 6, width: 3, meaning: { 1: 'first stage', 2: 'second stage', 3: 'nested', 4: 'pass-through' } },
    pointer('SSPTPTR', 12, 63),
    { name: 'DID', bit: 64, width: 16 },
    flag('SRE', 128, 'privileged requests allowed', 'no privileged requests'),
    flag('ERE', 129, 'execute requests allowed', 'no execute requests'),
    { name: 'FSPM', bit: 130, width: 2, meaning: { 0: '4 levels', 1: '5 levels' } },
    flag('WPE', 132, 'read-only also for privileged requests', 'privileged requests may write everywhere'),
    flag('NXE', 133, 'XD forbids execution', 'XD is ignored'),
    flag('SMEP', 134, 'privileged requests execute no user pages', 'privileged requests execute everywhere'),
    pointer('FSPTPTR', 140, 191),
  ],
};

const FIRST_STAGE_NAMES = ['', 'FS-PTE', 'FS-PDE', 'FS-PDPE', 'FS-PML4E', 'FS-PML5E'];

/** By level, 1 .. 5. */
export const FIRST_STAGE_ENTRY: readonly EntryLayout[] = FIRST_STAGE_NAMES.map((entry, level) => ({
  entry, level, stage: 'stage 1',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('R/W', 1, 'writable', 'read-only'),
    flag('U/S', 2, 'user requests allowed', 'privileged requests only'),
    flag('A', 5, 'accessed', 'not accessed'),
    flag('D', 6, 'dirty', 'clean'),
    ...(level === 2 || level === 3 ? [flag('PS', 7, 'this is a leaf', 'points to a table')] : []),
    pointer('ADDR', 12, 51),
    flag('XD', 63, 'no execution', 'execution allowed'),
  ],
}));
