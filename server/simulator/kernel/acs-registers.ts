/** The ACS registers that the fabric obeys after boot. */
import type { AcsRegisters, AcsRegister } from '../fabric/acs.js';
import type { BootAcs } from './acs-boot.js';
import { REQUIRED_ACS } from './acs-quirks.js';
import type { AcsQuestions } from './acs.js';
import { UNKNOWN_READING } from './unknowns.js';

/**
 * What each function does to peer requests. A device that the kernel knows to isolate without saying so in its registers behaves as if
 * they were on (section 2.4), and so does one of which nothing is known but that is taken as isolating; one that an override merely
 * declares isolating does not (ACE-10).
 */
export function registersAfterBoot(boot: Pick<BootAcs, 'stateOf'>, acs: AcsQuestions): AcsRegisters {
  return {
    of(fn): AcsRegister | null {
      const state = boot.stateOf(fn);
      const { isolates, rules } = acs.of(fn);
      const behaves = isolates === 'unknown' ? UNKNOWN_READING(fn) : isolates && rules.some((rule) => rule.startsWith('AQK-'));
      if (behaves) return { capability: (state.capability ?? 0) | REQUIRED_ACS, control: state.control | REQUIRED_ACS };
      return state.capability === null ? null : { capability: state.capability, control: state.control };
    },
  };
}
