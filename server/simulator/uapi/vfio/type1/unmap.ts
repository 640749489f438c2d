/** VFIO_IOMMU_UNMAP_DMA (section 2.7), and what removes records without being asked. */
import { Refusal } from '../../../errno.js';
import { ADDRESS_MAX, hex, type AddressRange, type Iova } from '../../../memory/address.js';
import type { DmaUnmapRequest } from '../../container.js';
import { DMA_UNMAP, MAX_BITMAP_SIZE } from '../constants.js';
import type { Process } from '../../process.js';
import type { VfioGroup } from '../registry.js';
import type { Mapping } from './mapping.js';
import { unmapAndRecount, unpin } from './pinning.js';
import { readDirty } from './dirty-runs.js';
import type { Type1State } from './state.js';

/** How often type1 tells the mediating drivers to let go of one mapping before it gives up. */
const NOTIFY_RETRIES = 10;

const refuse = (reason: string, rule = 'VFT-51'): never => {
  throw new Refusal('EINVAL', rule, reason);
};

/** @returns bytes unmapped. */
export function unmap(state: Type1State, process: Process, request: DmaUnmapRequest): bigint {
  checkRequest(state, request);
  const range = unmapRange(state, request);
  if (state.version === 2 && (request.flags & DMA_UNMAP.ALL) === 0) refuseSplit(state, range);
  if ((request.flags & DMA_UNMAP.VADDR) !== 0) return invalidateAddresses(state, range);
  let unmapped = 0n;
  for (const mapping of state.kernel.profile.type1Search === 'nearest-root-first' ? oneByOne(state, range) : state.mappings.overlapping(range)) {
    if (state.version === 1 && mapping.iova < range.start) break; // VFT-50
    if (state.kernel.profile.mediated === 'external-domain' && mapping.process !== process) break;
    drainPins(state, mapping);
    request.bitmap?.data?.push(...readDirty(state, mapping, range.start));
    removeMapping(state, mapping);
    unmapped += mapping.size;
  }
  return unmapped;
}

/** Before 5.12 each turn searches anew, and whoever is met first goes. */
function* oneByOne(state: Type1State, range: AddressRange): Generator<Mapping> {
  for (let found = state.mappings.overlap(range); found !== undefined; found = state.mappings.overlap(range)) yield found;
}

function checkRequest(state: Type1State, request: DmaUnmapRequest): void {
  const { flags, argsz, bitmap } = request;
  const known = state.kernel.profile.vaddrUpdate === 'absent' ? DMA_UNMAP.GET_DIRTY_BITMAP : DMA_UNMAP.ANY;
  if (argsz < DMA_UNMAP.SIZE || (flags & ~known) !== 0) refuse('the request is too small or has unknown flags');
  if ((flags & DMA_UNMAP.GET_DIRTY_BITMAP) === 0) return;
  if ((flags & (DMA_UNMAP.ALL | DMA_UNMAP.VADDR)) !== 0) refuse('a dirty bitmap cannot be had together with ALL or VADDR', 'VFT-57');
  if (argsz < DMA_UNMAP.SIZE + DMA_UNMAP.BITMAP_SIZE || bitmap === undefined) return refuse('the request has no room for a bitmap', 'VFT-57');
  checkBitmapSize(request.size / (bitmap.pageSize || 1n), bitmap.size);
}

/** VFT-57: a bit for every page, in whole words. @throws Refusal EINVAL */
export function checkBitmapSize(pages: bigint, bytes: bigint): void {
  if (pages === 0n || bytes === 0n || bytes > BigInt(MAX_BITMAP_SIZE) || bytes < ((pages + 63n) / 64n) * 8n) refuse(`a bitmap of ${bytes} bytes does not fit ${pages} pages`, 'VFT-57');
}

/** Steps 1 to 6. */
function unmapRange(state: Type1State, request: DmaUnmapRequest): AddressRange {
  const { flags, iova, size } = request;
  const { profile } = state.kernel;
  const misaligned = (value: bigint): boolean => (value & (state.granule - 1n)) !== 0n;
  if ((flags & DMA_UNMAP.VADDR) !== 0 && profile.vaddrUpdate === 'no-emulated' && state.softwareGroups.size > 0) {
    throw new Refusal('EBUSY', 'VFT-54', 'virtual addresses cannot be taken away while a mediated device is in the container');
  }
  if (misaligned(iova)) refuse(`${hex(iova)} is not a multiple of ${hex(state.granule)}`);
  if ((flags & DMA_UNMAP.ALL) !== 0) {
    if (iova !== 0n || size !== 0n) refuse('ALL wants address and size to be 0', 'VFT-52');
    return { start: 0n, last: ADDRESS_MAX - 1n }; // The kernel writes the largest size there is, which no address lies behind.
  }
  if (size === 0n || misaligned(size)) refuse(`size ${hex(size)} is 0 or not a multiple of ${hex(state.granule)}`);
  if (iova + size - 1n > ADDRESS_MAX) throw new Refusal(profile.wrapErrno, 'VFT-51', `${hex(iova)} size ${hex(size)} goes beyond the last address`);
  if ((flags & DMA_UNMAP.GET_DIRTY_BITMAP) !== 0 && (!state.dirtyTracking || request.bitmap?.pageSize !== state.granule)) {
    refuse('dirty tracking is off, or the bitmap counts other pages than the container', 'VFT-57');
  }
  return { start: iova, last: iova + size - 1n };
}

/** Step 7: version 2 never splits a mapping (VFT-51). */
function refuseSplit(state: Type1State, range: AddressRange): void {
  const first = state.mappings.at(range.start);
  if (first !== undefined && first.iova !== range.start) refuse(`the range begins inside the mapping ${hex(first.iova)} .. ${hex(first.range.last)}`);
  const last = state.mappings.at(range.last);
  if (last !== undefined && last.range.last !== range.last) refuse(`the range ends inside the mapping ${hex(last.iova)} .. ${hex(last.range.last)}`);
}

/** Step 8a (VFT-53): mappings and pins stay. */
function invalidateAddresses(state: Type1State, range: AddressRange): bigint {
  const found = [...state.mappings.overlapping(range)];
  const startsInside = state.version === 1 ? found.filter((mapping) => mapping.iova >= range.start) : found;
  if (startsInside.some((mapping) => mapping.staleAddress)) refuse('the address of a mapping in the range is invalid already', 'VFT-53');
  for (const mapping of startsInside) mapping.staleAddress = true;
  state.staleAddresses += startsInside.length;
  return startsInside.reduce((size, mapping) => size + mapping.size, 0n);
}

/** Step 8b: every mediating driver is told of the whole mapping until nothing of it is pinned. */
function drainPins(state: Type1State, mapping: Mapping): void {
  for (let tries = 0; mapping.externalPins.size > 0; tries++) {
    if (tries > NOTIFY_RETRIES) {
      throw new Refusal('BUG', 'MDV-22', `a mediating driver keeps pages of ${hex(mapping.iova)} pinned although it was told ${NOTIFY_RETRIES} times to let go`);
    }
    for (const member of mediatedMembers(state)) if (member.mediating?.listens) member.mediating.unmapped(mapping.iova, mapping.size);
  }
}

const mediatedMembers = (state: Type1State) => [...state.softwareGroups, ...state.attachments.map((attachment) => attachment.group)].flatMap((group: VfioGroup) => [...group.members]);

/** Step 8d: out of every domain, unpinned, uncounted, forgotten. */
export function removeMapping(state: Type1State, mapping: Mapping): void {
  if (mapping.iommuMapped) for (const domain of state.pagingDomains) domain.unmap(mapping.iova as Iova, mapping.size);
  unpin(mapping, 0);
  if (mapping.staleAddress) state.staleAddresses--;
  state.mappings.remove(mapping);
  state.available++;
}

/** VFT-63: nobody is left who could use the records. */
export function removeAllMappings(state: Type1State): void {
  for (const mapping of state.mappings.entries()) removeMapping(state, mapping);
}

/** VFT-62: the records stay for the mediated devices. */
export function leaveMappingsToMediatedDevices(state: Type1State): void {
  for (const mapping of state.mappings.entries()) unmapAndRecount(mapping, state.pagingDomains);
}
