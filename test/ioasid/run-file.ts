/** Runs a file's scenarios and says what went otherwise than it expects. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ActionReport, RunReport } from '../../server/simulator/report.js';
import { simulateText, type Simulated } from '../scenario/simulate-text.js';

const ROOT = join(import.meta.dirname, '../..');

export const simulateFile = (name: string): Promise<Simulated> => simulateText(readFileSync(join(ROOT, name), 'utf8'));

/** A step that says nothing about itself is meant to work. */
function surprise(action: ActionReport): string[] {
  if (action.kind === 'never') return [];
  const why = action.trace.map((event) => event.text).join(' ');
  if (action.expectation !== undefined) return action.expectation.met ? [] : [`${action.text}: expected ${action.expectation.expected}, was ${action.expectation.actual}: ${why}`];
  return action.kind === 'step' && action.result !== 'ok' ? [`${action.text}: ${action.result}: ${why}`] : [];
}

const surprises = (run: RunReport): string[] => [...run.actions.flatMap(surprise), ...(run.stopped === undefined ? [] : [`stopped: ${run.stopped}`])];

/** Tests that a file parses and that every expectation of every scenario is met. */
export function describeFile(name: string): void {
  describe(name, async () => {
    const { report, problems } = await simulateFile(name);
    const runs = report.runs.filter((run) => run.kind === 'scenario');
    test('is understood by the language', () => expect(problems).toEqual([]));
    test('has scenarios', () => expect(runs.length).toBeGreaterThan(0));
    test.each(runs.map((run) => [run.name, run] as const))('%s', (_, run) => expect(surprises(run)).toEqual([]));
  });
}
