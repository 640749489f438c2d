/** The actions of a run as calls that can be compared: verb, answer, what it asks, why it answered so. */
import { faultCodeText } from '../../simulator/trace/events.js';
import type { MachineDescription, StepDescription, SubjectId } from '../../simulator/description.js';
import type { KernelProfile } from '../../simulator/kernel/profile.js';
import type { ActionReport, DmaReport, RunReport, StepReport } from '../../simulator/report.js';
import type { TraceEvent } from '../../simulator/trace/events.js';
import { checksAt, type Translated } from './checks.js';
import type { Call } from './differences.js';
import type { Model } from './models.js';
import { stepsById } from './play.js';
import { withoutExpectation } from './translate.js';

/** "map" of "by guest map c iova …". */
export const verbOf = (text: string): string => /^(?:by\s+\S+\s+)?(\S+)/.exec(text)?.[1] ?? text;

export interface UsedDevices {
  readonly all: ReadonlySet<Translated>;
  /** Kinds that an action concerns, by its identity. */
  readonly byAction: ReadonlyMap<SubjectId, ReadonlySet<Translated>>;
}

/** Which kinds of devices the calls of a run are about, followed through the names of groups, containers and files. */
export function devicesUsed(run: RunReport, description: MachineDescription): UsedDevices {
  const mediated = new Set(description.hosts.flatMap(({ mediatedDevices }) => mediatedDevices.map(({ id }) => id)));
  const kindOf = (device: SubjectId): Translated => (mediated.has(device) ? 'mediated' : 'hardware');
  const assigned = new Map(description.owners.flatMap(({ assigned: all }) => all.map(({ id, device }) => [id, kindOf(device)] as const)));
  const steps = stepsById(description);
  const byName = new Map<string, Set<Translated>>();
  const byAction = new Map<SubjectId, ReadonlySet<Translated>>();
  const all = new Set<Translated>();
  for (const action of run.actions) {
    const kinds = action.kind !== 'step' ? new Set<Translated>() : kindsOf(action, steps.get(action.id), assigned, kindOf, byName);
    kinds.forEach((kind) => all.add(kind));
    byAction.set(action.id, kinds);
  }
  return { all, byAction };
}

function kindsOf(action: StepReport, step: StepDescription | undefined, assigned: ReadonlyMap<SubjectId, Translated>, kindOf: (device: SubjectId) => Translated, byName: Map<string, Set<Translated>>): Set<Translated> {
  // A call of an owner: made for one of its devices, or for all that came so far.
  if (step === undefined) {
    const kind = assigned.get(action.origin);
    const known = byName.get(OWNER) ?? byName.set(OWNER, new Set()).get(OWNER)!;
    if (kind !== undefined) known.add(kind);
    return kind === undefined ? new Set(known) : new Set([kind]);
  }
  const kinds = new Set<Translated>();
  const names: string[] = [];
  for (const operand of Object.values(step.operands)) {
    if (operand.kind === 'handle') names.push(`${step.process} ${operand.name}`);
    if (operand.kind === 'subject' && isDevice(step, operand.subject)) kinds.add(kindOf(operand.subject));
  }
  for (const name of names) byName.get(name)?.forEach((kind) => kinds.add(kind));
  // Whatever stands together in a call has to do with the same devices from here on; closing ends that.
  if (step.verb !== 'close') for (const name of names) kinds.forEach((kind) => (byName.get(name) ?? byName.set(name, new Set()).get(name)!).add(kind));
  return kinds;
}

/** No handle is called so. */
const OWNER = '';

const isDevice = ({ operands }: StepDescription, subject: SubjectId): boolean => {
  const { device } = operands;
  return device?.kind === 'subject' && device.subject === subject;
};

// ------------------------------------------------------------------------------------------------ calls

export function callsOf(actions: readonly ActionReport[], model: Model, profile: KernelProfile, used: UsedDevices): Call[] {
  return actions.map((action): Call => {
    switch (action.kind) {
      case 'step': return stepCall(action, model, profile, used);
      case 'dma': return dmaCall(action);
      case 'never': return { verb: 'never', text: action.text, result: action.holds ? 'holds' : 'refuted', isDma: true, good: action.holds, rules: [], why: action.why, asked: [], sentences: [{ text: action.why, rules: [] }] };
    }
  });
}

function stepCall(action: StepReport, model: Model, profile: KernelProfile, used: UsedDevices): Call {
  const verb = verbOf(action.text);
  // A refusal that the program reckons with is no failure of it.
  const good = action.result === 'ok' || action.expectation?.met === true;
  const refusal = action.trace.filter(({ verdict }) => verdict === 'fault').at(-1) ?? action.trace.at(-1);
  return {
    verb, text: action.text, call: action.call, result: action.result, isDma: false, good, rules: action.result === 'ok' ? [] : action.rules,
    why: action.result === 'ok' ? '' : (refusal?.text ?? ''), asked: checksAt(verb, model.uapi, profile, used.byAction.get(action.id) ?? used.all), sentences: action.trace.map(sentence),
  };
}

function dmaCall(action: DmaReport): Call {
  const last = action.trace.findLast(({ verdict }) => verdict === 'fault' || verdict === 'blocked') ?? action.trace.at(-1);
  const code = action.fault === undefined ? '' : ` ${faultCodeText(action.fault)}`;
  return {
    verb: 'dma', text: withoutExpectation(action.text), result: `${action.outcome}${code}`, isDma: true, good: action.outcome === 'memory' || action.outcome === 'interrupt' || action.outcome === 'peer',
    rules: last?.rules ?? [], why: last?.text ?? '', asked: [], sentences: action.trace.filter(({ kind }) => kind !== 'read').map(sentence),
  };
}

const sentence = ({ text, rules }: TraceEvent): { readonly text: string; readonly rules: readonly string[] } => ({ text, rules });
