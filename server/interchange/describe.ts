/** From facts to a host description: every function gets a name, a place in the tree and an identity. */
import type { AcsDescription, FunctionDescription, FunctionType, HostDescription, IommuDescription, SubjectId, Unknown } from '../simulator/description.js';
import { ACS_QUIRKS, INTEL_SPT } from '../simulator/kernel/acs-quirks.js';
import { groupsFormAtDriverProbe } from '../simulator/kernel/iommu-detection.js';
import { versionNumber } from '../simulator/kernel/profile.js';
import { listsId } from '../simulator/kernel/quirk-ids.js';
import { KERNEL_ENABLES } from './acs-flags.js';
import { mayBeKnownById } from './device-names.js';
import { MAX_PASID_WIDTH, type FunctionFacts, type HostFacts } from './facts.js';
import { nameFunctions } from './names.js';
import { formatAddress } from './pci-address.js';
import { buildTree, highestBuses, type Tree, type TreeNode } from './tree.js';
import { describeUnits } from './units.js';

export interface DescribedHost {
  readonly host: HostDescription;
  /** What was not known, and what is assumed instead; sentences. */
  readonly notes: readonly string[];
  /** Functions that may stand elsewhere in the tree: the bridge above them is not known. */
  readonly unplaced: readonly SubjectId[];
}

/** The device ID in an `id` of which only the vendor is known; no device has it (reads of absent functions return all ones). */
export const UNKNOWN_DEVICE_ID = 0xffff;

const INTEL = 0x8086;

/** Names in the PCI ID database are shorter; what is longer is text that a damaged dump let follow. */
const LONGEST_LABEL = 240;

/** What a label of one line cannot contain. */
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f\u2028\u2029]+/g;

/** Vendors of which the kernel's table asks no more than that it is them (AQK-03): then half an ID is worth writing down. */
const VENDORS_ASKED_FOR_ALONE: ReadonlySet<number> = new Set(ACS_QUIRKS.filter((quirk) => quirk.devices === 'any').map((quirk) => quirk.vendor));

export function describeHost(facts: HostFacts, name: string): DescribedHost {
  const tree = buildTree(facts.functions);
  const names = nameFunctions(tree.nodes);
  const idOf = (node: TreeNode): string => `${name}/${names.get(node)!}`;
  const units = describeUnits(facts, tree, idOf);
  const formsLate = units.iommus.some((unit) => groupsFormAtDriverProbe(unit, versionNumber(releaseOf(facts.kernelVersion)) ?? Infinity));
  const acsWasOff = acsNeverSwitchedOn(facts.functions);
  const context = { names, idOf, acsWasOff, highestBus: highestBuses(tree.nodes), withListedVirtual: new Set(tree.nodes.flatMap((node) => node.virtualFunction?.of ?? [])) };
  const host: HostDescription = {
    id: name, name,
    kernel: {
      id: `${name}/kernel`, version: releaseOf(facts.kernelVersion), commandLine: facts.commandLine ?? '', buildOptions: buildOptions(facts, units.iommus), moduleParameters: [],
      cpuVendor: facts.cpuVendor,
    },
    memory: [...facts.memory].sort((a, b) => (a.start < b.start ? -1 : 1)),
    iommus: units.iommus.map((unit) => ({ ...unit, id: `${name}/${unit.id}` })),
    functions: tree.nodes.map((node) => withProbe(describeFunction(node, context), formsLate)),
    platformDevices: [], mediatedDevices: [], reservedRegions: [], bindings: [],
  };
  return { host, notes: [...facts.notes, ...units.notes, ...(acsWasOff ? [ACS_WAS_OFF] : []), ...gaps(facts, tree)], unplaced: tree.nodes.filter((node) => node.unplaced).map(idOf) };
}

/** Where groups form only when a driver probes (GRL-07), whoever was in one has been probed, whether its driver was shown or not. */
const withProbe = (fn: FunctionDescription, formsLate: boolean): FunctionDescription =>
  formsLate && fn.driver === null && fn.recordedGroup !== undefined ? { ...fn, probed: true } : fn;

/** "6.13.0" of "6.13.0-0.rc5.42.fc42.x86_64". */
const releaseOf = (version: string | undefined): string => /^\d+\.\d+(?:\.\d+)?/.exec(version ?? '')?.[0] ?? '';

/**
 * What no command line asked for and yet was so on the running host: passthrough by default (DOM-01), and VT-d in use, whichever of
 * build option and platform opt-in it came from.
 */
function buildOptions({ defaultDomain, commandLine = '', functions }: HostFacts, iommus: readonly IommuDescription[]): string[] {
  const passthrough = defaultDomain === 'Passthrough' && !/\biommu(?:\.passthrough)?=/.test(commandLine);
  const vtdInUse = iommus.some((unit) => unit.architecture === 'vtd') && functions.some((fn) => fn.group !== undefined) && !/\bintel_iommu=(?:[^ ]*,)?(?:on|off)\b/.test(commandLine);
  return [...(vtdInUse ? ['INTEL_IOMMU_DEFAULT_ON'] : []), ...(passthrough ? ['IOMMU_DEFAULT_PASSTHROUGH'] : [])];
}

/** What describing one function needs to know of the others. */
interface HostContext {
  readonly names: ReadonlyMap<TreeNode, string>;
  readonly idOf: (node: TreeNode) => string;
  readonly highestBus: ReadonlyMap<TreeNode, number>;
  /** What control registers hold says nothing of a boot with the IOMMU on. */
  readonly acsWasOff: boolean;
  /** Physical functions whose virtual functions are listed themselves. */
  readonly withListedVirtual: ReadonlySet<TreeNode>;
}

function describeFunction(node: TreeNode, context: HostContext): FunctionDescription {
  const { facts } = node;
  const { names, idOf } = context;
  const id = idOf(node);
  return {
    id, name: names.get(node)!, label: facts.label?.slice(0, LONGEST_LABEL).replace(CONTROL_CHARACTERS, ' '), address: facts.address,
    type: typeOf(node),
    upstream: node.upstream === null ? null : idOf(node.upstream),
    ...(facts.buses === undefined ? {} : { buses: { secondary: facts.buses.secondary, subordinate: context.highestBus.get(node)! } }),
    multifunction: facts.multifunction === node.siblings ? undefined : facts.multifunction,
    ...idsOf(facts),
    classCode: facts.classCode,
    acs: acsOf(facts, context.acsWasOff),
    ari: facts.ari ?? false, ats: facts.ats ?? false, pri: facts.pri ?? false,
    pasidBits: typeof facts.pasid === 'number' ? facts.pasid : facts.pasid === 'present' ? MAX_PASID_WIDTH : 0,
    msi: facts.msi ?? true,
    functionLevelReset: facts.functionLevelReset,
    bars: facts.bars.map((bar) => ({ ...bar, id: `${id}/bar${bar.index}` })),
    windows: facts.windows,
    ...sriovOf(facts, context.withListedVirtual.has(node)),
    ...(node.virtualFunction === null ? {} : { virtualFunction: { of: idOf(node.virtualFunction.of), index: node.virtualFunction.index } }),
    extraAliases: [], externalFacing: false,
    ...(node.vmd === null ? {} : { behindVmd: idOf(node.vmd) }),
    internalPeerToPeer: false, driver: facts.driver ?? null, recordedGroup: facts.group, bootVga: facts.bootVga,
  };
}

const BRIDGE_TYPES: ReadonlySet<FunctionType> = new Set(['root-port', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge', 'pci-bridge']);

/** What a function of each type must have above it: nothing, or something of these types. */
const ABOVE: Readonly<Partial<Record<FunctionType, readonly (FunctionType | null)[]>>> = {
  'root-port': [null], 'integrated-endpoint': [null], 'event-collector': [null],
  'upstream-port': ['root-port', 'downstream-port', 'unknown', 'pci-bridge', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge'], 'downstream-port': ['upstream-port'],
};

/**
 * What leads to a bus is a bridge, whatever else was read, and what stands where its type cannot stand is not what it was read as, or not
 * where it was read to be: its kind is not known then.
 */
function typeOf(node: TreeNode): FunctionType {
  const { facts: { type, buses }, upstream, children } = node;
  if (type === undefined) return 'unknown';
  if (ABOVE[type]?.includes(upstream === null ? null : typeOf(upstream)) === false) return 'unknown';
  const leads = buses !== undefined || children.length > 0;
  return !leads || BRIDGE_TYPES.has(type) ? type : type === 'pci' ? 'pci-bridge' : 'unknown';
}

function idsOf(facts: FunctionFacts): Pick<FunctionDescription, 'ids'> {
  const { vendor, device, subsystemVendor, subsystemDevice } = facts;
  if (vendor === undefined || (device === undefined && !VENDORS_ASKED_FOR_ALONE.has(vendor))) return {};
  return { ids: { vendor, device: device ?? UNKNOWN_DEVICE_ID, subsystemVendor, subsystemDevice } };
}

/**
 * The control register is kept only where it differs from what the kernel's boot rule makes of the capability (ACE-03), and never of
 * the Intel ports that keep it elsewhere: what lspci shows as their control register is not it (AQK-06).
 */
function acsOf(facts: FunctionFacts, acsWasOff: boolean): AcsDescription | 'none' | Unknown {
  const { acs, vendor, device } = facts;
  if (dependsOnId(facts)) return 'unknown';
  if (acs === 'none') return 'none';
  if (acs === 'present' || acs === 'unknown') return 'unknown';
  const usual = acsWasOff || keepsControlElsewhere(vendor, device) || acs.control === (acs.capability & KERNEL_ENABLES);
  return { capability: acs.capability, control: usual ? undefined : acs.control, firmwareControl: 0 };
}

const keepsControlElsewhere = (vendor: number | undefined, device: number | undefined): boolean => vendor === INTEL && device !== undefined && listsId(INTEL_SPT, device);

const ACS_WAS_OFF = 'No function had ACS switched on: the kernel does that only for an IOMMU (ACE-01). What it switches on then is taken, not what was read.';

/** On a host without groups no register has what the kernel would have switched on (ACE-03): it had not been asked to. */
function acsNeverSwitchedOn(functions: readonly FunctionFacts[]): boolean {
  if (functions.some((fn) => fn.group !== undefined)) return false;
  const asked = functions.flatMap(({ acs, vendor, device }) => (typeof acs === 'object' && (acs.capability & KERNEL_ENABLES) !== 0 && !keepsControlElsewhere(vendor, device) ? [acs] : []));
  return asked.length > 0 && asked.every((acs) => (acs.capability & KERNEL_ENABLES & ~acs.control) !== 0);
}

/**
 * Without its ID, whether the kernel knows the device to isolate, whatever its registers say (ACS-01), cannot be told; where the registers
 * say that it isolates it does not matter. Conventional PCI has no say in it.
 */
function dependsOnId({ acs, vendor, device, label, type }: FunctionFacts): boolean {
  if (device !== undefined || type === undefined || type === 'pci' || type === 'pci-bridge' || !mayBeKnownById(vendor, label)) return false;
  return acs === 'none' || (typeof acs === 'object' && (acs.capability & ~acs.control & KERNEL_ENABLES) !== 0);
}

/** Virtual functions that are listed themselves are not made a second time by the capability of their physical function. */
function sriovOf({ sriov }: FunctionFacts, listed: boolean): Pick<FunctionDescription, 'sriov'> {
  if (sriov === undefined || sriov.offset === undefined || sriov.stride === undefined) return {};
  return { sriov: { enabled: listed ? 0 : sriov.enabled, total: sriov.total, offset: sriov.offset, stride: sriov.stride } };
}

/** One sentence for each kind of thing that the input does not show, with how many functions it concerns. */
const GAPS: readonly (readonly [(facts: FunctionFacts) => boolean, (count: string) => string])[] = [
  [(fn) => fn.type === undefined, (count) => `Capabilities are not known of ${count}: they may be PCI Express or not. Import "lspci -nnvvv" made as root to know.`],
  [(fn) => fn.acs === 'present', (count) => `ACS is there but its bits are not shown for ${count}: \`acs unknown\`. Import "lspci -nnvvv" to know.`],
  [(fn) => fn.acs === 'unknown' && fn.type !== undefined, (count) => `Whether there is an ACS capability is not known of ${count}: \`acs unknown\`.`],
  [(fn) => fn.vendor === undefined || fn.device === undefined, (count) => `Vendor and device IDs are not known of ${count}, so the kernel's tables of quirks cannot be applied to them. Import "lspci -nnvvv" to know.`],
  [dependsOnId, (count) => `Whether the kernel takes it as isolating depends on a device ID that is not shown, of ${count}: \`acs unknown\`. Import "lspci -nnvvv" to know.`],
  [(fn) => fn.driver === undefined, (count) => `Drivers are not shown for ${count}: none is assumed.`],
  [(fn) => fn.pasid === 'present', (count) => `The PASID width is not shown for ${count}: ${MAX_PASID_WIDTH} bits are assumed.`],
  [(fn) => fn.sriov !== undefined && fn.sriov.offset === undefined, (count) => `SR-IOV offset and stride are not shown for ${count}: its virtual functions are left out.`],
];

function gaps(facts: HostFacts, tree: Tree): string[] {
  const sentences = GAPS.flatMap(([applies, sentence]) => {
    const concerned = facts.functions.filter(applies);
    return concerned.length === 0 ? [] : [sentence(howMany(concerned, facts.functions.length))];
  });
  const named = tree.nodes.filter((node) => node.virtualFunction?.byName === true).map((node) => node.facts);
  if (named.length > 0) sentences.push(`Virtual functions are known by their names only (${howMany(named, facts.functions.length)}): the physical function before them is taken for theirs.`);
  const unplaced = tree.nodes.filter((node) => node.unplaced).map((node) => node.facts);
  if (unplaced.length > 0) sentences.push(`Which bridge leads to which bus is not fully shown: ${howMany(unplaced, facts.functions.length)} may be below other bridges than here, where buses are taken to be numbered in order. Import "lspci -nnvvv" to know.`);
  return sentences;
}

function howMany(concerned: readonly FunctionFacts[], all: number): string {
  if (concerned.length === all && all > 1) return `all ${all} functions`;
  if (concerned.length <= 4) return concerned.map((fn) => formatAddress(fn.address)).join(', ');
  return `${concerned.length} of ${all} functions`;
}
