/** How a group gets onto a domain: the three ways that VFT-12 knows, one of them left today. */
import { Refusal } from '../../../errno.js';
import type { Device, Kernel, PagingDomain, ReservedRegion } from '../../../kernel/core.js';
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

/** The group's own requester IDs translate through the domain. */
export class HardwareAttachment implements Attachment {
  readonly reservedRegions: readonly ReservedRegion[];

  constructor(
    private readonly kernel: Kernel,
    readonly group: VfioGroup,
    readonly device: Device,
  ) {
    this.reservedRegions = group.iommuGroup.reservedRegions();
  }

  attach(domain: PagingDomain): void {
    if (this.kernel.profile.mediated === 'external-domain') this.refuseAuxParents();
    this.group.iommuGroup.attach(domain);
  }

  detach(): void {
    this.group.iommuGroup.detach();
  }

  /** VFT-13: a parent that shares itself by PASID cannot be given away whole. */
  private refuseAuxParents(): void {
    for (const parent of this.group.iommuGroup.devices) {
      const child = this.kernel.devices.find((device) => device.kind === 'mdev' && device.parent === parent && device.description.kind === 'parent-aux');
      if (child === undefined) continue;
      throw new Refusal('EPERM', 'VFT-13', `${parent.name} has auxiliary domains enabled for ${child.name}; VT-d attaches no unmanaged domain to it as a whole`, [parent.subject, child.subject]);
    }
  }
}

/** K5 of MDV-20: the domain is attached to the parent, whole. What is done depends on how the device was made (MDV-02, ARG-01). */
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

/** K6 of MDV-20, MDV-03: the domain is attached to one PASID of the parent, which all its mediated devices in the domain share. */
export class AuxAttachment implements Attachment {
  readonly reservedRegions: readonly ReservedRegion[] = [];

  constructor(
    readonly group: VfioGroup,
    readonly device: Device,
    private readonly aux: AuxDomains,
  ) {}

  attach(domain: PagingDomain): void {
    for (let i = 0; i < this.group.iommuGroup.devices.length; i++) this.aux.attach(domain, this.device);
  }

  detach(domain: PagingDomain): void {
    for (let i = 0; i < this.group.iommuGroup.devices.length; i++) this.aux.detach(domain, this.device);
  }
}

interface AuxDomain {
  readonly pasid: number;
  /** How often each parent is attached. */
  readonly uses: Map<Device, number>;
}

/** The aux domains of VT-d up to 5.14 (MDV-08, VFT-12): one default PASID per domain, a use count per parent. */
export class AuxDomains {
  private readonly domains = new Map<PagingDomain, AuxDomain>();

  attach(domain: PagingDomain, parent: Device): void {
    if (!hasAuxFeature(parent)) throw new Refusal('ENODEV', 'MDV-08', `${parent.name} has no auxiliary domains: they need scalable mode and PASID in unit and device`, [parent.subject]);
    let aux = this.domains.get(domain);
    if (aux === undefined) this.domains.set(domain, (aux = { pasid: this.freePasid(), uses: new Map() }));
    aux.uses.set(parent, (aux.uses.get(parent) ?? 0) + 1);
  }

  detach(domain: PagingDomain, parent: Device): void {
    const aux = this.domains.get(domain);
    const uses = aux?.uses.get(parent) ?? 0;
    if (uses > 1) aux?.uses.set(parent, uses - 1);
    else aux?.uses.delete(parent);
    if (aux?.uses.size === 0) this.domains.delete(domain);
  }

  /** The domain's PASID and how often the parent uses it. */
  of(domain: PagingDomain, parent: Device): { readonly pasid: number; readonly uses: number } | null {
    const aux = this.domains.get(domain);
    const uses = aux?.uses.get(parent);
    return aux === undefined || uses === undefined ? null : { pasid: aux.pasid, uses };
  }

  private freePasid(): number {
    const taken = new Set([...this.domains.values()].map((aux) => aux.pasid));
    let pasid = 1;
    while (taken.has(pasid)) pasid++;
    return pasid;
  }
}

const hasAuxFeature = (parent: Device): boolean =>
  parent.kind === 'pci' && parent.description.pasidBits > 0 && (parent.unit?.description.scalableMode ?? false) && (parent.unit?.description.pasidBits ?? 0) > 0;
