/**
 * What each IOMMU driver's own callback says about the group of a device (sections 3.2 and 3.3): whom it takes at all, and which devices
 * share a group whatever else is so. PCI functions are otherwise grouped by topology (GRD-01, GRD-21).
 */
import type { FunctionDescription, IommuArchitectureName, IommuDescription, PlatformDeviceDescription, SubjectId } from '../description.js';
import { bridgeAlias } from '../fabric/aliases.js';
import { append } from '../fabric/multimap.js';
import type { Topology } from '../fabric/topology.js';
import type { UnitMap } from '../fabric/units.js';
import { matchAcpiDevice } from './acpi-devices.js';
import { GROUP_PER_DEVICE, sharesByDriver } from './group-reasons.js';
import type { GroupDecision, GroupRefusal } from './grouping.js';
import { partitionableEndpoint } from './partitionable-endpoints.js';

interface AnyCandidate {
  readonly id: SubjectId;
  /** For people. */
  readonly name: string;
  /** As the log writes it. */
  readonly logName: string;
  readonly unit: IommuDescription;
  /** At the unit; of a function one for each visit of the alias walk. */
  readonly streamIds: readonly number[];
}

export interface PciCandidate extends AnyCandidate {
  readonly kind: 'pci';
  readonly fn: FunctionDescription;
}

export interface PlatformCandidate extends AnyCandidate {
  readonly kind: 'platform';
  readonly description: PlatformDeviceDescription;
}

/** A device whose group is asked for. */
export type Candidate = PciCandidate | PlatformCandidate;

export type Placement =
  | { readonly kind: 'joins'; readonly group: number; readonly reasons: GroupDecision['reasons'] }
  | { readonly kind: 'new'; readonly reasons: GroupDecision['reasons'] }
  /** `pci_device_group` decides. */
  | { readonly kind: 'topology'; readonly fn: FunctionDescription }
  | { readonly kind: 'refused'; readonly refusal: GroupRefusal };

/** Whether the driver takes a device, and what it logs about one that it takes all the same. */
type Admission = GroupRefusal | { readonly message: string } | null;

export interface CallbackContext {
  readonly topology: Topology;
  /** major * 1000 + minor. */
  readonly release: number;
}

/** Devices with one key share a group. */
type Keys = (candidate: Candidate, context: CallbackContext) => readonly string[];
type Admit = (candidate: Candidate, context: CallbackContext, owner: (streamId: number) => Candidate | undefined) => Admission;

interface GroupCallback {
  readonly rules: readonly string[];
  /** What sharing is called, as the end of "it shares ... with". */
  readonly shared?: string;
  readonly keys?: Keys;
  /** What happens to a PCI function without a key that is taken: topology, or each has a group of its own. */
  readonly pci: 'topology' | 'alone';
  readonly admits?: Admit;
  /** What topology says about a function of this unit counts only where its group has members of this unit alone (GRD-05). */
  readonly staysInUnit?: boolean;
}

const streams = ({ streamIds, unit }: Candidate): string[] => [...new Set(streamIds.map((id) => `stream ${(id & ~(unit.streamMask ?? 0)) >>> 0}`))];

/** GRP-32: `fsl_mc_device_group`: devices of a container share its group, the container itself is one of them. */
const containers = (candidate: Candidate): string[] => (candidate.kind === 'platform' && candidate.description.container !== undefined ? [`container ${candidate.description.container}`] : []);
const containerItself = (candidate: Candidate): string[] => (candidate.kind === 'platform' ? [`container ${candidate.name}`] : []);

/** GRD-04: entries of the stream map, then fsl-mc's containers. */
const smmuV2Keys: Keys = (candidate) => [...streams(candidate), ...containers(candidate), ...containerItself(candidate)];

/** GRD-02: all entries of the ACPI device map with the same device ID share one group. */
const acpiKeys: Keys = (candidate, { release }) => {
  if (candidate.kind === 'pci') return [];
  const match = matchAcpiDevice(candidate.description, candidate.unit, release);
  return match.kind === 'found' ? [`device ID ${match.deviceId}`] : [];
};

const acpiAdmission: Admit = (candidate, { release }) => {
  if (candidate.kind === 'pci') return null;
  const match = matchAcpiDevice(candidate.description, candidate.unit, release);
  if (match.kind === 'refused') return match.refusal;
  return match.message === undefined ? null : { message: match.message };
};

/** GRD-06: by region of the chip's table; without a table the unit has one region. */
const regionKeys: Keys = ({ streamIds, unit }) => [`region ${unit.idGroups?.find(({ ids }) => streamIds.some((id) => ids.includes(id)))?.name ?? ''}`];
const hasIds: Admit = ({ streamIds, name }) => (streamIds.length > 0 ? null : { errno: 'ENODEV', why: `firmware gives ${name} no stream ID` });

/** GRD-07: the first ID alone counts: its swgroup, or the group of swgroups that the chip names. */
const swgroupKeys: Keys = ({ streamIds: [first], unit }) => (first === undefined ? [] : [unit.idGroups?.find(({ ids }) => ids.includes(first))?.name ?? `swgroup ${first}`]);

/** GRD-08: where the controller does not tell its endpoints apart, all share the controller's group. */
const controllerKeys: Keys = (candidate) => (candidate.kind === 'pci' && candidate.unit.endpointsTogether === true ? [`controller ${candidate.fn.address.segment}`] : []);

/** GRD-11. */
const endpointKeys: Keys = (candidate, { topology }) => {
  const endpoint = candidate.kind === 'pci' ? partitionableEndpoint(topology, candidate.fn) : null;
  return endpoint === null ? [] : [endpoint];
};
const endpointAdmission: Admit = (candidate, { topology }) => {
  if (candidate.kind === 'platform') return { errno: 'ENODEV', why: `${candidate.name} is no PCI device, and the driver knows only those` };
  return partitionableEndpoint(topology, candidate.fn) === null ? { errno: 'ENODEV', why: `${candidate.name} is a bridge, which belongs to no partitionable endpoint` } : null;
};

/** Releases of SMMUv3's driver that refuse a function whose own aliases coincide; the long-term ones carry the repair. */
const REFUSES_OWN_DUPLICATES: readonly (readonly [since: number, refuses: boolean])[] = [
  [0, false], [5013, true], [6001, false], [6002, true], [6006, false], [6007, true], [6012, false], [6013, true], [6015, false],
];
const ALIASING_TOLD_SINCE = 6015;

/** GRD-03: a stream ID that another device has makes the probe fail. */
const uniqueStreams: Admit = ({ streamIds, name }, { release }, owner) => {
  const taken = streamIds.find((id) => owner(id) !== undefined);
  if (taken !== undefined) {
    const other = owner(taken)!;
    const id = `0x${taken.toString(16)}`;
    const message = release >= ALIASING_TOLD_SINCE ? `Aliasing StreamID ${id} (from ${other.logName}) unsupported, expect DMA to be broken` : `stream ${taken} already in tree`;
    return { errno: 'ENODEV', why: `its stream ID ${id} is that of ${other.name}, which the SMMU's driver does not support`, message };
  }
  const twice = streamIds.find((id, index) => streamIds.indexOf(id) !== index);
  if (twice === undefined || !REFUSES_OWN_DUPLICATES.findLast(([since]) => since <= release)![1]) return null;
  return { errno: 'ENODEV', why: `requests of ${name} arrive under one stream ID for two reasons, which the SMMU's driver of this release takes for two devices`, message: `stream ${twice} already in tree` };
};

/**
 * GRD-10: the device answers the driver's probe only for endpoints that it knows (recorded with QEMU's): requesters whose requests reach it under an ID of
 * their own, and not what a bridge to conventional PCI speaks for.
 */
const knownEndpoints: Admit = (candidate, { topology }) => {
  const spokenFor = candidate.kind === 'pci' && [...topology.ancestors(candidate.fn)].some((bridge) => bridgeAlias(topology, bridge, false) !== null);
  return spokenFor ? { errno: 'ENOENT', why: `the bridge above ${candidate.name} puts its own requester ID in place, so that the virtio device knows no such endpoint` } : null;
};

const oneEach: GroupCallback = { rules: ['GRP-30', 'GRD-01'], pci: 'topology' };
const oneEachAlways: GroupCallback = { rules: ['GRP-30', 'GRD-09'], pci: 'alone' };
/** GRP-31: `generic_single_device_group`, or what the drivers had of their own before 6.6. */
const oneForAll: GroupCallback = { rules: ['GRP-31'], shared: 'the unit, which has one group for all', keys: () => ['unit'], pci: 'alone' };

/** Which driver uses what: GRD-01 .. GRD-11. */
const CALLBACKS: Readonly<Record<IommuArchitectureName, GroupCallback>> = {
  vtd: oneEach, mock: oneEach,
  'amd-vi': { rules: ['GRD-02'], shared: "a device ID of firmware's ACPI table", keys: acpiKeys, admits: acpiAdmission, pci: 'topology' },
  smmuv3: { rules: ['GRP-30', 'GRD-03'], admits: uniqueStreams, pci: 'topology' },
  'virtio-iommu': { rules: ['GRP-30', 'GRD-10'], admits: knownEndpoints, pci: 'topology' }, 'riscv-iommu': { rules: ['GRP-30', 'GRD-10'], pci: 'topology' },
  smmuv2: { rules: ['GRD-04', 'GRP-32'], shared: 'an entry of the stream map or an fsl-mc container', keys: smmuV2Keys, pci: 'topology' },
  dart: { rules: ['GRD-05'], shared: 'a stream of the DART', keys: streams, pci: 'topology', staysInUnit: true },
  mediatek: { rules: ['GRD-06'], shared: 'a region of I/O addresses', keys: regionKeys, admits: hasIds, pci: 'alone' },
  'tegra-smmu': { rules: ['GRD-07'], shared: 'a group of clients', keys: swgroupKeys, pci: 'topology' },
  pamu: { rules: ['GRD-08'], shared: 'a PCI controller that cannot tell its endpoints apart', keys: controllerKeys, pci: 'topology' },
  power: { rules: ['GRD-11'], shared: 'a partitionable endpoint (PE)', keys: endpointKeys, admits: endpointAdmission, pci: 'alone' },
  s390: oneEachAlways, exynos: oneEachAlways, msm: oneEachAlways, qcom: oneEachAlways, 'mtk-v1': oneEachAlways,
  omap: oneForAll, rockchip: oneForAll, sprd: oneForAll, sun50i: oneForAll, ipmmu: oneForAll,
};

/** The name of a group in sysfs, where its driver gives it one (GRD-07). */
export function groupName({ unit, streamIds: [first] }: Candidate): string | null {
  if (unit.architecture !== 'tegra-smmu' || first === undefined) return null;
  return unit.idGroups?.find(({ ids }) => ids.includes(first))?.name ?? null;
}

const NO_NUMBERS: ReadonlySet<number> = new Set();

/** The drivers' callbacks over all devices of a host that have a unit, whether they have a group already or not. */
export class GroupCallbacks {
  private readonly byKey = new Map<string, Candidate[]>();
  private readonly byStream = new Map<string, Candidate[]>();

  constructor(
    all: readonly Candidate[],
    private readonly context: CallbackContext,
  ) {
    for (const candidate of all) {
      if (CALLBACKS[candidate.unit.architecture] === oneEach) continue; // nothing to know about most devices of most hosts
      for (const key of this.keysOf(candidate)) append(this.byKey, key, candidate);
      for (const id of candidate.streamIds) append(this.byStream, `${candidate.unit.id} ${id}`, candidate);
    }
  }

  /** @param groupOf who has a group now; all that share a key have the same one */
  place(candidate: Candidate, groupOf: (device: SubjectId) => number | undefined, log: (line: string) => void): Placement {
    const callback = CALLBACKS[candidate.unit.architecture];
    return callback === oneEach && candidate.kind === 'pci' ? { kind: 'topology', fn: candidate.fn } : this.placeBy(callback, candidate, groupOf, log);
  }

  private placeBy(callback: GroupCallback, candidate: Candidate, groupOf: (device: SubjectId) => number | undefined, log: (line: string) => void): Placement {
    const owner = (id: number): Candidate | undefined => this.byStream.get(`${candidate.unit.id} ${id}`)?.find((other) => other !== candidate && groupOf(other.id) !== undefined);
    const admission = callback.admits?.(candidate, this.context, owner) ?? null;
    if (admission?.message !== undefined) log(`${candidate.logName}: ${admission.message}`);
    if (admission !== null && 'errno' in admission) return { kind: 'refused', refusal: admission };
    const numbers = callback.keys === undefined ? NO_NUMBERS : new Set(this.keysOf(candidate).flatMap((key) => this.groupByKey(key, groupOf) ?? []));
    if (numbers.size > 1) return { kind: 'refused', refusal: { errno: 'EINVAL', why: `it shares ${callback.shared} with devices of different groups, and groups are never merged` } };
    const [group] = numbers;
    if (group !== undefined) return { kind: 'joins', group, reasons: () => [sharesByDriver(callback.shared ?? '', callback.rules)] };
    if (candidate.kind === 'pci' && callback.pci === 'topology') return { kind: 'topology', fn: candidate.fn };
    return { kind: 'new', reasons: () => [{ ...GROUP_PER_DEVICE, rules: callback.rules }] };
  }

  /** GRD-05: a DART's driver keeps one configuration for a group, of one DART. @param members of the group that topology found */
  objects(candidate: Candidate, members: readonly SubjectId[], units: UnitMap, log: (line: string) => void): GroupRefusal | null {
    const { unit } = candidate;
    if (CALLBACKS[unit.architecture].staysInUnit !== true || members.every((id) => units.get(id) === unit)) return null;
    log(`${candidate.logName}: Failed to merge DART IOMMU groups.`);
    return { errno: 'EINVAL', why: 'topology puts it into a group of another DART' };
  }

  private groupByKey(key: string, groupOf: (device: SubjectId) => number | undefined): number | undefined {
    for (const { id } of this.byKey.get(key) ?? []) {
      const group = groupOf(id);
      if (group !== undefined) return group;
    }
    return undefined;
  }

  private keysOf(candidate: Candidate): string[] {
    return (CALLBACKS[candidate.unit.architecture].keys?.(candidate, this.context) ?? []).map((key) => `${candidate.unit.id} ${key}`);
  }
}
