/** Small hosts as descriptions, and the kernel that boots on them. */
import type { FunctionDescription, HostDescription, IommuArchitectureName, IommuDescription, KernelDescription, PciAddress, ReservedRegionDescription } from '../../server/simulator/description.js';
import { Refusal } from '../../server/simulator/errno.js';
import { bootHost, type BootedHost } from '../../server/simulator/kernel/boot.js';
import type { Device } from '../../server/simulator/kernel/core.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';

/** SV, RR, CR, UF. */
export const ISOLATING = 0x1d;

export function address(text: string): PciAddress {
  const [, bus, device, fn] = /^([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/.exec(text)!;
  return { segment: 0, bus: parseInt(bus!, 16), device: parseInt(device!, 16), function: Number(fn) };
}

export interface FunctionOptions extends Partial<Omit<FunctionDescription, 'id' | 'name' | 'address'>> {
  readonly under?: string;
}

/** A PCIe endpoint without ACS and without driver unless said; some driver has probed it once. */
export function fn(name: string, at: string, { under, ...options }: FunctionOptions = {}): FunctionDescription {
  return {
    id: name, name, address: address(at), type: 'endpoint', upstream: under ?? null, acs: 'none', ari: false, ats: false, pri: false, pasidBits: 0, msi: true,
    bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver: null, probed: true, ...options,
  };
}

/** A root port that isolates what is below it. */
export const rootPort = (name: string, at: string, bus: number, options: FunctionOptions = {}): FunctionDescription =>
  fn(name, at, { type: 'root-port', buses: { secondary: bus, subordinate: bus }, acs: { capability: ISOLATING, firmwareControl: 0 }, driver: 'pcieport', ...options });

export function unit(architecture: IommuArchitectureName, options: Partial<IommuDescription> = {}): IommuDescription {
  return {
    id: 'iommu0', name: 'iommu0', architecture, segment: 0, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: true, scalableMode: false, firstStage: false,
    nested: false, dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0, ...options,
  };
}

export interface HostOptions {
  readonly architecture?: IommuArchitectureName | 'none';
  readonly unit?: Partial<IommuDescription>;
  readonly version?: string;
  readonly commandLine?: string;
  readonly buildOptions?: readonly string[];
  readonly cpuVendor?: KernelDescription['cpuVendor'];
  readonly functions: readonly FunctionDescription[];
  readonly reservedRegions?: readonly ReservedRegionDescription[];
  readonly mediatedDevices?: HostDescription['mediatedDevices'];
  readonly bindings?: HostDescription['bindings'];
}

export function host({ architecture = 'vtd', version = '6.12', commandLine = '', buildOptions = [], cpuVendor = 'intel', functions, reservedRegions = [], mediatedDevices = [], bindings = [], ...rest }: HostOptions): HostDescription {
  return {
    id: 'host', name: 'host', kernel: { id: 'kernel', version, commandLine, buildOptions, moduleParameters: [], cpuVendor }, memory: [],
    iommus: architecture === 'none' ? [] : [unit(architecture, rest.unit)], functions, platformDevices: [], mediatedDevices, reservedRegions, bindings,
  };
}

export interface Booted extends BootedHost {
  device(name: string): Device;
}

export function boot(options: HostOptions): Booted {
  const booted = bootHost(host(options), new PhysicalMemory());
  return {
    ...booted,
    device(name) {
      const device = booted.kernel.device(name);
      if (device === undefined) throw new Error(`no device ${name}`);
      return device;
    },
  };
}

/** "ERRNO RULE" of a call that is refused, "ok" of one that is not. */
export function answer(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (refusal) {
    if (refusal instanceof Refusal) return `${refusal.errno} ${refusal.rule}`;
    throw refusal;
  }
}
