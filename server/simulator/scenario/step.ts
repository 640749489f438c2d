/** Runs one step: its executor, what it answered, what the kernel logged meanwhile. */
import type { StepDescription, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { Effect } from '../kernel/group.js';
import type { StepReport } from '../report.js';
import type { NoteEvent } from '../trace/events.js';
import { Call, note, NotModelled, type CallResult, type Executor } from './call.js';
import { IOASID_EXECUTORS } from './executors-ioasid.js';
import { IOMMUFD_EXECUTORS } from './executors-iommufd.js';
import { DEVICE_EXECUTORS } from './executors-devices.js';
import { KERNEL_EXECUTORS } from './executors-kernel.js';
import { NESTED_EXECUTORS } from './executors-nested.js';
import { PROGRAM_EXECUTORS } from './executors-programs.js';
import { SELFTEST_EXECUTORS } from './executors-selftest.js';
import { SYSTEM_EXECUTORS } from './executors-system.js';
import { VFIO_EXECUTORS } from './executors-vfio.js';
import { VFIO_DEVICE_EXECUTORS } from './executors-vfio-devices.js';
import { judgeStep } from './expectations.js';
import type { Machine } from './machine.js';
import { verbNamed } from './verbs.js';

const EXECUTORS: Readonly<Record<string, Executor>> = { ...VFIO_EXECUTORS, ...VFIO_DEVICE_EXECUTORS, ...IOMMUFD_EXECUTORS, ...SYSTEM_EXECUTORS, ...KERNEL_EXECUTORS, ...DEVICE_EXECUTORS, ...IOASID_EXECUTORS, ...PROGRAM_EXECUTORS, ...NESTED_EXECUTORS, ...SELFTEST_EXECUTORS };

/** What a step says that this version does not simulate: no errno, so nobody takes it for the kernel's answer. */
export const NOT_MODELLED = 'not-modelled';

interface Outcome {
  /** "ok", "blocked", an errno, "BUG", or NOT_MODELLED. */
  readonly result: string;
  readonly given: CallResult;
  readonly refusal: Refusal | null;
  readonly remark?: string;
}

/** @param origin the statement that the step came from */
export function runStep(machine: Machine, step: StepDescription, origin: SubjectId): StepReport {
  const { log, effects } = machine.kernel;
  const before = log.length;
  const effectsBefore = effects.length;
  const { result, given, refusal, remark } = execute(machine, step, origin);
  const rules = refusal === null ? (verbNamed.get(step.verb)?.rules ?? []) : [refusal.rule];
  const main = given.main ?? Object.values(given.values ?? {}).find((value) => typeof value === 'bigint');
  return {
    kind: 'step', id: step.id, origin, text: step.text, call: callName(machine, step), result, value: given.values,
    ...(main === undefined ? {} : { answer: main }),
    messages: log.slice(before),
    trace: [
      ...(given.notes ?? []).map((text) => note(text, [])),
      ...effects.slice(effectsBefore).map(effectNote),
      ...(refusal === null ? [] : [note(`${refusal.errno}: ${refusal.reason}.`, [refusal.rule], 'fault', refusal.offenders[0])]),
      ...(remark === undefined ? [] : [note(remark, [])]),
    ],
    rules,
    expectation: judgeStep(step.expect, result, main, (subject) => machine.nameOf(subject)),
    offenders: refusal?.offenders ?? [],
  };
}

function execute(machine: Machine, step: StepDescription, origin: SubjectId): Outcome {
  const executor = EXECUTORS[step.verb];
  if (executor === undefined) return { result: NOT_MODELLED, given: {}, refusal: null, remark: `This version does not simulate \`${step.verb}\`.` };
  try {
    const given = executor(new Call(machine, machine.programs.named(step.process), step, origin)) ?? {};
    return given.waitsFor === undefined ? { result: 'ok', given, refusal: null } : { result: 'blocked', given, refusal: null, remark: `The call waits for ${given.waitsFor}.` };
  } catch (error) {
    if (error instanceof NotModelled) return { result: NOT_MODELLED, given: {}, refusal: null, remark: `This version does not simulate ${error.message}.` };
    if (!(error instanceof Refusal)) throw error;
    return { result: error.errno, given: {}, refusal: error };
  }
}

const effectNote = ({ text, rule, subject }: Effect): NoteEvent => ({ kind: 'note', floor: 'kernel', text: `${text}.`, rules: [rule], verdict: 'note', subject });

/** The real call. A step that means one of two says both until its target shows which: a file's ioctl, or an iommufd object's. */
function callName(machine: Machine, step: StepDescription): string {
  const name = verbNamed.get(step.verb)?.call ?? step.verb;
  const { target } = step.operands;
  const handle = target?.kind === 'handle' ? machine.programs.named(step.process).handles.get(target.name) : undefined;
  const [ofFile, ofObject] = name.split(' / ');
  return (handle?.kind === 'object' ? ofObject : handle?.kind === 'file' ? ofFile : undefined) ?? name;
}
