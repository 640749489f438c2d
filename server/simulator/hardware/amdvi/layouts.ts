/** How AMD-Vi's structures are divided (hw-x86 3.3, 3.5, 3.7). */
import { flag, pointer, type EntryLayout } from '../entry-read.js';

export const DEVICE_TABLE_ENTRY: EntryLayout = {
  entry: 'device table entry', stage: 'device',
  fields: [
    flag('V', 0, 'valid', 'not valid: requests pass'),
    flag('TV', 1, 'translation fields are valid', 'translation fields are not valid'),
    { name: 'HAD', bit: 7, width: 2, meaning: { 0: 'accessed and dirty bits are left alone', 1: 'accessed bits are set', 2: 'reserved', 3: 'accessed and dirty bits are set' } },
    { name: 'Mode', bit: 9, width: 3, meaning: (mode) => (mode === 0n ? 'no host translation' : mode === 7n ? 'reserved' : `${mode} levels`) },
    pointer('HostPTRoot', 12, 51),
    flag('GIoV', 54, 'requests without PASID use the table of PASID 0', 'requests without PASID use no guest table'),
    flag('GV', 55, 'guest tables', 'no guest tables'),
    { name: 'GLX', bit: 56, width: 2, meaning: (levels) => (levels === 3n ? 'reserved' : `GCR3 table of ${levels + 1n} levels`) },
    { name: 'GCR3[14:12]', bit: 58, width: 3 },
    flag('IR', 61, 'reads allowed', 'no reads'),
    flag('IW', 62, 'writes allowed', 'no writes'),
    { name: 'DomainID', bit: 64, width: 16 },
    { name: 'GCR3[30:15]', bit: 80, width: 16 },
    flag('I', 96, 'ATS allowed', 'no ATS'),
    flag('SE', 97, 'one page fault is logged', 'page faults are logged'),
    flag('SA', 98, 'no page fault is logged', 'page faults are logged'),
    { name: 'IoCtl', bit: 99, width: 2, meaning: { 0: 'port I/O aborted', 1: 'port I/O forwarded', 2: 'port I/O translated', 3: 'reserved' } },
    flag('EX', 103, 'the exclusion range applies', 'the exclusion range does not apply'),
    { name: 'SysMgt', bit: 104, width: 2 },
    { name: 'GCR3[51:31]', bit: 107, width: 21 },
    flag('IV', 128, 'interrupt fields are valid', 'interrupts pass'),
    { name: 'IntTabLen', bit: 129, width: 4, meaning: (n) => `${1n << n} entries` },
    flag('IG', 133, 'page faults of interrupts are not logged', 'page faults of interrupts are logged'),
    { name: 'IntTabRoot', bit: 134, width: 46 },
    { name: 'GuestPagingMode', bit: 182, width: 2, meaning: { 0: 'guest tables of 4 levels', 1: 'guest tables of 5 levels', 2: 'reserved', 3: 'reserved' } },
    { name: 'IntCtl', bit: 188, width: 2, meaning: { 0: 'aborted', 1: 'forwarded', 2: 'remapped', 3: 'reserved' } },
  ],
};

/** By level, 1 .. 6. */
export const HOST_ENTRY: readonly EntryLayout[] = [0, 1, 2, 3, 4, 5, 6].map((level) => ({
  entry: `level ${level} entry`, level, stage: 'stage 2',
  fields: [
    flag('PR', 0, 'present', 'not present'),
    flag('A', 5, 'accessed', 'not accessed'),
    flag('D', 6, 'dirty', 'clean'),
    {
      name: 'NextLevel', bit: 9, width: 3,
      meaning: (next) => (next === 0n ? 'page of this level' : next === 7n ? 'page whose size is in the address' : `table of level ${next}`),
    },
    pointer('ADDR', 12, 51),
    flag('U', 59, 'untranslated access only', ''),
    flag('FC', 60, 'forced coherent', 'coherent if the request says so'),
    flag('IR', 61, 'readable', 'not readable'),
    flag('IW', 62, 'writable', 'not writable'),
  ],
}));

/** By levels below: 0 is the one whose entries name page tables. */
export const GCR3_ENTRY: readonly EntryLayout[] = [0, 1, 2].map((level) => ({
  entry: level === 0 ? 'GCR3 entry' : `GCR3 entry of level ${level + 1}`, stage: 'device',
  fields: [flag('V', 0, 'valid', 'not valid'), pointer(level === 0 ? 'CR3' : 'next table', 12, 51)],
}));

const GUEST_NAMES = ['', 'PTE', 'PDE', 'PDPE', 'PML4E', 'PML5E'];

/** By level, 1 .. 5. */
export const GUEST_ENTRY: readonly EntryLayout[] = GUEST_NAMES.map((entry, level) => ({
  entry: `guest ${entry}`, level, stage: 'stage 1',
  fields: [
    flag('P', 0, 'present', 'not present'),
    flag('R/W', 1, 'writable', 'not writable'),
    flag('U/S', 2, 'for all requests', 'for privileged requests'),
    flag('A', 5, 'accessed', 'not accessed'),
    ...(level <= 3 ? [flag('D', 6, 'dirty', 'clean')] : []),
    ...(level === 2 || level === 3 ? [flag('PS', 7, 'this is a leaf', 'points to a table')] : []),
    flag('G', 8, 'global', ''),
    pointer('ADDR', 12, 51),
    flag('NX', 63, 'no execution', 'execution allowed'),
  ],
}));

/** What both forms begin with. */
const INTERRUPT_FIELDS = [
  flag('RemapEn', 0, 'remaps', 'not present'),
  flag('SupIOPF', 1, 'faults are not logged', 'faults are logged'),
  { name: 'IntType', bit: 2, width: 3 },
  flag('GuestMode', 7, 'posted to a virtual processor', 'delivered to a processor'),
];

/** The 128-bit form (Control.GAEn). */
export const WIDE_INTERRUPT_ENTRY: EntryLayout = {
  entry: 'interrupt remapping entry', stage: 'interrupt',
  fields: [
    ...INTERRUPT_FIELDS,
    { name: 'Dest', bit: 8, width: 24 },
    { name: 'Vector', bit: 64, width: 8 },
  ],
};

export const INTERRUPT_ENTRY: EntryLayout = {
  entry: 'interrupt remapping entry', stage: 'interrupt',
  fields: [
    ...INTERRUPT_FIELDS,
    { name: 'Dest', bit: 8, width: 8 },
    { name: 'Vector', bit: 16, width: 8 },
  ],
};
