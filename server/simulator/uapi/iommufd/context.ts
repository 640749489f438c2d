/** One open /dev/iommu: its objects, how it counts memory, and the state that stands in for a VFIO container (IFD-06, IFD-07). */
import type { Group, Kernel } from '../../kernel/core.js';
import type { AttachedGroup } from './device.js';
import type { Ioas } from './ioas.js';
import { ObjectTable } from './objects.js';
import { MessageWindow } from './software-msi.js';
import type { AccountMode } from './pages.js';

export class IommufdContext {
  readonly objects = new ObjectTable();
  /** IFD-12. */
  accountMode: AccountMode = 'user';
  /** CMP-02: the context holds groups without IOMMU, so it may have no compatibility IOAS. */
  noIommuMode = false;
  /** IOMMU_VFIO_IOAS (IFD-17): what container ioctls work on. */
  compatIoas: Ioas | null = null;
  /** IFD-31: by group, what its devices are attached to. */
  readonly groups = new Map<Group, AttachedGroup>();
  /** IFD-44. */
  readonly messages = new MessageWindow();
  private references = 1;

  constructor(
    readonly kernel: Kernel,
    /** The process that opened it; for people. */
    readonly ownerName: string,
    /** Counted from 1 as iommufds are opened. */
    readonly serial: number,
  ) {}

  /** IFD-07: bound devices and event files keep the context alive after its file is closed. */
  hold(): void {
    this.references++;
  }

  drop(): void {
    this.references--;
    if (this.references === 0) this.objects.destroyAll();
  }
}
