/**
 * A group joins a type1 container: the attach sequence of June 2021 and today's, side by side. The first check that
 * fails names the errno; everything done before it is undone.
 */
import { Refusal } from '../../../errno.js';
import type { AuxiliaryDomains } from '../../../kernel/aux-domains.js';
import type { Device, PagingDomain } from '../../../kernel/core.js';
import type { Process } from '../../process.js';
import { isOn, type VfioGroup } from '../registry.js';
import { AuxAttachment, HardwareAttachment, ParentAttachment, type Attachment } from './attachment.js';
import { apertureConflicts, reservedConflict, withinAperture, withoutReserved, type IovaList } from './iova-list.js';
import type { Mapping } from './mapping.js';
import { mapPinned, pinAndMap, unpin } from './pinning.js';
import type { HardwareDomain, Type1State } from './state.js';

/** VFT-10 .. VFT-14: the domain is chosen by the bus of the group, and mediated devices are asked what they are. */
export function attachGroup2021(state: Type1State, group: VfioGroup, process: Process, aux: AuxiliaryDomains): void {
  refuseDuplicate(state, group, 'VFT-10'); // step 1
  const devices = group.iommuGroup.devices;
  if (new Set(devices.map((device) => device.bus)).size > 1) { // step 3
    throw new Refusal('EINVAL', 'VFT-10', `the devices of group ${group.nodeName} are on different buses, and the domain is allocated by bus`, group.subjects());
  }
  const mediated = devices[0]?.bus === 'mdev'; // step 4
  const parent = mediated ? commonIommuDevice(devices) : null;
  if (mediated && parent === null) return joinSoftwareGroups(state, group, 'external domain');
  const attachment = parent === null ? new HardwareAttachment(group, someDevice(group)) : borrowingAttachment(group, parent, aux);
  const domain = allocateDomain(state, attachment); // step 5
  if (state.nesting) enableNesting(state, domain); // step 6
  attachToNewDomain(state, attachment, domain, process, {
    isolated: () => everyUnitOfTheBus(state, attachment.device, (unit) => unit.capabilities().isolatedMsi), // step 13
    coherent: () => everyUnitOfTheBus(state, attachment.device, (unit) => unit.capabilities().enforceCacheCoherency), // step 14
  });
}

/** VFT-15, VFT-16: the driver said at registration what its device is, and the domain is allocated for the device. */
export function attachGroup(state: Type1State, group: VfioGroup, process: Process): void {
  if (state.staleAddresses > 0) { // step 1
    throw new Refusal('EBUSY', 'VFT-15', 'virtual addresses of mappings are being updated (VFIO_DMA_UNMAP_FLAG_VADDR)');
  }
  refuseDuplicate(state, group, 'VFT-15'); // step 2
  if (group.kind === 'emulated') return joinSoftwareGroups(state, group, 'emulated groups'); // step 3
  const devices = group.iommuGroup.devices;
  const attachment = new HardwareAttachment(group, someDevice(group));
  const domain = allocateDomain(state, attachment); // step 4
  if (state.nesting) enableNesting(state, domain); // step 5
  attachToNewDomain(state, attachment, domain, process, {
    isolated: () => devices.every((device) => device.unit?.capabilities().isolatedMsi ?? false), // step 12
    coherent: () => (domain.enforcesCoherency = domain.unit.capabilities().enforceCacheCoherency), // step 13
  });
}

/** How the two sequences answer the two questions about hardware: of the whole bus then, of the devices now. */
interface HardwareQuestions {
  readonly isolated: () => boolean;
  readonly coherent: () => boolean;
}

/** VFT-10 steps 7 to 19, VFT-15 steps 6 to 15 (OWN-45): the same in both. @throws Refusal; the domain is freed then */
function attachToNewDomain(state: Type1State, attachment: Attachment, domain: PagingDomain, process: Process, ask: HardwareQuestions): void {
  let attached = false;
  try {
    attachment.attach(domain); // step 7
    attached = true;
    const list = usableAddresses(state, attachment, domain); // steps 8 to 11
    if (!ask.isolated() && !unsafeInterruptsAllowed(state)) throw noInterruptIsolation(state, attachment); // step 13
    const fresh: HardwareDomain = { domain, coherent: ask.coherent(), attachments: [attachment] }; // step 14
    const joined = joinExisting(state, attachment, fresh); // step 15
    attached = joined === null;
    if (joined === null) {
      replay(state, domain, process); // step 17
      state.domains = [fresh, ...state.domains]; // step 18
    } else {
      domain.free();
    }
    state.updatePageSizes();
    state.iovaList = list; // step 19
    state.nonPinningGroups++;
  } catch (refusal) {
    if (attached) attachment.detach(domain);
    domain.free();
    throw refusal;
  }
}

function refuseDuplicate(state: Type1State, group: VfioGroup, rule: string): void {
  if (state.contains(group)) throw new Refusal('EINVAL', rule, `group ${group.nodeName} is in this container already`, group.subjects());
}

/** For whom the domain is allocated. @throws Refusal EIO when the last device of the group went while the group was open: nothing says which driver to ask (VFT-10 step 5, VFT-15 step 4) */
function someDevice(group: VfioGroup): Device {
  const device = group.iommuGroup.devices[0];
  if (device === undefined) throw new Refusal('EIO', 'VFT-10', `group ${group.nodeName} has no device any more, so no domain can be allocated for it`);
  return device;
}

/** VFT-11: the one device behind whose IOMMU all mediated devices of the group say they are; null = none, or not the same. */
function commonIommuDevice(devices: readonly Device[]): Device | null {
  const parents = new Set(devices.map((device) => (device.kind === 'mdev' && device.description.kind.startsWith('parent-') ? device.parent : null)));
  const [parent] = parents;
  return parents.size === 1 && parent !== undefined ? parent : null;
}

/** FEA-05: what is done to the parent hangs on a feature that its driver could switch on (MDV-08), which nobody tells VFIO. */
const borrowingAttachment = (group: VfioGroup, parent: Device, aux: AuxiliaryDomains): Attachment =>
  (parent.features?.has('aux') ? new AuxAttachment(group, parent, aux) : new ParentAttachment(group, parent));

/**
 * The special path of the 2021 discussion, which has a better name today: no IOMMU domain is made and nothing will be
 * mapped, so neither aperture nor reserved regions, interrupts or coherency are looked at (VFT-11, VFT-25).
 */
function joinSoftwareGroups(state: Type1State, group: VfioGroup, where: string): void {
  if (state.softwareGroups.size === 0 && where === 'external domain') state.updatePageSizes();
  state.softwareGroups.add(group);
  state.pinningGroups.add(group);
}

function allocateDomain(state: Type1State, attachment: Attachment): PagingDomain {
  try {
    return state.kernel.allocateDomain(attachment.device, `${state.name} domain`);
  } catch (refusal) {
    if (!(refusal instanceof Refusal) || state.kernel.profile.domainAllocation === 'driver') throw refusal;
    throw new Refusal('EIO', 'VFT-10', refusal.reason, refusal.offenders);
  }
}

/** NST-02: nesting was an attribute of the domain; only SMMU and, with nested mode in every unit, VT-d of 2021 had it. @throws Refusal; the domain is freed then */
function enableNesting(state: Type1State, domain: PagingDomain): void {
  const { architecture, nested, name } = domain.unit.description;
  const vtd2021 = architecture === 'vtd' && state.kernel.profile.mediated === 'external-domain';
  if (architecture === 'smmuv3' || (vtd2021 && nested)) return;
  domain.free();
  throw new Refusal(vtd2021 ? 'ENODEV' : 'EINVAL', state.kernel.profile.mediated === 'external-domain' ? 'VFT-10' : 'VFT-15', `the driver of ${name} does not offer nesting through type1`);
}

/** VFT-20 to VFT-22. */
function usableAddresses(state: Type1State, attachment: Attachment, domain: PagingDomain): IovaList {
  const isMapped = state.isMapped.bind(state);
  if (apertureConflicts(state.iovaList, domain.aperture, isMapped)) {
    throw new Refusal('EINVAL', 'VFT-20', `something is mapped beyond the addresses that ${domain.unit.description.name} translates`, attachment.group.subjects());
  }
  const conflict = reservedConflict(attachment.reservedRegions, isMapped);
  if (conflict !== undefined) {
    throw new Refusal('EINVAL', 'VFT-21', `something is mapped in a ${conflict.type} region of group ${attachment.group.nodeName}`, attachment.group.subjects());
  }
  const list = withoutReserved(withinAperture(state.iovaList, domain.aperture), attachment.reservedRegions);
  if (list.length === 0) throw new Refusal('EINVAL', 'VFT-22', 'reserved regions leave no address that may be mapped', attachment.group.subjects());
  return list;
}

const unsafeInterruptsAllowed = (state: Type1State): boolean => isOn(state.kernel.moduleParameter('vfio_iommu_type1', 'allow_unsafe_interrupts'));

function noInterruptIsolation(state: Type1State, attachment: Attachment): Refusal {
  state.kernel.log.push('vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module param "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform');
  const rule = state.kernel.profile.mediated === 'external-domain' ? 'VFT-10' : 'VFT-15';
  return new Refusal('EPERM', rule, `interrupts of group ${attachment.group.nodeName} are not isolated: no interrupt remapping, and allow_unsafe_interrupts is off`, attachment.group.subjects());
}

/** VFT-10 step 15, COH-04: the group moves to the newest domain that fits and takes it. @returns it, or null */
function joinExisting(state: Type1State, attachment: Attachment, fresh: HardwareDomain): HardwareDomain | null {
  const alike = state.domains.filter((each) => sameOperations(each, fresh) && each.coherent === fresh.coherent);
  for (const existing of alike) {
    attachment.detach(fresh.domain);
    try {
      attachment.attach(existing.domain);
    } catch {
      attachment.attach(fresh.domain);
      continue;
    }
    existing.attachments = [attachment, ...existing.attachments];
    return existing;
  }
  return null;
}

/** The same IOMMU driver made both. */
const sameOperations = (a: HardwareDomain, b: HardwareDomain): boolean => a.domain.unit.description.architecture === b.domain.unit.description.architecture;

/** VFT-30, VFT-31: what is mapped already is mapped in the new domain too; what was never pinned is pinned now. */
function replay(state: Type1State, domain: PagingDomain, process: Process): void {
  if (state.staleAddresses > 0) throw new Refusal('EFAULT', 'VFT-54', 'the replay waits for the virtual addresses that were taken away, until the container is closed');
  const pinnedNow: { readonly mapping: Mapping; readonly lockedBefore: number }[] = [];
  try {
    for (const mapping of state.mappings.entries()) {
      if (mapping.iommuMapped) {
        mapPinned(mapping, domain);
      } else {
        const lockedBefore = mapping.lockedPages;
        pinAndMap(mapping, process, [domain], state.kernel.log);
        pinnedNow.push({ mapping, lockedBefore });
      }
    }
  } catch (refusal) {
    for (const { mapping, lockedBefore } of pinnedNow) unpin(mapping, lockedBefore);
    throw refusal;
  }
  for (const { mapping } of pinnedNow) mapping.iommuMapped = true;
}

function everyUnitOfTheBus(state: Type1State, device: Device, holds: (unit: NonNullable<Device['unit']>) => boolean): boolean {
  const units = new Set(state.kernel.devices.filter((other) => other.bus === device.bus).map((other) => other.unit));
  units.delete(null);
  return [...units].every((unit) => unit !== null && holds(unit));
}
