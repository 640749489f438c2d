/** VFIO_IOMMU_GET_INFO (VFT-03). */
import { Refusal } from '../../../errno.js';
import type { InfoCapability, IommuInfo } from '../../container.js';
import { INFO, MAX_BITMAP_SIZE } from '../constants.js';
import type { Type1State } from './state.js';

/** Bytes of each capability in the chain, header included. */
const bytesOf = (capability: InfoCapability): number => {
  if (capability.kind === 'migration') return 32;
  return capability.kind === 'dma-available' ? 16 : 16 + 16 * capability.ranges.length;
};

export function iommuInfo(state: Type1State, argsz: number): IommuInfo {
  if (argsz < INFO.SIZE) throw new Refusal('EINVAL', 'VFT-03', 'the request is too small');
  const capabilities: InfoCapability[] = [
    { kind: 'migration', pageSizes: state.granule, maxBitmapSize: MAX_BITMAP_SIZE },
    { kind: 'dma-available', available: state.available },
  ];
  // VFT-25: no list, no capability.
  if (state.iovaList.length > 0) capabilities.push({ kind: 'iova-range', ranges: state.iovaList });
  return fitted(argsz, state.pageSizes, capabilities);
}

/** A caller whose buffer is too small learns how much is needed. */
export function fitted(argsz: number, pageSizes: bigint, capabilities: readonly InfoCapability[]): IommuInfo {
  const needed = capabilities.reduce<number>((sum, each) => sum + bytesOf(each), INFO.FULL_SIZE);
  const fits = argsz >= needed;
  return { argsz: fits ? argsz : needed, flags: INFO.PAGE_SIZES | INFO.CAPABILITIES, pageSizes, capabilities: fits ? capabilities : [] };
}
