/** Pinning and mapping one record, piece by piece, and what it costs (VFT-40, VFT-42, VFT-60). */
import type { Iova } from '../../../memory/address.js';
import type { PagingDomain } from '../../../kernel/core.js';
import { lockPages, pagesSpanned, unlockPages } from '../../locked-memory.js';
import type { MemoryPiece, Process } from '../../process.js';
import { Refusal } from '../../../errno.js';
import type { Mapping } from './mapping.js';

/**
 * Pins the memory behind a mapping and maps every contiguous piece in every domain, before the next is pinned.
 * @param process whose memory it is: the one that calls
 * @throws Refusal EFAULT, ENOMEM, or what a page table says; nothing stays pinned, counted or mapped then
 */
export function pinAndMap(mapping: Mapping, process: Process, domains: readonly PagingDomain[], log: string[]): void {
  const pieces: MemoryPiece[] = [];
  const lockedBefore = mapping.lockedPages;
  let done = 0n;
  try {
    for (const piece of process.eachPiece(mapping.vaddr, mapping.size, { read: true, write: mapping.permission.write })) {
      charge(mapping, done, piece, log);
      pieces.push(piece);
      mapPiece(mapping, done, piece, domains);
      done += piece.size;
    }
  } catch (refusal) {
    if (done > 0n) for (const domain of domains) domain.unmap(mapping.iova as Iova, done);
    unpin(mapping, lockedBefore);
    throw refusal;
  }
  mapping.pinned = pieces;
}

/** VFT-60: pages without `struct page` and pages that a mediating driver holds are not counted. */
function charge(mapping: Mapping, offset: bigint, piece: MemoryPiece, log: string[]): void {
  if (piece.device) return;
  const pages = pagesSpanned(mapping.vaddr + offset, piece.size) - mapping.externallyPinned(offset, piece.size);
  try {
    lockPages(mapping.process, pages, mapping.exempt, 'VFT-60');
  } catch (refusal) {
    if (refusal instanceof Refusal) log.push(`vfio_pin_pages_remote: RLIMIT_MEMLOCK (${mapping.process.memlock ?? 0n}) exceeded`);
    throw refusal;
  }
  mapping.lockedPages += pages;
}

/** VFT-42: a domain that refuses undoes the piece in those before it. */
function mapPiece(mapping: Mapping, offset: bigint, piece: MemoryPiece, domains: readonly PagingDomain[]): void {
  const iova = (mapping.iova + offset) as Iova;
  domains.forEach((domain, index) => {
    try {
      domain.map(iova, piece.physical, piece.size, mapping.permission, mapping.origin);
    } catch (refusal) {
      for (const earlier of domains.slice(0, index)) earlier.unmap(iova, piece.size);
      throw refusal;
    }
  });
}

/** Maps what is pinned already in one more domain (VFT-30). @throws Refusal; the caller frees the domain then */
export function mapPinned(mapping: Mapping, domain: PagingDomain): void {
  let offset = 0n;
  for (const piece of mapping.pinned) {
    mapPiece(mapping, offset, piece, [domain]);
    offset += piece.size;
  }
}

/** Unpins what is pinned for the IOMMU; as many pages as `keep` stay counted. */
export function unpin(mapping: Mapping, keep: number): void {
  unlockPages(mapping.process, mapping.lockedPages - keep);
  mapping.lockedPages = keep;
  mapping.pinned = [];
}

/** VFT-62: the last domain is gone. The record stays, and only what mediating drivers hold is counted. */
export function unmapAndRecount(mapping: Mapping, domains: readonly PagingDomain[]): void {
  for (const domain of domains) domain.unmap(mapping.iova as Iova, mapping.size);
  unpin(mapping, 0);
  mapping.iommuMapped = false;
  mapping.lockedPages = [...mapping.externalPins.values()].filter((pin) => !pin.device).length;
  mapping.process.lockedPages += mapping.lockedPages;
}
