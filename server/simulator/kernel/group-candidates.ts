/** Whose group the kernel asks for at boot, in which order, behind which unit, and why nobody asks for that of the others. */
import type { FunctionDescription, HostDescription, IommuDescription, PlatformDeviceDescription, SubjectId } from '../description.js';
import type { AliasKnowledge } from '../fabric/aliases.js';
import { followIdMaps, streamIds } from '../fabric/id-maps.js';
import { groupBy, indexBy } from '../fabric/multimap.js';
import { addressText } from '../fabric/pci-address.js';
import type { Topology } from '../fabric/topology.js';
import { assignUnits, type UnitMap } from '../fabric/units.js';
import type { HostReport } from '../report.js';
import type { Candidate, PciCandidate } from './group-callbacks.js';
import type { GroupRefusal } from './grouping.js';
import { groupsFormAtDriverProbe } from './iommu-detection.js';
import type { KernelProfile } from './profile.js';

export interface CandidateContext {
  readonly host: HostDescription;
  readonly topology: Topology;
  readonly profile: KernelProfile;
  readonly aliases: AliasKnowledge;
  /** Units in use. */
  readonly active: readonly IommuDescription[];
}

/** The unit of each function and platform device. */
export function unitsOfDevices({ host, topology, aliases, active, profile }: CandidateContext): UnitMap {
  const units = assignUnits(topology, active);
  followIdMaps(topology, active, units, aliases);
  for (const [device, unit] of platformUnits(host, active)) units.set(device, unit);
  if (!profile.vmdAliases) for (const fn of topology.functions) if (fn.behindVmd !== undefined) units.delete(fn.id);
  return units;
}

/** GRD-20: the unit that a device names; GRD-22: one that names units of two drivers has none (EINVAL). */
function platformUnits(host: HostDescription, active: readonly IommuDescription[]): Map<SubjectId, IommuDescription> {
  const byId = indexBy(active, ({ id }) => id);
  return new Map(host.platformDevices.flatMap((device): [SubjectId, IommuDescription][] => {
    const unit = byId.get(device.iommu ?? '') ?? active.find(({ covers }) => covers !== 'rest' && covers.includes(device.id));
    return unit === undefined || namesTwoDrivers(device, unit, byId) ? [] : [[device.id, unit]];
  }));
}

const namesTwoDrivers = ({ furtherIommus = [] }: PlatformDeviceDescription, { architecture }: IommuDescription, units: ReadonlyMap<SubjectId, IommuDescription>): boolean =>
  furtherIommus.some((id) => units.get(id) !== undefined && units.get(id)!.architecture !== architecture);

/** Drivers that look at stream IDs at all. */
const USES_STREAM_IDS: ReadonlySet<IommuDescription['architecture']> = new Set(['smmuv2', 'smmuv3', 'dart', 'mediatek', 'tegra-smmu']);

const NO_STREAMS: readonly number[] = [];

/** A function; few are ever named in the log. */
class FunctionCandidate implements PciCandidate {
  readonly kind = 'pci';
  readonly id: SubjectId;

  constructor(readonly fn: FunctionDescription, readonly unit: IommuDescription, readonly streamIds: readonly number[]) {
    this.id = fn.id;
  }

  get name(): string {
    return this.fn.name;
  }

  get logName(): string {
    return `pci ${addressText(this.fn.address)}`;
  }
}

/** All devices with a unit: platform devices as described, then functions in the order in which they are found. */
export function candidates({ host, topology, aliases }: CandidateContext, units: UnitMap): Candidate[] {
  const all: Candidate[] = [];
  for (const description of host.platformDevices) {
    const { id, name, streamIds } = description;
    const unit = units.get(id);
    if (unit !== undefined) all.push({ kind: 'platform', id, name, logName: `platform ${name}`, description, unit, streamIds });
  }
  for (const fn of topology.functions) {
    const unit = units.get(fn.id);
    if (unit !== undefined) all.push(new FunctionCandidate(fn, unit, USES_STREAM_IDS.has(unit.architecture) ? streamIds(topology, fn, unit, aliases) : NO_STREAMS));
  }
  return all;
}

const BRIDGE_CLASS = 0x0604;

/** The port driver of PCI is asked about every bridge, also about those that it does not want. */
const isBridge = (fn: FunctionDescription): boolean => fn.buses !== undefined || fn.type.endsWith('port') || fn.type.endsWith('bridge') || (fn.classCode ?? 0) >> 8 === BRIDGE_CLASS;

/** What has happened to a device by the time that owners start. */
type Probing = 'as a bridge' | 'at boot' | 'as a virtual function' | 'by a binding' | 'never';

function probingOf(candidate: Candidate, bound: ReadonlySet<SubjectId>): Probing {
  const unbound = bound.has(candidate.id) ? 'by a binding' : 'never';
  if (candidate.kind === 'platform') return candidate.description.driver !== null ? 'at boot' : unbound;
  const { fn } = candidate;
  if (isBridge(fn)) return 'as a bridge';
  if (fn.driver === null && fn.probed !== true) return unbound;
  return fn.virtualFunction !== undefined ? 'as a virtual function' : 'at boot';
}

const USUAL_ORDER: readonly Probing[] = ['as a bridge', 'at boot', 'as a virtual function', 'by a binding'];
/** Before the unit's own driver has come, the port driver is asked to come again (EPROBE_DEFER); drivers that come later find the unit there (recorded of 6.12). */
const FUNCTION_AS_UNIT_ORDER: readonly Probing[] = ['at boot', 'as a bridge', 'as a virtual function', 'by a binding'];
/** The unit is a PCI function, which needs a driver first. */
const isFunctionItself = ({ architecture }: IommuDescription): boolean => architecture === 'virtio-iommu';

export interface ProbeOrder {
  readonly order: readonly Candidate[];
  /** Devices that get a group when a driver first probes them, and not before (GRL-07). */
  readonly waiting: readonly Candidate[];
}

/**
 * The order in which the kernel asks for groups: platform devices; functions that are there at boot, bus by bus (for each unit anew where
 * every unit scans, GRL-06); what drivers bring up later: functions behind VMD, virtual functions (GRP-21); last what drivers make known
 * by binding (GRL-07), bridges first because their driver comes first, unless the unit is a function itself.
 */
export function probeOrder(all: readonly Candidate[], { host, active, profile }: CandidateContext): ProbeOrder {
  const bound = new Set(host.bindings.map(({ device }) => device));
  const position = new Map(active.map((unit, index) => [unit, index]));
  const late = (candidate: Candidate): number => {
    const probing = probingOf(candidate, bound);
    const order = isFunctionItself(candidate.unit) ? FUNCTION_AS_UNIT_ORDER : USUAL_ORDER;
    return probing === 'never' ? Infinity : active.length + 2 + order.indexOf(probing);
  };
  const rank = (candidate: Candidate): number => {
    const { unit } = candidate;
    if (groupsFormAtDriverProbe(unit, profile.release)) return late(candidate);
    if (candidate.kind === 'platform') return -1;
    if (candidate.fn.virtualFunction !== undefined) return active.length + 1;
    if (candidate.fn.behindVmd !== undefined) return active.length;
    return profile.busScan === 'per-unit' ? position.get(unit)! : 0;
  };
  const byRank = groupBy(all, rank);
  const waiting = byRank.get(Infinity) ?? [];
  byRank.delete(Infinity);
  return { order: [...byRank.keys()].sort((a, b) => a - b).flatMap((key) => byRank.get(key)!), waiting };
}

/** What ended a unit's scan of the bus. */
export interface FailedScan {
  /** By name. */
  readonly device: string;
  readonly errno: GroupRefusal['errno'];
}

/** Devices behind no unit. @param units of those in use @param failures units that gave up */
export function withoutUnit(context: CandidateContext, units: UnitMap, failures: ReadonlyMap<IommuDescription, FailedScan>): HostReport['ungrouped'] {
  const { host, active } = context;
  const ungrouped = [...host.functions, ...host.platformDevices].filter(({ id }) => !units.has(id));
  if (ungrouped.length === 0) return [];
  const described = unitsOfDevices({ ...context, active: host.iommus });
  const usual = host.iommus.length === 0 ? 'the host has no IOMMU' : active.length === 0 ? 'the IOMMU is switched off on the command line or in the kernel' : 'no IOMMU unit covers it';
  const byId = indexBy(host.iommus, ({ id }) => id);
  const why = (device: FunctionDescription | PlatformDeviceDescription): string => {
    const unit = described.get(device.id);
    if (unit?.withoutDriver === true) return `${unit.name} has no driver in this kernel: a driver that binds to the device is asked to come again (EPROBE_DEFER), and when the waiting ends it goes on without an IOMMU`; // GRD-22
    const failed = unit === undefined ? undefined : failures.get(unit);
    if (failed !== undefined) return `the driver of ${unit!.name} gave up: it could find no group for ${failed.device} (${failed.errno}), and such an error ends the registration of the unit`; // GRL-07
    const named = 'streamIds' in device ? byId.get(device.iommu ?? '') : undefined;
    if ('streamIds' in device && named !== undefined && namesTwoDrivers(device, named, byId)) return 'it names IOMMU units of two drivers, which the kernel refuses (EINVAL)'; // GRD-22
    return usual;
  };
  return ungrouped.map((device) => ({ device: device.id, why: why(device) }));
}
