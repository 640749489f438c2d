/** Findings and problems of the text, in places: what the editor underlines and the terminal prints. */
import type { Place } from '../../language/places.js';
import { suppressionsIn, type Suppression } from '../../language/suppressions.js';
import type { Finding, Severity } from '../diagnostics/rule.js';
import type { RangeView } from '../protocol.js';
import type { SubjectId } from '../simulator/description.js';

export interface Presented {
  readonly uri: string;
  readonly range: RangeView;
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly related: readonly { readonly uri: string; readonly range: RangeView; readonly message: string }[];
  /** For quick fixes; absent for problems of the text itself. */
  readonly finding?: Finding;
}

export interface TextProblem {
  readonly uri: string;
  readonly range: RangeView;
  readonly message: string;
  readonly code: string;
  readonly severity: Severity;
}

/** Sorted by file and position; suppressed ones removed; a suppression that suppresses nothing is reported. */
export function present(findings: readonly Finding[], problems: readonly TextProblem[], places: ReadonlyMap<SubjectId, Place>, texts: ReadonlyMap<string, string>): Presented[] {
  const all = [...problems.map((problem) => ({ ...problem, related: [] })), ...findings.flatMap((finding) => presentFinding(finding, places))];
  const kept = [...texts].flatMap(([uri, text]) => applySuppressions(uri, suppressionsIn(text), all.filter((each) => each.uri === uri)));
  return kept.sort((a, b) => compare(a.uri, b.uri) || a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character || compare(a.code, b.code));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function presentFinding(finding: Finding, places: ReadonlyMap<SubjectId, Place>): Presented[] {
  const place = places.get(finding.subject);
  if (place === undefined) return [];
  const related = finding.related.flatMap((each) => {
    const where = places.get(each.subject);
    return where === undefined ? [] : [{ uri: where.uri, range: where.nameRange, message: each.message }];
  });
  return [{ uri: place.uri, range: place.nameRange, code: finding.code, severity: finding.severity, message: finding.message, related, finding }];
}

function applySuppressions(uri: string, suppressions: readonly Suppression[], presented: readonly Presented[]): Presented[] {
  const used = new Set<string>();
  const kept = presented.filter((each) => {
    const by = suppressions.find((suppression) => suppression.line === each.range.start.line && suppression.codes.includes(each.code));
    if (by !== undefined) used.add(`${by.line}:${each.code}`);
    return by === undefined;
  });
  const unused = suppressions.flatMap((suppression) => suppression.codes.filter((code) => !used.has(`${suppression.line}:${code}`)).map((code): Presented => ({
    uri, range: suppression.range, code: 'suppression/unused', severity: 'hint', message: `Nothing on the next line has the code ${code}.`, related: [],
  })));
  return [...kept, ...unused];
}
