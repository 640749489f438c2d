/**
 * The IOMMU groups of a host after boot: who is asked when, what each joins and why, and what of it hangs on facts that nobody knows.
 */
import type { FunctionDescription, GroupingName, HostDescription, IommuDescription, SubjectId } from '../description.js';
import { AliasPeers, requesterIds } from '../fabric/aliases.js';
import { streamIdOf } from '../fabric/id-maps.js';
import { append, indexBy } from '../fabric/multimap.js';
import { addressText } from '../fabric/pci-address.js';
import type { AcsRegisters } from '../fabric/acs.js';
import type { Topology } from '../fabric/topology.js';
import type { UnitMap } from '../fabric/units.js';
import type { GroupReport, HostReport } from '../report.js';
import { bootAcs } from './acs-boot.js';
import { parseAcsParameters } from './acs-parameters.js';
import { AcsQuestions } from './acs.js';
import { KernelAliases } from './alias-quirks.js';
import { aliasConflicts, BusGrouping } from './bus-grouping.js';
import { ClassicGrouping } from './classic-grouping.js';
import type { CommandLine } from './command-line.js';
import { GroupCallbacks, groupName, type Candidate } from './group-callbacks.js';
import { candidates, probeOrder, unitsOfDevices, withoutUnit, type CandidateContext, type FailedScan } from './group-candidates.js';
import type { GroupDecision, GroupingAlgorithm, GroupingView, GroupRefusal } from './grouping.js';
import { acsRequests, activeUnits, groupsFormAtDriverProbe, isDescribedByFirmware } from './iommu-detection.js';
import type { KernelProfile } from './profile.js';
import { registersAfterBoot } from './acs-registers.js';
import { hasOpenQuestions, uncertainGroups, UNKNOWN_READING, unknownFacts, type UnknownReading } from './unknowns.js';

export interface FormedGroup {
  /** Lowest free number at formation (GRP-07). */
  readonly number: number;
  /** In the order of joining. */
  readonly members: readonly SubjectId[];
  /** Per member: the chain of facts that put it there, in order. */
  why(): GroupReport['why'];
  /** It would have other members if what is unknown were favourable. */
  readonly uncertain: boolean;
  /** In sysfs, where its driver gives it one (GRD-07). */
  readonly name: string | null;
}

/** A group that is there, a new one, or none. */
export type LaterPlacement = { readonly kind: 'joins'; readonly group: number } | { readonly kind: 'new' } | { readonly kind: 'refused'; readonly refusal: GroupRefusal };

export interface FormedGroups {
  readonly groups: readonly FormedGroup[];
  /** Group number of a device; missing where it has none. */
  readonly groupOf: ReadonlyMap<SubjectId, number>;
  readonly ungrouped: HostReport['ungrouped'];
  readonly unknowns: HostReport['unknowns'];
  /** Boot lines about ACS and aliases; who joins which group is told by whoever makes the groups (GRL-03). */
  readonly messages: readonly string[];
  /** Units in use, and the one of each function and platform device. */
  readonly activeUnits: readonly IommuDescription[];
  readonly units: UnitMap;
  /** Who isolates, as the kernel asks it. */
  readonly isolation: AcsQuestions;
  /** ACS control registers after boot, for routing. */
  readonly acs: AcsRegisters;
  readonly aliases: KernelAliases;
  /** What a driver's probe means for a device that has no group: it forms then (GRL-07), it is tried once more (GRL-08), or nothing. */
  atDriverProbe(device: SubjectId): 'forms' | 'once-more' | 'nothing';
  /** What a device that comes later joins, given who has which group then (GRP-21). */
  decideLater(device: SubjectId, groupOf: (device: SubjectId) => number | undefined, log: (line: string) => void): LaterPlacement;
  /** Own requester ID first, then every alias (PCIE-07), as the unit sees them (GRD-20); empty for what is no function of the host. */
  requesterIds(device: SubjectId): readonly number[];
}


const ALGORITHMS: Readonly<Record<GroupingName, new (view: GroupingView) => GroupingAlgorithm>> = { classic: ClassicGrouping, '2025-rework': BusGrouping };

/** The groups that the kernel of `profile` forms on the host with this command line. */
export function formGroups(host: HostDescription, topology: Topology, profile: KernelProfile, commandLine: CommandLine, algorithm: GroupingName = host.kernel.grouping ?? 'classic'): FormedGroups {
  const switchedOn = activeUnits(host, topology, commandLine, profile.release);
  const parameters = parseAcsParameters(commandLine);
  const boot = bootAcs(topology, { parameters, requested: acsRequests(host, topology, switchedOn, profile.release), release: profile.release });
  const hasAmdIommu = host.iommus.some((unit) => unit.architecture === 'amd-vi');
  const acs = new AcsQuestions(topology, { boot, override: parameters.override, hasAmdIommu, release: profile.release });
  const aliases = new KernelAliases(topology, profile.vmdAliases);
  const peers = new AliasPeers(topology, aliases);
  const Algorithm = ALGORITHMS[algorithm];
  const run = (unknownIsolates: UnknownReading, active: readonly IommuDescription[]): Run => {
    const context: CandidateContext = { host, topology, profile, aliases, active };
    const units = unitsOfDevices(context);
    const all = candidates(context, units);
    const callbacks = new GroupCallbacks(all, { topology, release: profile.release });
    const { order, waiting } = probeOrder(all, context);
    const partition = new Partition({ view: { topology, acs, aliases, peers, unknownIsolates }, Algorithm, callbacks, units, release: profile.release }).form(order);
    return { context, units, callbacks, candidates: all, waiting, partition };
  };
  const failures = new Failures();
  const { context, units, callbacks, candidates: all, waiting, partition: formed } = withoutFailing(failures, switchedOn, (active) => run(UNKNOWN_READING, active));
  const reread = (reading: UnknownReading): Partition => run(reading, context.active).partition;
  const uncertain = hasOpenQuestions(topology, acs) ? uncertainGroups(formed.groups, reread(() => false), reread(() => true)) : new Set<number>();
  const groups = formed.groups.map((members, number): FormedGroup => ({ number, members, why: () => formed.why(number), uncertain: uncertain.has(number), name: formed.names[number]! }));
  let byId: ReadonlyMap<SubjectId, Candidate> | null = null;
  return {
    groups, groupOf: formed.groupOf, activeUnits: context.active, units, aliases,
    ungrouped: [...withoutUnit(context, units, failures.units), ...waiting.map(waitsForDriver), ...formed.waiting()],
    unknowns: unknownFacts(topology, acs, groups),
    messages: [...overrideWarning(commandLine), ...aliasMessages(topology, aliases), ...boot.messages, ...failures.messages, ...formed.messages, ...(algorithm === '2025-rework' ? aliasConflicts({ topology, aliases }, formed.groupOf) : [])],
    isolation: acs,
    acs: registersAfterBoot(boot, acs),
    atDriverProbe: (device) => {
      const unit = units.get(device);
      if (unit === undefined || !isDescribedByFirmware(unit)) return 'nothing';
      return groupsFormAtDriverProbe(unit, profile.release) ? 'forms' : 'once-more';
    },
    decideLater: (device, groupOf, log) => {
      byId ??= indexBy(all, ({ id }) => id);
      const candidate = byId.get(device);
      if (candidate === undefined) return { kind: 'new' };
      const placement = callbacks.place(candidate, groupOf, log);
      if (placement.kind !== 'topology') return placement;
      const { joins } = new Algorithm({ topology, acs, aliases, peers, unknownIsolates: UNKNOWN_READING, hasGroup: (fn) => groupOf(fn.id) !== undefined }).decide(placement.fn);
      return joins === null ? { kind: 'new' } : { kind: 'joins', group: groupOf(joins.id)! };
    },
    requesterIds: (device) => {
      const fn = topology.byId(device);
      const ids = fn === undefined ? [] : requesterIds(topology, fn, aliases);
      const unit = units.get(device);
      return unit?.idMaps === undefined ? ids : [...new Set(ids.flatMap((id) => streamIdOf(unit, id) ?? []))];
    },
  };
}

/** One go at the groups of a host. */
interface Run {
  readonly context: CandidateContext;
  readonly units: UnitMap;
  readonly callbacks: GroupCallbacks;
  readonly candidates: readonly Candidate[];
  readonly waiting: readonly Candidate[];
  readonly partition: Partition;
}

/** Units that are gone again, and what was logged on the way. */
class Failures {
  readonly units = new Map<IommuDescription, FailedScan>();
  readonly messages: string[] = [];
}

/** GRL-07: units whose registration failed are gone, and the others form groups as if those had never been there. */
function withoutFailing(failures: Failures, units: readonly IommuDescription[], run: (active: readonly IommuDescription[]) => Run): Run {
  const result = run(units.filter((unit) => !failures.units.has(unit)));
  const { failed, messages } = result.partition;
  if (failed.size === 0) return result;
  failures.messages.push(...messages);
  for (const [unit, scan] of failed) failures.units.set(unit, scan);
  return withoutFailing(failures, units, run);
}

const waitsForDriver = ({ id, unit }: Candidate): HostReport['ungrouped'][number] =>
  ({ device: id, why: `no driver has probed it yet: before Linux 6.15, firmware's description of ${unit.name} is read only then, and the group forms (GRL-07)` });

interface PartitionInputs {
  readonly view: Omit<GroupingView, 'hasGroup'>;
  readonly Algorithm: new (view: GroupingView) => GroupingAlgorithm;
  readonly callbacks: GroupCallbacks;
  readonly units: UnitMap;
  readonly release: number;
}

/** One run of an algorithm over the devices in probe order. */
class Partition {
  readonly groups: SubjectId[][] = [];
  /** Of each group in sysfs (GRD-07). */
  readonly names: (string | null)[] = [];
  readonly groupOf = new Map<SubjectId, number>();
  /** Of each member of each group. */
  private readonly reasons: GroupDecision['reasons'][][] = [];
  /** What the kernel logs about devices that get no group, or not yet. */
  readonly messages: string[] = [];
  /** Units whose scan of the bus ended with an error (GRL-07). */
  readonly failed = new Map<IommuDescription, FailedScan>();
  private readonly refused: { device: SubjectId; why: string }[] = [];
  /** By what they wait for. */
  private readonly delayed = new Map<SubjectId, Candidate[]>();
  private readonly algorithm: GroupingAlgorithm;
  private readonly log = (line: string): void => void this.messages.push(line);
  private readonly numberOf = (device: SubjectId): number | undefined => this.groupOf.get(device);

  constructor(private readonly inputs: PartitionInputs) {
    this.algorithm = new inputs.Algorithm({ ...inputs.view, hasGroup: (fn) => this.groupOf.has(fn.id) });
  }

  form(order: readonly Candidate[]): this {
    for (const candidate of order) {
      this.place(candidate);
      if (this.delayed.size > 0) this.placeDelayed(candidate);
    }
    return this;
  }

  why(group: number): GroupReport['why'] {
    return this.groups[group]!.map((device, position) => ({ device, reasons: this.reasons[group]![position]!() }));
  }

  /** Those that their driver refuses, and those that wait for a function that never got a group. */
  waiting(): HostReport['ungrouped'] {
    const delayed = [...this.delayed.values()].flat();
    return [...this.refused, ...delayed.map(({ id }) => ({ device: id, why: 'the kernel defers it until the bridge above it has a group, which never happens' }))];
  }

  private place(candidate: Candidate): void {
    const placement = this.inputs.callbacks.place(candidate, this.numberOf, this.log);
    switch (placement.kind) {
      case 'refused': return this.refuse(candidate, placement.refusal);
      case 'joins': return this.join(candidate, placement.group, placement.reasons);
      case 'new': return this.join(candidate, this.groups.length, placement.reasons);
      case 'topology': return this.placeByTopology(candidate, placement.fn);
    }
  }

  /** Everybody who has waited for a device that has a group now, each before those who have waited for it (GR5-05: -EPROBE_DEFER). */
  private placeDelayed(placed: Candidate): void {
    const pending = this.takeDelayed(placed);
    for (let candidate = pending.pop(); candidate !== undefined; candidate = pending.pop()) {
      this.place(candidate);
      pending.push(...this.takeDelayed(candidate));
    }
  }

  /** The last comes first. */
  private takeDelayed({ id }: Candidate): Candidate[] {
    if (!this.groupOf.has(id)) return [];
    const waiting = this.delayed.get(id) ?? [];
    this.delayed.delete(id);
    return waiting.reverse();
  }

  private placeByTopology(candidate: Candidate, fn: FunctionDescription): void {
    const { joins, reasons, waitsFor, message } = this.algorithm.decide(fn);
    if (message !== undefined) this.messages.push(message);
    if (waitsFor !== undefined) return append(this.delayed, waitsFor.id, candidate);
    const number = joins === null ? this.groups.length : this.groupOf.get(joins.id)!;
    const objection = this.inputs.callbacks.objects(candidate, this.groups[number] ?? [], this.inputs.units, this.log);
    if (objection === null) this.join(candidate, number, reasons);
    else this.refuse(candidate, objection);
  }

  /** GRL-07: where the unit's driver scans the bus itself, an error but ENODEV makes its registration fail. */
  private refuse({ id, name, unit }: Candidate, { errno, why }: GroupRefusal): void {
    this.refused.push({ device: id, why });
    if (errno !== 'ENODEV' && !groupsFormAtDriverProbe(unit, this.inputs.release) && !this.failed.has(unit)) this.failed.set(unit, { device: name, errno });
  }

  private join(candidate: Candidate, number: number, reasons: GroupDecision['reasons']): void {
    const { id } = candidate;
    if (number < this.groups.length) {
      this.groups[number]!.push(id);
      this.reasons[number]!.push(reasons);
    } else {
      this.groups.push([id]);
      this.reasons.push([reasons]);
      this.names.push(groupName(candidate));
    }
    this.groupOf.set(id, number);
  }
}

/** ACE-10. */
const overrideWarning = (commandLine: CommandLine): string[] =>
  commandLine.has('pcie_acs_override') ? ['Warning: PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer DMA'] : [];

function aliasMessages(topology: Topology, aliases: KernelAliases): string[] {
  const messages: string[] = [];
  for (const fn of topology.functions) {
    const text = aliases.message(fn);
    if (text !== null) messages.push(`pci ${addressText(fn.address)}: ${text}`);
  }
  return messages;
}
