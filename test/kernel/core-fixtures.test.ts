/** The scenarios of sections 3 to 6 as files: every expectation must be met. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ActionReport, RunReport } from '../../server/simulator/report.js';
import { simulateText } from '../scenario/simulate-text.js';

const FOLDER = join(import.meta.dirname, '../fixtures/core');

const surprises = (run: RunReport): string[] => [...run.actions.flatMap((action) => surprise(action)), ...(run.stopped === undefined ? [] : [run.stopped])];

/** A step that says nothing about itself is meant to work. */
function surprise(action: ActionReport): string[] {
  if (action.kind === 'never') return [];
  if (action.expectation !== undefined) return action.expectation.met ? [] : [`${action.text}: was ${action.expectation.actual}`];
  return action.kind === 'step' && action.result !== 'ok' ? [`${action.text}: ${action.result}: ${action.trace.map((event) => event.text).join(' ')}`] : [];
}

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.iommu')))('%s', async (name) => {
  const { report, problems } = await simulateText(readFileSync(join(FOLDER, name), 'utf8'));
  test('is understood by the language', () => expect(problems).toEqual([]));
  test.each(report.runs.filter((run) => run.kind === 'scenario').map((run) => [run.name, run] as const))('%s', (_, run) => {
    expect(run.actions.length).toBeGreaterThan(0);
    expect(surprises(run)).toEqual([]);
  });
});
