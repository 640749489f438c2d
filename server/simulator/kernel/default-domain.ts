/** How the default domain of a group is set up, with what firmware wants mapped in it (RSV-41, RSV-42, DOM-25 .. DOM-28). */
import type { SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { TableUse } from '../hardware/architecture.js';
import { iova, physical } from '../memory/address.js';
import type { Device, PagingDomain } from './core.js';
import { attachRules } from './attach-history.js';
import { IDENTITY, type TranslatedDomain } from './domains.js';
import type { DefaultType, TypeSurroundings } from './default-type.js';
import type { IommuGroup } from './group.js';
import { deviceLine } from './log-lines.js';
import { maxPasids } from './pasid-numbers.js';

/** What setting a default domain up needs of the kernel. */
export interface DomainMaker extends TypeSurroundings {
  createDomain(device: Device, type: PagingDomain['type'], name: string, use?: TableUse): TranslatedDomain;
}

/** Numbers of the types in the log (section 0.3). */
const TYPE_NUMBER: Readonly<Record<DefaultType, number>> = { identity: 4, DMA: 3, 'DMA-FQ': 11 };

/** DOM-25: a type that nobody asked for by name gives way to DMA when its driver has no such domain. @throws Refusal as `setUpDefaultDomain` */
export function setUpChosenDomain(group: IommuGroup, type: DefaultType, maker: DomainMaker): void {
  const usable = type !== 'identity' || group.devices[0]?.unit?.capabilities().identityDomain !== false;
  if (!usable) maker.log.push(`iommu: Failed to allocate default IOMMU domain of type ${TYPE_NUMBER[type]} for group ${group.name ?? '(null)'} - Falling back to IOMMU_DOMAIN_DMA`);
  setUpDefaultDomain(group, usable ? type : 'DMA', maker);
}

/** `iommu_setup_default_domain` (DOM-27, DOM-28). @throws Refusal EOPNOTSUPP (TYP-12), or of the first device that cannot take it */
export function setUpDefaultDomain(group: IommuGroup, type: DefaultType, maker: DomainMaker): void {
  const first = group.devices[0];
  if (first === undefined || first.unit === null) return;
  if (type === 'identity' && !first.unit.capabilities().identityDomain) throw new Refusal('EOPNOTSUPP', 'TYP-12', `${first.unit.description.name} has no identity domain`, [first.subject]);
  const old = group.defaultDomain;
  const deferred = type === 'DMA-FQ' && first.unit.capabilities().deferredFlush; // DOM-28: degrades silently
  const domain = type === 'identity' ? IDENTITY : maker.createDomain(first, deferred ? 'DMA-FQ' : 'DMA', `group ${group.id} default`, defaultUse(first, maker));
  if (domain.type !== 'identity') mapDirectRegions(group.devices, domain, maker);
  group.defaultDomain = domain;
  group.moveTo(domain);
  if (old !== null && 'free' in old) old.free();
}

/** DOM-26: beside PASIDs where the group's first device has some; without where its driver answers that it has no such domain. */
function defaultUse(device: Device, { profile }: DomainMaker): TableUse {
  const wanted = attachRules(profile).defaultsTakePasids && maxPasids(device) > 0;
  return wanted && device.unit?.capabilities().pasidTables === 'own-kind' ? 'pasid' : 'kernel';
}

/** RSV-41: the warning of a direct mapping that the page table refuses; logged once. */
const NO_DIRECT_MAPPING = 'IOMMU driver was not able to establish FW requested direct mapping.';

/** RSV-41: DIRECT and DIRECT_RELAXABLE regions 1:1; pages that are mapped already are left alone. */
export function mapDirectRegions(devices: readonly Device[], domain: TranslatedDomain, maker: DomainMaker): void {
  const page = domain.pageSizes & -domain.pageSizes;
  const up = (value: bigint): bigint => (value + page - 1n) & ~(page - 1n);
  for (const device of devices) {
    for (const region of device.reservedRegions) {
      if (region.type !== 'direct' && region.type !== 'direct-relaxable') continue;
      try {
        if (region.range.start === 0n && maker.profile.release < KNOWS_PAGE_ZERO) mapPageZeroAgain(domain, page);
        mapHoles(domain, up(region.range.start), up(region.range.last + 1n), region.subject);
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        const line = deviceLine(device, NO_DIRECT_MAPPING);
        if (maker.profile.directMappingFailure === 'told' && !maker.log.some((each) => each.endsWith(NO_DIRECT_MAPPING))) maker.log.push(line);
      }
    }
  }
}

/** RSV-42: first release that can tell "mapped to physical page 0" from "not mapped". */
const KNOWS_PAGE_ZERO = 7000;

/** RSV-42: page 0 that another device of the group had mapped looks like a hole. @throws Refusal what the page table says about mapping it twice */
function mapPageZeroAgain(domain: TranslatedDomain, page: bigint): void {
  if (domain.translate(iova(0n)) !== null) domain.map(iova(0n), physical(0n), page, { read: true, write: true });
}

/** Maps what is not mapped yet of [start, end) to the same physical addresses. */
function mapHoles(domain: TranslatedDomain, start: bigint, end: bigint, subject: SubjectId | undefined): void {
  const map = (from: bigint, to: bigint): void => {
    if (from < to) domain.map(iova(from), physical(from), to - from, { read: true, write: true }, subject);
  };
  let at = start;
  for (const run of domain.mappings(Number.MAX_SAFE_INTEGER).runs) {
    if (run.iova.last < at || run.iova.start >= end) continue;
    map(at, run.iova.start);
    at = run.iova.last + 1n;
  }
  map(at, end);
}
