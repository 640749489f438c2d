/**
 * Auxiliary domains of VT-d up to 5.17 (FEA-03, MDV-08): a domain with one PASID of its own, on as many devices as like. What took their place attaches any domain to a device
 * and PASID (HIS-05).
 */
import { Refusal } from '../errno.js';
import type { AttachRules } from './attach-history.js';
import type { Device, PagingDomain } from './core.js';
import { TranslatedDomain } from './domains.js';
import { maxPasids } from './pasid.js';
import { FIRST_PASID, type PasidNumbers } from './pasid-numbers.js';

interface AuxiliaryDomain {
  readonly pasid: number;
  /** How often each device is attached: of several mediated devices of one parent each counts (VFT-12). */
  readonly uses: Map<Device, number>;
}

export class AuxiliaryDomains {
  private readonly domains = new Map<PagingDomain, AuxiliaryDomain>();

  constructor(
    private readonly rules: AttachRules,
    private readonly numbers: PasidNumbers,
    private readonly log: string[],
  ) {}

  /** `iommu_aux_attach_device`. @returns the domain's PASID. @throws Refusal ENOSYS, ENODEV, EPERM */
  attach(domain: PagingDomain, device: Device): number {
    this.wantCall();
    const { unit, subject } = device;
    if (unit === null || unit.setPasidEntry === undefined || !(domain instanceof TranslatedDomain)) throw new Refusal('ENODEV', 'FEA-03', `${device.name} is behind no IOMMU with auxiliary domains`, [subject]);
    if (!device.features?.has('aux')) throw new Refusal('EPERM', 'FEA-03', `auxiliary domains of ${device.name} are off`, [subject]);
    if (device.group?.domain === domain) throw new Refusal('EPERM', 'FEA-03', `${domain.name} is attached to ${device.name} as a whole`, [subject]);
    if (unit.domainCompatibilityKey !== domain.unit.domainCompatibilityKey) throw new Refusal('EFAULT', 'ATD-01', `${domain.name} does not fit ${unit.description.name}`, [subject]);
    const aux = this.domains.get(domain) ?? { pasid: this.newPasid(device), uses: new Map<Device, number>() };
    this.domains.set(domain, aux);
    const uses = aux.uses.get(device) ?? 0;
    aux.uses.set(device, uses + 1);
    if (uses === 0) unit.setPasidEntry(device.requesterIds[0]!, aux.pasid, domain.entryFor(device));
    return aux.pasid;
  }

  /** `iommu_aux_detach_device`: without answer. */
  detach(domain: PagingDomain, device: Device): void {
    this.wantCall();
    const aux = this.domains.get(domain);
    const uses = aux?.uses.get(device) ?? 0;
    if (aux === undefined || uses === 0) return;
    if (uses > 1) return void aux.uses.set(device, uses - 1);
    aux.uses.delete(device);
    device.unit?.setPasidEntry?.(device.requesterIds[0]!, aux.pasid, { kind: 'blocked' });
    if (aux.uses.size > 0) return;
    this.numbers.giveBack(aux.pasid);
    this.domains.delete(domain);
  }

  /** `iommu_aux_get_pasid`. @throws Refusal ENODEV */
  pasidOf(domain: PagingDomain, device: Device): number {
    this.wantCall();
    const aux = this.of(domain, device);
    if (aux === null) throw new Refusal('ENODEV', 'FEA-03', `${domain.name} is not an auxiliary domain of ${device.name}`, [device.subject]);
    return aux.pasid;
  }

  /** The domain's PASID, and how often the device is attached to it. */
  of(domain: PagingDomain, device: Device): { readonly pasid: number; readonly uses: number } | null {
    const aux = this.domains.get(domain);
    const uses = aux?.uses.get(device);
    return aux === undefined || uses === undefined ? null : { pasid: aux.pasid, uses };
  }

  private wantCall(): void {
    if (!this.rules.auxiliaryDomains) throw new Refusal('ENOSYS', 'FEA-03', 'this kernel has no auxiliary domains');
  }

  private newPasid(device: Device): number {
    const pasid = this.numbers.take(maxPasids(device) - 1);
    if (pasid !== null && pasid >= FIRST_PASID) return pasid;
    this.log.push("DMAR: Can't allocate default pasid");
    throw new Refusal('ENODEV', 'FEA-03', 'no PASID is free', [device.subject]);
  }
}
