/**
 * The IOMMU groups of a host after boot: who is asked when, what each joins and why, and what of it hangs on facts that nobody knows.
 */
import type { FunctionDescription, GroupingName, HostDescription, IommuDescription, PlatformDeviceDescription, SubjectId } from '../description.js';
import { AliasPeers, requesterIds } from '../fabric/aliases.js';
import { append, groupBy } from '../fabric/multimap.js';
import { addressText } from '../fabric/pci-address.js';
import type { AcsRegisters } from '../fabric/acs.js';
import type { Topology } from '../fabric/topology.js';
import { assignUnits, type UnitMap } from '../fabric/units.js';
import type { GroupReason, HostReport } from '../report.js';
import { bootAcs } from './acs-boot.js';
import { parseAcsParameters } from './acs-parameters.js';
import { AcsQuestions } from './acs.js';
import { KernelAliases } from './alias-quirks.js';
import { aliasConflicts, BusGrouping } from './bus-grouping.js';
import { ClassicGrouping } from './classic-grouping.js';
import type { CommandLine } from './command-line.js';
import { platformPlacements } from './group-callbacks.js';
import { GROUP_PER_DEVICE } from './group-reasons.js';
import type { GroupDecision, GroupingAlgorithm, GroupingView } from './grouping.js';
import { activeUnits, requestsAcs } from './iommu-detection.js';
import type { KernelProfile } from './profile.js';
import { registersAfterBoot } from './acs-registers.js';
import { hasOpenQuestions, uncertainGroups, UNKNOWN_READING, unknownFacts, type UnknownReading } from './unknowns.js';

export interface FormedGroup {
  /** Lowest free number at formation (GRP-07). */
  readonly number: number;
  /** In the order of joining. */
  readonly members: readonly SubjectId[];
  /** It would have other members if what is unknown were favourable. */
  readonly uncertain: boolean;
}

export interface FormedGroups {
  readonly groups: readonly FormedGroup[];
  /** Group number of a device; missing where it has none. */
  readonly groupOf: ReadonlyMap<SubjectId, number>;
  /** Per device with a group: the chain of facts that put it there, in order. */
  readonly why: ReadonlyMap<SubjectId, readonly GroupReason[]>;
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
  /** What a function that comes later joins, given who has a group then (GRP-21). */
  decideLater(fn: FunctionDescription, hasGroup: GroupingView['hasGroup']): GroupDecision;
  /** Own requester ID first, then every alias (PCIE-07); empty for what is no function of the host. */
  requesterIds(device: SubjectId): readonly number[];
}


const ALGORITHMS: Readonly<Record<GroupingName, new (view: GroupingView) => GroupingAlgorithm>> = { classic: ClassicGrouping, '2025-rework': BusGrouping };

/** The groups that the kernel of `profile` forms on the host with this command line. */
export function formGroups(host: HostDescription, topology: Topology, profile: KernelProfile, commandLine: CommandLine, algorithm: GroupingName = host.kernel.grouping ?? 'classic'): FormedGroups {
  const active = activeUnits(host, topology, commandLine);
  const units = new Map([...assignUnits(topology, active), ...platformUnits(host, active)]);
  const parameters = parseAcsParameters(commandLine);
  const boot = bootAcs(topology, { parameters, requested: requestsAcs(active, profile.release), release: profile.release });
  const hasAmdIommu = host.iommus.some((unit) => unit.architecture === 'amd-vi');
  const acs = new AcsQuestions(topology, { states: boot.states, override: parameters.override, hasAmdIommu, release: profile.release });
  const aliases = new KernelAliases(topology);
  const peers = new AliasPeers(topology, aliases);
  const platform = host.platformDevices.filter((device) => units.has(device.id));
  const order = probeOrder(topology, active, units, profile);
  const form = (unknownIsolates: UnknownReading): Partition => new Partition({ topology, acs, aliases, peers, unknownIsolates }, ALGORITHMS[algorithm]).form(platform, order, units);
  const formed = form(UNKNOWN_READING);
  const uncertain = hasOpenQuestions(topology, acs) ? uncertainGroups(formed.groups, form(() => false), form(() => true)) : new Set<number>();
  const groups = formed.groups.map((members, number): FormedGroup => ({ number, members, uncertain: uncertain.has(number) }));
  return {
    groups, groupOf: formed.groupOf, why: formed.why, activeUnits: active, units, aliases,
    ungrouped: [...ungroupedDevices(host, active, units), ...formed.waiting()],
    unknowns: unknownFacts(topology, acs, groups),
    messages: [...overrideWarning(commandLine), ...aliasMessages(topology, aliases), ...boot.messages, ...formed.messages, ...(algorithm === '2025-rework' ? aliasConflicts({ topology, aliases }, formed.groupOf) : [])],
    isolation: acs,
    acs: registersAfterBoot(boot.states, acs),
    decideLater: (fn, hasGroup) => new ALGORITHMS[algorithm]({ topology, acs, aliases, peers, unknownIsolates: UNKNOWN_READING, hasGroup }).decide(fn),
    requesterIds: (device) => {
      const fn = topology.byId(device);
      return fn === undefined ? [] : requesterIds(topology, fn, aliases);
    },
  };
}

/** One run of an algorithm over the devices in probe order. */
class Partition {
  readonly groups: SubjectId[][] = [];
  readonly groupOf = new Map<SubjectId, number>();
  readonly why = new Map<SubjectId, readonly GroupReason[]>();
  private readonly refused: { device: SubjectId; why: string }[] = [];
  /** What the kernel logs about devices that get no group, or not yet. */
  readonly messages: string[] = [];
  /** By what they wait for. */
  private readonly delayed = new Map<SubjectId, FunctionDescription[]>();
  private readonly algorithm: GroupingAlgorithm;

  constructor(view: Omit<GroupingView, 'hasGroup'>, Algorithm: new (view: GroupingView) => GroupingAlgorithm) {
    this.algorithm = new Algorithm({ ...view, hasGroup: (fn) => this.groupOf.has(fn.id) });
  }

  form(platform: readonly PlatformDeviceDescription[], order: readonly FunctionDescription[], units: UnitMap): this {
    this.addPlatform(platform, units);
    for (const fn of order) this.place(fn);
    return this;
  }

  /** Those that their driver refuses, and those that wait for a function that never got a group. */
  waiting(): HostReport['ungrouped'] {
    const delayed = [...this.delayed.values()].flat();
    return [...this.refused, ...delayed.map((fn) => ({ device: fn.id, why: 'the kernel defers it until the bridge above it has a group, which never happens' }))];
  }

  /** The function, and then everybody who has waited for it (GR5-05: -EPROBE_DEFER). */
  private place(asked: FunctionDescription): void {
    const pending = [asked];
    for (let fn = pending.pop(); fn !== undefined; fn = pending.pop()) {
      const { joins, reasons, waitsFor, message } = this.algorithm.decide(fn);
      if (message !== undefined) this.messages.push(message);
      if (waitsFor !== undefined) {
        append(this.delayed, waitsFor.id, fn);
        continue;
      }
      this.join(fn.id, joins === null ? this.groups.length : this.groupOf.get(joins.id)!, reasons);
      pending.push(...(this.delayed.get(fn.id) ?? []).reverse());
      this.delayed.delete(fn.id);
    }
  }

  /** GRP-30, GRD-01 .. GRD-10: as the driver of each unit wants it. */
  private addPlatform(devices: readonly PlatformDeviceDescription[], units: UnitMap): void {
    const byKey = new Map<string, number>();
    for (const { device, key, refusal } of platformPlacements(devices, (id) => units.get(id)!)) {
      if (refusal !== undefined) {
        this.messages.push(refusal.message);
        this.refused.push({ device, why: refusal.why });
      }
      if (key === null) continue;
      const number = byKey.get(key) ?? this.groups.length;
      byKey.set(key, number);
      this.join(device, number, [GROUP_PER_DEVICE]);
    }
  }

  private join(device: SubjectId, number: number, reasons: readonly GroupReason[]): void {
    this.groups[number] ??= [];
    this.groups[number].push(device);
    this.groupOf.set(device, number);
    this.why.set(device, reasons);
  }
}

/**
 * Functions with a unit, in the order in which the kernel asks for their groups: what is there at boot bus by bus (for each unit anew
 * where every unit scans, GRL-06), then what drivers bring up later: functions behind VMD, virtual functions (GRP-21).
 */
function probeOrder(topology: Topology, active: readonly IommuDescription[], units: UnitMap, profile: KernelProfile): FunctionDescription[] {
  const position = new Map(active.map((unit, index) => [unit, index]));
  const rank = (fn: FunctionDescription): number => {
    if (fn.virtualFunction !== undefined) return active.length + 1;
    if (fn.behindVmd !== undefined) return active.length;
    return profile.busScan === 'per-unit' ? position.get(units.get(fn.id)!)! : 0;
  };
  const byRank = groupBy(topology.functions.filter((fn) => units.has(fn.id)), rank);
  return [...byRank.keys()].sort((a, b) => a - b).flatMap((key) => byRank.get(key)!);
}

function platformUnits(host: HostDescription, active: readonly IommuDescription[]): Map<SubjectId, IommuDescription> {
  const byId = new Map(active.map((unit) => [unit.id, unit]));
  return new Map(host.platformDevices.flatMap((device): [SubjectId, IommuDescription][] => {
    const unit = device.iommu === undefined ? undefined : byId.get(device.iommu);
    return unit === undefined ? [] : [[device.id, unit]];
  }));
}

/** Devices that the kernel puts into no group. */
function ungroupedDevices(host: HostDescription, active: readonly IommuDescription[], units: UnitMap): HostReport['ungrouped'] {
  const why = host.iommus.length === 0 ? 'the host has no IOMMU' : active.length === 0 ? 'the IOMMU is switched off on the command line or in the kernel' : 'no IOMMU unit covers it';
  return [...host.functions, ...host.platformDevices].filter(({ id }) => !units.has(id)).map(({ id }) => ({ device: id, why }));
}

/** ACE-10. */
const overrideWarning = (commandLine: CommandLine): string[] =>
  commandLine.has('pcie_acs_override') ? ['Warning: PCIe ACS overrides enabled; This may allow non-IOMMU protected peer-to-peer DMA'] : [];

function aliasMessages(topology: Topology, aliases: KernelAliases): string[] {
  return topology.functions.flatMap((fn) => {
    const text = aliases.message(fn);
    return text === null ? [] : [`pci ${addressText(fn.address)}: ${text}`];
  });
}
