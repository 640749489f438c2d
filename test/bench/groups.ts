/** Group formation of large hosts: linear, and fast enough to run on every keystroke. */
import type { FunctionDescription, HostDescription, IommuDescription } from '../../server/simulator/description.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { simulate } from '../../server/simulator/index.js';
import { parseCommandLine } from '../../server/simulator/kernel/command-line.js';
import { formGroups } from '../../server/simulator/kernel/groups.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import { mainThreadSeconds, seconds } from './hardware.js';
import type { Benchmark, Measurement } from './main.js';
import { median } from './sample.js';

const base: Omit<FunctionDescription, 'id' | 'name' | 'address' | 'type' | 'upstream' | 'acs'> = {
  ari: false, ats: false, pri: false, pasidBits: 0, msi: true, bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver: null,
};

/** A unit serves one segment. */
const unitOf = (segment: number): IommuDescription => ({
  id: `h/dmar${segment}`, name: `dmar${segment}`, architecture: 'vtd', segment, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: true, scalableMode: false, firstStage: false, nested: false,
  dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0,
});

/** Root ports, every third without ACS, each with a device of seven functions. */
export function largeHost(functions: number): HostDescription {
  const all: FunctionDescription[] = [];
  for (let port = 0; all.length < functions; port++) {
    const segment = Math.floor(port / 250);
    const bus = (port % 250) + 2;
    const id = `h/rp${port}`;
    all.push({
      ...base, id, name: `rp${port}`, address: { segment, bus: 0, device: Math.floor((port % 250) / 8), function: port % 8 }, type: 'root-port', upstream: null, buses: { secondary: bus, subordinate: bus },
      acs: port % 3 === 0 ? 'none' : { capability: 0x5f, firmwareControl: 0 },
    });
    for (let fn = 0; fn < 7 && all.length < functions; fn++) all.push({ ...base, id: `${id}/f${fn}`, name: `rp${port}f${fn}`, address: { segment, bus, device: 0, function: fn }, type: 'endpoint', upstream: id, acs: 'none' });
  }
  return {
    id: 'h', name: 'h', kernel: { id: 'h/kernel', version: '6.12', commandLine: 'intel_iommu=on', buildOptions: [], moduleParameters: [], cpuVendor: 'intel' }, memory: [],
    iommus: Array.from({ length: all.at(-1)!.address.segment + 1 }, (_, segment) => unitOf(segment)),
    functions: all, platformDevices: [], mediatedDevices: [], reservedRegions: [], bindings: [],
  };
}

/** Median of the first few runs, in milliseconds. */
const timed = (work: () => void, clock: (work: () => void) => number = seconds): number => median(Array.from({ length: 9 }, () => clock(work) * 1000));

/** On the main thread, as the goals are stated, and with all threads of the process: the compiler's and the garbage collector's. */
function formation(functions: number): { readonly mainThread: number; readonly allThreads: number } {
  const host = largeHost(functions);
  const profile = profileFor(host.kernel.version);
  const commandLine = parseCommandLine(host.kernel.commandLine);
  const all: number[] = [];
  const form = (): void => void all.push(seconds(() => formGroups(host, new Topology(host), profile, commandLine)) * 1000);
  return { mainThread: timed(form, mainThreadSeconds), allThreads: median(all) };
}

/** The whole simulation: groups, a default domain each, drivers, the report. */
function simulation(functions: number): number {
  const description = { hosts: [largeHost(functions)], groupClaims: [], owners: [], domains: [], questions: [], scenarios: [] };
  return timed(() => simulate(description));
}

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'topology and groups of 10,000 functions',
    run: (): Measurement => {
      const { mainThread, allThreads } = formation(10_000);
      return { value: mainThread, unit: 'ms', goal: 50, better: 'lower', against: `${allThreads.toFixed(0)} ms with the compiler's and the collector's threads` };
    },
  },
  {
    name: 'simulating a host twice as large, against the half',
    run: (): Measurement => {
      const half = simulation(10_000);
      return { value: simulation(20_000) / half, unit: '×', goal: 2.2, better: 'lower', against: `10,000 functions booted in ${half.toFixed(0)} ms` };
    },
  },
];
