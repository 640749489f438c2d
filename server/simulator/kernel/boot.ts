/** Boots a host: units are switched on, groups form, every group gets its default domain, drivers bind. */
import type { FunctionDescription, HostDescription, SubjectId } from '../description.js';
import { Fabric } from '../fabric/fabric.js';
import { Topology } from '../fabric/topology.js';
import type { DriverProfile, IommuUnit } from '../hardware/architecture.js';
import { kernelOnlyUnit } from '../hardware/kernel-only/unit.js';
import { architectureOf } from '../hardware/registry.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { parseCommandLine, type CommandLine } from './command-line.js';
import type { DeviceFacts } from './devices.js';
import { DmaApi } from './dma-api.js';
import { readDmaRanges } from './dma-ranges.js';
import { HotPlug } from './hotplug.js';
import { formGroups, type FormedGroups } from './groups.js';
import { MachineKernel } from './machine-kernel.js';
import { optionMessages } from './option-messages.js';
import { TranslationServices } from './services.js';
import { profileFor, type KernelProfile } from './profile.js';
import { mergeRegions, ReservedRegions } from './reserved-regions.js';
import { lazinessTest } from './strictness.js';
import { untrustedFunctions } from './trust.js';

/** What follows from a host's description alone, before anything runs: the same for every machine that boots it. */
export interface BootPlan {
  readonly host: HostDescription;
  readonly profile: KernelProfile;
  readonly commandLine: CommandLine;
  readonly topology: Topology;
  readonly fabric: Fabric;
  /** Who is grouped with whom and why, requester IDs, ACS registers. */
  readonly formed: FormedGroups;
  /** Of every device that is there at boot. */
  readonly facts: ReadonlyMap<SubjectId, PlannedFacts>;
  readonly untrusted: ReadonlySet<SubjectId>;
}

/** What fabric and firmware say about a device, whichever machine it is in. */
type PlannedFacts = { readonly [Fact in 'requesterIds' | 'reservedRegions']: ReturnType<DeviceFacts[Fact]> };

/** A machine after boot. */
export interface BootedHost extends BootPlan {
  readonly kernel: MachineKernel;
  /** All that are switched on. */
  readonly units: readonly IommuUnit[];
  /** Of a function or platform device; null where none translates. */
  unitOf(device: SubjectId): IommuUnit | null;
  /** Units that are switched on but whose hardware is not modelled: what the kernel does is known, what becomes of a request is not. */
  readonly notModelled: readonly { readonly unit: SubjectId; readonly reason: string }[];
  readonly dmaApi: DmaApi;
  /** PASIDs, processes' addresses, capabilities of functions. */
  readonly services: TranslationServices;
  /** Devices that go and come. */
  readonly hotPlug: HotPlug;
}

export function planBoot(host: HostDescription): BootPlan {
  const profile = profileFor(host.kernel.version);
  const commandLine = parseCommandLine(host.kernel.commandLine);
  const topology = new Topology(host);
  const formed = formGroups(host, topology, profile, commandLine);
  return {
    host, profile, commandLine, topology, formed,
    fabric: new Fabric(topology, formed.acs, formed.units, formed.aliases),
    facts: planFacts(host, topology, formed, profile),
    untrusted: untrustedFunctions(topology, profile),
  };
}

function planFacts(host: HostDescription, topology: Topology, formed: FormedGroups, profile: KernelProfile): BootPlan['facts'] {
  const regions = new ReservedRegions(host, topology, (device) => formed.units.get(device), profile);
  const facts = new Map<SubjectId, PlannedFacts>();
  const add = (device: SubjectId, requesterIds: readonly number[]): void => {
    facts.set(device, { requesterIds, reservedRegions: regions.of(device) });
  };
  for (const { id } of host.functions) add(id, formed.requesterIds(id));
  for (const { id, streamIds } of host.platformDevices) add(id, streamIds);
  return facts;
}

/** @param memory where the units' tables live. @throws ResourceLimit for a host that needs more tables than may be simulated */
export const bootHost = (host: HostDescription, memory: PhysicalMemory): BootedHost => bootPlanned(planBoot(host), memory);

/** As `bootHost`, for who boots the same host more than once. */
export function bootPlanned(plan: BootPlan, memory: PhysicalMemory): BootedHost {
  const { host, profile, commandLine, formed, facts, untrusted } = plan;
  let log: string[] = [];
  const early = log;
  const driverProfile = { version: profile.release, commandLine, units: formed.activeUnits, endpointRegions: probeReplies(plan), log: (line: string) => void log.push(line) };
  const { units, notModelled } = switchOn(formed, memory, driverProfile);
  const unitOf = (device: SubjectId): IommuUnit | null => units.get(formed.units.get(device)?.id ?? '') ?? null;
  const kernel = new MachineKernel(host, {
    profile, commandLine, units: [...units.values()], partition: formed.groups.map((group) => group.members), groupNames: formed.groups.map((group) => group.name),
    earlyMessages: [...optionMessages(commandLine, profile.release), ...formed.messages, ...early],
    unitOf, mergeRegions: (lists) => mergeRegions(lists, profile.regionMerge),
    requesterIds: (device) => facts.get(device)!.requesterIds,
    reservedRegions: (device) => facts.get(device)!.reservedRegions,
    untrusted: (device) => untrusted.has(device),
  });
  log = kernel.log;
  const dmaApi = new DmaApi({ windows: hostBridgeWindows(host), isLazy: lazinessTest(profile, commandLine, formed.activeUnits), ranges: readDmaRanges(host.dmaRanges ?? [], profile) });
  log.push(...dmaApi.setUpMessages(kernel.devices));
  const hotPlug = new HotPlug(kernel, plan.topology, formed);
  kernel.beforeProbe = (device, driver) => hotPlug.beforeProbe(device, driver);
  const services = new TranslationServices(kernel, plan.topology, formed);
  return { ...plan, kernel, units: [...units.values()], unitOf, notModelled, hotPlug, dmaApi, services };
}

/** RSV-26: what a virtio-iommu device reserves is what its driver reports, but for what the driver and firmware add. */
function probeReplies({ formed, facts }: BootPlan): NonNullable<DriverProfile['endpointRegions']> {
  const byUnit = new Map<SubjectId, Map<number, readonly ReservedMemory[]>>();
  for (const [device, { requesterIds, reservedRegions }] of facts) {
    const unit = formed.units.get(device);
    if (unit?.architecture !== 'virtio-iommu') continue;
    let replies = byUnit.get(unit.id);
    if (replies === undefined) byUnit.set(unit.id, (replies = new Map()));
    const reply = reservedRegions.flatMap(({ range, type }): ReservedMemory[] => (type === 'msi' || type === 'reserved' ? [{ range, kind: type }] : []));
    for (const endpoint of requesterIds) if (!replies.has(endpoint)) replies.set(endpoint, reply);
  }
  return (unit, endpoint) => byUnit.get(unit)?.get(endpoint) ?? [];
}

type ReservedMemory = ReturnType<NonNullable<DriverProfile['endpointRegions']>>[number];

/** Units by identity; of those without a hardware model only the kernel's side. */
function switchOn(formed: FormedGroups, memory: PhysicalMemory, profile: DriverProfile) {
  const units = new Map<SubjectId, IommuUnit>();
  const notModelled: { unit: SubjectId; reason: string }[] = [];
  for (const description of formed.activeUnits) {
    const entry = architectureOf(description.architecture);
    if (entry.modelled) {
      const unit = entry.architecture.createUnit(description, memory, profile);
      unit.useIotlb?.();
      units.set(description.id, unit);
      continue;
    }
    units.set(description.id, kernelOnlyUnit(description, memory, profile, entry.reason));
    notModelled.push({ unit: description.id, reason: entry.reason });
  }
  return { units, notModelled };
}

/** RSV-35: what looks like the memory of a peer: windows of bridges and BARs on root buses. */
const hostBridgeWindows = (host: HostDescription) => host.functions.filter(isOnRootBus).flatMap((fn) => [...fn.windows.map((window) => window.range), ...fn.bars.map((bar) => bar.range)]);

const isOnRootBus = (fn: FunctionDescription): boolean => fn.upstream === null;
