/** VFIO_IOMMU_MAP_DMA: the checks in the order of each era (section 2.6). */
import type { Errno } from '../../../errno.js';
import { Refusal } from '../../../errno.js';
import { ADDRESS_MAX, hex, type AddressRange } from '../../../memory/address.js';
import type { DmaMapRequest } from '../../container.js';
import { DMA_MAP } from '../constants.js';
import type { Process } from '../../process.js';
import { lockPages, unlockPages } from '../../locked-memory.js';
import { isUsable } from './iova-list.js';
import { Mapping } from './mapping.js';
import { pinAndMap } from './pinning.js';
import type { Type1State } from './state.js';

const refuse = (errno: Errno, reason: string, rule = 'VFT-40'): never => {
  throw new Refusal(errno, rule, reason);
};

export function map(state: Type1State, process: Process, request: DmaMapRequest): void {
  checkRequest(state, request);
  const range = { start: request.iova, last: request.iova + request.size - 1n };
  if ((request.flags & DMA_MAP.VADDR) !== 0) return updateAddress(state, process, range, request.vaddr);
  const there = state.mappings.overlap(range);
  if (there !== undefined) {
    throw new Refusal('EEXIST', 'VFT-40', `${hex(there.range.start)} .. ${hex(there.range.last)} is mapped already`, there.origin === undefined ? [] : [there.origin]);
  }
  if (state.available === 0) refuse('ENOSPC', 'the container has no mapping left (dma_entry_limit)', 'VFT-41');
  if (!isUsable(state.iovaList, range)) refuse('EINVAL', `${hex(range.start)} .. ${hex(range.last)} is ${whyUnusable(state, range)}`, 'VFT-22');
  record(state, process, range, request);
}

function whyUnusable({ iovaList }: Type1State, range: AddressRange): string {
  const highest = iovaList.at(-1)?.last;
  return highest !== undefined && range.last > highest ? `beyond the highest address that the IOMMU translates for the container, ${hex(highest)}` : 'not within the usable ranges of the container';
}

function checkRequest(state: Type1State, request: DmaMapRequest): void {
  const { flags, iova, size, vaddr } = request;
  const known = state.kernel.profile.vaddrUpdate === 'absent' ? DMA_MAP.READ | DMA_MAP.WRITE : DMA_MAP.ALL;
  if (request.argsz < DMA_MAP.SIZE || (flags & ~known) !== 0) refuse('EINVAL', 'the request is too small or has unknown flags');
  const setAddress = (flags & DMA_MAP.VADDR) !== 0;
  const access = (flags & (DMA_MAP.READ | DMA_MAP.WRITE)) !== 0;
  const flagsMakeSense = setAddress !== access;
  const wraps = size !== 0n && (iova + size - 1n > ADDRESS_MAX || vaddr + size - 1n > ADDRESS_MAX);
  const aligned = ((size | iova | vaddr) & (state.granule - 1n)) === 0n;
  // The two eras ask the same in another order; only the errno of a wrap-around shows it.
  if (state.kernel.profile.wrapErrno === 'EOVERFLOW') {
    if (size === 0n) refuse('EINVAL', 'the size is 0');
    if (wraps) refuse('EOVERFLOW', `${hex(iova)} size ${hex(size)} goes beyond the last address`);
    if (!flagsMakeSense) refuse('EINVAL', 'flags must name an access, or VADDR alone');
    if (!aligned) refuse('EINVAL', `address, size or virtual address is not a multiple of ${hex(state.granule)}`);
  } else {
    if (!flagsMakeSense) refuse('EINVAL', 'flags must name an access, or VADDR alone');
    if (size === 0n || !aligned) refuse('EINVAL', `size is 0, or address, size or virtual address is not a multiple of ${hex(state.granule)}`);
    if (wraps) refuse('EINVAL', `${hex(iova)} size ${hex(size)} goes beyond the last address`);
  }
}

/** VFT-53: the same memory at another virtual address (after an exec). */
function updateAddress(state: Type1State, process: Process, range: AddressRange, vaddr: bigint): void {
  const mapping = state.mappings.overlap(range);
  if (mapping === undefined) return refuse('ENOENT', `nothing is mapped at ${hex(range.start)}`, 'VFT-53');
  const same = mapping.range.start === range.start && mapping.range.last === range.last;
  if (!mapping.staleAddress || !same) return refuse('EINVAL', `${hex(range.start)} is not a whole mapping whose address was invalidated`, 'VFT-53');
  if (state.kernel.profile.vaddrUpdate === 'no-emulated') moveAccounting(mapping, process);
  mapping.vaddr = vaddr;
  mapping.staleAddress = false;
  state.staleAddresses--;
}

/** Since 6.2 the pages count against whoever maps them again. */
function moveAccounting(mapping: Mapping, process: Process): void {
  if (mapping.process === process) return;
  lockPages(process, mapping.lockedPages, mapping.exempt, 'VFT-53');
  unlockPages(mapping.process, mapping.lockedPages);
  mapping.process = process;
}

/** VFT-40: with a hardware domain, pin and map at once; else only remember. */
function record(state: Type1State, process: Process, range: AddressRange, request: DmaMapRequest): void {
  // VFT-44: what was asked for is what the IOMMU allows; snooping is the domain's.
  const permission = { read: (request.flags & DMA_MAP.READ) !== 0, write: (request.flags & DMA_MAP.WRITE) !== 0 };
  const mapping = new Mapping(range, request.vaddr, permission, process, process.has('IPC_LOCK'), request.origin);
  if (state.domains.length > 0) {
    pinAndMap(mapping, process, state.pagingDomains, state.kernel.log);
    mapping.iommuMapped = true;
  }
  if (state.dirtyTracking) mapping.trackDirty();
  state.mappings.insert(mapping);
  state.available--;
}
