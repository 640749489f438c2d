/**
 * One file under two models, laid side by side. Pure: a machine description and two models in, what is shown out.
 */
import type { Places } from '../views.js';
import type { PlaceView } from '../../protocol.js';
import type { ComparedCallView, ComparedRowView, ComparedRunView, ComparisonView, RowSideView } from '../../protocol-compare.js';
import type { MachineDescription, SubjectId } from '../../simulator/description.js';
import { profileFor } from '../../simulator/kernel/profile.js';
import type { ObjectGraph } from '../../simulator/object-graph.js';
import type { ActionReport, HostReport } from '../../simulator/report.js';
import { align, slotsOf, type AlignedRow } from './align.js';
import { callsOf, devicesUsed, verbOf } from './calls.js';
import { checkOf, differencesAt, type Call, type Side, type SideOfRow, type Sides } from './differences.js';
import { changeBetween } from './graph-changes.js';
import { modelChoices, modelTitle, type Model } from './models.js';
import { momentsOf } from './moments.js';
import { phaseOf, type Phase } from './phases.js';
import { MAX_DRAWN_ACTIONS, play, type Played, type PlayedRun } from './play.js';
import { PlayedModels } from './remembered-play.js';
import { sideView } from './scene.js';
import { storiesOf } from './stories.js';
import { withoutExpectation, type GroupOf } from './translate.js';

export interface ComparedFile {
  readonly description: MachineDescription;
  /** Of the file as it is, for who shares a group with whom. */
  readonly hosts: readonly HostReport[];
  readonly places: Places;
  readonly uri: string;
  readonly version: number;
  readonly title: string;
}

/** Rows of one run that are compared; the first ones matter. */
const MAX_ROWS = 2000;

/** @param remembered what was played of this file before */
export function compare(file: ComparedFile, models: readonly [Model, Model], remembered = new PlayedModels()): ComparisonView {
  const groupOf = groupsOf(file.hosts);
  const [left, right] = remembered.of([models[0].name, models[1].name]);
  const played = [play(file.description, models[0], groupOf, left), play(file.description, models[1], groupOf, right)] as const;
  const subjects = [...file.description.hosts, ...file.description.scenarios].map(({ id }) => id);
  return {
    uri: file.uri, version: file.version, title: file.title,
    models: [viewOf(models[0]), viewOf(models[1])], choices: modelChoices(models).map(viewOf),
    runs: subjects.flatMap((subject) => comparedRun(subject, file, played) ?? []),
  };
}

const viewOf = (model: Model): { readonly name: string; readonly title: string } => ({ name: model.name, title: modelTitle(model) });

function groupsOf(hosts: readonly HostReport[]): GroupOf {
  const groups = new Map(hosts.flatMap(({ host, groups: all }) => all.flatMap(({ number, members }) => members.map((member) => [member, `${host} ${number}`] as const))));
  return (device) => groups.get(device) ?? device;
}

// ------------------------------------------------------------------------------------------------ one run

function comparedRun(subject: SubjectId, file: ComparedFile, played: readonly [Played, Played]): ComparedRunView | null {
  const left = played[0].runs.get(subject), right = played[1].runs.get(subject);
  if (left === undefined || right === undefined || (left.run.actions.length === 0 && right.run.actions.length === 0)) return null;
  const runs = [left, right] as const;
  const all = align(slotsOf(keysOf(runs[0], played[0])), slotsOf(keysOf(runs[1], played[1])));
  const rows = all.slice(0, MAX_ROWS);
  const placeOf = (id: SubjectId | undefined): PlaceView | undefined => placeIn(file.places, id, played);
  const graphs = [graphsAfter(rows, runs[0], 0), graphsAfter(rows, runs[1], 1)] as const;
  const sides: Sides = [sideOf(0, rows, runs[0], graphs[0], played[0]), sideOf(1, rows, runs[1], graphs[1], played[1])];
  const drawing = [sideView(left.initial, graphs[0], placeOf), sideView(right.initial, graphs[1], placeOf)] as const;
  return {
    name: runs[0].run.name, kind: runs[0].run.kind, place: placeOf(subject), sides: drawing,
    rows: rows.map((row, index) => rowView(index, row, sides, runs, file, placeOf)),
    devices: storiesOf(sides, graphs, placeOf),
    notes: notesOf(runs, played, all.length),
  };
}

/** Between a statement and the stage; no identity has it. */
const KEY_END = '\n';

/** What must be equal for two actions to stand beside one another: the statement, and for an owner's many calls also the stage. */
function keysOf({ run }: PlayedRun, { origins }: Played): string[] {
  return run.actions.map((action) => {
    const origin = originOf(action, origins);
    return run.kind === 'scenario' ? origin : `${origin}${KEY_END}${phaseOfAction(action)}`;
  });
}

function originOf(action: ActionReport, origins: ReadonlyMap<SubjectId, SubjectId>): SubjectId {
  return action.kind === 'step' ? (origins.get(action.id) ?? action.origin) : (origins.get(action.id) ?? action.id);
}

const statementPhase = (text: string): Phase => (/^(dma|never)\b/.test(text) ? 'dma' : phaseOf(verbOf(text)));
const phaseOfAction = (action: ActionReport): Phase => (action.kind === 'step' ? phaseOf(verbOf(action.text)) : 'dma');

function placeIn(places: Places, id: SubjectId | undefined, played: readonly [Played, Played]): PlaceView | undefined {
  if (id === undefined) return undefined;
  const place = places.get(id) ?? places.get(played[0].origins.get(id) ?? played[1].origins.get(id) ?? '');
  return place === undefined ? undefined : { uri: place.uri, range: place.range };
}

/** The objects after each row: those of its last action on that side, else as they were. Ends where drawing ends. */
function graphsAfter(rows: readonly AlignedRow[], { initial, graphs }: PlayedRun, side: 0 | 1): ObjectGraph[] {
  const after: ObjectGraph[] = [];
  for (const { sides } of rows) {
    const last = sides[side].at(-1);
    if (last !== undefined && last >= graphs.length) break;
    after.push(last === undefined ? (after.at(-1) ?? initial) : graphs[last]!);
  }
  return after;
}

function sideOf(side: 0 | 1, rows: readonly AlignedRow[], { run, initial }: PlayedRun, graphs: readonly ObjectGraph[], played: Played): Side {
  const { model, description } = played;
  const profile = profileFor(model.kernel);
  const used = devicesUsed(run, description);
  const pasids = pasidsOf(description);
  let before = initial;
  return {
    model, profile, devices: used.all,
    rows: rows.map(({ sides }, index): SideOfRow => {
      const after = graphs[index] ?? before;
      const moments = momentsOf(changeBetween(before, after), after);
      before = after;
      const actions = sides[side].map((at) => run.actions[at]!);
      return { calls: callsOf(actions, model, profile, used), moments, through: throughOf(actions[0], pasids, after) };
    }),
  };
}

/** What a DMA's device translates through, in words. */
function throughOf(action: ActionReport | undefined, pasids: ReadonlyMap<SubjectId, number>, { nodes, links }: ObjectGraph): string {
  if (action?.kind !== 'dma') return '';
  const pasid = pasids.get(action.id);
  const device = nodes.find(({ subject, kind }) => subject === action.device && (kind === 'device' || kind === 'mdev'));
  const group = links.find(({ from, label }) => from === device?.id && label === 'member of')?.to;
  const words = pasid === undefined ? 'translates through' : `PASID ${pasid} translates through`;
  const domain = nodes.find(({ id }) => id === links.find(({ from, label }) => (from === group || from === device?.id) && label === words)?.to);
  if (domain === undefined) return pasid === undefined ? 'nothing that is known' : `nothing: no domain is attached to its PASID ${pasid}`;
  const fact = (wanted: string): string => domain.facts.find(([name]) => name === wanted)?.[1] ?? '';
  return fact('name') === '' ? `the ${domain.label} domain` : `"${fact('name')}" (${fact('type')})`;
}

/** PASIDs of the DMA that a file asks for. */
const pasidsOf = ({ scenarios, questions }: MachineDescription): ReadonlyMap<SubjectId, number> =>
  new Map([...questions, ...scenarios.flatMap(({ actions }) => actions)].flatMap((each) => (each.kind === 'dma' && each.pasid !== undefined ? [[each.id, each.pasid] as const] : [])));

function rowView(index: number, row: AlignedRow, sides: Sides, runs: readonly [PlayedRun, PlayedRun], { description }: ComparedFile, placeOf: (id: SubjectId) => PlaceView | undefined): ComparedRowView {
  const origin = row.key.split(KEY_END)[0]!;
  const place = placeOf(origin);
  const statement = statementText(description, origin);
  const first = sides[0].rows[index]!.calls[0] ?? sides[1].rows[index]!.calls[0];
  const firstAction = row.sides[0][0] === undefined ? runs[1].run.actions[row.sides[1][0]!]! : runs[0].run.actions[row.sides[0][0]]!;
  return {
    text: statement ?? first?.text ?? '', phase: statement === undefined ? phaseOfAction(firstAction) : statementPhase(statement), place,
    sides: [rowSideView(sides[0].rows[index]!), rowSideView(sides[1].rows[index]!)],
    differences: differencesAt(index, sides, place),
  };
}

/** As the file says it, without what it expects: that was for the model it was written for. */
function statementText({ scenarios }: MachineDescription, origin: SubjectId): string | undefined {
  for (const { actions } of scenarios) {
    const found = actions.find(({ id }) => id === origin);
    if (found !== undefined) return withoutExpectation(found.text);
  }
  return undefined;
}

function rowSideView({ calls }: SideOfRow): RowSideView {
  const checks = calls.flatMap((call) => {
    const refusing = checkOf(call);
    return call.asked.map(({ check, errno, rules }) => ({ what: check.what, errno, rules, refused: check === refusing }));
  });
  const byText = new Map(checks.map((check) => [check.what, check]));
  for (const check of checks) if (check.refused) byText.set(check.what, check);
  return { calls: calls.map(callView), checks: [...byText.values()] };
}

const callView = ({ text, call, result, good, sentences }: Call): ComparedCallView => ({ text, call, result, good, why: sentences });

function notesOf(runs: readonly [PlayedRun, PlayedRun], played: readonly [Played, Played], rows: number): string[] {
  const stopped = ([0, 1] as const).flatMap((side) => (runs[side].run.stopped === undefined ? [] : [`${played[side].model.name} ended early: ${runs[side].run.stopped}`]));
  const cut = rows > MAX_ROWS ? [`Of ${rows} steps the first ${MAX_ROWS} are compared.`] : [];
  const undrawn = runs.some(({ run }) => run.actions.length > MAX_DRAWN_ACTIONS) ? [`Objects are drawn for the first ${MAX_DRAWN_ACTIONS} calls of each side.`] : [];
  return [...stopped, ...cut, ...undrawn];
}
