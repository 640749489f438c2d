/**
 * What keeps a breakpoint from stopping, and what it says instead. A condition is an outcome, written as after `expect`: a run is
 * simulated before anybody steps through it, so that the answer of a statement is known where it begins.
 */
import { parseInteger } from '../../language/index.js';
import type { Expectation, SubjectId } from '../simulator/description.js';
import type { ActionReport } from '../simulator/report.js';
import { judgeDma, judgeStep } from '../simulator/scenario/expectations.js';
import { RequestError } from './messages.js';

/** Whether an action ends as the condition says. */
export type Condition = (action: ActionReport) => boolean;

/** The device of a name; undefined when the host has none. */
export type DeviceNamed = (name: string) => SubjectId | undefined;

/** `EBUSY`, `fault 0x06`, `not ok`. @throws RequestError for what is no outcome */
export function conditionOf(text: string, deviceNamed: DeviceNamed): Condition {
  const [, not, word, operand] = /^\s*(not\s+)?(\w+)(?:\s+(\S+))?\s*$/.exec(text) ?? [];
  const wanted = word === undefined ? undefined : expectationOf(word, operand, deviceNamed);
  if (wanted === undefined) throw new RequestError(`“${text}” is no outcome: write what may follow \`expect\` (EBUSY, fault 0x06, value 1), or \`not\` and that.`);
  return not === undefined ? (action) => meets(action, wanted) : (action) => !meets(action, wanted);
}

type Reading = (operand: string | undefined, deviceNamed: DeviceNamed) => Expectation | undefined;

const alone = (kind: 'ok' | 'interrupt' | 'blocked'): Reading => (operand) => (operand === undefined ? { kind } : undefined);

const numbered = (make: (number: bigint) => Expectation): Reading => (operand) => {
  const number = operand === undefined ? undefined : parseInteger(operand);
  return number === undefined ? undefined : make(number);
};

const fault = numbered((code) => ({ kind: 'fault', code: Number(code) }));

/** Outcomes that are no errno; undefined for an operand that does not fit. */
export const OUTCOMES: Readonly<Record<string, Reading>> = {
  ok: alone('ok'), interrupt: alone('interrupt'), blocked: alone('blocked'),
  fault: (operand, deviceNamed) => (operand === undefined ? { kind: 'fault' } : fault(operand, deviceNamed)),
  peer: (operand, deviceNamed) => {
    const device = operand === undefined ? undefined : deviceNamed(operand);
    return operand !== undefined && device === undefined ? undefined : { kind: 'peer', device };
  },
  address: numbered((address) => ({ kind: 'address', address })),
  value: numbered((value) => ({ kind: 'value', value })),
};

function expectationOf(word: string, operand: string | undefined, deviceNamed: DeviceNamed): Expectation | undefined {
  if (Object.hasOwn(OUTCOMES, word)) return OUTCOMES[word]!(operand, deviceNamed);
  return /^E[A-Z0-9]+$|^BUG$/.test(word) && operand === undefined ? { kind: 'errno', errno: word } : undefined;
}

/** `never` is ok while it holds. */
function meets(action: ActionReport, wanted: Expectation): boolean {
  switch (action.kind) {
    case 'step': return judgeStep(wanted, action.result, action.answer, String)!.met;
    case 'dma': return judgeDma(wanted, action, String)!.met;
    case 'never': return action.holds && wanted.kind === 'ok';
  }
}

// ---------------------------------------------------------------------------------------------- hit counts

/** Whether it counts that it is the nth time, from 1. */
export type HitCondition = (nth: number) => boolean;

const COMPARISONS: Readonly<Record<string, (nth: number, number: number) => boolean>> = {
  '=': (nth, number) => nth === number, '==': (nth, number) => nth === number,
  '>': (nth, number) => nth > number, '>=': (nth, number) => nth >= number,
  '<': (nth, number) => nth < number, '<=': (nth, number) => nth <= number,
  '%': (nth, number) => nth % number === 0,
};

/** `3` (the third time), `> 3`, `% 2` (every second time). @throws RequestError */
export function hitConditionOf(text: string): HitCondition {
  const [, operator = '=', digits] = /^\s*(==?|>=?|<=?|%)?\s*(\d{1,9})\s*$/.exec(text) ?? [];
  const number = Number(digits);
  if (digits === undefined || (operator === '%' && number === 0)) throw new RequestError(`“${text}” is no hit count: write 3, > 3 or % 2.`);
  return (nth) => COMPARISONS[operator]!(nth, number);
}

// ---------------------------------------------------------------------------------------------- log messages

/** Looks a name up where the message is written; undefined when nothing is called so. */
export type ValueOf = (name: string) => string | undefined;

/** What stands in braces is replaced by its value. */
export const logText = (message: string, valueOf: ValueOf): string =>
  message.replace(/\{([^{}]*)\}/g, (_whole, expression: string) => valueOf(expression.trim()) ?? `(nothing is called “${expression.trim()}”)`);
