/** How a group gets onto a domain: the three ways that VFT-12 knows, one of them left today. */
import { Refusal } from '../../../errno.js';
import type { AuxiliaryDomains } from '../../../kernel/aux-domains.js';
import type { Device, PagingDomain, ReservedRegion } from '../../../kernel/core.js';
import type { VfioGroup } from '../registry.js';

export interface Attachment {
  readonly group: VfioGroup;
  /** Whose IOMMU translates: the group's first device, or the parent that its mediated devices borrow. */
  readonly device: Device;
  readonly reservedRegions: readonly ReservedRegion[];
  /** @throws Refusal */
  attach(domain: PagingDomain): void;
  detach(domain: PagingDomain): void;
}

/** The group's own requester IDs translate through the domain; regions are those of its devices (VFT-24): RMRRs and the MSI window of x86, SW_MSI of SMMU. */
export class HardwareAttachment implements Attachment {
  readonly reservedRegions: readonly ReservedRegion[];

  constructor(
    readonly group: VfioGroup,
    readonly device: Device,
  ) {
    this.reservedRegions = group.iommuGroup.reservedRegions();
  }

  attach(domain: PagingDomain): void {
    this.group.iommuGroup.attach(domain);
  }

  detach(): void {
    this.group.iommuGroup.detach();
  }
}

/** K5 of MDV-20, SBS-04: the domain is attached to the parent, whole. What is done depends on how the device was made (MDV-02, ARG-01). */
export class ParentAttachment implements Attachment {
  /** VFT-11: read from the mediated device's group, so the parent's MSI window is not among them. */
  readonly reservedRegions: readonly ReservedRegion[] = [];

  constructor(
    readonly group: VfioGroup,
    readonly device: Device,
  ) {}

  attach(domain: PagingDomain): void {
    const parentGroup = this.device.group;
    if (parentGroup === null || parentGroup.devices.length !== 1) {
      throw new Refusal('EINVAL', 'VFT-12', `iommu_attach_device wants ${this.device.name} to be alone in its group`, [this.device.subject]);
    }
    parentGroup.attach(domain);
  }

  detach(): void {
    this.device.group?.detach();
  }
}

/** K6 of MDV-20, SBS-03, MDV-03, VFT-12: the domain is attached to one PASID of the parent, which all its mediated devices in the domain share. */
export class AuxAttachment implements Attachment {
  readonly reservedRegions: readonly ReservedRegion[] = [];

  constructor(
    readonly group: VfioGroup,
    readonly device: Device,
    private readonly aux: AuxiliaryDomains,
  ) {}

  attach(domain: PagingDomain): void {
    for (let i = 0; i < this.group.iommuGroup.devices.length; i++) this.aux.attach(domain, this.device);
  }

  detach(domain: PagingDomain): void {
    for (let i = 0; i < this.group.iommuGroup.devices.length; i++) this.aux.detach(domain, this.device);
  }
}
