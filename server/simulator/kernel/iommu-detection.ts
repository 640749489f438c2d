/** Which of the described units the kernel switches on, and whether that makes it ask for ACS (ACE-01). */
import type { EmbeddedIommuName, FirmwareKind, FunctionDescription, HostDescription, IommuArchitectureName, IommuDescription, KernelDescription } from '../description.js';
import type { Topology } from '../fabric/topology.js';
import { EMBEDDED, isEmbedded } from '../hardware/kernel-only/embedded.js';
import { hasWord, lastWord, type CommandLine } from './command-line.js';

/** First kernel that reads the ACPI table of virtio-iommu; before, it finds such a unit by device trees alone. */
const READS_VIOT_SINCE = 5014;

/** First kernel whose driver asks for ACS before devices are set up; virtio-iommu learnt it with its ACPI table. */
const ASKS_FOR_ACS_SINCE: Readonly<Record<Exclude<IommuArchitectureName, EmbeddedIommuName>, number>> = { vtd: 0, 'amd-vi': 0, smmuv3: 0, 'riscv-iommu': 0, 'virtio-iommu': 5014, mock: Infinity };

/** A unit in use makes the kernel ask for ACS (ACE-01). @param release major * 1000 + minor */
const asksForAcs = ({ architecture }: IommuDescription, release: number): boolean => !isEmbedded(architecture) && ASKS_FOR_ACS_SINCE[architecture] <= release;

/** Who tells the kernel which device is behind which unit. */
export const firmwareOf = ({ firmware, iommus }: HostDescription): FirmwareKind =>
  firmware ?? (iommus.some(({ architecture }) => isEmbedded(architecture) && EMBEDDED[architecture].deviceTreeOnly === true) ? 'device-tree' : 'acpi');

/** ACE-04: from this release on ACS is switched on when a function's DMA is configured, and not before. */
const ENABLES_WHEN_CONFIGURED_SINCE = 6019;
/** From this release on a function's DMA is configured when it is added, and no longer when its driver binds (GRL-07). */
export const CONFIGURES_WHEN_ADDED_SINCE = 6015;

/**
 * For which functions somebody had asked for ACS when they were set up. With a device tree only a function whose DMA is configured asks:
 * too late for the first host bridge and all below it, later for the first function alone (ACE-05), and in time since ACE-04.
 */
export function acsRequests(host: HostDescription, topology: Topology, active: readonly IommuDescription[], release: number): (fn: FunctionDescription) => boolean {
  if (firmwareOf(host) === 'acpi') {
    const asked = active.some((unit) => asksForAcs(unit, release));
    return () => asked;
  }
  if (active.length === 0 || release >= ENABLES_WHEN_CONFIGURED_SINCE) return () => active.length > 0;
  const [first] = topology.functions;
  if (release >= CONFIGURES_WHEN_ADDED_SINCE) return (fn) => fn !== first;
  return (fn) => fn.address.segment !== first?.address.segment;
}

/** Units whose drivers know their devices by themselves, or by a table that is read before anything is probed. */
const KNOWS_ITS_DEVICES: ReadonlySet<IommuArchitectureName> = new Set(['vtd', 'amd-vi', 'mock', 'pamu', 'power', 's390']);

/** Firmware tells which devices are behind the unit, device by device. */
export const isDescribedByFirmware = ({ architecture }: IommuDescription): boolean => !KNOWS_ITS_DEVICES.has(architecture);

/** Firmware's description of the device's unit is read only when a driver binds to the device, so that it has no group before (GRL-07). */
export const groupsFormAtDriverProbe = (unit: IommuDescription, release: number): boolean => release < CONFIGURES_WHEN_ADDED_SINCE && isDescribedByFirmware(unit);

const DISPLAY_CLASS = 0x03;

/** Units in use, in the order of the description. */
export function activeUnits(host: HostDescription, topology: Topology, commandLine: CommandLine, release = Infinity): IommuDescription[] {
  const isDescribed = (unit: IommuDescription): boolean => unit.architecture !== 'virtio-iommu' || firmwareOf(host) === 'device-tree' || release >= READS_VIOT_SINCE;
  return host.iommus.filter((unit) => unit.withoutDriver !== true && isDescribed(unit) && isActive(unit, host.kernel, topology, commandLine));
}

function isActive(unit: IommuDescription, kernel: KernelDescription, topology: Topology, commandLine: CommandLine): boolean {
  switch (unit.architecture) {
    case 'vtd': return !isSwitchedOff(commandLine) && intelIsOn(kernel, commandLine) && !(hasWord(commandLine, 'intel_iommu', 'igfx_off') && servesOnlyDisplay(unit, topology));
    case 'amd-vi': return !isSwitchedOff(commandLine) && !hasWord(commandLine, 'amd_iommu', 'off');
    default: return true;
  }
}

/** CMD-11. */
const isSwitchedOff = (commandLine: CommandLine): boolean => hasWord(commandLine, 'iommu', 'off');

/** By the command line, else by the build option, which distributions set. */
function intelIsOn(kernel: KernelDescription, commandLine: CommandLine): boolean {
  const said = lastWord(commandLine, 'intel_iommu', ['on', 'off']);
  if (said !== undefined) return said === 'on';
  return !kernel.buildOptions.includes('!INTEL_IOMMU_DEFAULT_ON');
}

function servesOnlyDisplay(unit: IommuDescription, topology: Topology): boolean {
  if (unit.covers === 'rest' || unit.covers.length === 0) return false;
  return unit.covers.every((id) => (topology.byId(id)?.classCode ?? 0) >> 16 === DISPLAY_CLASS);
}
