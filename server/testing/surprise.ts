/** What went otherwise than a file says, or than goes without saying. */
import type { ActionReport } from '../simulator/report.js';
import type { TraceEvent } from '../simulator/trace/events.js';

export interface Surprise {
  readonly expected: string;
  readonly actual: string;
  /** What decided it. */
  readonly why: string;
}

/** A step that says nothing of itself is meant to work, a DMA is not; `never` is meant to hold. */
export function surpriseOf(action: ActionReport): Surprise | undefined {
  if (action.kind === 'never') return action.holds ? undefined : { expected: 'never', actual: 'refuted', why: action.why };
  const { expectation } = action;
  if (expectation?.met === true) return undefined;
  if (expectation !== undefined) return { expected: expectation.expected, actual: expectation.actual, why: reason(action.trace, expectation.actual) };
  return action.kind === 'step' && action.result !== 'ok' ? { expected: 'ok', actual: action.result, why: reason(action.trace, action.result) } : undefined;
}

/** The event that ended it, or else the last; without the errno, which is said already. */
function reason(trace: readonly TraceEvent[], actual: string): string {
  const event = trace.findLast(({ verdict }) => verdict === 'fault' || verdict === 'blocked') ?? trace.at(-1);
  return (event?.text ?? '').replace(`${actual}: `, '');
}

/** Result of an action in a word or two: "ok", "EINVAL", "fault", "refuted". */
export function resultOf(action: ActionReport): string {
  switch (action.kind) {
    case 'step': return action.result;
    case 'dma': return action.outcome;
    case 'never': return action.holds ? 'holds' : 'refuted';
  }
}

/** Kernel log lines of an action. */
export function messagesOf(action: ActionReport): readonly string[] {
  switch (action.kind) {
    case 'step': return action.messages;
    case 'dma': return action.fault?.messages ?? [];
    case 'never': return [];
  }
}

/** Events of an action; those of `never` are of the DMA that refutes it. */
export const traceOf = (action: ActionReport): readonly TraceEvent[] => (action.kind === 'never' ? (action.counterExample?.trace ?? []) : action.trace);

/** The statement of the file that an action belongs to. */
export const statementOf = (action: ActionReport): string => (action.kind === 'step' ? action.origin : action.id);
