/**
 * What the programs share: how a call is written as a step, and how a sequence of calls hears what each of them answered.
 *
 * A real program ends at the first failure. These leave the failed device alone and go on with the next, so that every
 * reason why the owner cannot start is found at once.
 */
import type { Operand, OwnerDescription, OwnerMemory, StepDescription, SubjectId } from '../../description.js';
import type { Device } from '../../kernel/core.js';
import type { KernelProfile } from '../../kernel/profile.js';
import { hex } from '../../memory/address.js';
import { sizeWord } from '../../memory/sizes.js';
import type { StepReport } from '../../report.js';

export interface Assigned {
  /** The `assign` entry: where a failure is shown. */
  readonly origin: SubjectId;
  readonly device: Device;
  /** As the file names it. */
  readonly name: string;
}

/** One range of an owner's memory and the IOVA at which its program maps it. */
export interface Placement {
  readonly memory: OwnerMemory;
  readonly offset: bigint;
  readonly iova: bigint;
  readonly size: bigint;
}

/** What a program has to do, and on which kernel. */
export interface Task {
  readonly steps: StepWriter;
  readonly assigned: readonly Assigned[];
  readonly placements: readonly Placement[];
  readonly profile: KernelProfile;
}

/** A step and the statement that a failure of it is shown at. */
export interface ExpandedStep {
  readonly step: StepDescription;
  readonly origin: SubjectId;
  /** The program has another way when this call is refused, or does not care. */
  readonly mayFail?: boolean;
}

/** Calls one after the other: each `next` tells how the call before was answered. */
export type Calls = Generator<ExpandedStep, void, StepReport>;
/** A part of the calls; true when it came to its end. */
export type Part = Generator<ExpandedStep, boolean, StepReport>;
export type OneCall = Generator<ExpandedStep, StepReport, StepReport>;
export type Program = (task: Task) => Calls;

export interface CallOptions {
  readonly flags?: readonly string[];
  readonly mayFail?: boolean;
  /** Who makes the call, when it is not the owner's program itself. */
  readonly by?: string;
}

/** Writes the steps of one owner: their text in the language, and an identity each. */
export class StepWriter {
  private written = 0;

  constructor(readonly owner: OwnerDescription) {}

  /** @param rest what follows the verb */
  *call(origin: SubjectId, verb: string, operands: Readonly<Record<string, Operand>>, rest: string, { flags = [], mayFail, by = this.owner.name }: CallOptions = {}): OneCall {
    const text = [`by ${by} ${verb} ${rest}`, ...flags].join(' ');
    const id = `${this.owner.id}#${this.written++}`;
    return yield { origin, mayFail, step: { kind: 'step', id, text, verb, process: by, operands, flags } };
  }

  /** The same when only success matters. */
  *ok(origin: SubjectId, verb: string, operands: Readonly<Record<string, Operand>>, rest: string, options?: CallOptions): Part {
    return succeeded(yield* this.call(origin, verb, operands, rest, options));
  }
}

export const succeeded = (answer: StepReport): boolean => answer.result === 'ok';

export const handle = (name: string): Operand => ({ kind: 'handle', name });
export const number = (value: bigint): Operand => ({ kind: 'number', value });
export const word = (text: string): Operand => ({ kind: 'word', word: text });
export const subject = ({ device, name }: Assigned): Operand => ({ kind: 'subject', subject: device.subject, name });
/** The name that a program gives to a device's descriptor. */
export const deviceHandle = ({ name }: Assigned): string => `d_${name.replace(/\W/g, '_')}`;
/** "c", "c1", "c2": the first of its kind is mostly the only one. */
export const numbered = (name: string, index: number): string => (index === 0 ? name : `${name}${index}`);

/** One call for each range of the owner's memory. @param mayFail as in `ExpandedStep` */
export function* mapAll({ steps, placements }: Task, target: string, mayFail = false): Calls {
  for (const { memory, offset, iova, size } of placements) {
    const name = `${steps.owner.name}.${memory.name}`;
    const operands: Record<string, Operand> = { target: handle(target), iova: number(iova), size: number(size), memory: { kind: 'subject', subject: memory.id, name }, memoryOffset: number(offset) };
    const from = offset === 0n ? name : `${name} + ${hex(offset)}`;
    yield* steps.call(memory.id, 'map', operands, `${target} iova ${hex(iova)} size ${sizeWord(size)} from ${from}`, { flags: [memory.kind === 'read-only' ? 'r' : 'rw'], mayFail });
  }
}

/** Opens the container, or the iommufd that stands in for one (CMP-01). */
export const openContainer = ({ steps }: Task, origin: SubjectId, name: string): Part =>
  steps.ok(origin, steps.owner.through === 'type1' ? 'open-container' : 'open-iommufd', { handle: handle(name) }, name);

/** Opens the group of a device and asks for its state. Whether the answer is good is left to the calls that follow. */
export function* openGroup({ steps }: Task, of: Assigned, group: string): Part {
  return (yield* steps.ok(of.origin, 'open-group', { handle: handle(group), device: subject(of) }, `${group} of ${of.name}`))
    && (yield* steps.ok(of.origin, 'group-status', { group: handle(group) }, group));
}

export const setContainer = ({ steps }: Task, { origin }: Assigned, group: string, container: string, mayFail = false): Part =>
  steps.ok(origin, 'set-container', { group: handle(group), container: handle(container) }, `${group} to ${container}`, { mayFail });

export const setIommu = ({ steps }: Task, origin: SubjectId, container: string, model: string, mayFail = false): Part =>
  steps.ok(origin, 'set-iommu', { container: handle(container), model: word(model) }, `${container} ${model}`, { mayFail });

/** What VFIO_CHECK_EXTENSION answers; 0 when it is refused. */
export function* checkExtension({ steps }: Task, origin: SubjectId, container: string, extension: bigint): Generator<ExpandedStep, bigint, StepReport> {
  const answer = yield* steps.call(origin, 'check-extension', { container: handle(container), extension: number(extension) }, `${container} ${extension}`);
  const value = answer.value?.['answer'];
  return typeof value === 'bigint' ? value : 0n;
}

export const getDevice = ({ steps }: Task, of: Assigned, group: string): Part =>
  steps.ok(of.origin, 'get-device', { handle: handle(deviceHandle(of)), device: subject(of), group: handle(group) }, `${deviceHandle(of)} of ${of.name} in ${group}`);

export const openCdev = ({ steps }: Task, of: Assigned, by?: string): Part =>
  steps.ok(of.origin, 'open-cdev', { handle: handle(deviceHandle(of)), device: subject(of) }, `${deviceHandle(of)} of ${of.name}`, { by });

export const bindIommufd = ({ steps }: Task, of: Assigned, iommufd: string): Part =>
  steps.ok(of.origin, 'bind-iommufd', { device: handle(deviceHandle(of)), iommufd: handle(iommufd) }, `${deviceHandle(of)} to ${iommufd}`);

export const allocateIoas = ({ steps }: Task, name: string, iommufd: string): Part =>
  steps.ok(steps.owner.id, 'ioas-alloc', { handle: handle(name), iommufd: handle(iommufd) }, `${name} in ${iommufd}`);

export const attach = ({ steps }: Task, of: Assigned, target: string, mayFail = false): Part =>
  steps.ok(of.origin, 'attach', { device: handle(deviceHandle(of)), target: handle(target) }, `${deviceHandle(of)} to ${target}`, { mayFail });

/** Groups as a program opens them: each once, for the first of its devices. */
export class OpenedGroups {
  private readonly byGroup = new Map<object, string | null>();

  /** @param open called for a group that is new, with a name for it; what it gives is remembered */
  *of(assigned: Assigned, open: (name: string) => Part): Generator<ExpandedStep, string | null, StepReport> {
    const key = assigned.device.group ?? assigned.device;
    const known = this.byGroup.get(key);
    if (known !== undefined) return known;
    const name = `g${this.byGroup.size}`;
    this.byGroup.set(key, null);
    const opened = (yield* open(name)) ? name : null;
    this.byGroup.set(key, opened);
    return opened;
  }
}
