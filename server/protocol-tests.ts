/** What the Test Explorer asks of the server. Identities are those of the described things: the same from one edit to the next. */
import type { PlaceView, RangeView } from './protocol.js';

/** The tests of one file; null when there is no such file. */
export const TESTS_REQUEST = 'iommu/tests';
export interface TestsParams { readonly uri: string }

export interface TestsView {
  readonly tests: readonly TestView[];
  /** The text cannot be read in full: what is wrong first. Tests that it does not concern still run. */
  readonly problem?: string;
}

export interface TestView {
  readonly id: string;
  /** A scenario, a VM or process that shall start, a question whose answer is expected. */
  readonly kind: 'scenario' | 'owner' | 'question';
  readonly label: string;
  /** Name of the host on which it is played. */
  readonly host: string;
  /** The same with its kernel: "desk, kernel 6.12". */
  readonly where: string;
  /** In the file itself. */
  readonly range: RangeView;
}

/**
 * Runs tests of one file: one result for each that exists, in the order asked. It can be cancelled between any two of them;
 * those that were played by then are answered.
 */
export const RUN_TESTS_REQUEST = 'iommu/runTests';
export interface RunTestsParams {
  readonly uri: string;
  readonly tests: readonly string[];
  /** As the Language Server Protocol has it: results come under this token as they are there, and the answer has none of them. */
  readonly partialResultToken?: string | number;
}

export interface TestResultView {
  readonly id: string;
  /** `errored`: it could not be played to its end. */
  readonly outcome: 'passed' | 'failed' | 'errored';
  readonly messages: readonly TestMessageView[];
  /** What was called and what the kernel logged, a line each. */
  readonly output: readonly string[];
}

export interface TestMessageView {
  readonly text: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly place?: PlaceView;
  /** How it came to that, the last event first. */
  readonly trace: readonly { readonly text: string; readonly place?: PlaceView }[];
}
