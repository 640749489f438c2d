/** Auxiliary domains of VT-d up to 5.17 (FEA-03): a domain with one PASID of its own, on as many devices as like. */
import { Refusal } from '../errno.js';
import type { AttachRules } from './attach-history.js';
import type { Device } from './core.js';
import type { TranslatedDomain } from './domains.js';
import { maxPasids } from './pasid.js';
import { FIRST_PASID, type PasidNumbers } from './pasid-numbers.js';

export class AuxiliaryDomains {
  private readonly domains = new Map<TranslatedDomain, { readonly pasid: number; readonly devices: Set<Device> }>();

  constructor(
    private readonly rules: AttachRules,
    private readonly numbers: PasidNumbers,
    private readonly log: string[],
  ) {}

  /** `iommu_aux_attach_device`. @returns the domain's PASID. @throws Refusal ENOSYS, ENODEV, EPERM */
  attach(domain: TranslatedDomain, device: Device): number {
    this.wantCall();
    const { unit, subject } = device;
    if (unit === null || unit.setPasidEntry === undefined) throw new Refusal('ENODEV', 'FEA-03', `${device.name} is behind no IOMMU with auxiliary domains`, [subject]);
    if (!device.features?.has('aux')) throw new Refusal('EPERM', 'FEA-03', `auxiliary domains of ${device.name} are off`, [subject]);
    if (device.group?.domain === domain) throw new Refusal('EPERM', 'FEA-03', `${domain.name} is attached to ${device.name} as a whole`, [subject]);
    if (unit.domainCompatibilityKey !== domain.unit.domainCompatibilityKey) throw new Refusal('EFAULT', 'ATD-01', `${domain.name} does not fit ${unit.description.name}`, [subject]);
    const aux = this.domains.get(domain) ?? { pasid: this.newPasid(device), devices: new Set<Device>() };
    this.domains.set(domain, aux);
    aux.devices.add(device);
    unit.setPasidEntry(device.requesterIds[0]!, aux.pasid, domain.entryFor(device));
    return aux.pasid;
  }

  /** `iommu_aux_detach_device`: without answer. */
  detach(domain: TranslatedDomain, device: Device): void {
    this.wantCall();
    const aux = this.domains.get(domain);
    if (aux === undefined || !aux.devices.delete(device)) return;
    device.unit?.setPasidEntry?.(device.requesterIds[0]!, aux.pasid, { kind: 'blocked' });
    if (aux.devices.size > 0) return;
    this.numbers.giveBack(aux.pasid);
    this.domains.delete(domain);
  }

  /** `iommu_aux_get_pasid`. @throws Refusal ENODEV */
  pasidOf(domain: TranslatedDomain, device: Device): number {
    this.wantCall();
    const aux = this.domains.get(domain);
    if (aux === undefined || !aux.devices.has(device)) throw new Refusal('ENODEV', 'FEA-03', `${domain.name} is not an auxiliary domain of ${device.name}`, [device.subject]);
    return aux.pasid;
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
