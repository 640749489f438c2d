/** What people see of a refused call: the lines of the programs that made it. */
import type { OwnerDescription } from '../simulator/description.js';

/** Errno as strerror(3) words it, for the refusals that programs print. */
const STRERROR: Readonly<Record<string, string>> = {
  ENOSPC: 'No space left on device', EPERM: 'Operation not permitted', EACCES: 'Permission denied', EINVAL: 'Invalid argument', ENOMEM: 'Cannot allocate memory', ENOENT: 'No such file or directory', ENODEV: 'No such device', EBUSY: 'Device or resource busy',
};
export const errorText = (errno: string): string => STRERROR[errno] ?? errno;

/** A sentence to append; nothing where the owner's program has no words of its own. */
export const programSays = (owner: OwnerDescription | undefined, says: { readonly qemu?: string; readonly dpdk?: string }): string => {
  if (owner === undefined) return '';
  const [program, line] = owner.kind === 'vm' ? ['QEMU', says.qemu] as const : ['DPDK', says.dpdk] as const;
  return line === undefined ? '' : ` ${program} says "${line}".`;
};

/** The owner's program goes through groups and containers, in name at least. */
export const usesGroups = ({ through }: OwnerDescription): boolean => through !== 'iommufd';

const NUMBERS: Readonly<Record<string, number>> = { ENOMEM: 12, EINVAL: 22, ENOSPC: 28 };

/** QEMU's lines when a mapping is refused: the listener's attempt, and in older versions (until 2025) the call itself first. */
export function mapRefused(owner: OwnerDescription | undefined, errno: string): string {
  if (owner?.kind !== 'vm') return '';
  const call = usesGroups(owner) ? 'VFIO_MAP_DMA' : 'IOMMU_IOAS_MAP';
  return ` QEMU says "vfio_container_dma_map(…) = -${NUMBERS[errno] ?? '…'} (${errorText(errno)})", older versions also "${call} failed: ${errorText(errno)}".`;
}
