/** An IOMMU driver of VFIO, as a container sees it (`struct vfio_iommu_driver_ops`): type1, or the one that does nothing. */
import type { DirtyPagesRequest, DirtyRun, DmaMapRequest, DmaUnmapRequest, IommuInfo, MediatedMemory } from '../container.js';
import type { Process } from '../process.js';
import type { VfioGroup } from './registry.js';

export interface BackendDriver {
  readonly noiommu: boolean;
  /** VFIO_CHECK_EXTENSION of a container that has not chosen yet. */
  offers(extension: number, container: { readonly empty: boolean; readonly noiommu: boolean }): number;
  /** @throws Refusal */
  open(model: number, process: Process, container: string): Backend;
}

/** A container's chosen back end. Every method throws `Refusal` as the ioctl would. */
export interface Backend {
  checkExtension(extension: number): number;
  attach(group: VfioGroup, process: Process): void;
  detach(group: VfioGroup): void;
  release(): void;
  info(argsz: number): IommuInfo;
  map(process: Process, request: DmaMapRequest): void;
  unmap(process: Process, request: DmaUnmapRequest): bigint;
  dirtyPages(request: DirtyPagesRequest): readonly DirtyRun[] | null;
  /** What a mediating driver of this group may do. */
  memoryOf(group: VfioGroup): MediatedMemory;
}
