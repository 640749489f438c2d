/**
 * Which default domain a group gets: the kernel's global choice (DOM-01 .. DOM-06), each device's needs (DOM-10 .. DOM-24),
 * and how the domain is set up with what firmware wants mapped (RSV-41, DOM-25 .. DOM-28).
 */
import type { SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import { iova, physical } from '../memory/address.js';
import { lastWord, type CommandLine } from './command-line.js';
import type { Device, PagingDomain } from './core.js';
import { IDENTITY, type TranslatedDomain } from './domains.js';
import type { IommuGroup } from './group.js';
import { deviceLine } from './log-lines.js';
import type { KernelProfile } from './profile.js';
import { wantsStrictByOption } from './strictness.js';

export type DefaultType = 'identity' | 'DMA' | 'DMA-FQ';

export interface GlobalChoice {
  readonly type: DefaultType;
  /** The boot lines about it (DOM-05). */
  readonly messages: readonly string[];
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  y: true, Y: true, t: true, T: true, '1': true, on: true, ON: true, On: true,
  n: false, N: false, f: false, F: false, '0': false, off: false, OFF: false, Off: false,
};

/** DOM-06: the last value that reads as a boolean; anything else is ignored. */
function lastBoolean(values: readonly string[] | undefined): boolean | undefined {
  return values?.map((value) => BOOLEANS[value] ?? BOOLEANS[value.slice(0, 1)]).findLast((value) => value !== undefined);
}

/** `iommu.passthrough`, or x86's `iommu=pt` / `iommu=nopt`; undefined when the command line does not say (DOM-01). */
function passthroughByCommandLine(commandLine: CommandLine): boolean | undefined {
  const x86 = lastWord(commandLine, 'iommu', ['pt', 'nopt']);
  return lastBoolean(commandLine.get('iommu.passthrough')) ?? (x86 === undefined ? undefined : x86 === 'pt');
}

/** DOM-01 .. DOM-05: the choice for the whole kernel. `unitsWantStrict`: some driver asks for strict mode (DOM-04). */
export function globalChoice(profile: KernelProfile, commandLine: CommandLine, hasOption: (name: string) => boolean, unitsWantStrict: boolean): GlobalChoice {
  const asked = passthroughByCommandLine(commandLine);
  const passthrough = asked ?? hasOption('IOMMU_DEFAULT_PASSTHROUGH');
  const strictAsked = lastBoolean(commandLine.get('iommu.strict'));
  const strict = strictAsked ?? (hasOption('IOMMU_DEFAULT_DMA_STRICT') || wantsStrictByOption(commandLine));
  const suffix = (byCommandLine: boolean): string => (byCommandLine ? ' (set via kernel command line)' : profile.trailingBlank ? ' ' : '');
  const messages = [`iommu: Default domain type: ${passthrough ? 'Passthrough' : 'Translated'}${suffix(asked !== undefined)}`];
  if (profile.lazyType && !passthrough) {
    messages.push(`iommu: DMA domain TLB invalidation policy: ${strict ? 'strict' : 'lazy'} mode${suffix(strictAsked !== undefined)}`);
  }
  if (passthrough) return { type: 'identity', messages };
  return { type: profile.lazyType && !strict && !unitsWantStrict ? 'DMA-FQ' : 'DMA', messages };
}

/** What a device's IOMMU driver insists on, or null (DOM-10, DOM-11, DOM-22). */
function neededType(device: Device): 'identity' | 'DMA' | null {
  if (device.untrusted === true) return 'DMA';
  // Hardware without pass-through cannot do identity. (Kernels before 6.19 emulate it by a table that maps all memory.)
  return device.unit !== null && !device.unit.capabilities().identityDomain ? 'DMA' : null;
}

/** DOM-20 .. DOM-24: the type for a group when nobody asked for one, or null when its devices do not agree with `asked`. */
export function groupType(group: IommuGroup, choice: DefaultType, asked: DefaultType | null, profile: KernelProfile): DefaultType | null {
  const needs = new Set(group.devices.map(neededType).filter((type) => type !== null));
  const [first] = needs;
  const needed = needs.size < 2 ? first : profile.conflictingTypes === 'identity' ? 'identity' : undefined;
  if (asked === null) return needed ?? choice;
  const family = asked === 'identity' ? 'identity' : 'DMA';
  return needed !== undefined && needed !== family ? null : asked;
}

/** What setting a default domain up needs of the kernel. */
export interface DomainMaker {
  readonly profile: KernelProfile;
  readonly log: string[];
  createDomain(device: Device, type: PagingDomain['type'], name: string): TranslatedDomain;
}

/** `iommu_setup_default_domain` (DOM-25, DOM-27, DOM-28). @throws Refusal of the first device that cannot take it */
export function setUpDefaultDomain(group: IommuGroup, type: DefaultType, maker: DomainMaker): void {
  const first = group.devices[0];
  if (first === undefined || first.unit === null) return;
  const old = group.defaultDomain;
  const deferred = type === 'DMA-FQ' && first.unit.capabilities().deferredFlush; // DOM-28: degrades silently
  const domain = type === 'identity' ? IDENTITY : maker.createDomain(first, deferred ? 'DMA-FQ' : 'DMA', `group ${group.id} default`);
  if (domain.type !== 'identity') mapDirectRegions(group, domain, maker);
  group.defaultDomain = domain;
  group.moveTo(domain);
  if (old !== null && 'free' in old) old.free();
}

/** RSV-41: the warning of a direct mapping that the page table refuses; logged once. */
const NO_DIRECT_MAPPING = 'IOMMU driver was not able to establish FW requested direct mapping.';

/** RSV-41: DIRECT and DIRECT_RELAXABLE regions 1:1; pages that are mapped already are left alone. */
function mapDirectRegions(group: IommuGroup, domain: TranslatedDomain, maker: DomainMaker): void {
  const page = domain.pageSizes & -domain.pageSizes;
  const up = (value: bigint): bigint => (value + page - 1n) & ~(page - 1n);
  for (const device of group.devices) {
    for (const region of device.reservedRegions) {
      if (region.type !== 'direct' && region.type !== 'direct-relaxable') continue;
      try {
        mapHoles(domain, up(region.range.start), up(region.range.last + 1n), region.subject);
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        const line = deviceLine(device, NO_DIRECT_MAPPING);
        if (maker.profile.directMappingFailure === 'told' && !maker.log.some((each) => each.endsWith(NO_DIRECT_MAPPING))) maker.log.push(line);
      }
    }
  }
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
