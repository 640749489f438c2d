/**
 * RLIMIT_MEMLOCK: what pinning memory for DMA costs, and who pays. Three counters exist side by side and none knows of
 * the others, which is why two APIs count the same page twice (VFT-64):
 *   `locked`  mm.locked_vm of the process: type1 (VFT-60);
 *   `user`    all processes of one user: iommufd (IOP-30);
 *   `pinned`  mm.pinned_vm: iommufd shows it, only its MM mode limits by it.
 */
import { Refusal } from '../errno.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../memory/address.js';
import type { Process } from './process.js';

/** Pages that `size` bytes from `start` touch. */
export const pagesSpanned = (start: bigint, size: bigint): number =>
  size === 0n ? 0 : Number(((start + size - 1n) >> BigInt(PAGE_SHIFT)) - (start >> BigInt(PAGE_SHIFT)) + 1n);

/** Whole pages of the limit; infinite without a limit. */
export const memlockPages = (process: Process): number => (process.memlock === null ? Infinity : Number(process.memlock / PAGE_SIZE));

/** How many more pages type1 lets this process lock (VFT-60). `exempt`: CAP_IPC_LOCK, as sampled when it mapped (VFT-45). */
export const lockablePages = (process: Process, exempt: boolean): number => (exempt ? Infinity : Math.max(0, memlockPages(process) - process.lockedPages));

/** Counts pages against mm.locked_vm. @throws Refusal ENOMEM beyond the limit; nothing is counted then. */
export function lockPages(process: Process, pages: number, exempt: boolean, rule: string): void {
  if (pages > lockablePages(process, exempt)) throw memlockExceeded(process, rule);
  process.lockedPages += pages;
}

export function unlockPages(process: Process, pages: number): void {
  process.lockedPages -= pages;
}

export const memlockExceeded = (process: Process, rule: string): Refusal =>
  new Refusal('ENOMEM', rule, `RLIMIT_MEMLOCK of ${process.name} (${process.memlock ?? 'unlimited'} bytes, ${process.lockedPages} pages locked) does not allow more pinned pages`);
