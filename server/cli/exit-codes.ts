/** What the terminal command ends with; scripts rely on these. */
export const EXIT = {
  /** Nothing to report (information and hints aside). */
  clean: 0,
  /** At least one error or warning, or an expectation that is not met. */
  findings: 1,
  /** Unknown command or option, unreadable or unparsable input. */
  usage: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Input that cannot be used: printed without a stack, ends with `EXIT.usage`. */
export class UsageError extends Error {}
