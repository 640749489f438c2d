/**
 * What the ioctls of a VFIO container are, whoever answers them: VFIO's own container with type1 behind it, or an
 * iommufd that stands in for one (CMP-01). The two sides of the group file descriptor meet here.
 */
import type { Permission, SubjectId } from '../description.js';
import type { Device } from '../kernel/core.js';
import type { AddressRange, Iova, PhysicalAddress } from '../memory/address.js';
import type { OpenFile, Process } from './process.js';

/** `struct vfio_iommu_type1_dma_map`. */
export interface DmaMapRequest {
  readonly argsz: number;
  /** DMA_MAP bits of `uapi/vfio/constants.ts`. */
  readonly flags: number;
  readonly vaddr: bigint;
  readonly iova: bigint;
  readonly size: bigint;
  /** The statement that maps; shown with the mapping. */
  readonly origin?: SubjectId;
}

/** `struct vfio_iommu_type1_dma_unmap`; with the dirty bitmap flag also the bitmap that follows it. */
export interface DmaUnmapRequest {
  readonly argsz: number;
  readonly flags: number;
  readonly iova: bigint;
  readonly size: bigint;
  readonly bitmap?: { readonly pageSize: bigint; readonly size: bigint; /** The memory that it points to: dirty pages of the range, ascending. */ readonly data?: DirtyRun[] };
}

/** One capability of VFIO_IOMMU_GET_INFO, in the order in which the chain lists them. */
export type InfoCapability =
  | { readonly kind: 'iova-range'; readonly ranges: readonly AddressRange<Iova>[] }
  | { readonly kind: 'migration'; readonly pageSizes: bigint; readonly maxBitmapSize: number }
  | { readonly kind: 'dma-available'; readonly available: number };

export interface IommuInfo {
  /** As written back: what would have been needed when the caller's was too small for the capabilities. */
  readonly argsz: number;
  readonly flags: number;
  /** Bit n = pages of 2^n bytes. */
  readonly pageSizes: bigint;
  /** Empty when they did not fit. */
  readonly capabilities: readonly InfoCapability[];
}

/** `struct vfio_iommu_type1_dirty_bitmap`, with the range that GET_BITMAP adds. */
export interface DirtyPagesRequest {
  readonly argsz: number;
  readonly flags: number;
  readonly iova: bigint;
  readonly size: bigint;
  readonly bitmap: { readonly pageSize: bigint; readonly size: bigint };
}

/** Pages first .. last of a request's range, all dirty. */
export interface DirtyRun {
  readonly first: number;
  readonly last: number;
}

/** A file that answers container ioctls. Every method throws `Refusal` as the ioctl would. */
export interface ContainerFile extends OpenFile {
  readonly kind: 'container' | 'iommufd';
  apiVersion(): number;
  checkExtension(extension: number): number;
  setIommu(process: Process, model: number): void;
  info(argsz: number): IommuInfo;
  map(process: Process, request: DmaMapRequest): void;
  /** @returns bytes unmapped. */
  unmap(process: Process, request: DmaUnmapRequest): bigint;
  /** @returns the dirty pages, ascending; null for a request without a bitmap. */
  dirtyPages(process: Process, request: DirtyPagesRequest): readonly DirtyRun[] | null;
}

/** How a driver registers its device with VFIO: the kinds of MDV-20 in the kernel's words. */
export type RegistrationKind = 'iommu' | 'emulated' | 'noiommu';

/** What a mediating driver can do with the memory that its user mapped (vfio_pin_pages and friends). */
export interface MediatedMemory {
  /** @returns the host pages, in order. @throws Refusal */
  pinPages(iova: bigint, pages: number, permission: Permission): readonly PhysicalAddress[];
  /** @returns pages released. */
  unpinPages(iova: bigint, pages: number): number;
  /** `vfio_dma_rw`: a copy by the CPU. @throws Refusal */
  readWrite(process: Process, iova: bigint, size: bigint, write: boolean): void;
}

/** A mediating driver's `dma_unmap` operation (5.13: its DMA_UNMAP notifier). */
export type UnmapListener = (iova: bigint, size: bigint) => void;

/** A device that was opened through its group and bound to an iommufd (CMP-03). */
export interface DeviceBinding {
  /** Null for a device that an IOMMU isolates. */
  readonly memory: MediatedMemory | null;
  /** The iommufd that has the device, and its object there; only to be compared, when the device was bound by its character device. */
  readonly context?: object;
  readonly id?: number;
  /** Last close of the device: detach from the compatibility IOAS, unbind. */
  close(): void;
}

/** An iommufd as VFIO_GROUP_SET_CONTAINER takes it. */
export interface IommufdContainer extends ContainerFile {
  readonly kind: 'iommufd';
  /** SET_CONTAINER: makes sure of the compatibility IOAS, or enters the no-IOMMU mode (CMP-02). @throws Refusal */
  linkGroup(noiommu: boolean): void;
  /** The group left: UNSET_CONTAINER, or its last file is closed. A linked group keeps the iommufd alive (IFD-07). */
  unlinkGroup(): void;
  /** GET_DEVICE_FD: binds and attaches (CMP-03). `onUnmap` is null for a driver without `dma_unmap`. @throws Refusal */
  openDevice(process: Process, device: Device, kind: RegistrationKind, onUnmap: UnmapListener | null): DeviceBinding;
}

export const isContainerFile = (file: OpenFile): file is ContainerFile => file.kind === 'container' || file.kind === 'iommufd';
export const isIommufdContainer = (file: OpenFile): file is IommufdContainer => file.kind === 'iommufd';
