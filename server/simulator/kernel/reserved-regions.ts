/** Address ranges that a device may not, or must, have mapped: who reports them, how they merge, how sysfs shows them (section 4). */
import type { EmbeddedIommuName, FunctionDescription, HostDescription, IommuDescription, ReservedRegionDescription, ReservedType, SubjectId } from '../description.js';
import { append } from '../fabric/multimap.js';
import type { Topology } from '../fabric/topology.js';
import { isEmbedded } from '../hardware/kernel-only/embedded.js';
import { ADDRESS_MAX, iova, PAGE_SIZE, type AddressRange, type Iova } from '../memory/address.js';
import type { ReservedRegion } from './core.js';
import { profileFor, type KernelProfile } from './profile.js';

/** Enumeration order of the kernel (RSV-01, RSV-02, RSV-03, RSV-04, RSV-05), which breaks ties of equal start (RSV-10). */
const TYPE_ORDER: Readonly<Record<ReservedType, number>> = { direct: 0, 'direct-relaxable': 1, reserved: 2, msi: 3, 'software-msi': 4 };

/** The word in sysfs; both MSI types have the same one. */
const TYPE_WORD: Readonly<Record<ReservedType, string>> = { direct: 'direct', 'direct-relaxable': 'direct-relaxable', reserved: 'reserved', msi: 'msi', 'software-msi': 'msi' };

const range = (start: bigint, last: bigint): AddressRange<Iova> => ({ start: iova(start), last: iova(last) });

const INTERRUPT_WINDOW: ReservedRegion = { range: range(0xfee0_0000n, 0xfeef_ffffn), type: 'msi' };
const SOFTWARE_MSI: ReservedRegion = { range: range(0x0800_0000n, 0x080f_ffffn), type: 'software-msi' };

const HYPERTRANSPORT: ReservedRegion = { range: range(0xfd_0000_0000n, 0xff_ffff_ffffn), type: 'reserved' };

/** What the driver of an architecture reports for a device: what firmware or the device says (`told`), and what it always adds. */
interface Reporting {
  report(told: readonly ReservedRegion[], host: HostDescription): readonly ReservedRegion[];
  /** 1:1 ranges come by IORT or the device tree, which older kernels do not read (RSV-27 .. RSV-29). */
  readonly directByFirmwareTable: boolean;
}

/** RSV-30: nothing of its own. */
const AS_TOLD: Reporting = { report: (told) => told, directByFirmwareTable: true };

const REPORTING: Readonly<Record<Exclude<IommuDescription['architecture'], EmbeddedIommuName>, Reporting>> = {
  vtd: { report: (told) => [...told, INTERRUPT_WINDOW], directByFirmwareTable: false }, // RSV-20 .. RSV-22
  'amd-vi': { report: (told) => [...told, INTERRUPT_WINDOW, HYPERTRANSPORT], directByFirmwareTable: false }, // RSV-23, RSV-24
  // RSV-25; what IORT says comes after: the doorbells of an ITS (RSV-28) and RMRs (RSV-29).
  smmuv3: { report: (told) => [SOFTWARE_MSI, ...told], directByFirmwareTable: true },
  'virtio-iommu': { report: virtioRegions, directByFirmwareTable: true },
  // RSV-31: its driver answers nothing, whatever firmware says.
  'riscv-iommu': { report: () => [], directByFirmwareTable: true },
  mock: { report: () => [], directByFirmwareTable: true }, // CNF-01
};

const reportingOf = ({ architecture }: IommuDescription): Reporting =>
  architecture === 'smmuv2' ? REPORTING.smmuv3 : isEmbedded(architecture) ? AS_TOLD : REPORTING[architecture];

/** RSV-26: what the device's PROBE reply has; without an MSI window among it the software window; then what firmware wants mapped. */
function virtioRegions(told: readonly ReservedRegion[], { kernel: { cpuVendor } }: HostDescription): readonly ReservedRegion[] {
  const ofDevice = told.filter((region) => !isDirect(region));
  const interruptWindow = ofDevice.some(({ type }) => type === 'msi') ? [] : cpuVendor === 'intel' || cpuVendor === 'amd' ? [INTERRUPT_WINDOW] : [SOFTWARE_MSI];
  return [...ofDevice, ...interruptWindow, ...told.filter(isDirect)];
}

const isDirect = ({ type }: Pick<ReservedRegion, 'type'>): boolean => type === 'direct' || type === 'direct-relaxable';

/** The first 16 MiB, for the floppy controller behind an ISA bridge (RSV-21). */
const ISA_RANGE: ReservedRegion = { range: range(0n, 0xff_ffffn), type: 'direct-relaxable' };

const CLASS_DISPLAY = 0x03;
const CLASS_ISA_BRIDGE = 0x0601;
const CLASS_USB = 0x0c03;

/** RSV-40: the kernel may drop the 1:1 mapping of these when it gives them away. */
const isRelaxable = ({ classCode = 0 }: FunctionDescription): boolean => classCode >> 16 === CLASS_DISPLAY || classCode >> 8 === CLASS_USB;

const NO_REGIONS: readonly ReservedRegion[] = [];

/** Regions of the devices of one host. Described regions are looked up by device, so that asking for all devices stays linear. */
export class ReservedRegions {
  private readonly byDevice = new Map<SubjectId, ReservedRegionDescription[]>();
  private readonly forAll: readonly ReservedRegionDescription[];
  /** By unit: what its driver reports for a device of which nobody has told anything. Most devices of a large host share these lists. */
  private readonly untold = new Map<IommuDescription, readonly ReservedRegion[]>();

  constructor(
    private readonly host: HostDescription,
    private readonly topology: Topology,
    private readonly unitOf: (device: SubjectId) => IommuDescription | undefined,
    private readonly profile: KernelProfile = profileFor(host.kernel.version),
  ) {
    this.forAll = host.reservedRegions.filter((region) => region.devices.length === 0);
    for (const region of host.reservedRegions) {
      for (const device of region.devices) append(this.byDevice, device, region);
    }
  }

  /** What the driver of its unit reports for a device, in the driver's order; nothing without a unit. */
  of(device: SubjectId): readonly ReservedRegion[] {
    const unit = this.unitOf(device);
    if (unit === undefined) return NO_REGIONS;
    const told = this.told(device, unit);
    if (told.length > 0) return reportingOf(unit).report(told, this.host);
    let report = this.untold.get(unit);
    if (report === undefined) this.untold.set(unit, (report = reportingOf(unit).report(told, this.host)));
    return report;
  }

  /** What firmware or the device says, as far as the kernel reads it. */
  private told(device: SubjectId, unit: IommuDescription): readonly ReservedRegion[] {
    const fn = this.topology.byId(device);
    const isa = fn !== undefined && this.hasIsaRange(fn, unit) ? [ISA_RANGE] : NO_REGIONS;
    if (this.host.reservedRegions.length === 0) return isa;
    const { directByFirmwareTable } = reportingOf(unit);
    const described = [...this.forAll, ...this.listedFor(device, fn, unit)].filter((region) => !directByFirmwareTable || this.profile.firmwareRegionsBeyondX86 || !isDirect(region));
    return [...described.map((region) => asReported(region, this.profile.relaxableRegions ? fn : undefined, unit)), ...isa];
  }

  /** Regions that name the device; VT-d's scopes also take in what is below a named bridge (RSV-20). */
  private listedFor(device: SubjectId, fn: FunctionDescription | undefined, unit: IommuDescription): ReservedRegionDescription[] {
    const found = [...(this.byDevice.get(device) ?? [])];
    if (fn === undefined || this.byDevice.size === 0 || unit.architecture !== 'vtd') return found;
    for (const bridge of this.topology.ancestors(fn)) found.push(...(this.byDevice.get(bridge.id) ?? []));
    return this.host.reservedRegions.filter((region) => found.includes(region));
  }

  private hasIsaRange({ classCode = 0 }: FunctionDescription, unit: IommuDescription): boolean {
    return this.profile.relaxableRegions && unit.architecture === 'vtd' && classCode >> 8 === CLASS_ISA_BRIDGE && !this.host.kernel.buildOptions.includes('!INTEL_IOMMU_FLOPPY_WA');
  }
}

const PAGE_MASK = PAGE_SIZE - 1n;
const pageUp = (value: bigint): bigint => (value + PAGE_MASK) & ~PAGE_MASK;

/** Start and length rounded up to pages, each by itself, as the IVMD parser does (RSV-23). */
function inPages({ start, last }: AddressRange): AddressRange {
  const first = pageUp(start);
  const end = first + pageUp(last - start + 1n) - 1n;
  return { start: first, last: end > ADDRESS_MAX ? ADDRESS_MAX : end };
}

/** VT-d calls the direct regions of some classes relaxable (RSV-20). */
function asReported(region: ReservedRegionDescription, fn: FunctionDescription | undefined, unit: IommuDescription): ReservedRegion {
  const { start, last } = unit.architecture === 'amd-vi' && region.range.start <= ADDRESS_MAX - PAGE_MASK ? inPages(region.range) : region.range;
  const relaxed = region.type === 'direct' && unit.architecture === 'vtd' && fn !== undefined && isRelaxable(fn);
  return { range: range(start, last), type: relaxed ? 'direct-relaxable' : region.type, subject: region.id };
}

/** All lists put into one, device after device, region after region (RSV-13). */
export function mergeRegions(lists: readonly (readonly ReservedRegion[])[], merge: KernelProfile['regionMerge'] = 'neighbours'): ReservedRegion[] {
  const distance = merge === 'neighbours' ? 1n : 0n;
  let merged: ReservedRegion[] = [];
  for (const list of lists) for (const region of list) if (!isWithinOne(merged, region)) merged = insert(merged, region, distance);
  return merged;
}

/** Inserting it would change nothing: some entry of its type has it already. */
const isWithinOne = (merged: readonly ReservedRegion[], region: ReservedRegion): boolean =>
  merged.some((known) => known.type === region.type && known.range.start <= region.range.start && region.range.last <= known.range.last);

function insert(merged: readonly ReservedRegion[], region: ReservedRegion, distance: bigint): ReservedRegion[] {
  const position = merged.findIndex((known) => known.range.start > region.range.start || (known.range.start === region.range.start && TYPE_ORDER[known.type] >= TYPE_ORDER[region.type])); // RSV-10
  const inserted = merged.toSpliced(position < 0 ? merged.length : position, 0, region);
  return joinType(inserted, region.type, distance);
}

/** Overlapping or touching regions of the type become one, over entries of other types that stand between (RSV-11); up to 5.3 only overlapping ones (RSV-12). */
function joinType(regions: readonly ReservedRegion[], type: ReservedType, distance: bigint): ReservedRegion[] {
  const joined: ReservedRegion[] = [];
  let previous = -1;
  for (const region of regions) {
    const before = joined[previous];
    if (region.type !== type || before === undefined || region.range.start > before.range.last + distance) {
      if (region.type === type) previous = joined.length;
      joined.push(region);
    } else if (region.range.last > before.range.last) {
      joined[previous] = { ...before, range: { start: before.range.start, last: region.range.last } };
    }
  }
  return joined;
}

const sixteenDigits = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** One line of a group's reserved_regions file. */
export const regionLine = ({ range: { start, last }, type }: ReservedRegion): string => `${sixteenDigits(start)} ${sixteenDigits(last)} ${TYPE_WORD[type]}`;
