/**
 * Table entries as an x86-64 processor's long mode has them: what VT-d's first stage (VTD-43) and AMD-Vi's version 2 tables
 * (hw-x86 3.6) are made of, so that a process's own tables can be walked.
 */
import { frameHigh, frameLow, frameOfEntry } from '../memory/frame.js';
import { READ, WRITE } from './entry-read.js';
import { EMPTY, LEAF, levelShift, TABLE, type EntryFormat } from './radix-table.js';

/** Bits of the low half. */
export const LONG_MODE = { present: 1, writable: 2, user: 4, accessed: 0x20, dirty: 0x40, pageSize: 0x80 } as const;
/** XD or NX, of the high half. */
export const EXECUTE_DISABLE_HIGH = 0x8000_0000;
/** By level of a leaf: bits of the low half that are reserved. */
export const LEAF_RESERVED = [0, 0, 0x1f_e000, 0x3fff_e000] as const;

const TABLE_BITS = LONG_MODE.present | LONG_MODE.writable | LONG_MODE.user | LONG_MODE.accessed;
const LEAF_BITS = LONG_MODE.present | LONG_MODE.user | LONG_MODE.accessed;

/**
 * How drivers write them. Every present entry can be read: there is no write-only mapping.
 * @param dirty which leaves are made dirty already: those that can be written to, or all
 */
export const longModeFormat = (dirty: 'writable' | 'all'): EntryFormat => ({
  kind(page, index, level) {
    const low = page[2 * index]!;
    if ((low & LONG_MODE.present) === 0) return EMPTY;
    return level === 1 || (low & LONG_MODE.pageSize) !== 0 ? LEAF : TABLE;
  },
  leafShift: (_page, _index, level) => levelShift(level),
  leafFrame: (page, index) => frameOfEntry(page[2 * index]!, page[2 * index + 1]!),
  permission: (page, index) => READ | ((page[2 * index]! & LONG_MODE.writable) !== 0 ? WRITE : 0),
  writeTable(page, index, _level, child) {
    page[2 * index] = frameLow(child) | TABLE_BITS;
    page[2 * index + 1] = frameHigh(child);
  },
  writeLeaf(page, index, level, _shift, frame, permission) {
    const writable = (permission & WRITE) !== 0;
    const access = (writable ? LONG_MODE.writable : 0) | (writable || dirty === 'all' ? LONG_MODE.dirty : 0);
    page[2 * index] = frameLow(frame) | LEAF_BITS | access | (level > 1 ? LONG_MODE.pageSize : 0);
    page[2 * index + 1] = frameHigh(frame);
  },
});
