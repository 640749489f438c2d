/** PASIDs of a group: which translates through what (PAS-01 .. PAS-10), beside the domain of its requester IDs (PAS-09). */
import { Refusal } from '../errno.js';
import type { DeviceEntry } from '../hardware/architecture.js';
import type { AttachRules } from './attach-history.js';
import type { Device, Domain } from './core.js';
import { TranslatedDomain } from './domains.js';
import { maxPasids } from './pasid-numbers.js';

export { maxPasids };

/** What a PASID may translate through beside the domains of groups: a process's addresses. */
export interface SharedDomain {
  readonly type: 'sva';
  readonly name: string;
  entryFor(device: Device): DeviceEntry;
}
export type PasidDomain = Domain | SharedDomain;

/** PAS-10: what whoever attached gets back when a page fault arrives. */
export interface AttachHandle {
  readonly domain: PasidDomain;
}

/** PAS-12 */
export const NO_PASID = 0;

/** What the PASIDs of a group need of the group. */
export interface PasidGroup {
  readonly id: number;
  readonly devices: readonly Device[];
  /** SET-04 */
  readonly resetting: boolean;
  tell(rule: string, what: string): void;
}

export class GroupPasids {
  /** PAS-10: of what the requester IDs themselves are attached to; set by whoever handles their page requests. */
  requesterHandle: AttachHandle | null = null;
  private readonly attachments = new Map<number, { domain: PasidDomain; handle: AttachHandle | null }>();

  constructor(
    private readonly group: PasidGroup,
    private readonly rules: AttachRules,
  ) {}

  get size(): number {
    return this.attachments.size;
  }

  /** In the order of attaching. */
  entries(): readonly { readonly pasid: number; readonly domain: PasidDomain }[] {
    return [...this.attachments].map(([pasid, { domain }]) => ({ pasid, domain }));
  }

  domainOf(pasid: number): PasidDomain | null {
    return this.attachments.get(pasid)?.domain ?? null;
  }

  /** PAS-10: `iommu_attach_handle_get`. @throws Refusal ENOENT, EBUSY */
  handleOf(pasid: number, type?: PasidDomain['type']): AttachHandle | null {
    const found = this.attachments.get(pasid);
    if (found === undefined) throw new Refusal('ENOENT', 'PAS-10', `nothing is attached to PASID ${pasid} of IOMMU group ${this.group.id}`);
    if (type !== undefined && found.domain.type !== type) throw new Refusal('EBUSY', 'PAS-10', `PASID ${pasid} of IOMMU group ${this.group.id} translates through a domain of type ${found.domain.type}`);
    return found.handle;
  }

  /** PAS-03 .. PAS-06. @throws Refusal EINVAL, EBUSY, what the driver says; nothing is changed then */
  attach(device: Device, domain: PasidDomain, pasid: number, handle: AttachHandle | null): void {
    this.checkDomain(device, domain, pasid);
    this.checkLimit(pasid);
    if (this.attachments.has(pasid)) throw this.busy(pasid); // PAS-06
    this.refuseWhileResetting();
    this.program(pasid, domain, null);
    this.attachments.set(pasid, { domain, handle });
    this.group.tell('PAS-01', `translates PASID ${pasid} through ${nameOf(domain)} now`);
  }

  /** PAS-07. @throws Refusal EINVAL; the old domain stays then */
  replace(device: Device, domain: PasidDomain, pasid: number, handle: AttachHandle): void {
    const invalid = (why: string): Refusal => new Refusal('EINVAL', 'PAS-07', why, [device.subject]);
    this.checkDomain(device, domain, pasid);
    const old = this.attachments.get(pasid);
    if (old === undefined) throw invalid(`nothing is attached to PASID ${pasid}, so nothing can be replaced`);
    if (old.handle === handle) throw invalid('the attach handle is in use already');
    this.refuseWhileResetting();
    if (old.domain !== domain) this.program(pasid, domain, old.domain);
    this.attachments.set(pasid, { domain, handle });
    this.group.tell('PAS-07', `translates PASID ${pasid} through ${nameOf(domain)} now, before it was ${nameOf(old.domain)}`);
  }

  /** PAS-08: no answer, and nothing for a PASID that is not attached. */
  detach(pasid: number): void {
    if (pasid === NO_PASID || !this.attachments.delete(pasid)) return;
    for (const device of this.programmable()) writeEntry(device, pasid, { kind: 'blocked' });
    this.group.tell('PAS-08', `blocks PASID ${pasid} now`);
  }

  /** SET-04: what is attached stays so, but one device's entries say blocked, or again what they said. */
  block(device: Device, on: boolean): void {
    if (!hasPasids(device)) return;
    for (const [pasid, { domain }] of this.attachments) if (pasid !== NO_PASID) writeEntry(device, pasid, on ? { kind: 'blocked' } : entryOf(domain, device));
  }

  private refuseWhileResetting(): void {
    if (this.group.resetting) throw new Refusal('EBUSY', 'SET-04', `a device of IOMMU group ${this.group.id} is being reset`, this.subjects());
  }

  /** PAS-02, PAS-03, PAS-07. */
  private checkDomain(device: Device, domain: PasidDomain, pasid: number): void {
    if (this.rules.refusesForeignDomains && isForeign(domain, device)) throw new Refusal('EINVAL', 'PAS-02', `${nameOf(domain)} belongs to another IOMMU driver than ${device.name}`, [device.subject]);
    if (this.rules.pasidLimit !== 'driver' && pasid === NO_PASID) throw new Refusal('EINVAL', 'PAS-03', 'PASID 0 stands for requests without PASID', [device.subject]);
  }

  /** PAS-03, PAS-05, PAS-11. */
  private checkLimit(pasid: number): void {
    if (this.rules.pasidLimit === 'driver') return;
    const asked = this.programmable();
    const short = asked.find((device) => pasid >= maxPasids(device));
    if (short === undefined) return;
    const limit = maxPasids(short);
    throw new Refusal('EINVAL', 'PAS-03', limit === 0 ? `${short.name} of the same IOMMU group has no PASIDs` : `PASIDs of ${short.name} end at ${limit - 1}`, [short.subject]);
  }

  /** PAS-05: devices without PASIDs are left out since the limit is theirs to have. */
  private programmable(): readonly Device[] {
    const { devices } = this.group;
    return this.rules.pasidLimit === 'capable-devices' ? devices.filter(hasPasids) : devices;
  }

  /** In group order; what a device's driver refuses is taken back from those before it. */
  private program(pasid: number, domain: PasidDomain, before: PasidDomain | null): void {
    const done: Device[] = [];
    for (const device of this.programmable()) {
      try {
        checkDriver(device, domain, pasid);
      } catch (refusal) {
        for (const earlier of done) writeEntry(earlier, pasid, before === null ? { kind: 'blocked' } : entryOf(before, earlier));
        throw refusal;
      }
      writeEntry(device, pasid, entryOf(domain, device));
      done.push(device);
    }
  }

  private busy(pasid: number): Refusal {
    return new Refusal('EBUSY', 'PAS-06', `PASID ${pasid} of IOMMU group ${this.group.id} is in use`, this.subjects());
  }

  private subjects(): string[] {
    return this.group.devices.map((device) => device.subject);
  }
}

const hasPasids = (device: Device): boolean => maxPasids(device) > 0;

/**
 * PAS-01, PAS-04: the domain must be of a kind that its driver puts on PASIDs, and the device in a group.
 * @throws Refusal ENOSYS where the kernel has no such call, EOPNOTSUPP, ENODEV in the order of the kernel
 */
export function checkPasidCall(rules: AttachRules, device: Device, domain: PasidDomain, call: 'iommu_attach_device_pasid' | 'iommu_replace_device_pasid'): void {
  const exists = call === 'iommu_attach_device_pasid' ? rules.pasids : rules.pasidReplace;
  if (!exists) throw new Refusal('ENOSYS', 'PAS-01', `this kernel has no ${call}()`);
  const noGroup = device.group === null ? new Refusal('ENODEV', 'PAS-01', `${device.name} is in no IOMMU group`, [device.subject]) : null;
  if (rules.groupBeforeDomain && noGroup !== null) throw noGroup;
  if (!takesPasids(domain)) throw new Refusal('EOPNOTSUPP', 'PAS-01', `the driver of this IOMMU puts no ${domain.type} domain on a PASID`, [device.subject]);
  if (noGroup !== null) throw noGroup;
}

/** Whether the domain's own driver can put it on a PASID. */
function takesPasids(domain: PasidDomain): boolean {
  if (domain.type === 'sva') return true;
  return (domain instanceof TranslatedDomain || domain.type === 'nested') && (domain.unit.capabilities().pasidAttach ?? false);
}

/** PAS-16. @throws Refusal */
function checkDriver(device: Device, domain: PasidDomain, pasid: number): void {
  const { unit } = device;
  const refuse = (errno: 'EOPNOTSUPP' | 'EINVAL', why: string): never => {
    throw new Refusal(errno, 'PAS-16', why, [device.subject]);
  };
  const limit = unit?.capabilities().maxPasids ?? 0;
  if (unit === null || unit.setPasidEntry === undefined || limit === 0) return refuse('EOPNOTSUPP', `${unit?.description.name ?? 'no IOMMU'} translates no PASIDs of ${device.name}`);
  if (device.kind === 'pci' && device.description.behindVmd !== undefined) refuse('EOPNOTSUPP', `${device.name} is behind a VMD, whose PASIDs its requests would carry`);
  if (pasid >= limit) refuse('EINVAL', `PASIDs of ${unit.description.name} end at ${limit - 1}`);
  checkDomainOnPasid(device, domain);
  const errno = unit.checkPasid?.(device.requesterIds[0]!, pasid) ?? null;
  if (errno !== null) throw new Refusal(errno, 'PAS-16', `the driver of ${unit.description.name} refuses PASID ${pasid} of ${device.name}`, [device.subject]);
}

/** ... and the domain itself (DRT-02). @throws Refusal EINVAL */
function checkDomainOnPasid(device: Device, target: PasidDomain): void {
  const { unit } = device;
  if (unit === null || target.type === 'sva') return;
  if (target.type === 'nested') target.check(device);
  const domain = target.type === 'nested' ? target.parent : target;
  if (!(domain instanceof TranslatedDomain)) return;
  const refuse = (why: string): never => {
    throw new Refusal('EINVAL', 'PAS-16', why, [device.subject]);
  };
  const { pasidDirty = false, dirtyTracking } = unit.capabilities();
  if (domain.tracksDirty && !(pasidDirty && dirtyTracking)) refuse(`${domain.name} tracks dirty pages, which ${pasidDirty ? `${device.name} cannot` : 'works without PASID only'}`); // DRT-02
  if (unit.domainCompatibilityKey !== domain.unit.domainCompatibilityKey) refuse(`${domain.name} was made for ${domain.unit.description.name} and does not fit ${unit.description.name}`);
}

/** ATT-02, PAS-02: made by the driver of another kind of IOMMU. */
export function isForeign(domain: PasidDomain, { unit }: Device): boolean {
  if (unit === null) return true;
  return (domain instanceof TranslatedDomain || domain.type === 'nested') && domain.unit.description.architecture !== unit.description.architecture;
}

function entryOf(domain: PasidDomain, device: Device): DeviceEntry {
  if (domain.type === 'sva' || domain.type === 'nested' || domain instanceof TranslatedDomain) return domain.entryFor(device);
  return { kind: domain.type === 'identity' ? 'identity' : 'blocked' };
}

const writeEntry = ({ unit, requesterIds }: Device, pasid: number, entry: DeviceEntry): void => unit?.setPasidEntry?.(requesterIds[0]!, pasid, entry);

const nameOf = (domain: PasidDomain): string => ('name' in domain ? `"${domain.name}"` : `the ${domain.type} domain`);
