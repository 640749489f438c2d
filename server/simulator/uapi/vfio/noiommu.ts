/** The back end for devices without an IOMMU (VFG-25 .. VFG-28): no domain, no mapping, DMA with physical addresses. */
import { Refusal } from '../../errno.js';
import type { Kernel } from '../../kernel/core.js';
import type { DirtyRun, IommuInfo, MediatedMemory } from '../container.js';
import type { Process } from '../process.js';
import type { Backend, BackendDriver } from './backend.js';
import { EXTENSION } from './constants.js';
import { isOn } from './registry.js';

export class NoIommuDriver implements BackendDriver {
  readonly noiommu = true;

  constructor(private readonly kernel: Kernel) {}

  /** VFG-08: only while the mode is on. */
  offers(extension: number): number {
    const on = this.kernel.buildOption('VFIO_NOIOMMU') && isOn(this.kernel.moduleParameter('vfio', 'enable_unsafe_noiommu_mode'));
    return extension === EXTENSION.NOIOMMU && on ? 1 : 0;
  }

  open(_model: number, process: Process): Backend {
    if (!process.has('SYS_RAWIO')) throw new Refusal('EPERM', 'VFG-27', 'DMA without IOMMU needs CAP_SYS_RAWIO');
    return new NoIommu(this);
  }
}

const notOffered = (): never => {
  throw new Refusal('ENOTTY', 'VFG-27', 'a container without IOMMU has no mappings');
};

class NoIommu implements Backend {
  constructor(private readonly driver: NoIommuDriver) {}

  checkExtension(extension: number): number {
    return this.driver.offers(extension);
  }

  attach(): void {}
  detach(): void {}
  release(): void {}
  info(): IommuInfo {
    return notOffered();
  }
  map(): void {
    notOffered();
  }
  unmap(): bigint {
    return notOffered();
  }
  dirtyPages(): readonly DirtyRun[] | null {
    return notOffered();
  }
  memoryOf(): MediatedMemory {
    return notOffered();
  }
}
