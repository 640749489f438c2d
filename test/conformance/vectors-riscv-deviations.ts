/** What the reference model does where the specification says something else, or leaves it to the implementation. These stay differences, with a name. */
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

export function deviationOf(_difference: Difference): string | undefined {
  return undefined;
}
