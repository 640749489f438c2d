/** An action as plain text, for the clipboard: what a mail or an issue needs. */
import type { ActionView, TraceStepView } from '../../server/protocol.js';
import { outcomeOf, verdictWord } from './words.js';

export function asText(action: ActionView): string {
  const { text, call, expectation, path, trace, messages, place } = action;
  const lines = [text, `  result    ${outcomeOf(action)}${action.bypassedIommu ? '  (no IOMMU has seen it)' : ''}`];
  if (call) lines.push(`  call      ${call}`);
  if (expectation) lines.push(`  expected  ${expectation.expected}${expectation.met ? '' : `, but it was ${expectation.actual}`}`);
  if (place) lines.push(`  line      ${place.range.start.line + 1}`);
  if (path.length > 0) lines.push(`  path      ${path.map(({ label }) => label).join(' -> ')}`);
  trace.forEach((step, index) => lines.push(...stepLines(step, index)));
  const told = new Set(trace.flatMap((step) => step.messages ?? []));
  for (const message of messages) if (!told.has(message)) lines.push(`  log  ${message}`);
  return `${lines.join('\n')}\n`;
}

function stepLines(step: TraceStepView, index: number): string[] {
  const verdict = verdictWord(step.verdict);
  const lines = [`${String(index + 1).padStart(4)}. ${step.text}${verdict ? ` [${verdict}]` : ''}`];
  if (step.kind === 'read') lines.push(`      ${[step.stage, step.entry, step.address && `at ${step.address}`, step.words?.join(' '), step.permission].filter(Boolean).join('  ')}`);
  for (const { name, bits, value, meaning } of step.fields ?? []) lines.push(`        ${name.padEnd(18)} ${bits.padEnd(9)} ${value}${meaning ? `  ${meaning}` : ''}`);
  for (const message of step.messages ?? []) lines.push(`      log  ${message}`);
  return lines;
}
