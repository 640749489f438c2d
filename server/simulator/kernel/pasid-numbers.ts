/** The one supply of PASIDs that all devices share (PAS-12, PAS-13, SVA-02, FEA-03). */

/** PAS-12: IOMMU_FIRST_GLOBAL_PASID. */
export const FIRST_PASID = 1;

export class PasidNumbers {
  private readonly taken = new Set<number>();
  /** No number below it is free. */
  private lowest = FIRST_PASID;

  /** The lowest free number up to and including `last`; null when there is none. */
  take(last: number): number | null {
    while (this.taken.has(this.lowest)) this.lowest++;
    if (this.lowest > last) return null;
    this.taken.add(this.lowest);
    return this.lowest;
  }

  /** Takes one particular number, as whoever asks with equal ends of a range does. @returns false when it is taken */
  takeExactly(pasid: number): boolean {
    if (this.taken.has(pasid)) return false;
    this.taken.add(pasid);
    return true;
  }

  /** @returns false for a number that was not taken: the kernel warns */
  giveBack(pasid: number): boolean {
    if (!this.taken.delete(pasid)) return false;
    this.lowest = Math.min(this.lowest, pasid);
    return true;
  }
}
