/** `ioctl`: a call by its bare structure, of which everything is 0 but what the step says (IFD-01 .. IFD-03, CNF-07). */
import { Refusal } from '../errno.js';
import { isIoctlName, sizeOfStructure, type Envelope, type IommufdSubsystem } from '../uapi/iommufd/index.js';
import type { Process } from '../uapi/process.js';
import type { Call, Executor } from './call.js';

type Bare = (iommufd: IommufdSubsystem, process: Process, fd: number, envelope: Envelope) => unknown;

const noData = { entryLength: 0, entries: 0 } as const;

const IOMMUFD: Readonly<Record<string, Bare>> = {
  IOMMU_DESTROY: (iommufd, process, fd, call) => iommufd.destroy(process, fd, { ...call, id: 0 }),
  IOMMU_IOAS_ALLOC: (iommufd, process, fd, call) => iommufd.ioasAlloc(process, fd, call),
  IOMMU_IOAS_ALLOW_IOVAS: (iommufd, process, fd, call) => iommufd.ioasAllowIovas(process, fd, { ...call, ioas: 0, ranges: [] }),
  IOMMU_IOAS_COPY: (iommufd, process, fd, call) => iommufd.ioasCopy(process, fd, { ...call, source: 0, target: 0, sourceIova: 0n, length: 0n }),
  IOMMU_IOAS_IOVA_RANGES: (iommufd, process, fd, call) => iommufd.ioasIovaRanges(process, fd, { ...call, ioas: 0, room: 0 }),
  IOMMU_IOAS_MAP: (iommufd, process, fd, call) => iommufd.ioasMap(process, fd, { ...call, ioas: 0, va: 0n, length: 0n }),
  IOMMU_IOAS_MAP_FILE: (iommufd, process, fd, call) => iommufd.ioasMapFile(process, fd, { ...call, ioas: 0, file: 0, start: 0n, length: 0n }),
  IOMMU_IOAS_UNMAP: (iommufd, process, fd, call) => iommufd.ioasUnmap(process, fd, { ...call, ioas: 0, iova: 0n, length: 0n }),
  IOMMU_OPTION: (iommufd, process, fd, call) => iommufd.option(process, fd, { ...call, option: 0, op: 0 }),
  IOMMU_VFIO_IOAS: (iommufd, process, fd, call) => iommufd.vfioIoas(process, fd, { ...call, op: 0 }),
  IOMMU_HWPT_ALLOC: (iommufd, process, fd, call) => iommufd.hwptAlloc(process, fd, { ...call, device: 0, pt: 0 }),
  IOMMU_GET_HW_INFO: (iommufd, process, fd, call) => iommufd.getHwInfo(process, fd, { ...call, device: 0 }),
  IOMMU_HWPT_SET_DIRTY_TRACKING: (iommufd, process, fd, call) => iommufd.setDirtyTracking(process, fd, { ...call, hwpt: 0 }),
  IOMMU_HWPT_GET_DIRTY_BITMAP: (iommufd, process, fd, call) => iommufd.getDirtyBitmap(process, fd, { ...call, hwpt: 0, iova: 0n, length: 0n, pageSize: 0n }),
  IOMMU_HWPT_INVALIDATE: (iommufd, process, fd, call) => iommufd.hwptInvalidate(process, fd, { ...call, ...noData, hwpt: 0 }),
  IOMMU_FAULT_QUEUE_ALLOC: (iommufd, process, fd, call) => iommufd.faultQueueAlloc(process, fd, call),
  IOMMU_VIOMMU_ALLOC: (iommufd, process, fd, call) => iommufd.viommuAlloc(process, fd, { ...call, device: 0, hwpt: 0, type: 0 }),
  IOMMU_VDEVICE_ALLOC: (iommufd, process, fd, call) => iommufd.vdeviceAlloc(process, fd, { ...call, viommu: 0, device: 0, virtualId: 0n }),
  IOMMU_VEVENTQ_ALLOC: (iommufd, process, fd, call) => iommufd.eventQueueAlloc(process, fd, { ...call, viommu: 0, type: 0, depth: 0 }),
  IOMMU_HW_QUEUE_ALLOC: (iommufd, process, fd, call) => iommufd.hwQueueAlloc(process, fd, { ...call, viommu: 0, type: 0, index: 0, iova: 0n, length: 0n }),
  IOMMU_IOAS_CHANGE_PROCESS: (iommufd, process, fd, call) => iommufd.ioasChangeProcess(process, fd, call),
};

/** What stands in for a container (CMP-10 .. CMP-15); `size` is `argsz`, whose least is given. */
const CONTAINER: Readonly<Record<string, { readonly least: number; readonly call: (file: ReturnType<IommufdSubsystem['file']>, process: Process, argsz: number, flags: number) => unknown }>> = {
  VFIO_GET_API_VERSION: { least: 0, call: (file) => file.apiVersion() },
  VFIO_IOMMU_GET_INFO: { least: 16, call: (file, _process, argsz) => file.info(argsz) },
  VFIO_IOMMU_MAP_DMA: { least: 32, call: (file, process, argsz, flags) => file.map(process, { argsz, flags, vaddr: 0n, iova: 0n, size: 0n }) },
  VFIO_IOMMU_UNMAP_DMA: { least: 24, call: (file, process, argsz, flags) => file.unmap(process, { argsz, flags, iova: 0n, size: 0n }) },
  VFIO_IOMMU_DIRTY_PAGES: { least: 8, call: (file) => file.dirtyPages() },
};

export const ioctl: Executor = (call) => {
  const { iommufd } = call.machine;
  const fd = call.fd('iommufd');
  const command = call.word('command');
  const file = iommufd.file(call.process, fd);
  const container = CONTAINER[command];
  const known = container !== undefined || isIoctlName(command);
  if (!known) throw new Refusal('ENOTTY', 'CMP-05', `an iommufd knows no call ${command}`);
  if (call.has('null-data')) throw new Refusal('EFAULT', 'IFD-01', 'the structure cannot be read');
  if (container !== undefined) container.call(file, call.process, Number(call.optionalNumber('size') ?? BigInt(container.least)), Number(call.optionalNumber('flags') ?? 0n));
  else IOMMUFD[command]?.(iommufd, call.process, fd, envelopeOf(call, command));
  return undefined;
};

/** With a tail the structure is one byte longer than the kernel knows it. */
function envelopeOf(call: Call, command: string): Envelope {
  const longer = isIoctlName(command) && (call.has('tail') || call.has('zero-tail')) ? sizeOfStructure(command) + 1 : undefined;
  const size = call.optionalNumber('size');
  const flags = call.optionalNumber('flags');
  return { size: size === undefined ? longer : Number(size), tailNotZero: call.has('tail'), flags: flags === undefined ? undefined : Number(flags), reserved: call.has('reserved-set') ? 1 : 0, readOnly: call.has('read-only') };
}
