/** An open /dev/iommu, which also answers the ioctls of a VFIO container on its compatibility IOAS (CMP-01 .. CMP-15). */
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import { ADDRESS_MAX, hex, PAGE_SIZE, type Iova } from '../../memory/address.js';
import type { DeviceBinding, DmaMapRequest, DmaUnmapRequest, InfoCapability, IommufdContainer, IommuInfo, RegistrationKind, UnmapListener } from '../container.js';
import type { Process } from '../process.js';
import { DMA_MAP, DMA_UNMAP, EXTENSION, INFO } from '../vfio/constants.js';
import { Access } from './access.js';
import type { IommufdContext } from './context.js';
import { bindDevice } from './device.js';
import { Ioas } from './ioas.js';
import { mapUserMemory } from './map.js';

/** CMP-10: releases of kernels. */
const CLAIMS_TYPES = { since: 6013, before: 7001 } as const;
/** CMP-12: there is no limit of mappings, so the field is full. */
const DMA_AVAILABLE = 0xffff_ffff;
/** CMP-12: bytes of the two capabilities, the second without its ranges, and of one range. */
const CAPABILITY_SIZE = { DMA_AVAILABLE: 16, IOVA_RANGES: 16, RANGE: 16 } as const;
/** CMP-12: all page sizes of the CPU and above. */
const ANY_PAGE_SIZE = ADDRESS_MAX & ~(PAGE_SIZE - 1n);

const invalid = (rule: string, why: string): Refusal => new Refusal('EINVAL', rule, why);

export class IommufdFile implements IommufdContainer {
  readonly kind = 'iommufd';

  constructor(readonly context: IommufdContext) {}

  release(): void {
    this.context.drop();
  }

  // ---------------------------------------------------------------------------------------------- groups

  /** CMP-04: nobody asks who owns the group, so it counts as viable until a device is wanted. */
  linkGroup(noiommu: boolean): void {
    const { context } = this;
    if (noiommu && context.compatIoas !== null) throw invalid('CMP-02', 'the iommufd has a compatibility IOAS, so it takes no group without IOMMU');
    if (!noiommu && context.noIommuMode) throw invalid('CMP-02', 'the iommufd has groups without IOMMU, so it can have no compatibility IOAS');
    if (noiommu) context.noIommuMode = true;
    else context.compatIoas ??= context.objects.add(new Ioas(context));
    context.hold();
  }

  unlinkGroup(): void {
    this.context.drop();
  }

  openDevice(process: Process, device: Device, kind: RegistrationKind, onUnmap: UnmapListener | null): DeviceBinding {
    if (kind === 'noiommu') return this.openUnprotected(process, device);
    const bound = kind === 'emulated' ? this.context.objects.add(new Access(this.context, device, onUnmap)) : bindDevice(this.context, device);
    try {
      bound.attachTo(this.compat().id);
    } catch (refusal) {
      bound.unbind();
      throw refusal;
    }
    return { memory: bound instanceof Access ? bound : null, close: () => bound.unbind() };
  }

  /** VFG-16, SBS-05: nothing stands between the device and memory, and nothing is bound. @throws Refusal EPERM */
  private openUnprotected(process: Process, device: Device): DeviceBinding {
    if (process.has('SYS_RAWIO') && this.context.compatIoas === null) return { memory: null, close: () => undefined };
    throw new Refusal('EPERM', 'CMP-03', `${device.name} has no IOMMU: its user needs CAP_SYS_RAWIO and an iommufd without compatibility IOAS`, [device.subject]);
  }

  /** @throws Refusal ENODEV */
  private compat(): Ioas {
    const { compatIoas } = this.context;
    if (compatIoas === null) throw new Refusal('ENODEV', 'CMP-03', 'the iommufd has no compatibility IOAS: no VFIO group was put into it');
    return compatIoas;
  }

  // ---------------------------------------------------------------------------------------------- container ioctls

  apiVersion(): number {
    return 0; // VFG-02
  }

  /** CMP-10. */
  checkExtension(extension: number): number {
    switch (extension) {
      case EXTENSION.TYPE1: case EXTENSION.TYPE1V2: case EXTENSION.UNMAP_ALL:
        return this.context.noIommuMode && !this.claimsTypesWithoutIommu() ? 0 : 1;
      case EXTENSION.NOIOMMU:
        return this.context.kernel.buildOption('VFIO_NOIOMMU') ? 1 : 0;
      case EXTENSION.DMA_CC:
        return [...this.compat().table.domains].every((domain) => domain.enforcesCoherency) ? 1 : 0;
      default:
        return 0;
    }
  }

  /** IFD-99: kernels in between claim type 1 although there is no IOMMU. */
  private claimsTypesWithoutIommu(): boolean {
    const { release } = this.context.kernel.profile;
    return release >= CLAIMS_TYPES.since && release < CLAIMS_TYPES.before;
  }

  /** CMP-11: may be repeated. */
  setIommu(process: Process, model: number): void {
    if (this.context.noIommuMode && model === EXTENSION.NOIOMMU) {
      if (!process.has('SYS_RAWIO')) throw new Refusal('EPERM', 'CMP-11', `${process.name} has no CAP_SYS_RAWIO`);
      return;
    }
    if (this.context.noIommuMode || (model !== EXTENSION.TYPE1 && model !== EXTENSION.TYPE1V2)) throw invalid('CMP-11', `an iommufd cannot be IOMMU model ${model}`);
    const { table } = this.compat();
    // Type1 v1 lets a mapping be unmapped in parts, so every page must be an entry of its own.
    if (model === EXTENSION.TYPE1) table.setLargePages(false);
  }

  info(argsz: number): IommuInfo {
    if (argsz < INFO.SIZE) throw invalid('CMP-12', `argsz ${argsz} is less than ${INFO.SIZE}`);
    const { table } = this.compat();
    const capabilities: InfoCapability[] = [
      { kind: 'dma-available', available: DMA_AVAILABLE },
      { kind: 'iova-range', ranges: table.space.usable().map(({ start, last }) => ({ start: start as Iova, last: last as Iova })) },
    ];
    const needed = INFO.FULL_SIZE + capabilities.reduce((sum, capability) => sum + bytesOf(capability), 0);
    const fits = argsz >= needed;
    return {
      argsz: argsz >= INFO.FULL_SIZE && !fits ? needed : Math.min(argsz, needed),
      flags: INFO.PAGE_SIZES | INFO.CAPABILITIES,
      pageSizes: pageSizes(this.compat()),
      capabilities: fits ? capabilities : [],
    };
  }

  /** CMP-13. */
  map(process: Process, request: DmaMapRequest): void {
    const { READ, WRITE } = DMA_MAP;
    if (request.argsz < DMA_MAP.SIZE) throw invalid('CMP-13', `argsz ${request.argsz} is less than ${DMA_MAP.SIZE}`);
    if ((request.flags & ~(READ | WRITE)) !== 0) throw invalid('CMP-13', `flags ${hex(request.flags)} are more than READ and WRITE`);
    const ioas = this.compat();
    const permission = { read: (request.flags & READ) !== 0, write: (request.flags & WRITE) !== 0 };
    mapUserMemory(this.context, ioas, process, { va: request.vaddr, length: request.size, iova: request.iova, permission, subject: request.origin });
  }

  /** CMP-14. */
  unmap(_process: Process, request: DmaUnmapRequest): bigint {
    const { argsz, flags, iova, size } = request;
    if (argsz < DMA_UNMAP.SIZE) throw invalid('CMP-14', `argsz ${argsz} is less than ${DMA_UNMAP.SIZE}`);
    if ((flags & ~DMA_UNMAP.ALL) !== 0) throw invalid('CMP-14', `flags ${hex(flags)} are more than ALL`);
    const { table } = this.compat();
    if (flags & DMA_UNMAP.ALL) {
      if (iova !== 0n || size !== 0n) throw invalid('CMP-14', 'with ALL, iova and size must be 0');
      return table.unmapAll();
    }
    if (!table.largePages) {
      table.cutAfter((iova + size - 1n) & ADDRESS_MAX);
      if (iova > 0n) table.cutAfter(iova - 1n);
    }
    if (size === 0n) throw invalid('CMP-14', 'size is 0');
    if (iova + size - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'CMP-14', `IOVA ${hex(iova)} size ${hex(size)} is beyond 64 bits`);
    return table.unmap({ start: iova, last: iova + size - 1n });
  }

  dirtyPages(): never {
    throw new Refusal('ENOTTY', 'CMP-15', 'an iommufd does not track dirty pages through the container interface');
  }
}

const bytesOf = (capability: InfoCapability): number =>
  capability.kind === 'iova-range' ? CAPABILITY_SIZE.IOVA_RANGES + capability.ranges.length * CAPABILITY_SIZE.RANGE : CAPABILITY_SIZE.DMA_AVAILABLE;

/** CMP-12: what all domains can do, no smaller than the alignment. */
function pageSizes({ table }: Ioas): bigint {
  let sizes = ANY_PAGE_SIZE;
  for (const domain of table.domains) sizes &= domain.pageSizes;
  return sizes & ~(table.alignment - 1n);
}
