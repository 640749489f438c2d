/** The one supply of PASIDs that all devices share (PAS-12, PAS-13, SVA-02, FEA-03, IOA-08). */
import type { Device } from './core.js';
import { IdSpace } from './ioasid/id-space.js';

/** PAS-12: IOMMU_FIRST_GLOBAL_PASID. */
export const FIRST_PASID = 1;

/** PAS-11: numbers below this one; a device whose unit or function has no PASIDs has none. */
export const maxPasids = (device: Device): number => Math.min(device.pasidBits === undefined || device.pasidBits === 0 ? 0 : 2 ** device.pasidBits, device.unit?.capabilities().maxPasids ?? 0);

export class PasidNumbers {
  /** Also what the IOASID allocator gives out where there is one. */
  readonly space = new IdSpace();

  /** The lowest free number up to and including `last`; null when there is none. */
  take(last: number): number | null {
    return this.space.take(FIRST_PASID, last);
  }

  /** Takes one particular number, as whoever asks with equal ends of a range does. @returns false when it is taken */
  takeExactly(pasid: number): boolean {
    return this.space.take(pasid, pasid) !== null;
  }

  /** @returns false for a number that was not taken: the kernel warns */
  giveBack(pasid: number): boolean {
    return this.space.giveBack(pasid);
  }
}
