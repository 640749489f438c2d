/** What tests of several rooms share. */
import { parseFiles } from '../language/index.js';
import { analyse, type Analysis } from '../server/analysis/analysis.js';
import { fixEdits, type TextChange } from '../server/analysis/fix-edits.js';
import { present, type Presented } from '../server/analysis/present.js';
import type { Places } from '../server/analysis/views.js';
import type { Fix } from '../server/diagnostics/rule.js';

export const URI = 'file:///test.iommu';

export interface AnalysedText {
  readonly text: string;
  readonly analysis: Analysis;
  readonly places: Places;
  readonly presented: readonly Presented[];
}

/** One file, analysed as the editor and the terminal do; a crash in a check fails the test. */
export async function analyseText(text: string): Promise<AnalysedText> {
  const { lowered, problems } = await parseFiles([{ uri: URI, text }], URI);
  const analysis = analyse(lowered.description, (_what, error) => { throw error; });
  return { text, analysis, places: lowered.places, presented: present(analysis.findings, problems, lowered.places, new Map([[URI, text]])) };
}

export const codesOf = ({ presented }: AnalysedText): string[] => presented.map((each) => each.code);

/** The text after a quick fix. */
export function applyFix({ text, places }: AnalysedText, fix: Fix): string {
  const lines = text.split('\n');
  const changes = fixEdits(fix.edits, places, (_uri, line) => lines[line] ?? '');
  if (changes === null) throw new Error(`the fix "${fix.title}" names something that has no place`);
  return applyChanges(text, changes);
}

export function applyChanges(text: string, changes: readonly TextChange[]): string {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const offset = ({ line, character }: { readonly line: number; readonly character: number }): number => (starts[line] ?? text.length) + character;
  return [...changes].sort((a, b) => offset(b.range.start) - offset(a.range.start))
    .reduce((result, change) => result.slice(0, offset(change.range.start)) + change.newText + result.slice(offset(change.range.end)), text);
}
