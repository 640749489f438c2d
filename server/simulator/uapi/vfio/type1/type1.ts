/** vfio_iommu_type1: the one IOMMU driver of VFIO on x86 and Arm. */
import { Refusal } from '../../../errno.js';
import type { AuxiliaryDomains } from '../../../kernel/aux-domains.js';
import type { Kernel, PagingDomain } from '../../../kernel/core.js';
import type { KernelProfile } from '../../../kernel/profile.js';
import type { DirtyPagesRequest, DirtyRun, DmaMapRequest, DmaUnmapRequest, IommuInfo, MediatedMemory } from '../../container.js';
import type { Backend, BackendDriver } from '../backend.js';
import { EXTENSION } from '../constants.js';
import type { Process } from '../../process.js';
import type { VfioGroup } from '../registry.js';
import { attachGroup, attachGroup2021 } from './attach.js';
import { detachGroup, release } from './detach.js';
import { dirtyPages } from './dirty.js';
import { pinPages, readWrite, unpinPages } from './external-pins.js';
import { iommuInfo } from './info.js';
import { map } from './map.js';
import { Type1State } from './state.js';
import { unmap } from './unmap.js';

export class Type1Driver implements BackendDriver {
  readonly noiommu = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly aux: AuxiliaryDomains,
  ) {}

  offers(extension: number): number {
    return staticExtension(this.kernel.profile, extension) ?? 0;
  }

  /** VFT-01. */
  open(model: number, _process: Process, container: string): Backend {
    const state = new Type1State(this.kernel, model === EXTENSION.TYPE1 ? 1 : 2, model === EXTENSION.TYPE1_NESTING, container);
    return new Type1(state, this.aux);
  }
}

/** VFG-08: answers that do not depend on the container; undefined where they do. */
function staticExtension(profile: KernelProfile, extension: number): number | undefined {
  if (extension === EXTENSION.TYPE1 || extension === EXTENSION.TYPE1V2) return 1;
  if (extension === EXTENSION.TYPE1_NESTING) return profile.type1Nesting ? 1 : 0;
  if (extension === EXTENSION.UNMAP_ALL) return profile.vaddrUpdate === 'absent' ? 0 : 1;
  if (extension === EXTENSION.UPDATE_VADDR && profile.vaddrUpdate !== 'no-emulated') return profile.vaddrUpdate === 'absent' ? 0 : 1;
  return undefined;
}

export class Type1 implements Backend {
  constructor(
    readonly state: Type1State,
    private readonly aux: AuxiliaryDomains,
  ) {}

  checkExtension(extension: number): number {
    if (extension === EXTENSION.DMA_CC) return this.state.domains.every((each) => each.coherent) ? 1 : 0;
    if (extension === EXTENSION.UPDATE_VADDR && this.state.kernel.profile.vaddrUpdate === 'no-emulated') return this.state.softwareGroups.size === 0 ? 1 : 0;
    return staticExtension(this.state.kernel.profile, extension) ?? 0;
  }

  /** The domain that translates for a group; null for one that no IOMMU translates for (VFT-67). */
  domainOf(group: VfioGroup): PagingDomain | null {
    return this.state.domains.find((each) => each.attachments.some((attachment) => attachment.group === group))?.domain ?? null;
  }

  attach(group: VfioGroup, process: Process): void {
    if (this.state.kernel.profile.mediated === 'external-domain') attachGroup2021(this.state, group, process, this.aux);
    else attachGroup(this.state, group, process);
  }

  detach(group: VfioGroup): void {
    detachGroup(this.state, group);
  }

  release(): void {
    release(this.state);
  }

  info(argsz: number): IommuInfo {
    return iommuInfo(this.state, argsz);
  }

  map(process: Process, request: DmaMapRequest): void {
    map(this.state, process, request);
  }

  unmap(process: Process, request: DmaUnmapRequest): bigint {
    return unmap(this.state, process, request);
  }

  dirtyPages(request: DirtyPagesRequest): readonly DirtyRun[] | null {
    return dirtyPages(this.state, request);
  }

  memoryOf(group: VfioGroup): MediatedMemory {
    const { state } = this;
    return {
      pinPages: (iova, pages, permission) => {
        refuseSize(state, group, pages);
        return pinPages(state, group, iova, pages, permission);
      },
      unpinPages: (iova, pages) => unpinPages(state, iova, pages),
      readWrite: (process, iova, size, write) => readWrite(state, process, iova, size, write),
    };
  }
}

/** Page frame numbers that fit one page: what pin_pages takes at once. */
const MAX_PINNED_AT_ONCE = 512;

/** VFT-70, MDV-23: checks of VFIO's core before type1 is asked. */
function refuseSize(state: Type1State, group: VfioGroup, pages: number): void {
  if (pages <= 0) throw new Refusal('EINVAL', 'VFT-70', 'no page was asked for');
  if (pages > MAX_PINNED_AT_ONCE) throw new Refusal('E2BIG', 'VFT-70', `at most ${MAX_PINNED_AT_ONCE} pages can be pinned by one call`);
  if (state.kernel.profile.mediated === 'external-domain' && group.members.size > 1) {
    throw new Refusal('EINVAL', 'VFT-70', `group ${group.nodeName} has several devices, and it would not be known which of them pins`, group.subjects());
  }
}
