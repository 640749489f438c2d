/** A VFIO container: `/dev/vfio/vfio` opened once (VFG-01 .. VFG-07). It gets its back end with SET_IOMMU. */
import { Refusal } from '../../errno.js';
import type { ContainerFile, DirtyPagesRequest, DirtyRun, DmaMapRequest, DmaUnmapRequest, IommuInfo } from '../container.js';
import type { Process } from '../process.js';
import type { Backend, BackendDriver } from './backend.js';
import type { VfioGroup } from './registry.js';

export class VfioContainer implements ContainerFile {
  readonly kind = 'container';
  backend: Backend | null = null;
  /** Newest first: SET_IOMMU attaches them in this order (VFG-06). */
  private groups: readonly VfioGroup[] = [];

  /** @param drivers most recently registered first */
  constructor(
    readonly name: string,
    private readonly drivers: readonly BackendDriver[],
    /** Counted from 1 as containers are opened. */
    readonly serial: number,
  ) {}

  /** Newest first. */
  get members(): readonly VfioGroup[] {
    return this.groups;
  }

  /** VFG-26: all of its groups are without IOMMU, or none. */
  get noiommu(): boolean {
    return this.groups[0]?.kind === 'noiommu';
  }

  get empty(): boolean {
    return this.groups.length === 0;
  }

  apiVersion(): number {
    return 0; // VFG-02
  }

  /** VFG-03, VFG-08. */
  checkExtension(extension: number): number {
    if (this.backend !== null) return this.backend.checkExtension(extension);
    for (const driver of this.fittingDrivers()) {
      const answer = driver.offers(extension, this);
      if (answer > 0) return answer;
    }
    return 0;
  }

  /** VFG-04: the first driver that takes the model and all groups. */
  setIommu(process: Process, model: number): void {
    if (this.empty || this.backend !== null) {
      throw new Refusal('EINVAL', 'VFG-04', this.empty ? 'the container has no group yet' : 'the container has its IOMMU back end already');
    }
    let remembered = new Refusal('ENODEV', 'VFG-04', `no IOMMU driver of VFIO offers type ${model}`);
    for (const driver of this.fittingDrivers()) {
      if (driver.offers(model, this) <= 0) continue;
      try {
        this.backend = this.openBackend(driver, model, process);
        return;
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        remembered = refusal;
      }
    }
    throw remembered;
  }

  private openBackend(driver: BackendDriver, model: number, process: Process): Backend {
    const backend = driver.open(model, process, this.name);
    const attached: VfioGroup[] = [];
    try {
      for (const group of this.groups) {
        backend.attach(group, process);
        attached.push(group);
      }
    } catch (refusal) {
      for (const group of attached) backend.detach(group);
      backend.release();
      throw refusal;
    }
    return backend;
  }

  private fittingDrivers(): readonly BackendDriver[] {
    return this.empty ? this.drivers : this.drivers.filter((driver) => driver.noiommu === this.noiommu);
  }

  // ---------------------------------------------------------------------------------------------- groups

  /** VFG-26. @throws Refusal EPERM */
  refuseMix(group: VfioGroup): void {
    if (this.empty || (group.kind === 'noiommu') === this.noiommu) return;
    throw new Refusal('EPERM', 'VFG-13', 'devices with and without an IOMMU cannot be in one container', group.subjects());
  }

  /** The container's part of SET_CONTAINER. @throws Refusal EPERM, or what the back end says to the group */
  add(group: VfioGroup, process: Process): void {
    this.refuseMix(group);
    this.backend?.attach(group, process);
    this.groups = [group, ...this.groups];
  }

  /** VFG-20: without groups it forgets its back end and may choose again. */
  remove(group: VfioGroup): void {
    this.groups = this.groups.filter((each) => each !== group);
    this.backend?.detach(group);
    if (!this.empty) return;
    this.backend?.release();
    this.backend = null;
  }

  // ---------------------------------------------------------------------------------------------- the back end's ioctls

  /** VFG-05. */
  private chosen(): Backend {
    if (this.backend === null) throw new Refusal('EINVAL', 'VFG-05', 'the container has no IOMMU back end yet (VFIO_SET_IOMMU)');
    return this.backend;
  }

  /** @throws Refusal EINVAL without a back end, ENOTTY of type1 (VFT-05) and of the one without IOMMU (VFG-27) */
  unknownIoctl(): never {
    this.chosen();
    throw new Refusal('ENOTTY', 'VFT-05', 'the IOMMU back end has no such ioctl');
  }

  info(argsz: number): IommuInfo {
    return this.chosen().info(argsz);
  }

  map(process: Process, request: DmaMapRequest): void {
    this.chosen().map(process, request);
  }

  unmap(process: Process, request: DmaUnmapRequest): bigint {
    return this.chosen().unmap(process, request);
  }

  dirtyPages(_process: Process, request: DirtyPagesRequest): readonly DirtyRun[] | null {
    return this.chosen().dirtyPages(request);
  }

  /** VFG-07: groups keep the container; closing its file takes nothing apart. */
  release(): void {}
}
