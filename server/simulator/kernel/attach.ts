/** Attaching a domain to one device (ATT-01, ATT-04), and what IOMMU drivers say to a domain that was not made for them (ATD-01 ..). */
import { Refusal } from '../errno.js';
import type { AttachRules } from './attach-history.js';
import type { Device, Domain, Group, PagingDomain } from './core.js';
import { deviceLine } from './log-lines.js';

/** `iommu_attach_device`. @throws Refusal ENODEV, EINVAL, then as `Group.attach` */
export function attachDevice(device: Device, domain: Domain): void {
  const group = groupOf(device);
  if (group.devices.length !== 1) {
    const others = group.devices.filter((member) => member !== device);
    throw new Refusal('EINVAL', 'ATT-01', `${device.name} shares its IOMMU group with ${others.map((other) => other.name).join(', ')}`, others.map((other) => other.subject));
  }
  group.attach(domain);
}

/** `iommu_detach_device`: a warning and nothing else unless the domain is the group's and the device alone (ATT-04). @returns whether it was detached */
export function detachDevice(device: Device, domain: Domain): boolean {
  const { group } = device;
  if (group === null || group.devices.length !== 1 || group.domain !== domain) return false;
  group.detach();
  return true;
}

/** @throws Refusal ENODEV */
export function groupOf(device: Device): Group {
  if (device.group === null) throw new Refusal('ENODEV', 'ATT-01', `${device.name} is in no IOMMU group`, [device.subject]);
  return device.group;
}

/** What the driver of the device's unit answers to a paging domain (ATD-01, ATD-02, ATD-03, COH-03, DRT-02). @throws Refusal */
export function checkFits(device: Device, target: PagingDomain, rules: AttachRules, log: string[]): void {
  const { unit } = device;
  const refuse = (errno: 'EINVAL' | 'EFAULT' | 'EPERM' | 'ENXIO', rule: string, why: string): never => {
    throw new Refusal(errno, rule, why, [device.subject]);
  };
  if (unit === null) return refuse('EINVAL', 'ATT-02', `${device.name} has no IOMMU`);
  // FEA-04, ATD-01: what shares a device by PASID and what takes it whole exclude one another.
  if (device.features?.has('aux') && target.type === 'unmanaged') refuse('EPERM', 'VFT-13', `${device.name} has auxiliary domains enabled, so no unmanaged domain is attached to it as a whole`);
  const { name } = unit.description;
  if (target.ofIommufd && unit.capabilities().userDomains === false) {
    log.push(`DMAR: No second level translation support on ${name}`);
    refuse('EINVAL', 'IFD-61', `${name} translates by first-stage tables only, and this kernel gives iommufd second-stage tables`);
  }
  if (target.tracksDirty && !unit.capabilities().dirtyTracking) refuse('EINVAL', unit.description.architecture === 'amd-vi' ? 'ATD-03' : 'DRT-02', `${target.name} tracks dirty pages, which ${name} cannot`);
  if (target.enforcesCoherency && !unit.capabilities().enforceCacheCoherency) refuse('EINVAL', 'COH-03', `${target.name} enforces snooping, which ${name} cannot`);
  if (unit.domainCompatibilityKey === target.unit.domainCompatibilityKey) return;
  if (unit.description.architecture === 'smmuv3') {
    if (rules.otherSmmuErrno === 'ENXIO') log.push(deviceLine(device, `cannot attach to SMMU ${target.unit.description.name} (upstream of ${name})`));
    refuse(rules.otherSmmuErrno, rules.otherSmmuErrno === 'ENXIO' ? 'ATD-04' : 'ATD-05', `${target.name} belongs to ${target.unit.description.name}, and ${device.name} is behind ${name}`);
  }
  const mapped = lastMapped(target);
  const width = unit.description.addressWidth ?? DEFAULT_WIDTH;
  if (rules.widthErrno === 'EFAULT' && mapped !== null && mapped >> BigInt(width) !== 0n) {
    log.push(`DMAR: intel_iommu_attach_device: iommu width (${width}) is not sufficient for the mapped address (${(mapped + 1n).toString(16)})`);
    refuse('EFAULT', 'ATD-01', `${target.name} maps addresses that ${name} cannot translate`);
  }
  refuse('EINVAL', 'ATD-02', `${target.name} was made for ${target.unit.description.name} and does not fit ${name}, behind which ${device.name} is`);
}

const DEFAULT_WIDTH = 48;

function lastMapped(domain: PagingDomain): bigint | null {
  const { runs } = domain.mappings(Infinity);
  return runs.at(-1)?.iova.last ?? null;
}
