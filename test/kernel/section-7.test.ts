/** Section 7: every expectation in the fixtures of attach, PASID, SVA and the rest is met. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ActionReport, RunReport } from '../../server/simulator/report.js';
import { simulateText } from '../scenario/simulate-text.js';

const FOLDER = join(import.meta.dirname, '../fixtures/section-7');

/** What went otherwise than the file says, one line each; a step that says nothing about itself is meant to work. */
function surprises(run: RunReport): string[] {
  const lines = run.actions.flatMap((action) => surprise(action).map((text) => `${run.name}: ${action.text}: ${text}`));
  return run.stopped === undefined ? lines : [...lines, `${run.name} stopped: ${run.stopped}`];
}

function surprise(action: ActionReport): string[] {
  if (action.kind === 'never') return [];
  if (action.expectation !== undefined) return action.expectation.met ? [] : [`expected ${action.expectation.expected}, was ${action.expectation.actual}: ${action.trace.map((event) => event.text).join(' ')}`];
  return action.kind === 'step' && action.result !== 'ok' ? [`${action.result}: ${action.trace.map((event) => event.text).join(' ')}`] : [];
}

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.iommu')))('%s', async (name) => {
  const { report, problems } = await simulateText(readFileSync(join(FOLDER, name), 'utf8'));
  test('is understood by the language', () => expect(problems).toEqual([]));
  test.each(report.runs.filter((run) => run.kind === 'scenario').map((run) => [run.name, run] as const))('%s', (_, run) => {
    expect(run.actions.length).toBeGreaterThan(0);
    expect(surprises(run)).toEqual([]);
  });
});
