/** Steps that are calls on VFIO's containers, groups and devices. */
import { Refusal } from '../errno.js';
import { hex, PAGE_SIZE } from '../memory/address.js';
import { sizeText } from '../memory/sizes.js';
import type { DirtyRun } from '../uapi/container.js';
import { DMA_MAP, DMA_UNMAP, EXTENSION, IOMMU_MODELS } from '../uapi/vfio/index.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';
import { mapIoas, unmapIoas } from './executors-iommufd.js';
import { permissionOf } from './executors-system.js';
import { dirtyResult } from './executors-vfio-devices.js';

const openContainer: Executor = (call) => call.keep(call.machine.vfio.openContainer(call.process, call.word('handle')), 'container');

const openGroup: Executor = (call) => {
  const device = call.deviceOfFile('device', 'VFG-10');
  return call.keep(call.machine.vfio.openGroup(call.process, device), 'group', device);
};

const groupStatus: Executor = (call) => {
  const { viable, containerSet } = call.machine.vfio.groupStatus(call.process, call.handle('group').fd);
  return { values: { viable, 'container-set': containerSet }, main: (viable ? 1n : 0n) | (containerSet ? 2n : 0n) };
};

const setContainer: Executor = (call) => {
  call.machine.vfio.setContainer(call.process, call.handle('group').fd, call.fd('container'));
  return undefined;
};

const unsetContainer: Executor = (call) => {
  call.machine.vfio.unsetContainer(call.process, call.handle('group').fd);
  return undefined;
};

const checkExtension: Executor = (call) => {
  const extension = Number(call.number('extension'));
  const answer = call.machine.vfio.checkExtension(call.process, call.handle('container').fd, extension);
  return { values: { answer: BigInt(answer) }, notes: extension === EXTENSION.DMA_CC ? [answer === 1 ? CACHES_COHERENT : CACHES_NOT_COHERENT] : [] };
};

/** COH-04: what VFIO tells KVM of the container. */
const CACHES_COHERENT = 'Every domain of the container enforces snooping: KVM ignores WBINVD of the guest.';
const CACHES_NOT_COHERENT = 'Some domain of the container does not enforce snooping: KVM lets WBINVD of the guest through (kvm_arch_register_noncoherent_dma()).';

const setIommu: Executor = (call) => {
  const word = call.word('model');
  const model = IOMMU_MODELS.get(word) ?? Number(word);
  if (!Number.isInteger(model)) throw new NotModelled(`an IOMMU model called ${word}`);
  call.machine.vfio.setIommu(call.process, call.handle('container').fd, model);
  return undefined;
};

const iommuInfo: Executor = (call) => {
  const info = call.machine.vfio.iommuInfo(call.process, call.handle('container').fd);
  const values: Record<string, bigint | string> = { 'page-sizes': info.pageSizes };
  for (const capability of info.capabilities) {
    if (capability.kind === 'iova-range') values['iova-ranges'] = capability.ranges.map(({ start, last }) => `${hex(start)} .. ${hex(last)}`).join(', ');
    if (capability.kind === 'dma-available') values['dma-available'] = BigInt(capability.available);
  }
  return { values };
};

/** VFIO_IOMMU_MAP_DMA, or IOMMU_IOAS_MAP when the target is an IOAS. */
function map(call: Call): CallResult | undefined {
  const target = call.handle('target');
  const size = call.number('size');
  const vaddr = virtualAddress(call, size);
  const notes = [`${sizeText(size)} of ${call.process.name} at virtual address ${hex(vaddr)}.`];
  if (target.kind === 'object') return { ...mapIoas(call, target, vaddr, size), notes };
  const flags = mapFlags(call);
  call.machine.vfio.mapDma(call.process, target.fd, { flags, vaddr, iova: call.number('iova'), size, origin: call.origin });
  return { notes };
}

/** `update-vaddr` alone asks for no access (VFT-53); otherwise it is both unless said. */
function mapFlags(call: Call): number {
  if (call.has('update-vaddr') && !['r', 'w', 'rw'].some((flag) => call.has(flag))) return DMA_MAP.VADDR;
  const { read, write } = permissionOf(call);
  return (read ? DMA_MAP.READ : 0) | (write ? DMA_MAP.WRITE : 0) | (call.has('update-vaddr') ? DMA_MAP.VADDR : 0);
}

/** `from MEMORY + OFFSET`, `vaddr N`, or a fresh buffer. */
function virtualAddress(call: Call, size: bigint): bigint {
  const given = call.optionalNumber('vaddr');
  if (given !== undefined) return given;
  const memory = call.subject('memory');
  if (memory === undefined) return call.machine.programs.freshBuffer(call.program, size);
  return call.machine.programs.virtualAddress(call.program, memory) + (call.optionalNumber('memoryOffset') ?? 0n);
}

/** VFIO_IOMMU_UNMAP_DMA, or IOMMU_IOAS_UNMAP when the target is an IOAS. */
function unmap(call: Call): CallResult {
  const target = call.handle('target');
  if (target.kind === 'object') return unmapIoas(call, target);
  const wantsDirty = call.has('with-dirty');
  const flags = (call.has('all') ? DMA_UNMAP.ALL : 0) | (call.has('keep-vaddr') ? DMA_UNMAP.VADDR : 0) | (wantsDirty ? DMA_UNMAP.GET_DIRTY_BITMAP : 0);
  const size = call.optionalNumber('size') ?? 0n;
  const data: DirtyRun[] = [];
  const bitmap = { pageSize: PAGE_SIZE, size: ((size / PAGE_SIZE + 63n) / 64n) * 8n, data };
  const argsz = DMA_UNMAP.SIZE + (wantsDirty ? DMA_UNMAP.BITMAP_SIZE : 0);
  const unmapped = call.machine.vfio.unmapDma(call.process, target.fd, { argsz, flags, iova: call.optionalNumber('iova') ?? 0n, size, bitmap });
  return { values: { size: unmapped, ...(wantsDirty && dirtyResult(data).values) } };
}

const getDevice: Executor = (call) => {
  const device = call.device('device');
  const option = call.names('token') ? ` vf_token=${call.word('token')}` : ''; // VFG-30
  return call.keep(call.machine.vfio.getDeviceFd(call.process, call.handle('group').fd, device.name + option), 'device-fd', device);
};

const pinPages: Executor = (call) => {
  const pages = call.machine.vfio.pinPages(call.device('device'), call.number('iova'), call.number('size'), permissionOf(call));
  const values: Record<string, bigint> = { pages: BigInt(pages.length) };
  if (pages[0] !== undefined) values.physical = pages[0];
  return { values };
};

const unpinPages: Executor = (call) => ({
  values: { pages: BigInt(call.machine.vfio.unpinPages(call.device('device'), call.number('iova'), call.number('size'))) },
});

const close: Executor = (call) => {
  const handle = call.handle('handle');
  if (handle.kind === 'object' && handle.file !== undefined) {
    call.process.close(handle.file);
    return undefined;
  }
  if (handle.kind === 'object') throw new Refusal('EBADF', 'IFD-10', `${call.word('handle')} is no file descriptor: iommufd objects end with \`destroy\``);
  call.program.handles.delete(call.word('handle'));
  call.process.close(handle.fd);
  return undefined;
};

export const VFIO_EXECUTORS: Readonly<Record<string, Executor>> = {
  'open-container': openContainer, 'open-group': openGroup, 'group-status': groupStatus, 'set-container': setContainer,
  'unset-container': unsetContainer, 'check-extension': checkExtension, 'set-iommu': setIommu, 'iommu-info': iommuInfo, map, unmap,
  'get-device': getDevice, 'pin-pages': pinPages, 'unpin-pages': unpinPages, close,
};
