/** Boots a host: units are switched on, groups form, every group gets its default domain, drivers bind. */
import type { FunctionDescription, HostDescription, PlatformDeviceDescription, SubjectId } from '../description.js';
import { Topology } from '../fabric/topology.js';
import type { IommuUnit } from '../hardware/architecture.js';
import { architectureOf } from '../hardware/registry.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { parseCommandLine } from './command-line.js';
import { DmaApi } from './dma-api.js';
import { formGroups, type FormedGroups } from './groups.js';
import { MachineKernel } from './machine-kernel.js';
import { optionMessages } from './option-messages.js';
import { profileFor } from './profile.js';
import { mergeRegions, ReservedRegions } from './reserved-regions.js';

export interface BootedHost {
  readonly kernel: MachineKernel;
  readonly topology: Topology;
  /** Who is grouped with whom and why, requester IDs, ACS registers. */
  readonly formed: FormedGroups;
  /** Of a function or platform device; undefined where none translates. */
  unitOf(device: SubjectId): IommuUnit | undefined;
  /** Units that are described and switched on but of an architecture that is not modelled: their devices are as without. */
  readonly notModelled: readonly { readonly unit: SubjectId; readonly reason: string }[];
  readonly dmaApi: DmaApi;
}

/** @param memory where the units' tables live. @throws ResourceLimit for a host that needs more tables than may be simulated */
export function bootHost(host: HostDescription, memory: PhysicalMemory): BootedHost {
  const profile = profileFor(host.kernel.version);
  const commandLine = parseCommandLine(host.kernel.commandLine);
  const topology = new Topology(host);
  const formed = formGroups(host, topology, profile, commandLine);
  const regions = new ReservedRegions(host, topology, (device) => formed.units.get(device));
  const units = new Map<SubjectId, IommuUnit>();
  const notModelled: { unit: SubjectId; reason: string }[] = [];
  const early: string[] = [];
  const driverProfile = { version: profile.release, commandLine, log: (line: string) => void log.push(line) };
  let log = early;
  for (const description of formed.activeUnits) {
    const entry = architectureOf(description.architecture);
    if (entry.modelled) units.set(description.id, entry.architecture.createUnit(description, memory, driverProfile));
    else notModelled.push({ unit: description.id, reason: entry.reason });
  }
  const unitOf = (device: SubjectId): IommuUnit | undefined => {
    const description = formed.units.get(device);
    return description === undefined ? undefined : units.get(description.id);
  };
  const platform = new Map(host.platformDevices.map((device) => [device.id, device]));
  const untrusted = untrustedFunctions(topology);
  const kernel = new MachineKernel(host, {
    profile, commandLine, units: [...units.values()], partition: formed.groups.map((group) => group.members),
    earlyMessages: [...optionMessages(commandLine, profile.release), ...formed.messages, ...early],
    unitOf: (device) => unitOf(device) ?? null,
    requesterIds: (device) => requesterIdsOf(device, formed, platform),
    reservedRegions: (device) => regions.of(device),
    untrusted: (device) => untrusted.has(device),
    mergeRegions,
  });
  log = kernel.log;
  return { kernel, topology, formed, unitOf, notModelled, dmaApi: new DmaApi(hostBridgeWindows(host)) };
}

/** Platform devices are known by their stream IDs. */
function requesterIdsOf(device: SubjectId, formed: FormedGroups, platform: ReadonlyMap<SubjectId, PlatformDeviceDescription>): readonly number[] {
  return platform.get(device)?.streamIds ?? formed.requesterIds(device);
}

/** DOM-22: everything below an external-facing port. */
function untrustedFunctions(topology: Topology): Set<SubjectId> {
  const untrusted = new Set<SubjectId>();
  for (const fn of topology.functions) {
    const above = topology.upstream(fn);
    if (above !== null && (above.externalFacing || untrusted.has(above.id))) untrusted.add(fn.id);
  }
  return untrusted;
}

/** RSV-35: what looks like the memory of a peer: windows of bridges and BARs on root buses. */
const hostBridgeWindows = (host: HostDescription) => host.functions.filter(isOnRootBus).flatMap((fn) => [...fn.windows.map((window) => window.range), ...fn.bars.map((bar) => bar.range)]);

const isOnRootBus = (fn: FunctionDescription): boolean => fn.upstream === null;
