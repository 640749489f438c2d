/**
 * Every example, as the terminal checks it: it parses, every expectation of a scenario is met, and its findings are exactly those that a comment
 * `// finding: CODE` announces, on the line itself or on the line above.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { load } from '../server/cli/load.js';

const EXAMPLES = join(import.meta.dirname, '../examples');
const files = globSync('**/*.iommu', { cwd: EXAMPLES }).sort();

interface Place {
  /** Counted from 1. */
  readonly line: number;
  readonly code: string;
}

/** A comment that stands alone speaks of the next line. */
function announced(text: string): Place[] {
  return text.split('\n').flatMap((line, index) => {
    const [, before = '', code] = /^(.*?)\/\/ finding: (\S+)\s*$/.exec(line) ?? [];
    return code === undefined ? [] : [{ line: before.trim() === '' ? index + 2 : index + 1, code }];
  });
}

const inOrder = (places: readonly Place[]): string[] => places.map(({ line, code }) => `${line}: ${code}`).sort();

describe('announced', () => {
  it('reads a comment at the end of its line, or alone above it', () => {
    expect(announced('a // x // finding: b/c\n  // finding: d/e\nf\n// finding nothing')).toEqual([{ line: 1, code: 'b/c' }, { line: 3, code: 'd/e' }]);
  });
});

describe('examples', () => {
  it('are there', () => expect(files.length).toBeGreaterThan(8));

  it('are listed in the README', () => {
    const readme = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
    expect(files.filter((file) => !readme.includes(file))).toEqual([]);
  });

  it.each(files)('%s has the findings that it announces', async (file) => {
    const { presented, analysis } = await load(join(EXAMPLES, file));
    const found = presented.map(({ code, range }) => ({ line: range.start.line + 1, code }));
    expect(inOrder(found)).toEqual(inOrder(announced(readFileSync(join(EXAMPLES, file), 'utf8'))));
    expect(analysis.report.runs.flatMap((run) => run.stopped ?? [])).toEqual([]);
  });
});
