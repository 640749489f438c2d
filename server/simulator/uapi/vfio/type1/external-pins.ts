/**
 * What a mediating driver asks of type1: pages behind addresses that its user mapped (VFT-61, VFT-70 .. VFT-74). No page
 * table is read; the "table" is the list of MAP calls.
 */
import type { Permission } from '../../../description.js';
import { Refusal } from '../../../errno.js';
import { hex, PAGE_SIZE, type PhysicalAddress } from '../../../memory/address.js';
import { lockPages, unlockPages } from '../../locked-memory.js';
import type { Process } from '../../process.js';
import type { VfioGroup } from '../registry.js';
import type { Mapping } from './mapping.js';
import type { Type1State } from './state.js';

/** `vfio_iommu_type1_pin_pages`. All or nothing. @throws Refusal */
export function pinPages(state: Type1State, group: VfioGroup, iova: bigint, pages: number, permission: Permission): readonly PhysicalAddress[] {
  if (state.version === 1) throw new Refusal('EACCES', 'VFT-71', 'pinning pages needs a version 2 container');
  refuseStaleAddresses(state, 'vfio_pin_pages not allowed with VFIO_UPDATE_VADDR');
  if (!someoneListens(state)) {
    throw new Refusal('EINVAL', 'VFT-71', 'no driver in the container would be told when its user unmaps, so nothing may be pinned');
  }
  const found: PhysicalAddress[] = [];
  try {
    for (let i = 0; i < pages; i++) found.push(pinPage(state, iova + BigInt(i) * PAGE_SIZE, permission));
  } catch (refusal) {
    unpinPages(state, iova, found.length);
    throw refusal;
  }
  firstPin(state, group);
  return found;
}

function pinPage(state: Type1State, iova: bigint, permission: Permission): PhysicalAddress {
  const mapping = state.mappings.at(iova);
  if (mapping === undefined) throw new Refusal('EINVAL', 'VFT-71', `nothing is mapped at ${hex(iova)}`);
  if ((permission.read && !mapping.permission.read) || (permission.write && !mapping.permission.write)) {
    throw new Refusal('EPERM', 'VFT-71', `the mapping at ${hex(mapping.iova)} does not allow this access`, mapping.origin === undefined ? [] : [mapping.origin]);
  }
  const page = mapping.pageOf(iova);
  const known = mapping.externalPins.get(page);
  if (known !== undefined) {
    known.times++;
    return known.physical;
  }
  return pinNewPage(state, mapping, page, iova);
}

function pinNewPage(state: Type1State, mapping: Mapping, page: number, iova: bigint): PhysicalAddress {
  const address = mapping.vaddr + (iova - mapping.iova);
  const [piece] = mapping.process.eachPiece(address, PAGE_SIZE, { read: true, write: mapping.permission.write });
  const charged = state.domains.length === 0 && piece!.device !== true; // VFT-61
  if (charged) chargePage(state, mapping);
  mapping.externalPins.set(page, { physical: piece!.physical, device: piece!.device === true, charged, times: 1 });
  mapping.dirty?.mark(page);
  return piece!.physical;
}

function chargePage(state: Type1State, mapping: Mapping): void {
  try {
    lockPages(mapping.process, 1, mapping.exempt, 'VFT-61');
  } catch (refusal) {
    state.kernel.log.push(`vfio_pin_page_external: Task ${mapping.process.name} (0) RLIMIT_MEMLOCK (${mapping.process.memlock ?? 0n}) exceeded`);
    throw refusal;
  }
  mapping.lockedPages++;
}

/** VFT-73: stops at the first page that is not pinned. @returns pages released */
export function unpinPages(state: Type1State, iova: bigint, pages: number): number {
  for (let i = 0; i < pages; i++) if (!unpinPage(state, iova + BigInt(i) * PAGE_SIZE)) return i;
  return pages;
}

function unpinPage(state: Type1State, iova: bigint): boolean {
  const mapping = state.mappings.at(iova);
  const pin = mapping?.externalPins.get(mapping.pageOf(iova));
  if (mapping === undefined || pin === undefined) return false;
  if (--pin.times > 0) return true;
  mapping.externalPins.delete(mapping.pageOf(iova));
  // While an IOMMU domain is there the whole mapping is counted, pinned by a driver or not.
  if (state.domains.length === 0 && !pin.device) {
    unlockPages(mapping.process, 1);
    mapping.lockedPages--;
  }
  return true;
}

/** VFT-74: `vfio_dma_rw`, a copy by the CPU, mapping by mapping. @throws Refusal */
export function readWrite(state: Type1State, process: Process, iova: bigint, size: bigint, write: boolean): void {
  refuseStaleAddresses(state, 'vfio_dma_rw not allowed with VFIO_UPDATE_VADDR');
  for (let at = iova; at < iova + size; ) {
    const mapping = state.mappings.at(at);
    if (mapping === undefined) throw new Refusal('EINVAL', 'VFT-74', `nothing is mapped at ${hex(at)}`);
    if ((write && !mapping.permission.write) || !mapping.permission.read) throw new Refusal('EPERM', 'VFT-74', `the mapping at ${hex(mapping.iova)} does not allow this access`);
    if (mapping.process !== process) throw new Refusal('EFAULT', 'VFT-74', `the mapping at ${hex(mapping.iova)} is memory of ${mapping.process.name}`);
    const end = mapping.range.last + 1n < iova + size ? mapping.range.last + 1n : iova + size;
    mapping.process.pieces(mapping.vaddr + (at - mapping.iova), end - at, { read: true, write });
    if (write) for (let page = mapping.pageOf(at); page <= mapping.pageOf(end - 1n); page++) mapping.dirty?.mark(page);
    at = end;
  }
}

function refuseStaleAddresses(state: Type1State, warning: string): void {
  if (state.staleAddresses === 0) return;
  if (state.kernel.profile.vaddrUpdate === 'no-emulated') state.kernel.log.push(warning);
  throw new Refusal(state.kernel.profile.vaddrUpdate === 'no-emulated' ? 'EBUSY' : 'EFAULT', 'VFT-54', 'virtual addresses of mappings are being updated');
}

/** VFT-75: a notifier is registered, or since 6.0 an open device whose driver has `dma_unmap`. */
const someoneListens = (state: Type1State): boolean =>
  [...state.softwareGroups, ...state.attachments.map((attachment) => attachment.group)].some((group) => [...group.members].some((member) => member.openCount > 0 && member.mediating?.listens));

/** VFT-72: from now on only what this group pins counts as dirty. */
function firstPin(state: Type1State, group: VfioGroup): void {
  if (state.pinningGroups.has(group)) return;
  state.pinningGroups.add(group);
  state.nonPinningGroups--;
}
