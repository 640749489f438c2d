/** Runs `.iommu` files that say what is expected: every scenario is a test, every expectation must be met. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ActionReport, RunReport } from '../../server/simulator/report.js';
import { simulateText } from './simulate-text.js';

const ROOT = join(import.meta.dirname, '../..');

/** The `.iommu` files of a folder, by name. */
export const filesIn = (folder: string): string[] => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.iommu')).sort().map((name) => `${folder}/${name}`);

/** The same of a folder below test/fixtures. */
export const fixturesIn = (folder: string): string[] => filesIn(`test/fixtures/${folder}`);

/** @param files relative to the repository */
export function runFixtures(files: readonly string[]): void {
  describe.each(files)('%s', async (name) => {
    const { report, problems } = await simulateText(readFileSync(join(ROOT, name), 'utf8'));
    const runs = report.runs.filter((run) => run.kind === 'scenario');
    test('is understood by the language', () => expect(problems).toEqual([]));
    test('has scenarios', () => expect(runs.length).toBeGreaterThan(0));
    test.each(runs.map((run): [string, RunReport] => [run.name, run]))('%s', (_name, run) => {
      expect(run.actions.length).toBeGreaterThan(0);
      expect(surprises(run)).toEqual([]);
    });
  });
}

/** What went otherwise than the file says, one line each. */
function surprises(run: RunReport): string[] {
  const lines = run.actions.flatMap((action) => surprise(action).map((text) => `${action.text}: ${text}`));
  return run.stopped === undefined ? lines : [...lines, `stopped: ${run.stopped}`];
}

/** A step that says nothing about itself is meant to work. */
function surprise(action: ActionReport): string[] {
  if (action.kind === 'never') return [];
  const why = action.trace.map((event) => event.text).join(' ');
  if (action.expectation !== undefined) return action.expectation.met ? [] : [`expected ${action.expectation.expected}, was ${action.expectation.actual}: ${why}`];
  return action.kind === 'step' && action.result !== 'ok' ? [`${action.result}: ${why}`] : [];
}
