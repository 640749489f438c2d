/**
 * Recorded topologies of real kernels against the model: the partition into groups and the order in which groups formed, the ACS control
 * registers, the reserved regions. Each of these counts once per record.
 */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FunctionDescription, FunctionType, HostDescription, IommuArchitectureName, IommuDescription, PciAddress } from '../../server/simulator/description.js';
import { addressText } from '../../server/simulator/fabric/pci-address.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { parseCommandLine } from '../../server/simulator/kernel/command-line.js';
import { formGroups, type FormedGroups } from '../../server/simulator/kernel/groups.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import { mergeRegions, regionLine, ReservedRegions } from '../../server/simulator/kernel/reserved-regions.js';
import { noOutcome, type Outcome } from './outcome.js';

/** A function as the probe in the guest listed it. */
export interface RecordedDevice {
  readonly bdf: string;
  readonly id: string;
  readonly parent: string;
  readonly group?: number | null;
  readonly driver: string;
  readonly vendor: string;
  readonly device: string;
  readonly class: string;
  readonly header: number;
  readonly multifunction: boolean;
  readonly pcie_type?: string;
  readonly bus?: readonly [number, number, number];
  readonly acs_cap?: string;
  readonly acs_ctl?: string;
  readonly physfn?: string;
  readonly sriov?: { readonly total: number; readonly num: number; readonly offset: number; readonly stride: number };
}

interface RecordedGroup {
  readonly group: number;
  readonly devices: readonly string[];
  readonly reserved?: readonly string[];
}

interface TopologyNode {
  readonly kind: string;
  readonly bus_nr?: number;
  readonly opts?: Readonly<Record<string, unknown>>;
}

/** A file in results/, with the topology of its case when that is at hand. */
export interface RecordedTopology {
  readonly case: string;
  readonly kernel: string;
  readonly iommu: string;
  readonly cmdline: string;
  readonly inventory: { readonly devices: readonly RecordedDevice[]; readonly groups: readonly RecordedGroup[] };
  readonly topology?: readonly TopologyNode[];
}

const TYPES: Readonly<Record<string, FunctionType>> = {
  endpoint: 'endpoint', legacy: 'legacy-endpoint', rciep: 'integrated-endpoint', rcec: 'event-collector', 'root-port': 'root-port', upstream: 'upstream-port', downstream: 'downstream-port',
  'pcie-to-pci': 'pcie-to-pci-bridge', 'pci-to-pcie': 'pci-to-pcie-bridge',
};

const ARCHITECTURES: Readonly<Record<string, IommuArchitectureName>> = { intel: 'vtd', amd: 'amd-vi', virtio: 'virtio-iommu' };

/** "0000:01:00.0" */
function parseAddress(bdf: string): PciAddress {
  const [segment = '', bus = '', place = ''] = bdf.split(':');
  const [device = '', fn = ''] = place.split('.');
  return { segment: parseInt(segment, 16), bus: parseInt(bus, 16), device: parseInt(device, 16), function: parseInt(fn, 16) };
}

/**
 * The test bed's own 7.3 has no floppy driver in its small configuration, and no longer the work-around for its controller, which 6.12 has
 * in the same configuration and 7.3 as distributed has too.
 */
const WITHOUT_FLOPPY = /^7\..*-oracle$/;

/** Lists in a record name functions by address; so do the identities of the description. */
export function describeRecord(record: RecordedTopology): HostDescription {
  const known = new Set(record.inventory.devices.map((device) => device.bdf));
  // A driver that has one of a kind was asked about the others too, even if it did not want them.
  const driven = new Set(record.inventory.devices.filter(({ driver }) => driver !== '').map(idsOf));
  return {
    id: 'host', name: record.case, memory: [], platformDevices: [], mediatedDevices: [], reservedRegions: [], bindings: [],
    kernel: { id: 'kernel', version: record.kernel, commandLine: record.cmdline, buildOptions: WITHOUT_FLOPPY.test(record.kernel) ? ['!INTEL_IOMMU_FLOPPY_WA'] : [], moduleParameters: [], cpuVendor: 'intel' },
    iommus: describeUnits(record),
    functions: record.inventory.devices.map((device) => ({ ...describeFunction(device, known), probed: driven.has(idsOf(device)) })),
  };
}

/** The driver of NVMe matches by class; virtual functions show no ids of their own. */
const NVME_CLASS = '010802';
/** What drivers match by. */
const idsOf = ({ vendor, device, class: code }: RecordedDevice): string => (code === NVME_CLASS ? code : `${vendor}:${device}`);

function describeUnits(record: RecordedTopology): IommuDescription[] {
  const architecture = ARCHITECTURES[record.iommu];
  if (architecture === undefined) return [];
  return [{
    id: 'unit', name: 'unit', architecture, segment: 0, covers: 'rest', except: bypassing(record), interruptRemapping: true, coherent: true, snoopControl: false, scalableMode: false, firstStage: false, nested: false,
    dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: true, pasidBits: 0,
  }];
}

/** What is on or below an expander bus whose firmware entry says that it bypasses the IOMMU. */
function bypassing({ topology = [], inventory }: RecordedTopology): string[] {
  const first = new Set(topology.flatMap((node) => (node.opts?.bypass_iommu === true && node.bus_nr !== undefined ? [node.bus_nr] : [])));
  const found: string[] = [];
  const below = new Set<string>();
  for (const device of inventory.devices) {
    if (!below.has(device.parent) && !(device.parent.startsWith('pci') && first.has(parseAddress(device.bdf).bus))) continue;
    below.add(device.bdf);
    found.push(device.bdf);
  }
  return found;
}

function describeFunction(device: RecordedDevice, known: ReadonlySet<string>): FunctionDescription {
  const type = TYPES[device.pcie_type ?? ''] ?? (device.header === 1 ? 'pci-bridge' : 'pci');
  return {
    id: device.bdf, name: device.id || device.bdf, address: parseAddress(device.bdf), type, upstream: known.has(device.parent) ? device.parent : null,
    ...(device.bus && { buses: { secondary: device.bus[1], subordinate: device.bus[2] } }),
    multifunction: device.multifunction, ids: { vendor: parseInt(device.vendor, 16), device: parseInt(device.device, 16) }, classCode: parseInt(device.class, 16),
    acs: device.acs_cap === undefined ? 'none' : { capability: Number(device.acs_cap), firmwareControl: 0 },
    ...(device.sriov && { sriov: { enabled: device.sriov.num, total: device.sriov.total, offset: device.sriov.offset, stride: device.sriov.stride } }),
    ...(device.physfn !== undefined && { virtualFunction: { of: device.physfn, index: Number(/\d+$/.exec(device.id)?.[0] ?? 0) } }),
    ari: false, ats: false, pri: false, pasidBits: 0, msi: true, bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver: device.driver || null,
  };
}

/** What one record says, compared. @returns one entry per comparison: null = agrees, else the difference */
export function compareRecord(record: RecordedTopology): { readonly differences: readonly (string | null)[] } {
  const host = describeRecord(record);
  const topology = new Topology(host);
  const formed = formGroups(host, topology, profileFor(record.kernel), parseCommandLine(record.cmdline));
  const registers = registerDifference(record, topology, formed);
  // With virtio-iommu groups form when drivers probe (FINDINGS 29), and are numbered as those come.
  const differences = record.iommu === 'virtio' ? [setDifference(record, formed), ...registers] : [partitionDifference(record, formed), ...registers, ...regionDifference(record, host, topology, formed)];
  return { differences: differences.map((text) => (text === null ? null : `${record.case} (${record.kernel}): ${text}`)) };
}

const setText = (sets: readonly (readonly string[])[]): string => sets.map((set) => `{${set.map((bdf) => bdf.replace(/^0000:/, '')).join(' ')}}`).join(' ');

/** Groups in the order of their numbers, members in order of address. */
function partitionDifference({ inventory }: RecordedTopology, formed: FormedGroups): string | null {
  const recorded = setText([...inventory.groups].sort((a, b) => a.group - b.group).map((group) => [...group.devices].sort()));
  const modelled = setText(formed.groups.map((group) => [...group.members].sort()));
  return recorded === modelled ? null : `groups: recorded ${recorded}, modelled ${modelled}`;
}

/** Which functions are together, however their groups are numbered. */
function setDifference({ inventory }: RecordedTopology, formed: FormedGroups): string | null {
  const sorted = (sets: readonly (readonly string[])[]): string => setText(sets.map((set) => [...set].sort()).sort((a, b) => (a[0]! < b[0]! ? -1 : 1)));
  const recorded = sorted(inventory.groups.map((group) => group.devices));
  const modelled = sorted(formed.groups.map((group) => group.members));
  return recorded === modelled ? null : `groups: recorded ${recorded}, modelled ${modelled}`;
}

function registerDifference({ inventory }: RecordedTopology, topology: Topology, formed: FormedGroups): (string | null)[] {
  const ports = inventory.devices.filter((device) => device.acs_ctl !== undefined);
  if (ports.length === 0) return [];
  const wrong = ports.flatMap((device) => {
    const control = formed.acs.of(topology.byId(device.bdf)!)?.control;
    return control === Number(device.acs_ctl) ? [] : [`${device.bdf} recorded ${device.acs_ctl}, modelled ${control?.toString(16)}`];
  });
  return [wrong.length === 0 ? null : `ACS control: ${wrong.join('; ')}`];
}

function regionDifference({ inventory }: RecordedTopology, host: HostDescription, topology: Topology, formed: FormedGroups): (string | null)[] {
  const listed = inventory.groups.filter((group) => group.reserved !== undefined);
  if (listed.length === 0) return [];
  const regions = new ReservedRegions(host, topology, (device) => formed.units.get(device));
  const wrong = listed.flatMap((group) => {
    const modelled = mergeRegions(group.devices.map((device) => regions.of(device))).map(regionLine).join(', ');
    const recorded = group.reserved!.join(', ');
    return modelled === recorded ? [] : [`group of ${addressText(parseAddress(group.devices[0]!))} recorded ${recorded}, modelled ${modelled}`];
  });
  return [wrong.length === 0 ? null : `reserved regions: ${wrong.join('; ')}`];
}

/** Records in a file, a folder of results, or a folder with results/ and cases/. */
export function* readTopologies(path: string): Generator<RecordedTopology> {
  for (const file of jsonFiles(path)) {
    const record = JSON.parse(readFileSync(file, 'utf8')) as Partial<RecordedTopology>;
    if (record.inventory === undefined || record.kernel === undefined) continue;
    yield { ...(record as RecordedTopology), topology: topologyOfCase(file) };
  }
}

function jsonFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const results = join(path, 'results');
  const folder = existsSync(results) ? results : path;
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort().map((name) => join(folder, name));
}

/** The topology of the case that a result answers; empty when the case is not at hand. */
export function topologyOfCase(resultFile: string): readonly TopologyNode[] {
  const name = basename(resultFile);
  const cases = join(dirname(resultFile), '..', 'cases');
  const file = [name, name.replace(/-k\d+(deb)?(?=\.json$)/, '')].map((each) => join(cases, each)).find((each) => existsSync(each));
  return file === undefined ? [] : ((JSON.parse(readFileSync(file, 'utf8')) as { topology?: readonly TopologyNode[] }).topology ?? []);
}

/** Every record under `path`. */
export function runTopologies(path: string): Outcome {
  const outcome = noOutcome();
  for (const record of readTopologies(path)) {
    for (const difference of compareRecord(record).differences) {
      if (difference === null) outcome.agree++;
      else {
        outcome.differ++;
        outcome.differences.push(difference);
      }
    }
  }
  return outcome;
}
