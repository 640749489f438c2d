/**
 * Recorded operations of real kernels against the model: every sequence is performed through the simulator's facades, and
 * every operation is compared with what the kernel answered. One operation counts once. What the model does not have, and
 * what uses its results, is not covered; so is an operation that was never issued because an earlier one had failed.
 */
import { isDeepStrictEqual } from 'node:util';
import { Refusal } from '../../server/simulator/errno.js';
import { DMA_OPERATIONS, withFault } from './kernel-dma.js';
import { Blocked } from './kernel-drivers.js';
import { NotCovered, Unresolved } from './kernel-guest.js';
import { RecordedMachine } from './kernel-machine.js';
import { DEVICE_OPERATIONS } from './kernel-operations-devices.js';
import { IOMMUFD_OPERATIONS } from './kernel-operations-iommufd.js';
import { VFIO_OPERATIONS, type Operation } from './kernel-operations.js';
import { parseOperation, type OperationLine, type RecordedOperation, type RecordedRun } from './kernel-record.js';
import { noOutcome, type Outcome } from './outcome.js';
import { compareRecord, readTopologies, type RecordedTopology } from './topologies.js';

const OPERATIONS: Readonly<Record<string, Operation>> = { ...VFIO_OPERATIONS, ...DEVICE_OPERATIONS, ...IOMMUFD_OPERATIONS, ...DMA_OPERATIONS };

/** What the model says to an operation. */
type Answer =
  | { readonly kind: 'returns'; readonly ret: number; readonly outputs: Readonly<Record<string, unknown>> }
  | { readonly kind: 'fails'; readonly errno: string; readonly why: string; readonly outputs: Readonly<Record<string, unknown>> }
  | { readonly kind: 'blocks' | 'dies' }
  | { readonly kind: 'unresolved' | 'not-covered'; readonly why: string };

/** Every result under a path. */
export function runKernel(path: string): Outcome {
  const outcome = noOutcome();
  for (const record of readTopologies(path)) runRecord(record, outcome);
  return outcome;
}

/** The topology first, which every result has; then its operations. */
export function runRecord(record: RecordedTopology, outcome: Outcome): void {
  countTopology(record, outcome);
  const run = record as RecordedTopology & Partial<RecordedRun>;
  const sequences = (run.sequences ?? []).filter((sequence) => sequence.name !== SETUP && sequence.ops.length > 0);
  if (sequences.length > 0) new Runner({ ...(run as RecordedRun), sequences }, outcome).run();
}

/** What was done before the inventory was taken: the machine is described as it was afterwards. */
const SETUP = 'setup';

function countTopology(record: RecordedTopology, outcome: Outcome): void {
  const { differences } = compareRecord(record);
  outcome.agree += differences.filter((difference) => difference === null).length;
  const real = differences.filter((difference) => difference !== null);
  outcome.differ += real.length;
  outcome.differences.push(...real);
}

const AFTER_A_BUG = 'after a BUG the locks that were held then are never free again';

class Runner {
  private readonly machine: RecordedMachine;
  /** Calls that wait, by process. */
  private readonly waiting = new Map<string, Blocked>();
  /** Why nothing of the rest of the sequence can be compared. */
  private lost: string | null = null;
  /** A process died inside the kernel with locks in its hands: whoever wants them waits until the next boot. */
  private broken = false;

  constructor(
    private readonly record: RecordedRun,
    private readonly outcome: Outcome,
  ) {
    this.machine = new RecordedMachine(record);
  }

  run(): void {
    for (const sequence of this.record.sequences) {
      for (const [process, call] of this.waiting) {
        call.cancelled = true;
        if (call.uninterruptible && !call.finished) this.machine.abandon(process);
      }
      this.waiting.clear();
      this.machine.killAll();
      this.lost = this.broken ? AFTER_A_BUG : null;
      sequence.ops.forEach((operation, index) => this.compare(operation, `${this.record.case} ${sequence.name} #${index}`));
    }
  }

  private compare(recorded: RecordedOperation, where: string): void {
    const line = parseOperation(recorded);
    const answer = this.lost === null ? this.perform(line, recorded) : { kind: 'not-covered' as const, why: this.lost };
    const difference = differenceOf(withFault(recorded), answer);
    if (difference === 'not covered') this.outcome.notCovered++;
    else if (difference === null) this.outcome.agree++;
    else {
      this.outcome.differ++;
      this.outcome.differences.push(`${where}: ${JSON.stringify(recorded.in)}: ${difference}`);
    }
  }

  private perform(line: OperationLine, recorded: RecordedOperation): Answer {
    if (recorded.error?.startsWith('unresolved') === true) return this.withoutName(line, recorded);
    if (recorded.error !== undefined) return { kind: 'not-covered', why: 'not issued' };
    if (line.operation === 'kill') {
      const call = this.waiting.get(line.process);
      if (call !== undefined) call.cancelled = true;
      this.waiting.delete(line.process);
      this.machine.kill(line.process);
      return returns();
    }
    if (line.operation === 'await') return this.awaitCall(line.process);
    const operation = OPERATIONS[line.operation];
    if (operation === undefined) return this.leaveOut(line, `${line.operation} is not modelled`);
    const guest = this.machine.guest(line.process);
    try {
      const result = operation({ machine: this.machine, guest, line, recorded });
      return returns(result?.ret, result?.outputs);
    } catch (reason) {
      return this.failure(reason, line);
    }
  }

  private failure(reason: unknown, line: OperationLine): Answer {
    if (reason instanceof Refusal && reason.errno === 'BUG') {
      this.machine.kill(line.process);
      this.broken = true;
      this.lost = AFTER_A_BUG;
      return { kind: 'dies' };
    }
    if (reason instanceof Refusal) return { kind: 'fails', errno: reason.errno, why: `${reason.rule}: ${reason.reason}`, outputs: {} };
    if (reason instanceof Unresolved) return { kind: 'unresolved', why: reason.message };
    if (reason instanceof NotCovered) return this.leaveOut(line, reason.message);
    if (!(reason instanceof Blocked)) throw reason;
    this.waiting.set(line.process, reason);
    return { kind: 'blocks' };
  }

  /** What would have been stored under a name is not known, and operations on devices that are changed behind the model's back are lost. */
  private leaveOut(line: OperationLine, why: string): Answer {
    const name = line.values.get('as');
    if (name !== undefined) this.machine.guest(line.process).tainted.add(name);
    if (LEAVES_CHANGES.test(line.operation)) this.lost = why;
    return { kind: 'not-covered', why };
  }

  /** A name had no value: the answer is not recorded, but the call was made with 0 in its place. */
  private withoutName(line: OperationLine, recorded: RecordedOperation): Answer {
    const guest = this.machine.guest(line.process);
    guest.missingIsZero = true;
    try {
      OPERATIONS[line.operation]?.({ machine: this.machine, guest, line, recorded });
    } catch (reason) {
      if (!(reason instanceof Refusal || reason instanceof Unresolved || reason instanceof NotCovered || reason instanceof Blocked)) throw reason;
    } finally {
      guest.missingIsZero = false;
    }
    return { kind: 'not-covered', why: 'made with a name that had no value' };
  }

  private awaitCall(process: string): Answer {
    const call = this.waiting.get(process);
    if (call === undefined) return { kind: 'returns', ret: 0, outputs: { note: 'nothing pending' } };
    if (!call.finished) return { kind: 'blocks' };
    this.waiting.delete(process);
    return returns();
  }
}

/** Operations that, not being modelled, leave devices, parameters or objects other than the model has them. */
const LEAVES_CHANGES = /^(remove|rescan|sriov|write)$/;

const returns = (ret = 0, outputs: Readonly<Record<string, unknown>> = {}): Answer => ({ kind: 'returns', ret, outputs });

/** Null when the model agrees. */
function differenceOf(recorded: RecordedOperation, answer: Answer): string | null {
  if (answer.kind === 'not-covered') return 'not covered';
  const real = recordedText(recorded);
  const modelled = answerText(answer);
  if (real !== modelled) return `recorded ${real}, modelled ${modelled}${'why' in answer ? ` (${answer.why})` : ''}`;
  const outputs = 'outputs' in answer ? answer.outputs : {};
  const wrong = Object.entries(outputs).filter(([name, value]) => !isDeepStrictEqual(recorded[name], value));
  if (wrong.length === 0) return null;
  return wrong.map(([name, value]) => `${name}: recorded ${JSON.stringify(recorded[name])}, modelled ${JSON.stringify(value)}`).join('; ');
}

function recordedText(recorded: RecordedOperation): string {
  if (recorded.blocked === true) return 'blocks';
  if (recorded.died !== undefined) return 'dies';
  return recorded.errno ?? `${recorded.ret ?? 0}`;
}

function answerText(answer: Answer): string {
  switch (answer.kind) {
    case 'returns': return `${answer.ret}`;
    case 'fails': return answer.errno;
    case 'blocks': case 'dies': return answer.kind;
    default: return `${answer.kind} ${answer.why}`;
  }
}
