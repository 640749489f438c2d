/** I/O address spaces: a table of areas and the hardware page tables that show it (IFD-11). */
import type { IommufdContext } from './context.js';
import type { Hwpt } from './hwpt.js';
import { IoPageTable } from './io-pagetable.js';
import { IommufdObject } from './objects.js';

export class Ioas extends IommufdObject {
  readonly kind = 'ioas';
  readonly table = new IoPageTable();
  /** Oldest first (IFD-41). */
  readonly hwpts = new Set<Hwpt>();

  constructor(private readonly context: IommufdContext) {
    super();
  }

  /** IFD-10a: areas never keep it alive. */
  destroy(): void {
    this.table.unmapAll();
    if (this.context.compatIoas === this) this.context.compatIoas = null;
  }
}
