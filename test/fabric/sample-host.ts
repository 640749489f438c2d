/** Hosts for tests, written as trees: `rootPort('00:01.0', { acs: ON }, endpoint('01:00.0'))`. The address is the identity. */
import type { AcsDescription, FunctionDescription, FunctionType, HostDescription, IommuDescription, PciAddress } from '../../server/simulator/description.js';
import { parseCommandLine } from '../../server/simulator/kernel/command-line.js';
import { formGroups, type FormedGroups } from '../../server/simulator/kernel/groups.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import { Topology } from '../../server/simulator/fabric/topology.js';

export interface Node {
  readonly fn: FunctionDescription;
  readonly children: readonly Node[];
}

type Properties = Partial<FunctionDescription>;

/** Capability SV, TB, RR, CR, UF with everything off until the kernel switches it on. */
export const ON: AcsDescription = { capability: 0x1f, firmwareControl: 0 };
/** The same, read as all off. */
export const OFF: AcsDescription = { capability: 0x1f, firmwareControl: 0, control: 0 };

/** "01:00.0" or "10000:e0:06.0". */
export function parseAddress(text: string): PciAddress {
  const [place = '', bus = '', segment = '0'] = text.split(':').reverse();
  const [device = '', fn = ''] = place.split('.');
  return { segment: parseInt(segment, 16), bus: parseInt(bus, 16), device: parseInt(device, 16), function: parseInt(fn, 10) };
}

const DEFAULTS: Omit<FunctionDescription, 'id' | 'name' | 'address' | 'type'> = {
  upstream: null, acs: 'none', ari: false, ats: false, pri: false, pasidBits: 0, msi: true, bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver: null,
};

export const node = (type: FunctionType, address: string, properties: Properties = {}, ...children: Node[]): Node =>
  ({ fn: { ...DEFAULTS, id: address, name: address, address: parseAddress(address), type, ...properties }, children });

const kind = (type: FunctionType) => (address: string, properties: Properties = {}, ...children: Node[]): Node => node(type, address, properties, ...children);

export const rootPort = kind('root-port');
export const upstreamPort = kind('upstream-port');
export const downstreamPort = kind('downstream-port');
export const endpoint = kind('endpoint');
export const integrated = kind('integrated-endpoint');
export const pcieToPci = kind('pcie-to-pci-bridge');
export const pciBridge = kind('pci-bridge');
export const pci = kind('pci');

export const bar = (index: number, start: bigint, size: bigint, prefetchable = false): FunctionDescription['bars'][number] =>
  ({ index, range: { start, last: start + size - 1n } as FunctionDescription['bars'][number]['range'], prefetchable });

export const unit = (architecture: IommuDescription['architecture'], more: Partial<IommuDescription> = {}): IommuDescription => ({
  id: 'unit', name: 'unit', architecture, segment: 0, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: true, scalableMode: false, firstStage: false, nested: false,
  dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0, ...more,
});

export interface Setting extends Partial<Omit<HostDescription, 'functions'>> {
  /** "6.19" unless said. */
  readonly version?: string;
  readonly commandLine?: string;
}

function* flatten(nodes: readonly Node[], upstream: string | null): Generator<FunctionDescription> {
  for (const { fn, children } of nodes) {
    yield { ...fn, upstream: fn.upstream ?? upstream };
    yield* flatten(children, fn.id);
  }
}

export function host(nodes: readonly Node[], { version = '6.19', commandLine = '', ...more }: Setting = {}): HostDescription {
  return {
    id: 'host', name: 'host', kernel: { id: 'kernel', version, commandLine, buildOptions: [], moduleParameters: [], cpuVendor: 'intel' }, memory: [], iommus: [unit('vtd')],
    functions: [...flatten(nodes, null)], platformDevices: [], mediatedDevices: [], reservedRegions: [], bindings: [], ...more,
  };
}

export interface Formed extends FormedGroups {
  readonly topology: Topology;
  /** "{00:01.0} {01:00.0 01:00.1}", members and groups in the order of forming. */
  readonly text: string;
}

export function form(description: HostDescription): Formed {
  const topology = new Topology(description);
  const formed = formGroups(description, topology, profileFor(description.kernel.version), parseCommandLine(description.kernel.commandLine));
  return { ...formed, topology, text: formed.groups.map((group) => `{${group.members.join(' ')}}`).join(' ') };
}

/** The groups of a tree. */
export const groups = (nodes: readonly Node[], setting?: Setting): string => form(host(nodes, setting)).text;
