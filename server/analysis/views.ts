/** A report as the views show it: addresses as text, subjects as places, a trace as a path that can be drawn. */
import type { Place } from '../../language/places.js';
import type { ActionView, PathNodeView, PlaceView, RunView, SimulationView, TraceStepView } from '../protocol.js';
import type { SubjectId } from '../simulator/description.js';
import { hex } from '../simulator/memory/address.js';
import type { ActionReport, DmaReport, RunReport } from '../simulator/report.js';
import { faultCodeText, type HopEvent, type TraceEvent } from '../simulator/trace/events.js';
import type { Facts } from '../diagnostics/facts.js';
import type { Analysis } from './analysis.js';
import { hostView } from './topology-view.js';

export type Places = ReadonlyMap<SubjectId, Place>;

export function simulationView(analysis: Analysis, places: Places, file: { readonly uri: string; readonly version: number; readonly title: string }): SimulationView {
  const facts = analysis.facts;
  return {
    ...file,
    hosts: analysis.report.hosts.map((host) => hostView(host, facts.host(host.host), (subject) => placeOf(places, subject))),
    runs: analysis.report.runs.map((run) => runView(run, facts, places)),
  };
}

const placeOf = (places: Places, subject: SubjectId | undefined): PlaceView | undefined => {
  const place = subject === undefined ? undefined : places.get(subject);
  return place === undefined ? undefined : { uri: place.uri, range: place.range };
};

const runView = (run: RunReport, facts: Facts, places: Places): RunView => ({
  name: run.name,
  kind: run.kind,
  place: placeOf(places, run.subject),
  actions: run.actions.map((action) => actionView(action, facts, places)),
  stopped: run.stopped,
});

export function actionView(action: ActionReport, facts: Facts, places: Places): ActionView {
  switch (action.kind) {
    case 'step':
      return {
        ...common(action, action.trace, places), call: action.call, result: action.result, messages: action.messages, expectation: action.expectation,
        good: action.expectation?.met ?? action.result === 'ok', place: placeOf(places, action.id) ?? placeOf(places, action.origin), path: [],
      };
    case 'dma':
      return {
        ...common(action, action.trace, places), result: action.outcome, messages: action.fault?.messages ?? [], expectation: action.expectation,
        good: action.expectation?.met ?? isGood(action), address: action.address === undefined ? undefined : hex(action.address), bypassedIommu: action.bypassedIommu,
        fault: action.fault === undefined ? undefined : { code: faultCodeText(action.fault), name: action.fault.name }, path: pathOf(action.trace, facts, places),
      };
    case 'never': {
      const trace = action.counterExample?.trace ?? [];
      return { ...common(action, trace, places), result: action.holds ? 'holds' : 'refuted', messages: [action.why], good: action.holds, path: pathOf(trace, facts, places) };
    }
  }
}

const isGood = (dma: DmaReport): boolean => !dma.bypassedIommu && (dma.outcome === 'memory' || dma.outcome === 'interrupt' || dma.outcome === 'peer');

const common = (action: ActionReport, trace: readonly TraceEvent[], places: Places): Pick<ActionView, 'id' | 'kind' | 'text' | 'place' | 'trace'> => ({
  id: action.id, kind: action.kind, text: action.text, place: placeOf(places, action.id), trace: trace.map((event) => traceStepView(event, places)),
});

const permissionText = (permission: { readonly read: boolean; readonly write: boolean }): string => `${permission.read ? 'r' : '-'}${permission.write ? 'w' : '-'}`;

export function traceStepView(event: TraceEvent, places: Places): TraceStepView {
  const base = { kind: event.kind, text: event.text, verdict: event.verdict, rules: event.rules, place: placeOf(places, event.subject) };
  switch (event.kind) {
    case 'note': return base;
    case 'hop': return { ...base, address: event.address === undefined ? undefined : hex(event.address) };
    case 'fault': return { ...base, code: faultCodeText(event), messages: event.messages };
    case 'read': return {
      ...base, entry: event.entry, stage: event.stage, level: event.level, index: event.index, address: hex(event.address), words: event.words.map(hex),
      fields: event.fields.map((field) => ({ name: field.name, bits: field.bits, value: hex(field.value), meaning: field.meaning })),
      permission: event.permission === undefined ? undefined : permissionText(event.permission),
    };
  }
}

/** Consecutive events at one place are one node of the drawn path. */
function pathOf(trace: readonly TraceEvent[], facts: Facts, places: Places): PathNodeView[] {
  const nodes: { hop: HopEvent; verdict: string; steps: number[] }[] = [];
  trace.forEach((event, index) => {
    const last = nodes.at(-1);
    const samePlace = last !== undefined && event.kind === 'hop' && last.hop.at === event.at && last.hop.subject === event.subject;
    if (event.kind === 'hop' && !samePlace) nodes.push({ hop: event, verdict: event.verdict, steps: [index] });
    else if (last !== undefined) {
      last.steps.push(index);
      if (event.verdict !== 'continue' && event.verdict !== 'note' && event.verdict !== 'done') last.verdict = event.verdict;
    }
  });
  return nodes.map(({ hop, verdict, steps }) => ({ label: nodeLabel(hop, facts), kind: hop.at, verdict, place: placeOf(places, hop.subject), steps }));
}

function nodeLabel(hop: HopEvent, facts: Facts): string {
  const at = hop.address === undefined ? '' : ` ${hex(hop.address)}`;
  switch (hop.at) {
    case 'memory': return `memory${at}`;
    case 'interrupt': return 'interrupt';
    case 'nowhere': return 'nowhere';
    case 'root-complex': return 'root complex';
    default: return hop.subject === undefined ? hop.at : facts.name(hop.subject);
  }
}
