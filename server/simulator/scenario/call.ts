/** One step as its executor sees it: the operands by role, the program that makes the call, the machine. */
import type { Operand, StepDescription, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { Device } from '../kernel/core.js';
import type { Process } from '../uapi/process.js';
import type { NoteEvent } from '../trace/events.js';
import type { Machine } from './machine.js';
import type { Handle, Program } from './processes.js';
import type { HandleClass } from './verbs.js';

/** What a successful call gives. */
export interface CallResult {
  /** By output name, as the report shows them. */
  readonly values?: Readonly<Record<string, bigint | string | boolean>>;
  /** What `expect value N` compares with; the first number of `values` unless said. */
  readonly main?: bigint;
  /** Why it answered so, in sentences. */
  readonly notes?: readonly string[];
  /** The call does not return until somebody else does something: what it waits for. */
  readonly waitsFor?: string;
}

export type Executor = (call: Call) => CallResult | undefined;

/** The step asks for something that this version does not simulate: neither success nor refusal. */
export class NotModelled extends Error {}

export class Call {
  constructor(
    readonly machine: Machine,
    readonly program: Program,
    readonly step: StepDescription,
    /** The statement that it came from: what mappings are shown with. */
    readonly origin: SubjectId,
  ) {}

  get process(): Process {
    return this.program.process;
  }

  has(flag: string): boolean {
    return this.step.flags.includes(flag);
  }

  number(role: string): bigint {
    const value = this.optionalNumber(role);
    if (value === undefined) throw new NotModelled(`\`${this.step.verb}\` without \`${role}\``);
    return value;
  }

  optionalNumber(role: string): bigint | undefined {
    const operand = this.operand(role);
    return operand?.kind === 'number' ? operand.value : undefined;
  }

  /** The text of a word, or the name of whatever stands there. */
  word(role: string): string {
    const operand = this.operand(role);
    switch (operand?.kind) {
      case 'word': return operand.word;
      case 'handle': case 'subject': return operand.name;
      case 'number': return operand.value.toString();
      default: throw new NotModelled(`\`${this.step.verb}\` without \`${role}\``);
    }
  }

  /** Whether the step says anything there. */
  names(role: string): boolean {
    return this.operand(role) !== undefined;
  }

  /** A described thing. */
  subject(role: string): SubjectId | undefined {
    const operand = this.operand(role);
    return operand?.kind === 'subject' ? operand.subject : undefined;
  }

  /** The device that a `device` operand names, or that a handle was opened by. @throws Refusal ENODEV */
  device(role: string): Device {
    const operand = this.operand(role);
    const found = operand?.kind === 'subject' ? this.machine.kernel.device(operand.subject) : this.heldDevice(operand);
    if (found === undefined) throw new Refusal('ENODEV', 'VFG-16', `there is no device ${this.word(role)} on this host`);
    return found;
  }

  /** The same for a call that opens the device's file, which went with the device. @throws Refusal ENOENT by the rule of that call */
  deviceOfFile(role: string, rule: 'VFG-10' | 'CDV-01'): Device {
    const operand = this.operand(role);
    if (operand?.kind === 'subject' && this.machine.kernel.device(operand.subject) === undefined) throw new Refusal('ENOENT', rule, `there is no device ${this.word(role)} on this host, so there is no file to open`);
    return this.device(role);
  }

  private heldDevice(operand: Operand | undefined): Device | undefined {
    const handle = operand?.kind === 'handle' ? this.program.handles.get(operand.name) : undefined;
    return handle?.kind === 'file' ? handle.device : undefined;
  }

  /** What a handle stands for; undefined when the call that would have made it failed or never came. */
  optionalHandle(role: string): Handle | undefined {
    const operand = this.operand(role);
    return operand?.kind === 'handle' ? this.program.handles.get(operand.name) : undefined;
  }

  /** @throws Refusal EBADF */
  handle(role: string): Handle {
    const handle = this.optionalHandle(role);
    if (handle === undefined) throw new Refusal('EBADF', 'VFG-13', `${this.word(role)} is not open: the call that would have opened it failed or is missing`);
    return handle;
  }

  /** The file descriptor of a handle; -1 as a program has it after a failed open. */
  fd(role: string): number {
    const handle = this.optionalHandle(role);
    return handle?.kind === 'file' ? handle.fd : -1;
  }

  /** Gives a file descriptor the name of the `handle` operand. */
  keep(fd: number, kind: HandleClass, device?: Device): CallResult {
    this.program.handles.set(this.word('handle'), { kind: 'file', class: kind, fd, device });
    return { values: { fd: BigInt(fd) } };
  }

  private operand(role: string): Operand | undefined {
    return this.step.operands[role];
  }
}

/** A sentence of the trace about this step. */
export const note = (text: string, rules: readonly string[], verdict: NoteEvent['verdict'] = 'note', subject?: SubjectId): NoteEvent => ({ kind: 'note', floor: 'uapi', text, rules, verdict, subject });
