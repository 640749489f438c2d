/** What a dirty bitmap says of one mapping. */
import { PAGE_SHIFT } from '../../../memory/address.js';
import type { DirtyRun } from '../../container.js';
import type { Mapping } from './mapping.js';
import type { Type1State } from './state.js';

/** VFT-58: dirty pages of a mapping, counted from `start`; all of it while a group that never pins translates through it. */
export function readDirty(state: Type1State, mapping: Mapping, start: bigint): DirtyRun[] {
  const everything = state.nonPinningGroups > 0 && mapping.iommuMapped;
  const before = Number((mapping.iova - start) >> BigInt(PAGE_SHIFT));
  const runs = mapping.dirty?.runs(0, mapping.pageOf(mapping.range.last), everything) ?? [];
  return runs.map(({ first, last }) => ({ first: first + before, last: last + before }));
}
