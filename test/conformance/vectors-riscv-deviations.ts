/** Where the reference model goes a way of its own. These stay differences, with a name. */
import { DIRECTORY } from '../../server/simulator/hardware/riscv/capabilities.js';
import { CAUSE } from '../../server/simulator/hardware/riscv/causes.js';
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
  { name: 'how far a translation beside interrupt files reaches', field: 'sz', is: besideFiles },
];

/** The model goes another way, so that any field may differ. */
const OTHER_WAYS: readonly Omit<Deviation, 'field'>[] = [
  { name: 'whether a device ID is too wide is judged by the low 8 bits of each index', is: wideDeviceId },
];

/** All names that apply; undefined when a field has none. */
export function deviationOf(difference: Difference): string | undefined {
  const other = OTHER_WAYS.find(({ is }) => is(difference));
  if (other !== undefined) return other.name;
  const names = difference.differing.map((field) => DEVIATIONS.find((each) => each.field === field && each.is(difference))?.name);
  return names.includes(undefined) ? undefined : names.join('; ');
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
