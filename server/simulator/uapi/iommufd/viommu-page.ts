/** Pages that a vIOMMU's driver lets user space map through the iommufd (IFD-88). */
import { Refusal } from '../../errno.js';
import { PAGE_SIZE } from '../../memory/address.js';
import type { OpenFile, Process } from '../process.js';
import type { IommufdContext } from './context.js';
import { Viommu } from './viommu.js';

export interface PageMapping {
  /** As the driver gave it out: a page per vIOMMU, by its number. */
  readonly offset: bigint;
  readonly length: bigint;
  /** Not MAP_SHARED. */
  readonly isPrivate?: boolean;
  readonly executable?: boolean;
}

/** IFD-09: while it is mapped, its vIOMMU cannot go. Ends as a file does, by `close`. */
class MappedPage implements OpenFile {
  readonly kind = 'other';

  constructor(private readonly viommu: Viommu) {
    viommu.hold();
  }

  release(): void {
    this.viommu.drop();
  }
}

/** Where the page of a vIOMMU is. */
export const offsetOf = (viommu: number): bigint => BigInt(viommu) * PAGE_SIZE;

/** @throws Refusal EINVAL, EPERM, ENXIO, in the order of the kernel */
export function mapViommuPage({ objects }: IommufdContext, process: Process, { offset, length, isPrivate, executable }: PageMapping): { value: bigint; file: number } {
  if (length % PAGE_SIZE !== 0n || isPrivate) throw new Refusal('EINVAL', 'IFD-88', 'only whole pages are mapped, and only shared');
  if (executable) throw new Refusal('EPERM', 'IFD-88', 'nothing there may be executed');
  const viommu = objects.find(Number(offset / PAGE_SIZE));
  if (!(viommu instanceof Viommu) || viommu.mappedValue === null || offset !== offsetOf(viommu.id) || length !== PAGE_SIZE) throw new Refusal('ENXIO', 'IFD-88', 'no driver shows exactly that page');
  return { value: viommu.mappedValue, file: process.open(new MappedPage(viommu)) };
}
