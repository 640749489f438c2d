/** The kernel's own tests of iommufd and VFIO, as far as their steps and answers can be said in a scenario (section 6 of the specification; CNF-05). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';
import { SELFTEST_ROWS } from './selftest-rows.js';

const FILES = fixturesIn('selftests');
const titles = new Set(FILES.flatMap((file) => [...readFileSync(join(import.meta.dirname, '../..', file), 'utf8').matchAll(/^scenario "([^" ]+)/gm)].map(([, title]) => title!)));

runFixtures(FILES);

describe('rows of the kernel selftests', () => {
  it('every row of class S or S- has a scenario of its name', () => expect(SELFTEST_ROWS.filter((row) => !titles.has(row))).toEqual([]));
  it('every scenario is named after a row', () => expect([...titles].filter((title) => !SELFTEST_ROWS.includes(title))).toEqual([]));
});
