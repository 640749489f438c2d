/** Options of the IOMMU drivers that mean `iommu.strict=1`. */
import { hasWord, type CommandLine } from './command-line.js';

/** CMD-04, CMD-10. */
export const wantsStrictByOption = (commandLine: CommandLine): boolean => hasWord(commandLine, 'intel_iommu', 'strict') || hasWord(commandLine, 'amd_iommu', 'fullflush');
