/** What the reference model does otherwise than the specification, or than we where that says nothing. These stay differences, with a name. */
import { DIRECTORY } from '../../server/simulator/hardware/riscv/capabilities.js';
import { CAUSE } from '../../server/simulator/hardware/riscv/causes.js';
import { CONTROL } from '../../server/simulator/hardware/riscv/device-directory.js';
import { ENTRY } from '../../server/simulator/hardware/riscv/page-entry.js';
import type { RiscvUnit } from '../../server/simulator/hardware/riscv/unit.js';
import type { RiscvAsked } from './riscv-case.js';
import type { Fields } from './vectors-riscv.js';

/** What decides which deviation it is. */
export interface Difference {
  readonly expected: Fields;
  readonly said: Fields;
  /** Names of fields. */
  readonly differing: readonly string[];
  readonly unit: RiscvUnit;
  readonly asked: RiscvAsked;
}

interface Deviation {
  readonly name: string;
  readonly field: string;
  readonly is: (difference: Difference) => boolean;
}

const DEVIATIONS: readonly Deviation[] = [
  { name: 'a page of tables is made dirty together with accessed, although the unit changes nothing in it (SADE clear)', field: 'wr', is: dirtyTables },
  { name: 'a dirty bit that the translation request has just set does not count for its own write permission', field: 'perm', is: freshDirty },
  { name: 'how far a translation beside interrupt files reaches', field: 'sz', is: besideFiles },
];

/** The model goes another way, so that any field may differ. */
const OTHER_WAYS: readonly Omit<Deviation, 'field'>[] = [
  { name: 'whether a device ID is too wide is judged by the low 8 bits of each index', is: wideDeviceId },
  { name: 'a page of tables must be dirty where the unit sets first-stage bits (SADE), although none is to be set', is: cleanTables },
];

/** All names that apply; undefined when a field has none. */
export function deviationOf(difference: Difference): string | undefined {
  const other = OTHER_WAYS.find(({ is }) => is(difference));
  if (other !== undefined) return other.name;
  const names = difference.differing.map((field) => DEVIATIONS.find((each) => each.field === field && each.is(difference))?.name);
  return names.includes(undefined) ? undefined : names.join('; ');
}

/** RVI 4.7: the second stage is to be made dirty ahead of time only where the unit sets first-stage bits too. */
function dirtyTables({ expected, said, unit: { translation: { device } } }: Difference): boolean {
  if (!device.has(CONTROL.gade) || device.has(CONTROL.sade)) return false;
  const ours = changes(said['wr']);
  return [...changes(expected['wr'])].every(([address, word]) => ours.has(address) && onlyDirty(word ^ ours.get(address)!));
}

function changes(text: string | undefined): ReadonlyMap<string, bigint> {
  return new Map((text ?? '').split(',').filter((each) => each !== '').map((each) => [each.slice(0, each.indexOf(':')), BigInt(`0x${each.slice(each.indexOf(':') + 1)}`)]));
}

/** D of one entry in the word, or of two: in either byte order, of 4 or 8 bytes. */
const DIRTY_BITS = BigInt(ENTRY.dirty) * 0x0100_0001_0100_0001n;
const onlyDirty = (difference: bigint): boolean => (difference & ~DIRTY_BITS) === 0n;

/** RV-A1 asks for D; the bits that are there when the request has been answered say that the page may be written. */
function freshDirty({ expected, said, asked: { request } }: Difference): boolean {
  return request.access === 'write' && said['wr'] !== undefined && said['perm'] === `${expected['perm']![0]}w${expected['perm']![2]}`;
}

/** Implementations choose: what counts is that the range ends before an interrupt file. */
function besideFiles({ unit: { translation } }: Difference): boolean {
  return translation.device.msiTranslated && !translation.interruptFile;
}

/** Indexes have 9 bits; who drops the ninth finds 0 where it is the only one. */
function wideDeviceId({ said, unit: { translation, registers }, asked: { request: { requesterId } } }: Difference): boolean {
  if (said['cause'] !== `${CAUSE.disallowed}`) return false;
  const [low, middle] = translation.device.indexBits as readonly [number, number];
  const beyond = [registers.directoryMode === DIRECTORY.oneLevel ? (requesterId >>> low) % 2 ** middle : 0, requesterId >>> (low + middle)];
  return beyond.some((index) => index !== 0) && beyond.every((index) => (index & 0xff) === 0);
}

/** The fault is that of a table that was to be read: a guest page fault of an implicit read. */
function cleanTables({ expected, unit: { translation: { device } } }: Difference): boolean {
  const guestPageFault = ['20', '21', '23'].includes(expected['cause']!) && (BigInt(`0x${expected['iotval2'] ?? '0'}`) & 3n) === 1n;
  return guestPageFault && device.has(CONTROL.sade) && !device.has(CONTROL.gade);
}
