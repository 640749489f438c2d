/** What the view shows, as plain data, and how it changes. Nothing here knows the screen. */
import { groupsId, type ActionView, type HostView, type RunView, type SimulationView, type TraceStepView, type ViewState } from '../../server/protocol.js';

/** One row of the list on the left. */
export type Row =
  | { readonly kind: 'host'; readonly id: string; readonly host: HostView }
  | { readonly kind: 'run'; readonly id: string; readonly run: RunView }
  | { readonly kind: 'action'; readonly id: string; readonly action: ActionView };

export interface Model {
  readonly simulation: SimulationView | null;
  /** Why there is nothing to show. */
  readonly reason: string;
  readonly rows: readonly Row[];
  /** Index into `rows`; -1 while there are none. */
  readonly row: number;
  /** Index into the trace of the selected action. */
  readonly step: number;
  /** One of `stagesOf`, or ALL. */
  readonly stage: string;
  /** Number of the group that is explained; null: the first that is of interest. */
  readonly group: number | null;
}

export type Change =
  | { readonly type: 'show'; readonly simulation: SimulationView; readonly select?: string; readonly saved?: ViewState | null }
  | { readonly type: 'empty'; readonly reason: string }
  | { readonly type: 'select'; readonly id: string }
  | { readonly type: 'row'; readonly row: number }
  | { readonly type: 'step'; readonly step: number }
  /** Relative, as keys move: two quick presses must not start from the same place. */
  | { readonly type: 'move-row'; readonly by: Move }
  | { readonly type: 'move-step'; readonly by: Move }
  | { readonly type: 'group'; readonly group: number }
  | { readonly type: 'first-fault' }
  | { readonly type: 'stage'; readonly stage: string };

/** So many further, or back; infinity is the end. */
export type Move = number;

export const ALL = 'all';

export const EMPTY: Model = { simulation: null, reason: '', rows: [], row: -1, step: 0, stage: ALL, group: null };

export function change(model: Model, event: Change): Model {
  switch (event.type) {
    case 'empty': return { ...EMPTY, reason: event.reason };
    case 'show': return show(model, event.simulation, event.select, event.saved);
    case 'select': {
      const { row, group } = targetOf(event.id);
      return selectRow({ ...model, group: group ?? model.group }, model.rows.findIndex(({ id }) => id === row));
    }
    case 'group': return { ...model, group: event.group };
    case 'row': return selectRow(model, event.row);
    case 'step': return { ...model, step: event.step };
    case 'move-row': return selectRow(model, movedRow(model, event.by));
    case 'move-step': return moveStep(model, event.by);
    case 'first-fault': return goToFirstFault(model);
    case 'stage': return onVisibleStep({ ...model, stage: event.stage });
  }
}

/** The row of an identity, and the group in it when it names one. */
function targetOf(id: string): { readonly row: string; readonly group?: number } {
  const grouped = /^(host .*)#(\d+)$/.exec(id);
  return grouped ? { row: grouped[1]!, group: Number(grouped[2]) } : { row: id };
}

/** Keeps what was selected when the file is simulated anew. */
function show(model: Model, simulation: SimulationView, select: string | undefined, saved: ViewState | null | undefined): Model {
  const rows = rowsOf(simulation);
  const indexOf = new Map(rows.map(({ id }, index) => [id, index]));
  const before = model.simulation ? { action: model.rows[model.row]?.id, step: model.step } : saved?.uri === simulation.uri ? saved : null;
  const kept = before?.action === undefined ? undefined : indexOf.get(before.action);
  const target = select === undefined ? undefined : targetOf(select);
  const asked = target && indexOf.get(target.row);
  const group = target?.group ?? (model.simulation ? model.group : saved?.uri === simulation.uri ? saved.group : null) ?? null;
  const row = asked ?? kept ?? firstOfInterest(rows);
  const step = row === kept ? before?.step ?? 0 : 0;
  return onVisibleStep({ ...model, simulation, reason: '', rows, row, step, group });
}

function rowsOf({ hosts, runs }: SimulationView): Row[] {
  const rows: Row[] = hosts.map((host) => ({ kind: 'host', id: groupsId(host.name), host }));
  runs.forEach((run, index) => {
    rows.push({ kind: 'run', id: `run ${index}`, run });
    for (const action of run.actions) rows.push({ kind: 'action', id: action.id, action });
  });
  return rows;
}

/** The first DMA, else the first action, else the first row. */
function firstOfInterest(rows: readonly Row[]): number {
  const dma = rows.findIndex((row) => row.kind === 'action' && row.action.kind === 'dma');
  return dma >= 0 ? dma : Math.max(rows.findIndex(({ kind }) => kind === 'action'), rows.length > 0 ? 0 : -1);
}

function selectRow(model: Model, row: number): Model {
  if (row < 0 || row >= model.rows.length || row === model.row) return model;
  return onVisibleStep({ ...model, row, step: 0 });
}

/** Moves the step to one that the filter shows; a filter that shows none is lifted. */
function onVisibleStep(model: Model): Model {
  const action = actionOf(model);
  if (!action || action.trace.length === 0) return { ...model, step: 0 };
  const visible = visibleSteps(action, model.stage);
  if (visible.length === 0) return { ...model, stage: ALL, step: Math.min(model.step, action.trace.length - 1) };
  return { ...model, step: visible.find((index) => index >= model.step) ?? visible.at(-1)! };
}

export function actionOf({ rows, row }: Model): ActionView | null {
  const selected = rows[row];
  return selected?.kind === 'action' ? selected.action : null;
}

const stageOf = ({ kind, stage }: TraceStepView): string => stage ?? (kind === 'hop' ? 'fabric' : kind);

/** The stages that a trace goes through, in order of appearance. */
export const stagesOf = (action: ActionView): string[] => [...new Set(action.trace.map(stageOf))];

/** Indices of the steps that a filter shows, ascending. */
export function visibleSteps({ trace }: ActionView, stage: string): number[] {
  const indices = trace.map((_, index) => index);
  return stage === ALL ? indices : indices.filter((index) => stageOf(trace[index]!) === stage);
}

const isFault = (step: TraceStepView): boolean => step.kind === 'fault' || step.verdict === 'fault' || step.verdict === 'blocked';

/** To the first fault of the selected action, else of the first action that has one. Lifts the filter. */
function goToFirstFault(model: Model): Model {
  for (const row of [model.row, ...model.rows.keys()]) {
    const candidate = model.rows[row];
    const step = candidate?.kind === 'action' ? candidate.action.trace.findIndex(isFault) : -1;
    if (step >= 0) return { ...model, row, step, stage: ALL };
  }
  return model;
}

function moveStep(model: Model, by: Move): Model {
  const action = actionOf(model);
  if (!action) return model;
  const visible = visibleSteps(action, model.stage);
  const target = clamp(visible.indexOf(model.step) + by, visible.length);
  return { ...model, step: visible[target] ?? model.step };
}

/** The row that a move leads to; titles of runs are passed over. */
function movedRow({ rows, row }: Model, by: Move): number {
  const direction = by < 0 ? -1 : 1;
  let target = clamp(row + by, rows.length);
  if (rows[target]?.kind === 'run') target += Number.isFinite(by) ? direction : -direction;
  return rows[target] ? target : row;
}

const clamp = (index: number, count: number): number => Math.min(Math.max(index, 0), count - 1);
