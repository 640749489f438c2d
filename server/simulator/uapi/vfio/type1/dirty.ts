/** VFIO_IOMMU_DIRTY_PAGES (section 2.8). */
import { Refusal } from '../../../errno.js';
import { ADDRESS_MAX, hex } from '../../../memory/address.js';
import type { DirtyPagesRequest, DirtyRun } from '../../container.js';
import { DIRTY_PAGES } from '../constants.js';
import { readDirty } from './dirty-runs.js';
import type { Type1State } from './state.js';
import { checkBitmapSize } from './unmap.js';

const refuse = (reason: string, rule: string): never => {
  throw new Refusal('EINVAL', rule, reason);
};

/** @returns the dirty pages of the range, counted from its start; null for START and STOP. */
export function dirtyPages(state: Type1State, request: DirtyPagesRequest): readonly DirtyRun[] | null {
  const { flags, argsz } = request;
  if (state.version === 1) throw new Refusal('EACCES', 'VFT-55', 'dirty pages are tracked in version 2 containers only');
  if (argsz < DIRTY_PAGES.SIZE || (flags & ~DIRTY_PAGES.ANY) !== 0) refuse('the request is too small or has unknown flags', 'VFT-55');
  if (flags === DIRTY_PAGES.START) return start(state);
  if (flags === DIRTY_PAGES.STOP) return stop(state);
  if (flags === DIRTY_PAGES.GET_BITMAP) return bitmap(state, request);
  return refuse('exactly one of START, STOP and GET_BITMAP must be asked for', 'VFT-55');
}

/** VFT-56: idempotent. */
function start(state: Type1State): null {
  if (!state.dirtyTracking) for (const mapping of state.mappings.entries()) mapping.trackDirty();
  state.dirtyTracking = true;
  return null;
}

function stop(state: Type1State): null {
  state.dirtyTracking = false;
  for (const mapping of state.mappings.entries()) mapping.dirty = null;
  return null;
}

/** VFT-57, VFT-58. */
function bitmap(state: Type1State, request: DirtyPagesRequest): readonly DirtyRun[] {
  checkBitmapRequest(state, request);
  const range = { start: request.iova, last: request.iova + request.size - 1n };
  const runs: DirtyRun[] = [];
  for (const mapping of state.mappings.overlapping(range)) {
    runs.push(...readDirty(state, mapping, range.start));
    mapping.dirty?.reset(mapping.externalPins.keys());
  }
  return runs;
}

function checkBitmapRequest(state: Type1State, request: DirtyPagesRequest): void {
  const { iova, size, bitmap: wanted } = request;
  const { profile } = state.kernel;
  const misaligned = (value: bigint): boolean => (value & (state.granule - 1n)) !== 0n;
  if (request.argsz < DIRTY_PAGES.GET_SIZE) refuse('the request has no room for the range', 'VFT-57');
  if (profile.mediated === 'emulated-group' && size === 0n) refuse('the size is 0', 'VFT-57');
  if (iova + size > ADDRESS_MAX) throw new Refusal(profile.wrapErrno, 'VFT-57', `${hex(iova)} size ${hex(size)} goes beyond the last address`);
  checkBitmapSize(wanted.pageSize === 0n ? 0n : size / wanted.pageSize, wanted.size);
  if (wanted.pageSize !== state.granule || misaligned(iova) || size === 0n || misaligned(size)) refuse(`the bitmap must count pages of ${hex(state.granule)}, as the container does`, 'VFT-57');
  if (!state.dirtyTracking) refuse('dirty tracking is off', 'VFT-57');
  const first = state.mappings.at(iova);
  const last = state.mappings.at(iova + size - 1n);
  if ((first !== undefined && first.iova !== iova) || (last !== undefined && last.range.last !== iova + size - 1n)) refuse('the range splits a mapping', 'VFT-57');
}
