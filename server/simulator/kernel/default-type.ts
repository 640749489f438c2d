/**
 * Which type of default domain a group gets: the kernel's global choice (DOM-01 .. DOM-06), what each device's driver insists on
 * (DOM-10 .. DOM-13), and how the two come together (DOM-20 .. DOM-24).
 */
import type { KernelDescription, SubjectId } from '../description.js';
import { lastWord, type CommandLine } from './command-line.js';
import type { Device } from './core.js';
import type { IommuGroup } from './group.js';
import { deviceLine } from './log-lines.js';
import type { KernelProfile } from './profile.js';
import { wantsStrictByOption } from './strictness.js';

export type DefaultType = 'identity' | 'DMA' | 'DMA-FQ';
/** A driver does not tell strict from lazy. */
type Family = 'identity' | 'DMA';

/** Whom the choice is made for. */
export interface ChoosingKernel {
  readonly profile: KernelProfile;
  readonly commandLine: CommandLine;
  readonly cpuVendor: KernelDescription['cpuVendor'];
  hasOption(name: string): boolean;
  /** Some unit's driver asks for strict mode (DOM-04). */
  readonly unitsWantStrict: boolean;
}

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

/** DOM-03, DOM-11: AMD's memory encryption is on: the kernel's own memory is ciphertext to a device that nobody translates. */
export function encryptsMemory({ cpuVendor, commandLine, hasOption }: Pick<ChoosingKernel, 'cpuVendor' | 'commandLine' | 'hasOption'>): boolean {
  if (cpuVendor !== 'amd') return false;
  return lastBoolean(commandLine.get('mem_encrypt')) ?? hasOption('AMD_MEM_ENCRYPT_ACTIVE_BY_DEFAULT');
}

/** DOM-02: the build's choice between strict and lazy; lazy where nobody chose, on x86 only. */
function isStrictByBuild({ cpuVendor, hasOption }: ChoosingKernel): boolean {
  if (hasOption('IOMMU_DEFAULT_DMA_STRICT')) return true;
  return cpuVendor === 'arm' && !hasOption('IOMMU_DEFAULT_DMA_LAZY');
}

/** DOM-01 .. DOM-05: the choice for the whole kernel. */
export function globalChoice(kernel: ChoosingKernel): GlobalChoice {
  const { profile, commandLine } = kernel;
  const asked = passthroughByCommandLine(commandLine);
  const builtIn = kernel.hasOption('IOMMU_DEFAULT_PASSTHROUGH');
  const encryptionForbids = asked === undefined && builtIn && encryptsMemory(kernel);
  const passthrough = (asked ?? builtIn) && !encryptionForbids;
  const strictAsked = lastBoolean(commandLine.get('iommu.strict'));
  const strict = strictAsked ?? (isStrictByBuild(kernel) || wantsStrictByOption(commandLine));
  const suffix = (byCommandLine: boolean): string => (byCommandLine ? ' (set via kernel command line)' : profile.trailingBlank ? ' ' : '');
  const messages = encryptionForbids ? ['iommu: Memory encryption detected - Disabling default IOMMU Passthrough'] : []; // DOM-03
  messages.push(`iommu: Default domain type: ${passthrough ? 'Passthrough' : 'Translated'}${suffix(asked !== undefined)}`);
  if (profile.lazyType && !passthrough) {
    messages.push(`iommu: DMA domain TLB invalidation policy: ${strict ? 'strict' : 'lazy'} mode${suffix(strictAsked !== undefined)}`);
  }
  if (passthrough) return { type: 'identity', messages };
  return { type: profile.lazyType && !strict && !kernel.unitsWantStrict ? 'DMA-FQ' : 'DMA', messages };
}

// ------------------------------------------------------------------------------------------------ per device and group

/** What the decision about one group looks at. */
export interface TypeSurroundings {
  readonly profile: KernelProfile;
  readonly log: string[];
  /** The global choice. */
  readonly defaultType: DefaultType;
  readonly memoryEncrypted: boolean;
  buildOption(name: string): boolean;
  buildOptionIsOff(name: string): boolean;
}

const CLASS_DISPLAY = 0x03;
/** DOM-12: the PCIe tracer of HiSilicon's root complex, which writes its trace to physical memory. */
const HISILICON_TRACER = { vendor: 0x19e5, device: 0xa12e } as const;

/** `def_domain_type` of the unit's driver: null = no opinion (DOM-10 .. DOM-13). */
function driverOpinion(device: Device, surroundings: TypeSurroundings): Family | null {
  const unit = device.unit?.description;
  if (unit === undefined || device.kind !== 'pci') return null;
  const { classCode = 0, ids, pasidBits } = device.description;
  switch (unit.architecture) {
    case 'vtd': // DOM-10. Hardware without pass-through cannot do identity. (Before 6.19 the driver emulates it by a table that maps all memory.)
      if (!unit.passThrough) return 'DMA';
      return surroundings.profile.graphicsIdentity && classCode >> 16 === CLASS_DISPLAY && surroundings.buildOption('INTEL_IOMMU_BROKEN_GFX_WA') ? 'identity' : null;
    case 'amd-vi': // DOM-11
      return pasidBits > 0 && unit.pasidBits > 0 && device.untrusted !== true && !surroundings.memoryEncrypted ? 'identity' : null;
    case 'smmuv3': return ids?.vendor === HISILICON_TRACER.vendor && ids.device === HISILICON_TRACER.device ? 'identity' : null;
    default: return null; // DOM-13
  }
}

const NAME: Readonly<Record<Family, string>> = { identity: 'Passthrough', DMA: 'Translated' };
const familyOf = (type: DefaultType): Family => (type === 'identity' ? 'identity' : 'DMA');

/** DOM-20 .. DOM-24: the type for a group; `asked`: what somebody wrote to its `type`. Null: there is none that suits all. */
export function groupType(group: IommuGroup, asked: DefaultType | null, surroundings: TypeSurroundings): DefaultType | null {
  const needed = surroundings.profile.conflictingTypes === 'identity' ? combinedNeed(group, surroundings) : separateNeeds(group, asked, surroundings);
  if (needed === 'none') return null;
  if (asked === null) return needed ?? surroundings.defaultType; // DMA is strict: what is not trusted is never flushed late
  return needed !== null && needed !== familyOf(asked) ? null : asked; // DOM-23
}

/** DOM-20 .. DOM-22: all opinions first, then trust. */
function combinedNeed(group: IommuGroup, surroundings: TypeSurroundings): Family | null | 'none' {
  const { log } = surroundings;
  let needed: Family | null = null;
  for (const device of group.devices) {
    const opinion = driverOpinion(device, surroundings);
    if (opinion === null || opinion === needed) continue;
    if (needed !== null) log.push(deviceLine(device, `IOMMU driver error, requesting conflicting def_domain_type, ${NAME[needed]} and ${NAME[opinion]}, for devices in group ${group.id}.`));
    needed = needed === null ? opinion : 'identity';
  }
  if (surroundings.buildOptionIsOff('IOMMU_DMA')) { // DOM-21
    if (needed === 'DMA') return 'none';
    needed = 'identity';
  }
  const outsider = group.devices.find((device) => device.untrusted === true);
  if (outsider === undefined) return needed;
  if (needed === 'identity') {
    log.push(deviceLine(outsider, `Device is not trusted, but driver is overriding group ${group.id} to ${NAME[needed]}, refusing to probe.`)); // DOM-22
    return 'none';
  }
  return 'DMA';
}

/** DOM-24, TYP-09: device by device up to 6.6; trust is one device's need as any other. */
function separateNeeds(group: IommuGroup, asked: DefaultType | null, surroundings: TypeSurroundings): Family | null | 'none' {
  const { log } = surroundings;
  let first: { readonly device: Device; readonly type: Family } | null = null;
  for (const device of group.devices) {
    const type = device.untrusted === true ? 'DMA' : driverOpinion(device, surroundings);
    if (type === null) continue;
    if (asked !== null && type !== familyOf(asked)) {
      log.push(deviceLine(device, `Device cannot be in ${NAME[familyOf(asked)]} domain`));
      return 'none';
    }
    if (first !== null && first.type !== type) {
      log.push(deviceLine(device, `Device needs domain type ${NAME[type]}, but device ${first.device.name} in the same iommu group requires type ${NAME[first.type]} - using default`));
      return null;
    }
    first ??= { device, type };
  }
  return first?.type ?? null;
}

/** Devices of a group whose need made its type what it is. */
export const withNeeds = (group: IommuGroup, surroundings: TypeSurroundings): SubjectId[] =>
  group.devices.filter((device) => device.untrusted === true || driverOpinion(device, surroundings) !== null).map((device) => device.subject);
