/** One run after the other: each on a fresh machine, its statements in order, whatever breaks kept inside. */
import type { ActionDescription, HostDescription, MachineDescription, OwnerDescription, OwnerMemory, Question, ScenarioDescription, StepDescription } from '../description.js';
import { ResourceLimit } from '../memory/physical-memory.js';
import { planBoot, type BootPlan } from '../kernel/boot.js';
import { profileFor } from '../kernel/profile.js';
import type { ActionReport, FinalState, HostReport, RunReport, StepReport } from '../report.js';
import { setUpDomain } from './described-domains.js';
import { tracedDma } from './dma.js';
import { expandOwner } from './expand-owner.js';
import { finalState } from './final-state.js';
import { hostReport } from './host-report.js';
import { during, MAX_ACTIONS, RunStopped } from './limits.js';
import { Machine } from './machine.js';
import { askNever } from './never.js';
import { setUpPasidSets } from './pasid-sets.js';
import { runStep } from './step.js';

const NOTHING: FinalState = { devices: [], domains: [] };

/** A host with its owners: what boot makes of it, then administrator's bindings, described domains, owners, and the top-level questions. */
export function runHost(description: MachineDescription, host: HostDescription, plans: BootPlans, watch?: Watch): { readonly report: HostReport; readonly run: RunReport } {
  const head = { subject: host.id, name: host.name, host: host.id, kind: 'host' } as const;
  const machine = attempt(() => new Machine(description, plans.of(host)));
  if (typeof machine === 'string') return { report: unbootable(host, machine), run: { ...head, actions: [], final: NOTHING, stopped: machine } };
  const report = hostReport(machine);
  const run = conduct(head, machine, watch, (run) => {
    bindAsDescribed(run, host);
    setUpSets(run);
    watch?.(machine, AT_START);
    for (const domain of description.domains) if (domain.host === host.id) run.add(...during(`domain ${domain.name}`, () => setUpDomain(machine, domain)));
    for (const owner of description.owners) if (owner.host === host.id) startOwner(run, host, owner);
    for (const question of description.questions) if (question.host === host.id) run.add(ask(machine, question));
  });
  return { report, run };
}

const unbootable = (host: HostDescription, why: string): HostReport => ({
  host: host.id, kernel: { asked: host.kernel.version, profile: profileFor(host.kernel.version).name }, groups: [], ungrouped: [], messages: [],
  unknowns: [{ subject: host.id, text: why, affects: [] }],
});

/** A scenario: the host with its bindings, but with the scenario's kernel and without the file's owners. */
export function runScenario(description: MachineDescription, host: HostDescription, scenario: ScenarioDescription, plans: BootPlans, watch?: Watch): RunReport {
  const head = { subject: scenario.id, name: scenario.name, host: host.id, kind: 'scenario' } as const;
  const machine = attempt(() => new Machine(description, plans.of(host, scenario), scenario.memory));
  if (typeof machine === 'string') return { ...head, actions: [], final: NOTHING, stopped: machine };
  return conduct(head, machine, watch, (run) => {
    bindAsDescribed(run, host);
    setUpSets(run);
    watch?.(machine, AT_START);
    for (const action of scenario.actions) run.add(act(machine, action));
  });
}

/** Boot plans of one simulation: scenarios on one host with one kernel share one. */
export class BootPlans {
  private readonly known = new Map<string, BootPlan>();

  /** The host as described, or with the kernel that the scenario wants. */
  of(host: HostDescription, { kernelVersion, commandLine, ioasid }: Partial<ScenarioDescription> = {}): BootPlan {
    const { kernel } = host;
    const wanted = { ...kernel, version: kernelVersion ?? kernel.version, commandLine: commandLine ?? kernel.commandLine, ioasid: ioasid ?? kernel.ioasid };
    const key = JSON.stringify([host.id, wanted.version, wanted.commandLine, wanted.ioasid]);
    let plan = this.known.get(key);
    if (plan === undefined) this.known.set(key, (plan = planBoot({ ...host, kernel: wanted })));
    return plan;
  }
}

// ------------------------------------------------------------------------------------------------ conducting

/** The index under which the machine is shown before the first statement. */
export const AT_START = -1;

/** Called at the start (AT_START) and after each action with its index in the run and the machine as it is then; it only looks. */
export type Watch = (machine: Machine, index: number) => void;

interface Run {
  readonly machine: Machine;
  /** @throws RunStopped when it is one too many */
  add(...actions: readonly ActionReport[]): void;
}

/** Runs `work`; what stops it becomes `stopped`, and what happened before stays. */
function conduct(head: Pick<RunReport, 'subject' | 'name' | 'host' | 'kind'>, machine: Machine, watch: Watch | undefined, work: (run: Run) => void): RunReport {
  const actions: ActionReport[] = [];
  const add = (...more: readonly ActionReport[]): void => {
    for (const action of more) {
      if (actions.length >= MAX_ACTIONS) throw new RunStopped(`more than ${MAX_ACTIONS} steps`);
      actions.push(action);
      watch?.(machine, actions.length - 1);
    }
  };
  const stopped = attempt<undefined>(() => void work({ machine, add }));
  const final = attempt(() => finalState(machine));
  const unreadable = typeof final === 'string' ? final : undefined;
  return { ...head, actions, final: typeof final === 'string' ? NOTHING : final, stopped: stopped ?? unreadable };
}

/** What `work` gives, or in words why it did not come to its end. */
function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof RunStopped || error instanceof ResourceLimit) return error.message;
    return `the simulation failed here: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const ask = (machine: Machine, question: Question): ActionReport => during(question.text, () => (question.kind === 'never' ? askNever(machine, question) : tracedDma(machine, question)));

const act = (machine: Machine, action: ActionDescription): ActionReport => during(action.text, () => (action.kind === 'dma' ? tracedDma(machine, action) : runStep(machine, action, action.id)));

// ------------------------------------------------------------------------------------------------ what comes first

/** The administrator's `bind` statements: the driver that has the device now goes first. Only what fails is reported. */
function bindAsDescribed(run: Run, host: HostDescription): void {
  for (const { id, device, driver } of host.bindings) {
    const now = run.machine.kernel.device(device);
    if (now === undefined || now.driver === driver) continue;
    const name = now.description.name;
    const operand = { kind: 'subject', subject: device, name } as const;
    const steps: StepDescription[] = [];
    if (now.driver !== null) steps.push({ kind: 'step', id: `${id}#unbind`, text: `unbind ${name}`, verb: 'unbind', process: ADMINISTRATOR, operands: { device: operand }, flags: [] });
    steps.push({ kind: 'step', id: `${id}#bind`, text: `bind ${name} to ${driver}`, verb: 'bind', process: ADMINISTRATOR, operands: { device: operand, driver: { kind: 'word', word: driver } }, flags: [] });
    for (const step of steps) {
      const report = runStep(run.machine, step, id);
      if (report.result !== 'ok') run.add(report);
    }
  }
}

/** The sets of PASIDs that the file describes. Only what fails is reported. */
function setUpSets(run: Run): void {
  for (const { set, step } of setUpPasidSets(run.machine)) {
    const report = runStep(run.machine, step, set);
    if (report.result !== 'ok') run.add(report);
  }
}

/** Who makes the `bind` statements of a host. */
const ADMINISTRATOR = 'administrator';

/** Plays an owner's program; when a call failed, the program ends as the real one would. */
function startOwner(run: Run, host: HostDescription, owner: OwnerDescription): void {
  const { machine } = run;
  const virtualAddressOf = (memory: OwnerMemory): bigint => machine.programs.virtualAddress(machine.programs.named(owner.name), memory.id);
  const calls = expandOwner(owner, host, machine.kernel, virtualAddressOf);
  let failed = false;
  for (let next = calls.next(); !next.done; ) {
    const { step, origin, mayFail } = next.value;
    const report = answered(during(step.text, () => runStep(machine, step, origin)), mayFail === true);
    run.add(report);
    failed ||= report.result !== 'ok' && report.expectation?.met !== true;
    next = calls.next(report);
  }
  if (failed) machine.programs.kill(owner.name);
}

/** A refusal that the program has another way for is what it expected. */
const answered = (report: StepReport, mayFail: boolean): StepReport =>
  mayFail && report.result !== 'ok' ? { ...report, expectation: { met: true, expected: report.result, actual: report.result } } : report;
