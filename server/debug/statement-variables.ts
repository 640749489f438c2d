/** A statement and an event of it as variables. */
import type { ActionReport, RunReport } from '../simulator/report.js';
import { hex } from '../simulator/memory/address.js';
import type { TraceEvent } from '../simulator/trace/events.js';
import { messagesOf, resultOf, surpriseOf } from '../testing/surprise.js';
import type { Variable } from './messages.js';
import { leaf, type VariableStore } from './variables.js';

/** @param played whether its answer is known already */
export function actionVariables(action: ActionReport, played: boolean, store: VariableStore): Variable[] {
  const asked = [leaf('statement', action.text), ...(action.kind === 'step' ? [leaf('call', action.call)] : [])];
  if (!played) return [...asked, leaf('result', 'not yet')];
  const messages = messagesOf(action);
  const surprise = surpriseOf(action);
  return [
    ...asked, leaf('result', resultOf(action)), ...answer(action),
    ...(action.kind === 'never' || action.expectation === undefined ? [] : [leaf('expected', action.expectation.expected)]),
    ...(surprise === undefined ? [] : [leaf('why', surprise.why)]),
    ...(messages.length === 0 ? [] : [{ name: 'kernel log', value: messages[0]!, variablesReference: store.reference(`log ${action.id}`, () => messages.map((line, index) => leaf(`[${index}]`, line))) }]),
  ];
}

function answer(action: ActionReport): Variable[] {
  switch (action.kind) {
    case 'step': return Object.entries(action.value ?? {}).map(([name, value]) => leaf(name, typeof value === 'bigint' ? hex(value) : String(value)));
    case 'dma': return [
      ...(action.address === undefined ? [] : [leaf('arrives at', hex(action.address))]),
      ...(action.fault === undefined ? [] : [leaf('fault', `${action.fault.decimal ? action.fault.code : hex(action.fault.code)} ${action.fault.name}`)]),
      leaf('past the IOMMU', action.bypassedIommu ? 'yes' : 'no'),
    ];
    case 'never': return [leaf('why', action.why)];
  }
}

/** @param key identity of the event in this stop */
export function eventVariables(event: TraceEvent, key: string, store: VariableStore): Variable[] {
  const rules = event.rules.length === 0 ? [] : [leaf('rules', event.rules.join(', '))];
  return [leaf('event', event.text), leaf('verdict', event.verdict), ...details(event, key, store), ...rules];
}

function details(event: TraceEvent, key: string, store: VariableStore): Variable[] {
  switch (event.kind) {
    case 'note': return [];
    case 'fault': return [leaf('code', event.decimal ? `${event.code}` : hex(event.code)), leaf('name', event.name), ...event.messages.map((line) => leaf('kernel log', line))];
    case 'hop': return [
      leaf('at', event.at), ...(event.address === undefined ? [] : [leaf('address', hex(event.address))]),
      ...(event.requesterId === undefined ? [] : [leaf('requester ID', requesterText(event.requesterId))]),
    ];
    case 'read': return [
      leaf('entry', event.entry), leaf('stage', event.stage), leaf('entry address', hex(event.address)),
      ...(event.level === undefined ? [] : [leaf('level', `${event.level}`)]), ...(event.index === undefined ? [] : [leaf('index', hex(event.index))]),
      ...event.words.map((word, index) => leaf(event.words.length === 1 ? 'word' : `word ${index}`, hex(word))),
      ...(event.permission === undefined ? [] : [leaf('permission', `${event.permission.read ? 'r' : '-'}${event.permission.write ? 'w' : '-'}`)]),
      {
        name: 'fields', value: event.fields.map(({ name, value }) => `${name} ${hex(value)}`).join(', '),
        variablesReference: event.fields.length === 0 ? 0 : store.reference(`fields ${key}`, () => event.fields.map(({ name, bits, value, meaning }) => leaf(name, `${hex(value)}${meaning === undefined ? '' : ` ${meaning}`}`, `bits ${bits}`))),
      },
    ];
  }
}

/** "01:00.0". */
const requesterText = (id: number): string => `${(id >> 8).toString(16).padStart(2, '0')}:${((id >> 3) & 0x1f).toString(16).padStart(2, '0')}.${id & 7}`;

/** What is said of a run as a whole. */
export function runVariables(run: RunReport, host: string, kernel: string, position: number): Variable[] {
  return [
    leaf('host', host), leaf('kernel', kernel), leaf('played', `${position} of ${run.actions.length}`),
    ...(run.stopped === undefined ? [] : [leaf('stopped', run.stopped)]),
  ];
}
