/** What the view shows, as plain data, and how it changes. Nothing here knows the screen. */
import type { CompareState, ComparedRowView, ComparedRunView, ComparisonView } from '../../server/protocol-compare.js';

/** A box of one of the two drawings. */
export interface ChosenBox { readonly side: 0 | 1; readonly box: number }

export interface Model {
  readonly comparison: ComparisonView | null;
  /** Why there is nothing to show. */
  readonly reason: string;
  /** Index into the runs of the comparison; -1 while there are none. */
  readonly run: number;
  readonly row: number;
  readonly box: ChosenBox | null;
}

export type Change =
  | { readonly type: 'show'; readonly comparison: ComparisonView; readonly run?: string; readonly saved?: CompareState | null }
  | { readonly type: 'empty'; readonly reason: string }
  | { readonly type: 'run'; readonly run: number }
  | { readonly type: 'row'; readonly row: number }
  /** Relative, as keys move: two quick presses must not start from the same place. */
  | { readonly type: 'move'; readonly by: number }
  | { readonly type: 'difference'; readonly forward: boolean }
  | { readonly type: 'box'; readonly box: ChosenBox | null };

export const EMPTY: Model = { comparison: null, reason: '', run: -1, row: 0, box: null };

export function change(model: Model, event: Change): Model {
  switch (event.type) {
    case 'empty': return { ...EMPTY, reason: event.reason };
    case 'show': return show(model, event.comparison, event.run, event.saved);
    case 'run': return model.comparison?.runs[event.run] ? { ...model, run: event.run, row: 0, box: null } : model;
    case 'row': return toRow(model, event.row);
    case 'move': return toRow(model, model.row + event.by);
    case 'difference': return toRow(model, nextDifference(model, event.forward));
    case 'box': return { ...model, box: event.box };
  }
}

/** Keeps what was selected when the file is compared anew; else begins where the models first part. */
function show(model: Model, comparison: ComparisonView, wanted: string | undefined, saved: CompareState | null | undefined): Model {
  const indexOf = (name: string | undefined): number => (name === undefined ? -1 : comparison.runs.findIndex((run) => run.name === name));
  const before = model.comparison ? { run: runOf(model)?.name, row: model.row } : saved?.uri === comparison.uri ? saved : null;
  const kept = indexOf(before?.run);
  const asked = indexOf(wanted);
  const run = asked >= 0 ? asked : kept >= 0 ? kept : firstOfInterest(comparison);
  const row = run === kept && run !== -1 ? (before?.row ?? 0) : 0;
  return toRow({ comparison, reason: '', run, row: 0, box: null }, row);
}

function firstOfInterest({ runs }: ComparisonView): number {
  const differing = runs.findIndex(({ rows }) => rows.some(({ differences }) => differences.length > 0));
  return differing >= 0 ? differing : runs.length > 0 ? 0 : -1;
}

export const runOf = ({ comparison, run }: Model): ComparedRunView | null => comparison?.runs[run] ?? null;
export const rowOf = (model: Model): ComparedRowView | null => runOf(model)?.rows[model.row] ?? null;

/** A chosen box stays chosen: it is the same object in every row. */
function toRow(model: Model, row: number): Model {
  const count = runOf(model)?.rows.length ?? 0;
  return { ...model, row: Math.min(Math.max(row, 0), Math.max(count - 1, 0)) };
}

function nextDifference(model: Model, forward: boolean): number {
  const rows = runOf(model)?.rows ?? [];
  for (let row = model.row + (forward ? 1 : -1); row >= 0 && row < rows.length; row += forward ? 1 : -1) if (rows[row]!.differences.length > 0) return row;
  return model.row;
}
