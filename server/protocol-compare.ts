/** What the comparison of two models is, as the server sends it and the view, the terminal and the SVG file show it. */
import type { PlaceView } from './protocol.js';

/** One side's model, "type1@5.13". */
export interface ModelView { readonly name: string; readonly title: string }

export interface ComparisonView {
  readonly uri: string;
  readonly version: number;
  readonly title: string;
  readonly models: readonly [ModelView, ModelView];
  /** Models to choose from, these two among them. */
  readonly choices: readonly ModelView[];
  readonly runs: readonly ComparedRunView[];
}

/** A host with its owners, or a scenario, run under both models. */
export interface ComparedRunView {
  readonly name: string;
  readonly kind: 'host' | 'scenario';
  readonly place?: PlaceView;
  /** What both did, aligned by the statements that it comes from. */
  readonly rows: readonly ComparedRowView[];
  readonly sides: readonly [SideView, SideView];
  /** How each device got what translates its DMA. */
  readonly devices: readonly DeviceStoryView[];
  /** Why a side, or the drawing of it, ends early. */
  readonly notes: readonly string[];
}

export interface ComparedRowView {
  /** The statement as the file says it, or the first call made for it. */
  readonly text: string;
  /** "open", "own", "domain" ... */
  readonly phase: string;
  readonly place?: PlaceView;
  readonly sides: readonly [RowSideView, RowSideView];
  readonly differences: readonly DifferenceView[];
}

export interface RowSideView {
  readonly calls: readonly ComparedCallView[];
  /** What this model looks at here, whether it finds fault or not. */
  readonly checks: readonly CheckView[];
}

export interface ComparedCallView {
  readonly text: string;
  /** As the kernel names it; of a DMA nothing. */
  readonly call?: string;
  /** "ok", an errno, "memory", "fault 0x05" ... */
  readonly result: string;
  readonly good: boolean;
  /** What the simulator says about it, with its rules. */
  readonly why: readonly { readonly text: string; readonly rules: readonly string[] }[];
}

export interface CheckView {
  readonly what: string;
  readonly errno: string;
  readonly rules: readonly string[];
  /** It refused this call. */
  readonly refused: boolean;
}

export interface DifferenceView {
  /** Another answer, the same check elsewhere, other objects, or a call that the other side has not. */
  readonly kind: 'answer' | 'check' | 'objects' | 'call';
  readonly text: string;
  readonly reason: string;
  readonly rules: readonly string[];
  readonly place?: PlaceView;
}

export interface DeviceStoryView {
  readonly device: string;
  readonly place?: PlaceView;
  /** MDV-20: "K3, mediated by software". */
  readonly kind: string;
  readonly sides: readonly [DeviceSideView, DeviceSideView];
}

export interface DeviceSideView {
  /** What translates its DMA in the end. */
  readonly domain: string;
  readonly moments: readonly { readonly row: number; readonly text: string; readonly rules: readonly string[] }[];
}

// -------------------------------------------------------------------------------- the drawing

/** One model's objects: every box and edge of the whole run at its place, and for each row which of them there are. */
export interface SideView {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly BoxView[];
  readonly edges: readonly EdgeView[];
  /** One for each row; fewer when the run is too long to draw. */
  readonly frames: readonly FrameView[];
}

export interface BoxView {
  readonly kind: string;
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly place?: PlaceView;
  /** It only pretends: a group made for VFIO's interface, a domain without a table. */
  readonly fake: boolean;
}

export interface EdgeView {
  /** Indices of boxes. */
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly fake: boolean;
  /** Path data: the curve, and the head of its arrow. */
  readonly d: string;
  readonly head: string;
  /** Middle of the label. */
  readonly labelX: number;
  readonly labelY: number;
}

export interface FrameView {
  readonly boxes: readonly number[];
  readonly edges: readonly number[];
  /** What this row made: it is among `boxes` and `edges`. */
  readonly newBoxes: readonly number[];
  readonly newEdges: readonly number[];
  /** What this row took away: drawn as a ghost. */
  readonly goneBoxes: readonly number[];
  readonly goneEdges: readonly number[];
  /** Of boxes whose details are other than before this row. */
  readonly details: readonly BoxDetailsView[];
}

export interface BoxDetailsView {
  readonly box: number;
  /** One line for the box itself. */
  readonly summary: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly mappings: readonly string[];
}

/** What a box says at a row: the last details up to it. */
export function detailsAt(side: SideView, row: number): ReadonlyMap<number, BoxDetailsView> {
  const known = new Map<number, BoxDetailsView>();
  for (let i = 0; i <= row && i < side.frames.length; i++) for (const details of side.frames[i]!.details) known.set(details.box, details);
  return known;
}

// -------------------------------------------------------------------------------- client <-> server

export const COMPARE_REQUEST = 'iommu/compare';
export interface CompareParams { readonly uri: string; readonly models?: readonly [string, string] }
export type CompareResult = { readonly comparison: ComparisonView } | { readonly error: string };

// -------------------------------------------------------------------------------- client <-> web view (postMessage)

export type ToCompareView =
  | { readonly type: 'show'; readonly comparison: ComparisonView; /** Name of a run. */ readonly run?: string }
  | { readonly type: 'empty'; readonly reason: string };

export type FromCompareView =
  | { readonly type: 'ready' }
  | { readonly type: 'reveal'; readonly place: PlaceView; readonly focus?: boolean }
  | { readonly type: 'models'; readonly models: readonly [string, string] }
  | { readonly type: 'save'; readonly name: string; readonly text: string };

/** State that the view keeps over a reload. */
export interface CompareState { readonly uri: string; readonly models?: readonly [string, string]; readonly run?: string; readonly row?: number }

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isPosition = (value: unknown): boolean => isObject(value) && Number.isInteger(value.line) && Number.isInteger(value.character);
const isPlace = (value: unknown): value is PlaceView => isObject(value) && typeof value.uri === 'string' && isObject(value.range) && isPosition(value.range.start) && isPosition(value.range.end);
export const isModelPair = (value: unknown): value is readonly [string, string] => Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === 'string');

/** The message if it is one that the view may send, else null: nothing from a web view is trusted unread. */
export function fromCompareView(message: unknown): FromCompareView | null {
  if (!isObject(message)) return null;
  if (message.type === 'ready') return { type: 'ready' };
  if (message.type === 'reveal' && isPlace(message.place)) return { type: 'reveal', place: message.place, focus: message.focus === true };
  if (message.type === 'models' && isModelPair(message.models)) return { type: 'models', models: message.models };
  if (message.type === 'save' && typeof message.name === 'string' && typeof message.text === 'string') return { type: 'save', name: message.name, text: message.text };
  return null;
}

/** The message if it is one that the client sends, else null. */
export function toCompareView(message: unknown): ToCompareView | null {
  if (!isObject(message)) return null;
  if (message.type === 'empty' && typeof message.reason === 'string') return { type: 'empty', reason: message.reason };
  if (message.type !== 'show' || !isObject(message.comparison) || !Array.isArray(message.comparison.runs) || !Array.isArray(message.comparison.models)) return null;
  return message as unknown as ToCompareView;
}
