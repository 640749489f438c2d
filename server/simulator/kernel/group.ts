/**
 * An IOMMU group: the smallest set of devices that the hardware keeps apart from the rest, for whatever reason (ARG-03): which domain its devices translate through, and who owns their DMA. Both eras are here side by side:
 * DMA ownership since 5.19 (OWN-01 ..), and before it no ownership at all, only VFIO's own viability test (OLD-01).
 */
import { Refusal } from '../errno.js';
import { attachRules, type AttachRules } from './attach-history.js';
import { checkFits } from './attach.js';
import type { Device, Domain, Group, NestedDomain, PagingDomain, ReservedRegion } from './core.js';
import { BLOCKED, programDevice, TranslatedDomain } from './domains.js';
import { managesDma } from './drivers.js';
import { deviceLine } from './log-lines.js';
import { GroupPasids, isForeign } from './pasid.js';
import type { KernelProfile } from './profile.js';

/** What a group needs of the kernel around it. */
export interface GroupSurroundings {
  readonly profile: KernelProfile;
  readonly log: string[];
  /** An empty unmanaged domain that blocks everything, for units without a static blocked domain. */
  createBlockingDomain(device: Device): PagingDomain;
  /** RSV-13: the regions of all members as sysfs shows them. */
  mergeRegions(devices: readonly Device[]): readonly ReservedRegion[];
  /** Told of what changes for a group, for people who ask what a call did. */
  changed(effect: Effect): void;
}

/** What a call did in the core, in one sentence. */
export interface Effect {
  readonly text: string;
  readonly rule: string;
  /** A device of the group. */
  readonly subject?: string;
}

/** RSV-44: the core's words. */
const NEEDS_DIRECT_MAPPING =
  'Firmware has requested this device have a 1:1 IOMMU mapping, rejecting configuring the device without a 1:1 mapping. Contact your platform vendor.';
/** RSV-45: the VT-d driver's words before 6.6; the two spaces are its own. */
const NOT_ELIGIBLE = 'Device is ineligible for IOMMU domain attach due to platform RMRR requirement.  Contact your platform vendor.';

export class IommuGroup implements Group {
  defaultDomain: Domain | null = null;
  domain: Domain | null = null;
  owner: object | null = null;
  ownerCount = 0;
  /** Made at the first claim. */
  private blockingDomain: Domain | null = null;
  private readonly members: Device[] = [];
  readonly pasids: GroupPasids;
  /** SET-04: the device that is being reset; until it is done nothing is attached. */
  private inReset: Device | null = null;
  private readonly rules: AttachRules;

  constructor(
    readonly id: number,
    readonly name: string | null,
    private readonly surroundings: GroupSurroundings,
  ) {
    this.rules = attachRules(surroundings.profile);
    this.pasids = new GroupPasids(this, this.rules);
  }

  get devices(): readonly Device[] {
    return this.members;
  }

  /** `iommu_group_add_device`: a line in the log for devices that an IOMMU translates (GRL-03). */
  add(device: Device): void {
    this.members.push(device);
    device.group = this;
    this.surroundings.log.push(this.surroundings.profile.joinLine === 'of-device' ? deviceLine(device, `Adding to iommu group ${this.id}`) : `iommu: Adding device ${device.name} to group ${this.id}`); // GRL-03
  }

  /** The device's entries point at what the group uses now, or nowhere while it has no domain for it (GRL-06). @throws Refusal EINVAL (RSV-44) */
  connect(device: Device, domain: Domain | null): void {
    this.check(device, domain);
    switchDevice(device, null, domain);
  }

  /** `iommu_group_remove_device` (GRL-04, GRL-05). @returns false when it was the last one: then the group's domains are gone */
  remove(device: Device): boolean {
    const { log } = this.surroundings;
    switchDevice(device, this.domain, null);
    this.members.splice(this.members.indexOf(device), 1);
    device.group = null;
    log.push(deviceLine(device, `Removing from iommu group ${this.id}`));
    if (this.members.length > 0) return true;
    if (this.ownerCount !== 0 || this.domain !== this.defaultDomain) this.tell('GRL-05', 'lost its last device while somebody still has it (WARN)');
    for (const domain of new Set([this.defaultDomain, this.blockingDomain])) if (domain instanceof TranslatedDomain) domain.free();
    return false;
  }

  reservedRegions(): readonly ReservedRegion[] {
    return this.surroundings.mergeRegions(this.members);
  }

  // ---------------------------------------------------------------------------------------------- ownership

  /** `iommu_device_use_default_domain`, when a driver binds (OWN-01, OWN-02, OWN-22, OWN-23, OWN-24, OWN-25). @throws Refusal EBUSY */
  useDefaultDomain(device: Device, driver: string): void {
    if (this.ownerless() || managesDma(driver)) return;
    if (this.defaultDomain === null && this.surroundings.profile.bindWithoutDomain === 'deferred') {
      throw new Refusal('EPROBE_DEFER', 'OWN-01', `IOMMU group ${this.id} has no default domain yet, so ${driver} is to try again later`, this.subjects());
    }
    if (this.ownerCount > 0 && (this.domain !== this.defaultDomain || this.owner !== null || this.hasUserPasids)) {
      throw new Refusal('EBUSY', 'OWN-01', `IOMMU group ${this.id} is in use by ${this.owner !== null ? 'a user' : 'a domain of another driver'}, so ${driver} may not use ${device.name}`, this.subjects());
    }
    this.ownerCount++;
    this.tell('OWN-01', `counts ${this.ownerCount} kernel ${this.ownerCount === 1 ? 'user' : 'users'} of its DMA, ${driver} being one`);
  }

  /** `iommu_device_unuse_default_domain` (OWN-03). */
  unuseDefaultDomain(driver: string): void {
    if (this.ownerless() || managesDma(driver) || this.ownerCount === 0) return;
    if (this.hasUserPasids) return this.tell('OWN-03', `still has PASIDs attached, so ${driver} stays counted (WARN)`);
    this.ownerCount--;
    this.tell('OWN-03', `counts ${this.ownerCount} kernel users of its DMA, without ${driver}`);
  }

  claim(owner: object): void {
    if (this.ownerless()) return;
    if (this.ownerCount !== 0) this.refuseClaim('OWN-04', []);
    this.takeOwnership(owner);
  }

  claimDevice(device: Device, owner: object): void {
    if (this.ownerless()) return;
    if (this.ownerCount !== 0 && this.owner !== owner) this.refuseClaim('OWN-05', [device.subject]);
    if (this.ownerCount === 0) return this.takeOwnership(owner);
    this.ownerCount++;
    this.tell('OWN-05', `has ${this.ownerCount} devices of the same owner in use`);
  }

  release(): void {
    if (this.ownerCount === 0 || this.owner === null) return; // OWN-06: WARN, nothing happens
    if (this.hasUserPasids) return this.tell('OWN-06', 'still has PASIDs attached, so its owner keeps it (WARN)');
    this.ownerCount = 0;
    this.owner = null;
    this.tell('OWN-06', 'is no longer owned by a user');
    this.moveTo(this.defaultDomain);
  }

  releaseDevice(): void {
    if (this.ownerCount > 1) this.ownerCount--; // OWN-07
    else this.release();
  }

  /** OLD-01: before 5.19 nobody owns DMA; VFIO looks at the drivers instead. */
  private ownerless(): boolean {
    return this.surroundings.profile.ownership === 'viability';
  }

  private refuseClaim(rule: string, asked: readonly string[]): never {
    const inTheWay = this.members.filter((member) => member.driver !== null && !managesDma(member.driver));
    const why = this.owner !== null ? 'another user owns it' : inTheWay.map((member) => `${member.driver} drives ${member.name}`).join(', ');
    throw new Refusal('EPERM', rule, `DMA ownership of IOMMU group ${this.id} cannot be taken: ${why}`, inTheWay.length > 0 ? inTheWay.map((member) => member.subject) : asked);
  }

  private takeOwnership(owner: object): void {
    if (this.hasUserPasids) throw new Refusal('EBUSY', 'OWN-04', `PASIDs of IOMMU group ${this.id} are attached`, this.subjects());
    if (this.domain !== null && this.domain !== this.defaultDomain) {
      throw new Refusal('EBUSY', 'OWN-04', `IOMMU group ${this.id} is attached to a domain of its driver`, this.subjects());
    }
    this.moveTo(this.blocking());
    this.owner = owner;
    this.ownerCount = 1;
    this.tell('OWN-04', 'is owned by a user');
  }

  /** The static blocked domain of the unit's driver, or an empty domain, which blocks as well. */
  private blocking(): Domain {
    if (this.blockingDomain !== null) return this.blockingDomain;
    const first = this.members[0];
    if (first?.unit === null || first === undefined) throw new Refusal('EINVAL', 'OWN-04', `IOMMU group ${this.id} has no IOMMU`, this.subjects());
    this.blockingDomain = first.unit.capabilities().blockedDomain ? BLOCKED : this.surroundings.createBlockingDomain(first);
    return this.blockingDomain;
  }

  // ---------------------------------------------------------------------------------------------- domains

  /** ATT-02, then ATT-03. */
  attach(domain: Domain): void {
    const free = this.domain === null || this.domain === this.defaultDomain || (!this.ownerless() && this.domain === this.blockingDomain);
    // ATT-02, OLD-09, OWN-31.
    if (!free) throw new Refusal('EBUSY', 'ATT-02', `IOMMU group ${this.id} is attached to another domain already`, this.subjects());
    const first = this.members[0];
    if (this.rules.refusesForeignDomains && first !== undefined && isForeign(domain, first)) {
      throw new Refusal('EINVAL', 'ATT-02', `the domain belongs to another IOMMU driver than ${first.name}`, [first.subject]);
    }
    this.moveTo(domain);
  }

  replace(domain: PagingDomain | NestedDomain): void {
    this.moveTo(domain);
  }

  /** OWN-30; in the old model back to the default domain (OLD-08). */
  detach(): void {
    this.moveTo(this.owner !== null && this.blockingDomain !== null ? this.blockingDomain : this.defaultDomain);
  }

  /** `__iommu_group_set_domain` in member order (ATT-03, ATT-05). @throws Refusal of the first device that cannot */
  moveTo(target: Domain | null): void {
    const before = this.domain;
    if (target === before) return; // ATT-05
    if (this.inReset !== null) throw new Refusal('EBUSY', 'SET-04', `${this.inReset.name} of IOMMU group ${this.id} is being reset`, [this.inReset.subject]);
    const moved: Device[] = [];
    for (const device of this.members) {
      try {
        this.check(device, target);
      } catch (refusal) {
        if (this.surroundings.profile.failedAttach === 'all-go-back') moved.forEach((each) => switchDevice(each, target, before));
        throw refusal;
      }
      switchDevice(device, before, target);
      moved.push(device);
    }
    this.domain = target;
    this.tell('ATT-02', `translates through ${domainText(target)} now, before it was ${domainText(before)}`);
  }

  // ---------------------------------------------------------------------------------------------- reset

  get resetting(): boolean {
    return this.inReset !== null;
  }

  /** `pci_dev_reset_iommu_prepare`: the device is blocked while it is reset (SET-04). @throws Refusal EBUSY */
  prepareReset(device: Device): void {
    if (!this.rules.resetBlocks || device.atsEnabled !== true) return;
    if (this.inReset !== null) {
      this.surroundings.log.push(deviceLine(device, 'failed to stop IOMMU for a PCI reset: -16'));
      throw new Refusal('EBUSY', 'SET-04', `${this.inReset.name} of the same IOMMU group is being reset`, [this.inReset.subject]);
    }
    switchDevice(device, this.domain, BLOCKED);
    this.pasids.block(device, true);
    this.inReset = device;
    this.tell('SET-04', `blocks ${device.name} while it is reset`);
  }

  /** `pci_dev_reset_iommu_done`: back to what was attached. */
  finishReset(device: Device): void {
    if (this.inReset !== device) return;
    this.inReset = null;
    switchDevice(device, BLOCKED, this.domain);
    this.pasids.block(device, false);
    this.tell('SET-04', `translates ${device.name} as before its reset`);
  }

  private get hasUserPasids(): boolean {
    return this.rules.ownershipSeesPasids && this.pasids.size > 0;
  }

  tell(rule: string, what: string): void {
    this.surroundings.changed({ text: `IOMMU group ${this.id} ${what}`, rule, subject: this.members[0]?.subject });
  }

  /** What one device's driver answers to a new domain. */
  private check(device: Device, target: Domain | null): void {
    if (target === null || target.type === 'identity') return;
    if (this.isBlocking(target)) this.checkBlocking(device);
    if (target.type === 'blocked') return;
    const paging = target.type === 'nested' ? target.parent : target;
    this.checkDirectRegions(device, paging);
    checkFits(device, paging, this.rules, this.surroundings.log);
    if (target.type === 'nested') target.check(device); // NST-01
  }

  private isBlocking(target: Domain): boolean {
    return target.type === 'blocked' || target === this.blockingDomain;
  }

  /** RSV-44, SET-01. */
  private checkBlocking(device: Device): void {
    if (!device.requireDirect || this.surroundings.profile.directRegions !== 'core-einval') return;
    this.surroundings.log.push(deviceLine(device, NEEDS_DIRECT_MAPPING));
    throw new Refusal('EINVAL', 'RSV-44', `firmware wants memory of ${device.name} mapped 1:1 at all times, so it cannot be blocked`, [device.subject]);
  }

  /** RSV-45. */
  private checkDirectRegions(device: Device, target: PagingDomain): void {
    const refuses = this.surroundings.profile.directRegions === 'vtd-eperm' && device.unit?.description.architecture === 'vtd';
    if (!refuses || !device.requireDirect || target.type !== 'unmanaged') return;
    this.surroundings.log.push(deviceLine(device, NOT_ELIGIBLE));
    throw new Refusal('EPERM', 'RSV-45', `firmware wants memory of ${device.name} mapped 1:1 (RMRR), so it gets no unmanaged domain`, [device.subject]);
  }

  private subjects(): string[] {
    return this.members.map((member) => member.subject);
  }
}

function domainText(domain: Domain | null): string {
  if (domain === null) return 'no domain';
  return 'name' in domain ? `"${domain.name}" (${domain.type})` : `the ${domain.type} domain`;
}

function switchDevice(device: Device, from: Domain | null, to: Domain | null): void {
  if (from instanceof TranslatedDomain || from?.type === 'nested') from.detachDevice(device);
  if (to instanceof TranslatedDomain || to?.type === 'nested') to.attachDevice(device);
  else programDevice(device, { kind: to === null || to.type !== 'identity' ? 'blocked' : 'identity' });
}
