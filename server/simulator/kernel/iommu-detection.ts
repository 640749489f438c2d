/** Which of the described units the kernel switches on, and whether that makes it ask for ACS (ACE-01). */
import type { HostDescription, IommuArchitectureName, IommuDescription, KernelDescription } from '../description.js';
import type { Topology } from '../fabric/topology.js';
import { hasWord, lastWord, type CommandLine } from './command-line.js';

/** First kernel whose driver asks for ACS before devices are set up; virtio-iommu learnt it with its ACPI table. */
const ASKS_FOR_ACS_SINCE: Readonly<Record<IommuArchitectureName, number>> = { vtd: 0, 'amd-vi': 0, smmuv3: 0, 'riscv-iommu': 0, 'virtio-iommu': 5014 };

/** Some unit in use made the kernel ask for ACS (ACE-01). @param release major * 1000 + minor */
export const requestsAcs = (active: readonly IommuDescription[], release: number): boolean => active.some((unit) => ASKS_FOR_ACS_SINCE[unit.architecture] <= release);

const DISPLAY_CLASS = 0x03;

/** Units in use, in the order of the description. */
export function activeUnits(host: HostDescription, topology: Topology, commandLine: CommandLine): IommuDescription[] {
  return host.iommus.filter((unit) => isActive(unit, host.kernel, topology, commandLine));
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
