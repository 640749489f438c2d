/** What the emulator that was asked does where the architecture says something else. These stay differences, with a name. */
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import type { Asked, Case } from './vector-case.js';

export function deviationOf(_expected: string, _answer: UnitAnswer, _asked: Asked, _item: Case): string | undefined {
  return undefined;
}
