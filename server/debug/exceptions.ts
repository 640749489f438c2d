/** What a debugger calls exceptions: answers that nobody expected, and faults. */
import type { ActionReport } from '../simulator/report.js';
import { messagesOf, resultOf, surpriseOf, traceOf } from '../testing/surprise.js';
import type { ExceptionFilter } from './messages.js';

export type FilterName = 'unexpected' | 'fault';

export const FILTERS: readonly (ExceptionFilter & { readonly filter: FilterName })[] = [
  { filter: 'unexpected', label: 'Unexpected errno or result', description: 'Stops after a call that fails although nothing says so, and where an expectation is not met.', default: true },
  { filter: 'fault', label: 'Any fault', description: 'Stops after a DMA that an IOMMU faults, expected or not.', default: false },
];

/** Whether one of the filters stops after an action. */
export const raised = (action: ActionReport, filters: ReadonlySet<FilterName>): boolean =>
  (filters.has('unexpected') && surpriseOf(action) !== undefined) || (filters.has('fault') && faults(action));

const faults = (action: ActionReport): boolean => action.kind === 'dma' && (action.outcome === 'fault' || action.fault !== undefined);

export interface ExceptionInfo {
  readonly exceptionId: string;
  readonly description: string;
  readonly breakMode: 'always';
  readonly details: { readonly message: string; readonly stackTrace: string };
}

/** @param action undefined: the run itself stopped, with these words */
export function exceptionInfo(action: ActionReport | undefined, stopped: string | undefined): ExceptionInfo {
  if (action === undefined) return info('stopped', `The run stopped: ${stopped ?? ''}`, '');
  const surprise = surpriseOf(action);
  const trace = traceOf(action).map(({ text }) => `    ${text}`).reverse().join('\n');
  const log = messagesOf(action).map((line) => `\n${line}`).join('');
  const text = surprise === undefined ? resultText(action) : `expected ${surprise.expected}, but ${surprise.actual}.${surprise.why === '' ? '' : ` ${surprise.why}`}`;
  return info(surprise?.actual ?? resultOf(action), `${action.text}: ${text}${log}`, trace);
}

const resultText = (action: ActionReport): string => (action.kind === 'dma' && action.fault !== undefined ? `${action.fault.name}` : resultOf(action));

const info = (exceptionId: string, description: string, stackTrace: string): ExceptionInfo => ({ exceptionId, description, breakMode: 'always', details: { message: description, stackTrace } });
