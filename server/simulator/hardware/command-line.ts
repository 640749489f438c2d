/** Kernel command line options that IOMMU drivers look at (hw-x86 4.4). */
import type { DriverProfile } from './architecture.js';

/** The words of an option that takes a list, as `intel_iommu=on,sp_off`. */
export function optionWords(profile: DriverProfile, option: string): readonly string[] {
  return (profile.commandLine.get(option) ?? []).flatMap((value) => value.split(','));
}

/** `intremap=off` (and the older `nointremap`) leave interrupt remapping off whatever the unit can do. */
export function interruptRemappingAllowed(profile: DriverProfile): boolean {
  return !optionWords(profile, 'intremap').includes('off') && !profile.commandLine.has('nointremap');
}
