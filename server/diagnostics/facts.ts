/** What several checks ask of a description and its report. */
import type { FunctionDescription, HostDescription, KernelDescription, MachineDescription, OwnerDescription, PciAddress, SubjectId } from '../simulator/description.js';
import type { DmaReport, GroupReport, Report, RunReport, StepReport } from '../simulator/report.js';
import { detachesDevices } from '../simulator/scenario/programs/libvirt.js';

const twoDigits = (value: number): string => value.toString(16).padStart(2, '0');

/** "0000:01:00.0". */
export const addressText = (address: PciAddress): string =>
  `${address.segment.toString(16).padStart(4, '0')}:${twoDigits(address.bus)}:${twoDigits(address.device)}.${address.function.toString(16)}`;

/** Look-ups by identity, built once per check. */
export class Facts {
  private readonly functions = new Map<SubjectId, { host: HostDescription; fn: FunctionDescription }>();
  private readonly groupOf = new Map<SubjectId, GroupReport>();
  private readonly owners = new Map<SubjectId, OwnerDescription>();
  private readonly failures = new Map<SubjectId, StepReport>();

  private readonly detachedByLibvirt = new Set<SubjectId>();
  private readonly dmaAddresses = new Map<SubjectId, bigint>();

  constructor(
    readonly description: MachineDescription,
    readonly report: Report,
  ) {
    for (const host of description.hosts) for (const fn of host.functions) this.functions.set(fn.id, { host, fn });
    for (const host of report.hosts) for (const group of host.groups) for (const member of group.members) this.groupOf.set(member, group);
    for (const owner of description.owners) for (const each of [owner, ...owner.assigned, ...owner.memory]) this.owners.set(each.id, owner);
    for (const owner of description.owners) if (detachesDevices(owner)) for (const { device } of owner.assigned) this.detachedByLibvirt.add(device);
    const statements = [...description.questions, ...description.scenarios.flatMap((scenario) => scenario.actions)];
    for (const statement of statements) if (statement.kind === 'dma') this.dmaAddresses.set(statement.id, statement.address);
    for (const { step } of failedSteps(report)) if (!this.failures.has(step.origin)) this.failures.set(step.origin, step);
  }

  /** The address that a `dma` statement names. */
  dmaAddress(statement: SubjectId): bigint | undefined {
    return this.dmaAddresses.get(statement);
  }

  fn(id: SubjectId): FunctionDescription | undefined {
    return this.functions.get(id)?.fn;
  }

  hostOf(device: SubjectId): HostDescription | undefined {
    return this.functions.get(device)?.host;
  }

  host(id: SubjectId): HostDescription | undefined {
    return this.description.hosts.find((host) => host.id === id);
  }

  group(device: SubjectId): GroupReport | undefined {
    return this.groupOf.get(device);
  }

  /** The owner whose set-up a step belongs to, if it was expanded from one. */
  ownerOf(step: StepReport): OwnerDescription | undefined {
    return this.owners.get(step.origin);
  }

  /** The first call about this statement that failed unexpectedly. */
  failureAt(origin: SubjectId): StepReport | undefined {
    return this.failures.get(origin);
  }

  /** "gpu (0000:01:00.0)". */
  name(id: SubjectId): string {
    const fn = this.fn(id);
    return fn === undefined ? id.slice(id.lastIndexOf('/') + 1) : `${fn.name} (${addressText(fn.address)})`;
  }

  /** The driver after the administrator's `bind` statements, and after libvirt has taken the device for its VM. */
  driverAtStart(device: SubjectId): string | null {
    const host = this.hostOf(device);
    const bound = host?.bindings.findLast((binding) => binding.device === device);
    const driver = bound?.driver ?? this.fn(device)?.driver ?? null;
    return this.detachedByLibvirt.has(device) && !isVfioDriver(driver) ? 'vfio-pci' : driver;
  }
}

/** Drivers through which user space reaches a device; `vfio-pci` variants of vendors end in `-vfio-pci`. */
export const isVfioDriver = (driver: string | null): boolean => driver !== null && /(^|[-_])vfio([-_]|$)/.test(driver);

/** Bridges keep their port driver: nobody has to free them (OWN-10, OLD-02). */
export const isBridge = (fn: FunctionDescription): boolean =>
  ['root-port', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge', 'pci-bridge'].includes(fn.type) || (fn.classCode ?? 0) >> 8 === 0x0604;

export interface FailedStep {
  readonly run: RunReport;
  readonly step: StepReport;
}

/** Steps that failed although nobody expected them to. */
export function* failedSteps(report: Report): Generator<FailedStep> {
  for (const run of report.runs) {
    for (const action of run.actions) {
      if (action.kind === 'step' && action.result !== 'ok' && action.expectation === undefined) yield { run, step: action };
    }
  }
}

/** `ENOMEM at VFIO_IOMMU_MAP_DMA`, as people see it. */
export const refusal = (step: StepReport): string => `${step.call} fails with ${step.result}`;

/** The kernel's own line about it, as a sentence part; empty when it logs nothing. */
export const kernelSays = (step: StepReport): string => (step.messages.length === 0 ? '' : ` The kernel logs: "${step.messages.at(-1)}".`);

/** The same of a fault. SMMUv3's driver spreads one event over several lines, of which most are numbers: the one that names it is quoted. */
export function faultSays({ fault }: DmaReport): string {
  const line = fault?.messages.findLast((each) => /: event[ :]/.test(each)) ?? fault?.messages.at(-1);
  return line === undefined ? '' : ` The kernel logs: "${line}".`;
}

/** The kernel as a statement. */
export function kernelStatement(kernel: KernelDescription): string {
  const inner = [
    ...(kernel.buildOptions.length > 0 ? [`options ${kernel.buildOptions.join(', ')}`] : []),
    ...(kernel.moduleParameters.length > 0 ? [`parameters ${kernel.moduleParameters.map((each) => JSON.stringify(each)).join(', ')}`] : []),
    ...(kernel.grouping === undefined ? [] : [`grouping ${kernel.grouping}`]),
  ];
  const version = kernel.version === '' ? '' : ` ${kernel.version}`;
  const line = kernel.commandLine === '' ? '' : ` cmdline "${kernel.commandLine.replace(/[\\"]/g, '\\$&')}"`;
  return `kernel${version}${line}${inner.length > 0 ? ` { ${inner.join('  ')} }` : ''}`;
}

/** The whole kernel statement, with one more word on its command line. */
export const kernelStatementWith = (kernel: KernelDescription, word: string): string =>
  kernelStatement({ ...kernel, commandLine: kernel.commandLine === '' ? word : `${kernel.commandLine} ${word}` });

/** Functions of the device's group, other than itself, that a host driver uses: what makes a group not viable. */
export function driversInTheWay(facts: Facts, device: SubjectId): readonly { readonly fn: FunctionDescription; readonly driver: string }[] {
  const members = facts.group(device)?.members ?? [];
  return members.flatMap((member) => {
    const fn = facts.fn(member);
    const driver = facts.driverAtStart(member);
    if (fn === undefined || member === device || isBridge(fn) || driver === null || driver === 'pci-stub' || isVfioDriver(driver)) return [];
    return [{ fn, driver }];
  });
}
