/** The kernel command line of the host, with the module parameters that its description names. */
import type { HostDescription } from '../simulator/description.js';
import type { Exported, ExportPlan } from './export-plan.js';

/** VT-d is off where nobody says on and the kernel was built so; AMD-Vi and SMMU need no word. */
const saysWhetherVtd = ({ kernel }: HostDescription): boolean =>
  /(^|\s)intel_iommu=(\S*,)?(on|off)\b/.test(kernel.commandLine) || kernel.buildOptions.some((option) => option.endsWith('INTEL_IOMMU_DEFAULT_ON'));

const words = (line: string): string[] => line.split(/\s+/).filter((word) => word !== '');

/** A parameter with blanks stands in quotes. */
const parameter = (text: string): string => (/\s/.test(text) ? text.replace(/=(.*)$/s, '="$1"') : text);

export function exportCommandLine({ host, owner, bound }: ExportPlan): Exported {
  const { kernel } = host;
  const needsVtd = host.iommus.some((unit) => unit.architecture === 'vtd') && !saysWhetherVtd(host);
  const given = words(kernel.commandLine);
  const added = [...(needsVtd ? ['intel_iommu=on'] : []), ...kernel.moduleParameters.map(parameter)].filter((word) => !given.includes(word));
  const drivers = bound.length === 0 ? [] : [`Which driver has which device is not said here: see the exports modprobe and driverctl for ${owner.name}.`];
  return {
    text: `${[kernel.commandLine.trim(), ...added].filter((part) => part !== '').join(' ')}\n`,
    notes: [
      ...(needsVtd ? ['intel_iommu=on is added: whether VT-d is on without it depends on how the kernel was built.'] : []),
      ...(kernel.grouping === undefined && kernel.ioasid === undefined ? [] : ['Proposals that were never merged (grouping, ioasid) have no option.']),
      ...(kernel.buildOptions.length === 0 ? [] : [`Build options are no parameters: the kernel has to have ${kernel.buildOptions.join(', ')}.`]),
      ...drivers,
      'Firmware settings (VT-d or AMD-Vi, SR-IOV, Above 4G decoding) are no parameters.',
    ],
  };
}
