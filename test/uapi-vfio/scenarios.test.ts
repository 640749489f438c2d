/** The scenarios of the specification that go through VFIO containers, as `.iommu` files: every expectation must be met. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ActionReport, RunReport } from '../../server/simulator/report.js';
import { simulateText } from '../scenario/simulate-text.js';

const ROOT = join(import.meta.dirname, '../..');
const FIXTURES = readdirSync(join(ROOT, 'test/fixtures/vfio')).map((name) => `test/fixtures/vfio/${name}`);
/** SBS-01, SBS-02: then and now on one file. */
const EXAMPLE = 'examples/mdev-side-by-side.iommu';

/** What went otherwise than the file says; a step without expectation is meant to work. */
function surprise(action: ActionReport): string | null {
  if (action.kind === 'never') return null;
  const why = action.kind === 'step' ? action.trace.map((event) => event.text).join(' ') : '';
  if (action.expectation !== undefined) return action.expectation.met ? null : `expected ${action.expectation.expected}, was ${action.expectation.actual}: ${why}`;
  return action.kind === 'step' && action.result !== 'ok' ? `${action.result}: ${why}` : null;
}

const surprises = (run: RunReport): string[] => [
  ...run.actions.map((action) => ({ action, text: surprise(action) })).filter(({ text }) => text !== null).map(({ action, text }) => `${action.text}: ${text}`),
  ...(run.stopped === undefined ? [] : [`stopped: ${run.stopped}`]),
];

describe.each([...FIXTURES, EXAMPLE])('%s', async (name) => {
  const { report, problems } = await simulateText(readFileSync(join(ROOT, name), 'utf8'));
  const runs = report.runs.filter((run) => run.kind === 'scenario');
  test('is understood by the language', () => expect(problems).toEqual([]));
  test('has scenarios', () => expect(runs.length).toBeGreaterThan(0));
  test.each(runs.map((run): [string, RunReport] => [run.name, run]))('%s', (_name, run) => {
    expect(surprises(run)).toEqual([]);
  });
});
