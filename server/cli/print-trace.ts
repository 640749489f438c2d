/** A DMA in the terminal, step by step: the path, every table entry read, the fault. */
import { faultCodeText } from '../simulator/trace/events.js';
import { hex } from '../simulator/memory/address.js';
import type { DmaReport } from '../simulator/report.js';
import type { DecodedField, ReadEvent, TraceEvent } from '../simulator/trace/events.js';
import { style } from './style.js';

const MARKS: Readonly<Record<TraceEvent['verdict'], string>> = { continue: '│', done: '●', redirected: '↻', bypass: '⇢', fault: '✗', blocked: '✗', note: '·' };

export const traceText = (dma: Pick<DmaReport, 'trace'>): string => dma.trace.map((event) => eventLines(event).map((line) => `    ${line}`).join('\n')).join('\n');

function eventLines(event: TraceEvent): string[] {
  const bad = event.verdict === 'fault' || event.verdict === 'blocked' || event.verdict === 'bypass';
  const mark = bad ? style('red', MARKS[event.verdict]) : MARKS[event.verdict];
  const rules = event.rules.length === 0 ? '' : style('dim', `  ${event.rules.join(' ')}`);
  switch (event.kind) {
    case 'read': return [`${mark} ${readHead(event)}${rules}`, ...fieldLines(event.fields), `      ${event.text}`];
    case 'fault': return [`${mark} ${style('red', `fault ${faultCodeText(event)} ${event.name}`)}: ${event.text}${rules}`, ...event.messages.map((line) => `      dmesg: ${line}`)];
    default: return [`${mark} ${event.text}${rules}`];
  }
}

function readHead(event: ReadEvent): string {
  const words = event.words.length === 0 ? 'unreadable' : event.words.map((word) => hex(word)).join(' ');
  const permission = event.permission === undefined ? '' : `  ${event.permission.read ? 'r' : '-'}${event.permission.write ? 'w' : '-'}`;
  const level = event.level === undefined ? '' : ` (level ${event.level})`;
  return `${event.stage}: ${event.entry}${level} at ${hex(event.address)} = ${style('bold', words)}${permission}`;
}

const fieldLines = (fields: readonly DecodedField[]): string[] =>
  fields.length === 0 ? [] : [`      ${fields.map((field) => `${field.name}[${field.bits}]=${hex(field.value)}${field.meaning === undefined || field.meaning === '' ? '' : ` (${field.meaning})`}`).join('  ')}`];
