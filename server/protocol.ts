/**
 * What the client, the server and the web view say to one another. Addresses are strings of lower-case hexadecimal
 * with `0x`. The client imports nothing else of the server.
 */

export interface PositionView { readonly line: number; readonly character: number }
export interface RangeView { readonly start: PositionView; readonly end: PositionView }
export interface PlaceView { readonly uri: string; readonly range: RangeView }

/** One simulated file, ready to draw. */
export interface SimulationView {
  readonly uri: string;
  readonly version: number;
  readonly title: string;
  readonly hosts: readonly HostView[];
  readonly runs: readonly RunView[];
}

export interface HostView {
  readonly name: string;
  readonly kernel: string;
  /** All functions and devices; a parent stands before its children. */
  readonly topology: readonly TopologyNodeView[];
  readonly groups: readonly GroupView[];
}

export interface TopologyNodeView {
  readonly name: string;
  /** "0000:01:00.0"; empty for what is not a PCI function. */
  readonly address: string;
  readonly kind: 'port' | 'bridge' | 'function' | 'virtual' | 'platform' | 'mediated';
  /** Index into the topology; null at the root. */
  readonly parent: number | null;
  readonly group: number | null;
  readonly place?: PlaceView;
}

export interface GroupView {
  readonly number: number;
  /** Type of the default domain. */
  readonly domain: string;
  /** A fact that it depends on is not known. */
  readonly uncertain: boolean;
  readonly members: readonly GroupMemberView[];
}

export interface GroupMemberView {
  readonly name: string;
  readonly address: string;
  readonly place?: PlaceView;
  /** Index into the topology. */
  readonly node?: number;
  /** The facts that put it there; `node` is the port, bridge or sibling that a fact is about. */
  readonly reasons: readonly { readonly text: string; readonly rules: readonly string[]; readonly node?: number }[];
}

export interface RunView {
  readonly name: string;
  readonly kind: 'host' | 'scenario';
  readonly place?: PlaceView;
  readonly actions: readonly ActionView[];
  readonly stopped?: string;
}

export interface ActionView {
  readonly id: string;
  readonly kind: 'step' | 'dma' | 'never';
  readonly text: string;
  readonly place?: PlaceView;
  /** "ok", an errno's name, "memory", "fault" ... */
  readonly result: string;
  /** The call as the kernel names it, for steps. */
  readonly call?: string;
  readonly good: boolean;
  readonly address?: string;
  readonly bypassedIommu?: boolean;
  readonly fault?: { readonly code: string; readonly name: string };
  /** Kernel log lines. */
  readonly messages: readonly string[];
  readonly expectation?: { readonly met: boolean; readonly expected: string; readonly actual: string };
  /** The path as it is drawn: device, ports, unit, destination. */
  readonly path: readonly PathNodeView[];
  readonly trace: readonly TraceStepView[];
}

export interface PathNodeView {
  readonly label: string;
  readonly kind: 'device' | 'port' | 'root-complex' | 'unit' | 'memory' | 'peer' | 'interrupt' | 'nowhere';
  readonly verdict: string;
  readonly place?: PlaceView;
  /** Indices into `trace` of what happened here. */
  readonly steps: readonly number[];
}

export interface TraceStepView {
  readonly kind: 'hop' | 'read' | 'fault' | 'note';
  readonly text: string;
  readonly verdict: string;
  readonly rules: readonly string[];
  readonly place?: PlaceView;
  readonly address?: string;
  readonly entry?: string;
  readonly stage?: string;
  readonly level?: number;
  readonly index?: number;
  readonly words?: readonly string[];
  readonly fields?: readonly { readonly name: string; readonly bits: string; readonly value: string; readonly meaning?: string }[];
  /** "rw", "r-", "-w", "--". */
  readonly permission?: string;
  readonly code?: string;
  readonly messages?: readonly string[];
}

// -------------------------------------------------------------------------------- client <-> server (JSON-RPC methods)

export const SIMULATE_REQUEST = 'iommu/simulate';
export interface SimulateParams { readonly uri: string }

/** Server to client: the simulation of a file is new. */
export const SIMULATED_NOTIFICATION = 'iommu/simulated';
export interface SimulatedParams { readonly uri: string; readonly version: number }

/** What the programs of a file's owners call, as scenarios; null when there are none. */
export const CALLS_REQUEST = 'iommu/calls';
export interface CallsParams {
  readonly uri: string;
  /** Identity of a `vm` or `process`. */
  readonly owner?: string;
  /** Instead of `owner`: the one that this line is in, else all. */
  readonly line?: number;
}
export interface CallsResult {
  /** A whole file that uses the one asked about, which lies beside it. */
  readonly document: string;
  /** The scenarios alone. */
  readonly scenarios: string;
}

export const IMPORT_REQUEST = 'iommu/import';
export interface ImportParams {
  /** Text of `lspci -vvv` (root), or of a host facts file (JSON). */
  readonly lspci: string;
  readonly groups?: string;
  readonly dmesg?: string;
  readonly commandLine?: string;
  readonly name?: string;
}
export type ImportResult = { readonly text: string; readonly notes: readonly string[] } | { readonly error: string };

/** What can be exported of a file: its owners, and the targets. */
export const EXPORT_CHOICES_REQUEST = 'iommu/exportChoices';
export interface ExportChoicesParams { readonly uri: string }
export interface ExportChoices {
  /** `problem`: why the owner does not start in the simulation, so that there is nothing to export. */
  readonly owners: readonly { readonly name: string; readonly kind: 'vm' | 'process'; readonly host: string; readonly problem?: string }[];
  readonly targets: readonly { readonly name: string; readonly title: string; readonly forVms: boolean }[];
}

export const EXPORT_REQUEST = 'iommu/export';
export interface ExportParams { readonly uri: string; readonly owner: string; readonly target: string }
/** `text` has the notes in it, as comments; `language` as editors name it. */
export type ExportResult = { readonly text: string; readonly language: string } | { readonly error: string };

/** The documentation page of a diagnostic, Markdown; null for an unknown code. Shown under `PAGE_SCHEME:/CODE.md`. */
export const PAGE_REQUEST = 'iommu/page';
export interface PageParams { readonly code: string }
export const PAGE_SCHEME = 'iommu-page';

/** Server to client, where the server is a worker without files: what is in the opened folders, and nothing else. */
export const READ_FILE_REQUEST = 'iommu/readFile';
export const READ_FOLDER_REQUEST = 'iommu/readFolder';
export interface FileParams { readonly uri: string }
export interface FolderEntry { readonly uri: string; readonly folder: boolean }

// -------------------------------------------------------------------------------- client <-> web view (postMessage)

export type ToView =
  | { readonly type: 'show'; readonly simulation: SimulationView; readonly select?: string }
  | { readonly type: 'select'; readonly action: string }
  | { readonly type: 'empty'; readonly reason: string };

export type FromView =
  | { readonly type: 'ready' }
  /** `focus` asks that the editor also takes the keyboard. */
  | { readonly type: 'reveal'; readonly place: PlaceView; readonly focus?: boolean }
  | { readonly type: 'copy'; readonly text: string }
  /** Offers `text` for saving under a file name. */
  | { readonly type: 'save'; readonly name: string; readonly text: string };

/** What a view selects to show the groups of a host: one of them when it has a number. */
export const groupsId = (host: string, group?: number): string => (group === undefined ? `host ${host}` : `host ${host}#${group}`);

/** State that a view keeps over a reload. */
export interface ViewState { readonly uri: string; readonly action?: string; readonly step?: number; readonly group?: number | null }

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isPosition = (value: unknown): boolean => isObject(value) && Number.isInteger(value.line) && Number.isInteger(value.character);
const isPlace = (value: unknown): value is PlaceView =>
  isObject(value) && typeof value.uri === 'string' && isObject(value.range) && isPosition(value.range.start) && isPosition(value.range.end);

/** The message if it is one that a view may send, else null: nothing from a web view is trusted unread. */
export function fromView(message: unknown): FromView | null {
  if (!isObject(message)) return null;
  if (message.type === 'ready') return { type: 'ready' };
  if (message.type === 'reveal' && isPlace(message.place)) return { type: 'reveal', place: message.place, focus: message.focus === true };
  if (message.type === 'copy' && typeof message.text === 'string') return { type: 'copy', text: message.text };
  if (message.type === 'save' && typeof message.name === 'string' && typeof message.text === 'string') return { type: 'save', name: message.name, text: message.text };
  return null;
}

/** The message if it is one that the client sends, else null. */
export function toView(message: unknown): ToView | null {
  if (!isObject(message)) return null;
  if (message.type === 'empty' && typeof message.reason === 'string') return { type: 'empty', reason: message.reason };
  if (message.type === 'select' && typeof message.action === 'string') return { type: 'select', action: message.action };
  if (message.type !== 'show' || !isObject(message.simulation) || !Array.isArray(message.simulation.runs)) return null;
  return message as unknown as ToView;
}
