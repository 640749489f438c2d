/** How the structures of an SMMUv3 are divided (SMMU 1.2, 1.4, 1.6.2). */
import { flag, pointer, type EntryLayout, type FieldLayout } from '../entry-read.js';
import { OUTPUT_WIDTHS } from './capabilities.js';

const GRANULE_NAMES: Readonly<Record<string, string>> = { 0: '4 KiB', 1: '64 KiB', 2: '16 KiB', 3: 'reserved' };
const size = (bits: bigint): string => `${64n - bits} bits of address`;
const outputSize = (code: bigint): string => `${OUTPUT_WIDTHS[Number(code)]} bits`;

export const STREAM_DESCRIPTOR: EntryLayout = {
  entry: 'L1 stream table descriptor', stage: 'device',
  fields: [
    { name: 'Span', bit: 0, width: 5, meaning: (span) => (span === 0n ? 'no STEs' : `${1n << (span - 1n)} STEs`) },
    pointer('L2Ptr', 6, 51),
  ],
};

export const STREAM_ENTRY: EntryLayout = {
  entry: 'STE', stage: 'device',
  fields: [
    flag('V', 0, 'valid', 'invalid'),
    { name: 'Config', bit: 1, width: 3, meaning: { 0: 'abort', 4: 'bypass', 5: 'stage 1', 6: 'stage 2', 7: 'stage 1, then stage 2' } },
    { name: 'S1Fmt', bit: 4, width: 2, meaning: { 0: 'linear', 1: 'two levels, 64 CDs in a leaf', 2: 'two levels, 1024 CDs in a leaf', 3: 'reserved' } },
    pointer('S1ContextPtr', 6, 51),
    { name: 'S1CDMax', bit: 59, width: 5, meaning: (bits) => (bits === 0n ? 'one CD, no PASIDs' : `2^${bits} CDs`) },
    { name: 'S1DSS', bit: 64, width: 2, meaning: { 0: 'requests without PASID end here', 1: 'requests without PASID bypass stage 1', 2: 'requests without PASID use CD 0', 3: 'reserved' } },
    flag('S1STALLD', 91, 'stage 1 does not stall', 'stage 1 may stall'),
    { name: 'EATS', bit: 92, width: 2, meaning: { 0: 'no ATS', 1: 'ATS', 2: 'ATS of stage 1 only', 3: 'reserved' } },
    { name: 'STRW', bit: 94, width: 2, meaning: { 0: 'NS-EL1', 2: 'EL2' } },
    { name: 'S2VMID', bit: 128, width: 16 },
    { name: 'S2T0SZ', bit: 160, width: 6, meaning: size },
    { name: 'S2SL0', bit: 166, width: 2 },
    { name: 'S2TG', bit: 174, width: 2, meaning: GRANULE_NAMES },
    { name: 'S2PS', bit: 176, width: 3, meaning: outputSize },
    flag('S2AA64', 179, 'VMSAv8-64', 'VMSAv8-32'),
    flag('S2R', 186, 'stage-2 faults are recorded', 'stage-2 faults are not recorded'),
    pointer('S2TTB', 196, 243),
  ],
};

export const CONTEXT_DIRECTORY: EntryLayout = {
  entry: 'L1 CD descriptor', stage: 'device',
  fields: [flag('V', 0, 'valid', 'invalid'), pointer('L2Ptr', 12, 51)],
};

export const CONTEXT_DESCRIPTOR: EntryLayout = {
  entry: 'CD', stage: 'device',
  fields: [
    { name: 'T0SZ', bit: 0, width: 6, meaning: size },
    { name: 'TG0', bit: 6, width: 2, meaning: GRANULE_NAMES },
    flag('EPD0', 14, 'TTB0 is not walked', 'TTB0 is walked'),
    { name: 'T1SZ', bit: 16, width: 6 },
    { name: 'TG1', bit: 22, width: 2, meaning: { 0: 'reserved', 1: '16 KiB', 2: '4 KiB', 3: '64 KiB' } },
    flag('EPD1', 30, 'TTB1 is not walked', 'TTB1 is walked'),
    flag('V', 31, 'valid', 'invalid'),
    { name: 'IPS', bit: 32, width: 3, meaning: outputSize },
    flag('AA64', 41, 'VMSAv8-64', 'VMSAv8-32'),
    flag('HD', 42, 'dirty state is set', 'dirty state is not set'),
    flag('HA', 43, 'access flags are set', 'access flags are not set'),
    flag('S', 44, 'faults stall', 'faults terminate'),
    flag('R', 45, 'faults are recorded', 'faults are not recorded'),
    flag('A', 46, 'the device gets an abort', 'reads give zero, writes are ignored'),
    { name: 'ASID', bit: 48, width: 16 },
    pointer('TTB0', 68, 115),
    pointer('TTB1', 132, 179),
    { name: 'MAIR', bit: 192, width: 64 },
  ],
};

const NOT_LAST = flag('type', 1, 'points to a table', 'maps a block');
const LAST = flag('type', 1, 'maps a page', 'reserved');

const head = (level: number): readonly FieldLayout[] => [flag('valid', 0, 'valid', 'invalid'), level === 3 ? LAST : NOT_LAST, pointer('address', 12, 47)];

/** What a table of stage 1 says of everything below it. */
const TABLE_LIMITS: readonly FieldLayout[] = [
  { name: 'APTable', bit: 61, width: 2, meaning: { 0: 'no restriction below', 1: 'privileged only below', 2: 'read-only below', 3: 'privileged and read-only below' } },
];

const LEAF_STATE: readonly FieldLayout[] = [flag('AF', 10, 'accessed', 'not accessed'), flag('DBM', 51, 'writing makes it dirty', 'no dirty state')];

const STAGE_ONE_LEAF: readonly FieldLayout[] = [
  ...LEAF_STATE,
  { name: 'AttrIndx', bit: 2, width: 3 },
  flag('AP[1]', 6, 'unprivileged requests allowed', 'privileged requests only'),
  flag('AP[2]', 7, 'read-only', 'writable'),
  flag('nG', 11, 'of this ASID', 'of every ASID'),
  flag('PXN', 53, 'no privileged execution', 'privileged execution allowed'),
  flag('UXN', 54, 'no unprivileged execution', 'unprivileged execution allowed'),
];

const STAGE_TWO_LEAF: readonly FieldLayout[] = [
  ...LEAF_STATE, { name: 'MemAttr', bit: 2, width: 4 }, flag('S2AP[0]', 6, 'readable', 'not readable'), flag('S2AP[1]', 7, 'writable', 'not writable'),
];

interface DescriptorLayouts {
  readonly table: EntryLayout;
  readonly leaf: EntryLayout;
}

/** A table and a page have other fields; by level, 0 .. 3. */
const byLevel = (stage: EntryLayout['stage'], table: readonly FieldLayout[], leaf: readonly FieldLayout[]): readonly DescriptorLayouts[] =>
  [0, 1, 2, 3].map((level) => ({ table: { entry: `L${level} descriptor`, level, stage, fields: [...head(level), ...table] }, leaf: { entry: `L${level} descriptor`, level, stage, fields: [...head(level), ...leaf] } }));

export const STAGE_ONE_DESCRIPTOR = byLevel('stage 1', TABLE_LIMITS, STAGE_ONE_LEAF);
export const STAGE_TWO_DESCRIPTOR = byLevel('stage 2', [], STAGE_TWO_LEAF);
