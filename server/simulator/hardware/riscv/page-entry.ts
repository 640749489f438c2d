/** One page table entry, first or second stage: what all paging modes have in common (RVI 4.6, F1 to F6). */
import type { RiscvCapabilities } from './capabilities.js';

/** Bits of the low half. What a request needs is said with `read`, `write` and `execute`. */
export const ENTRY = { valid: 1, read: 2, write: 4, execute: 8, user: 0x10, global: 0x20, accessed: 0x40, dirty: 0x80 } as const;
const LEAF = ENTRY.read | ENTRY.execute;
/** What a pointer to a table must not have. */
const LEAF_ONLY = ENTRY.user | ENTRY.accessed | ENTRY.dirty;

/** Bits of the high half: 58:54, 60:59, 62:61 and 63 of the entry. */
const RESERVED_HIGH = 0x07c0_0000;
const SOFTWARE_HIGH = 0x1800_0000;
const TYPE_HIGH = 0x6000_0000;
const RESERVED_TYPE = TYPE_HIGH;
const NAPOT_HIGH = 0x8000_0000;

/** A NAPOT page is one of 16 pages: so many frames, and what the low bits of its number must be. */
const NAPOT_FRAMES = 16;
const NAPOT_PATTERN = 8;
const NAPOT_SHIFT = 16;

const PPN_IN_LOW = 2 ** 22;
const PPN_HIGH = 0x3f_ffff;

/** The frame in bits 53:10, where directories and page tables have it. */
export const frameOfPpn = (low: number, high: number): number => (high & PPN_HIGH) * PPN_IN_LOW + (low >>> 10);
/** Memory type of a leaf: 0 PMA, 1 NC, 2 IO. */
export const memoryTypeOf = (high: number): number => (high >>> 29) & 3;

/** Why an entry ends a walk; the words are in `FLAW_TEXT`. */
export const FLAW = {
  none: 0, invalid: 1, writeOnly: 2, reserved: 3, memoryType: 4, napot: 5, pointerBits: 6, tooDeep: 7, noRead: 8, noWrite: 9, noExecute: 10, supervisorOnly: 11,
  userPage: 12, misaligned: 13, notAccessed: 14, notDirty: 15, tableReadOnly: 16,
} as const;

const FLAW_TEXT: readonly string[] = [
  '', 'V is clear: nothing is mapped here', 'W without R is reserved', 'a reserved bit is set', 'this memory type is reserved', 'this NAPOT encoding is reserved',
  'points to a table, and A, D, U or PBMT is set', 'points to a table below the last level', 'R is clear: no reading here', 'W is clear: no writing here',
  'X is clear: no execution here', 'U is clear: privileged requests only', 'U is set: not for privileged requests', 'the superpage is not aligned to its size',
  'A is clear, and the unit may not set it', 'D is clear, and the unit may not set it', 'A or D is to be set here, and the second stage allows no writing',
];

/** How entries are judged by one unit. */
export class EntryRules {
  private readonly reservedHigh: number;
  private readonly typesAllowed: boolean;

  constructor({ softwareBits, memoryTypes }: RiscvCapabilities) {
    this.reservedHigh = softwareBits ? RESERVED_HIGH : RESERVED_HIGH | SOFTWARE_HIGH;
    this.typesAllowed = memoryTypes;
  }

  /** F1, and what a pointer must be. @param level 0 = the last */
  flawOf(low: number, high: number, level: number): number {
    if ((low & ENTRY.valid) === 0) return FLAW.invalid;
    if ((low & (ENTRY.read | ENTRY.write)) === ENTRY.write) return FLAW.writeOnly;
    if (high !== 0) {
      if ((high & this.reservedHigh) !== 0) return FLAW.reserved;
      const type = high & TYPE_HIGH;
      if (type !== 0 && (!this.typesAllowed || type === RESERVED_TYPE)) return FLAW.memoryType;
      if ((high & NAPOT_HIGH) !== 0 && level > 0) return FLAW.napot;
    }
    if (isLeaf(low)) return FLAW.none;
    if ((low & LEAF_ONLY) !== 0 || (high & TYPE_HIGH) !== 0) return FLAW.pointerBits;
    return level === 0 ? FLAW.tooDeep : FLAW.none;
  }
}

export const isLeaf = (low: number): boolean => (low & LEAF) !== 0;

/** F2: the first of what is needed that the leaf does not give. @param need of ENTRY: read, write, execute */
export function missingPermission(low: number, need: number): number {
  const missing = need & ~low;
  if (missing === 0) return FLAW.none;
  if ((missing & ENTRY.execute) !== 0) return FLAW.noExecute;
  return (missing & ENTRY.read) !== 0 ? FLAW.noRead : FLAW.noWrite;
}

/** F4 and F5. @param frames of the leaf's level */
export function alignmentFlaw(low: number, high: number, frames: number): number {
  if (frames > 1) return frameOfPpn(low, high) % frames === 0 ? FLAW.none : FLAW.misaligned;
  return (high & NAPOT_HIGH) !== 0 && ((low >>> 10) & (NAPOT_FRAMES - 1)) !== NAPOT_PATTERN ? FLAW.napot : FLAW.none;
}

/** F6: bits that the unit has to set before the leaf may be used. @param writes the request wants to write */
export function bitsToSet(low: number, writes: boolean): number {
  const wanted = writes && (low & ENTRY.write) !== 0 ? ENTRY.accessed | ENTRY.dirty : ENTRY.accessed;
  return wanted & ~low;
}

/** What follows from an entry, in words. @param set bits that the unit sets in it */
export function noteOf(flaw: number, leaf: boolean, set: number): string {
  if (flaw !== FLAW.none) return FLAW_TEXT[flaw]!;
  if (!leaf) return 'points to the next table';
  if (set === 0) return 'maps a page';
  return `maps a page; the unit sets ${(set & ENTRY.dirty) === 0 ? 'A' : (set & ENTRY.accessed) === 0 ? 'D' : 'A and D'}`;
}

/** log2 of the bytes that the leaf maps. @param shift of its level */
export const leafShift = (high: number, shift: number): number => ((high & NAPOT_HIGH) !== 0 ? NAPOT_SHIFT : shift);

/** Where a leaf leads. @param frame that is translated @param frames of the leaf, NAPOT included */
export function targetOf(low: number, high: number, frame: number, frames: number): number {
  const start = frameOfPpn(low, high);
  return frames === 1 ? start : start - (start % frames) + (frame % frames);
}
