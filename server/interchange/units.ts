/** IOMMU units of an imported host: what the kernel log says of them, else what the processor's vendor is known to have. */
import type { IommuArchitectureName, IommuDescription } from '../simulator/description.js';
import type { HostFacts, UnitFacts } from './facts.js';
import { addressKey } from './pci-address.js';
import type { Tree, TreeNode } from './tree.js';

const HYGON = 0x1d94;
const IOMMU_CLASS = 0x0806;
const INTEL = 0x8086;
const VMD_SEGMENTS = 0x1_0000;
const IBM = 0x1014;
/** The root ports of POWER8, 9 and 10: who sees one runs without a hypervisor, which would show its guests no root port (GRD-11). */
const POWER_ROOT_PORTS: ReadonlySet<number> = new Set([0x03dc, 0x04c1, 0x0652]);

/** Bit fields of the VT-d capability registers (hw-x86 2.2). */
const bit = (register: bigint, index: number): boolean => ((register >> BigInt(index)) & 1n) === 1n;
const field = (register: bigint, high: number, low: number): number => Number((register >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));

/** What a unit has unless something says otherwise: the defaults of the language. */
const DEFAULTS = {
  segment: 0, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: false, scalableMode: false, firstStage: false, nested: false,
  dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0,
} as const;

const PAGE_4K = 0x1000n;
const PAGE_2M = 0x20_0000n;
const PAGE_1G = 0x4000_0000n;

/** CAP and ECAP decoded: VTD-* section 2.2. */
export function decodeVtd(cap: bigint, ecap: bigint): Omit<IommuDescription, 'id' | 'name' | 'architecture' | 'segment' | 'covers'> {
  const levels = [3, 4, 5].filter((_, index) => bit(cap, 9 + index));
  return {
    addressWidth: field(cap, 21, 16) + 1,
    levels: levels.length > 0 ? levels : undefined,
    pageSizes: [PAGE_4K, ...(bit(cap, 34) ? [PAGE_2M] : []), ...(bit(cap, 35) ? [PAGE_1G] : [])],
    coherent: bit(ecap, 0), deviceTlb: bit(ecap, 2), interruptRemapping: bit(ecap, 3), passThrough: bit(ecap, 6), snoopControl: bit(ecap, 7),
    nested: bit(ecap, 26), pageRequests: bit(ecap, 29), scalableMode: bit(ecap, 43), dirtyTracking: bit(ecap, 45), firstStage: bit(ecap, 47),
    pasidBits: bit(ecap, 40) ? field(ecap, 39, 35) + 1 : 0, cachingMode: bit(cap, 7),
  };
}

/** The extended feature register decoded: hw-x86 3.2. */
export function decodeAmd(features: bigint): Partial<IommuDescription> {
  const guest = bit(features, 4);
  return {
    levels: [4, 5, 6].slice(0, field(features, 11, 10) + 1), pageRequests: bit(features, 1), firstStage: guest, dirtyTracking: bit(features, 52),
    pasidBits: guest ? field(features, 36, 32) + 1 : 0,
  };
}

/** The architecture that this host's kernel must use; null when none is known for such a machine. */
function architectureOf(facts: HostFacts): IommuArchitectureName | null {
  const reported = facts.units[0]?.architecture;
  if (reported !== undefined) return reported;
  if (facts.cpuVendor === 'intel') return 'vtd';
  if (facts.cpuVendor === 'arm') return 'smmuv3';
  if (facts.functions.some((fn) => fn.vendor === IBM && POWER_ROOT_PORTS.has(fn.device ?? -1))) return 'power';
  const amdUnit = facts.functions.some((fn) => fn.classCode !== undefined && fn.classCode >> 8 === IOMMU_CLASS);
  return facts.cpuVendor === 'amd' || amdUnit || facts.functions.some((fn) => fn.vendor === HYGON) ? 'amd-vi' : null;
}

export interface UnitsOfHost {
  readonly iommus: readonly IommuDescription[];
  readonly notes: readonly string[];
}

type IdOf = (node: TreeNode) => string;

/** What describing one unit needs to know of the host. */
interface UnitContext {
  readonly facts: HostFacts;
  readonly tree: Tree;
  readonly idOf: IdOf;
  readonly architecture: IommuArchitectureName;
  /** Some group was recorded, so that a function without one is not covered. */
  readonly recorded: boolean;
  readonly covered: ReadonlySet<TreeNode>;
}

/** `idOf` names the functions that a scope lists. */
export function describeUnits(facts: HostFacts, tree: Tree, idOf: IdOf): UnitsOfHost {
  const architecture = architectureOf(facts);
  if (architecture === null) return { iommus: [], notes: ['No IOMMU unit is described: which architecture this machine has is not known.'] };
  if (architecture === 'vtd' && facts.units.length > 0) return vtdUnits(facts, tree, idOf);
  const covered = coveredNodes(tree);
  const context = { facts, tree, idOf, architecture, covered, recorded: covered.size > 0 };
  const scopes = architecture === 'amd-vi' ? amdScopes(context) : segmentScopes(context);
  return { iommus: scopes.map((scope, index) => unitOf(context, scope, index, scopes.length)), notes: unitNotes(facts, context.recorded) };
}

function unitNotes(facts: HostFacts, recorded: boolean): string[] {
  const notes: string[] = [];
  if (facts.units.length === 0) notes.push('IOMMU: nothing about its capabilities was given (kernel log); the usual ones of its architecture are assumed.');
  const without = facts.functions.filter((fn) => fn.group === undefined && fn.groupNotShown !== true && fn.classCode !== undefined && fn.classCode >> 8 !== IOMMU_CLASS);
  if (recorded && without.length > 0) notes.push(`${without.length} of ${facts.functions.length} functions had no group on the running host: the IOMMU is taken not to cover them, unless something below them had one.`);
  if (!recorded) notes.push('No IOMMU group was given: the IOMMU may be off on this host. The groups shown are those that it would form when on.');
  return notes;
}

/** Root-bus functions that one unit serves. */
interface Scope {
  readonly segment: number;
  readonly roots: readonly TreeNode[];
}

function segmentScopes({ tree, covered }: UnitContext): Scope[] {
  const segments = new Map<number, TreeNode[]>();
  for (const root of tree.roots) {
    const { segment } = root.facts.address;
    if (segment >= VMD_SEGMENTS) continue;
    const list = segments.get(segment);
    if (list === undefined) segments.set(segment, [root]);
    else list.push(root);
  }
  const scopes = [...segments].map(([segment, roots]) => ({ segment, roots })).filter((scope) => scope.roots.some((root) => covered.has(root)));
  return scopes.length > 0 ? scopes : [...segments].map(([segment, roots]) => ({ segment, roots }));
}

/** Each root complex of an AMD processor has its own unit, function 2 of its first device; its buses follow that one's. */
function amdScopes(context: UnitContext): Scope[] {
  const { facts, tree, covered, recorded } = context;
  const starts = facts.functions.filter((fn) => fn.classCode !== undefined && fn.classCode >> 8 === IOMMU_CLASS).map((fn) => fn.address);
  if (starts.length < 2) return segmentScopes(context);
  return starts.map((start, index) => {
    const end = starts[index + 1]?.segment === start.segment ? starts[index + 1]!.bus : 0x100;
    const roots = tree.roots.filter(({ facts: { address } }) => address.segment === start.segment && address.bus >= (index === 0 ? 0 : start.bus) && address.bus < end);
    return { segment: start.segment, roots };
  }).filter((scope) => !recorded || scope.roots.some((root) => covered.has(root)));
}

/** Functions that were recorded in a group, may have been, or have one below them: those are in the scope of a unit. */
function coveredNodes(tree: Tree): Set<TreeNode> {
  const covered = new Set<TreeNode>();
  if (!tree.nodes.some((node) => node.facts.group !== undefined)) return covered;
  for (const node of [...tree.nodes].reverse()) if (node.facts.group !== undefined || mayHaveGroup(node) || node.children.some((child) => covered.has(child))) covered.add(node);
  return covered;
}

/** An AMD unit's own function has none, shown or not (AMD-01). */
const mayHaveGroup = (node: TreeNode): boolean => node.facts.groupNotShown === true && !isIommuFunction(node);

const isIommuFunction = ({ facts: { classCode } }: TreeNode): boolean => classCode !== undefined && classCode >> 8 === IOMMU_CLASS;

const deviceKey = ({ facts: { address } }: TreeNode): number => Math.floor(addressKey(address) / 8);

/** What "the rest" never includes on AMD: a unit's own function and what comes before it in the same slot (AMD-01). */
function leftOutOfRest(architecture: IommuArchitectureName, roots: readonly TreeNode[]): Set<TreeNode> {
  if (architecture !== 'amd-vi') return new Set();
  const units = new Map(roots.filter(isIommuFunction).map((unit) => [deviceKey(unit), unit.facts.address.function]));
  return new Set(roots.filter((root) => isIommuFunction(root) || root.facts.address.function < (units.get(deviceKey(root)) ?? 0)));
}

/** What had no group although a bridge above it is in the scope. */
function exceptOf({ recorded, covered, idOf }: UnitContext, roots: ReadonlySet<TreeNode>): Pick<IommuDescription, 'except'> {
  const left: TreeNode[] = [];
  const visit = (node: TreeNode): void => {
    for (const child of node.children) {
      if (!covered.has(child)) left.push(child);
      visit(child);
    }
  };
  if (recorded) roots.forEach(visit);
  return left.length === 0 ? {} : { except: left.map(idOf) };
}

const UNIT_NAMES: Readonly<Partial<Record<IommuArchitectureName, string>>> = { vtd: 'dmar', 'amd-vi': 'ivhd', smmuv3: 'smmu', 'riscv-iommu': 'iommu_unit', 'virtio-iommu': 'viommu', power: 'tce' };

function unitOf(context: UnitContext, scope: Scope, index: number, count: number): IommuDescription {
  const { facts, architecture, idOf } = context;
  const name = `${UNIT_NAMES[architecture] ?? 'unit'}${index}`;
  const leftOut = leftOutOfRest(architecture, scope.roots);
  const roots = new Set(scope.roots.filter((root) => (context.recorded ? context.covered.has(root) : !leftOut.has(root))));
  const isRest = (count === 1 || architecture !== 'amd-vi') && scope.roots.every((root) => roots.has(root) !== leftOut.has(root));
  const features = facts.units.find((unit) => unit.features !== undefined)?.features;
  return {
    ...DEFAULTS, id: name, name, architecture, segment: scope.segment, covers: isRest ? 'rest' : [...roots].map(idOf), ...exceptOf(context, roots),
    ...(features === undefined ? {} : decodeAmd(features)), interruptRemapping: facts.interruptRemapping ?? true,
  };
}

/** The log gives capabilities and which unit serves the rest, not the scopes of the others. */
function vtdUnits(facts: HostFacts, tree: Tree, idOf: IdOf): UnitsOfHost {
  const graphics = tree.roots.find(({ facts: { vendor, classCode, address } }) => vendor === INTEL && (classCode ?? 0) >> 16 === 3 && address.device === 2);
  const special = facts.units.filter((unit) => unit.rest === false);
  const notes: string[] = [];
  const iommus = facts.units.flatMap((unit) => {
    const covers = unit.rest !== false ? 'rest' as const : special.length === 1 && graphics !== undefined ? [idOf(graphics)] : null;
    if (covers === null) notes.push(`${unit.name} is left out: the kernel log does not say which devices it serves.`);
    else if (covers !== 'rest') notes.push(`${unit.name} is assumed to serve the integrated graphics, as the only unit that does not serve the rest.`);
    return covers === null ? [] : [vtdUnit(facts, unit, covers)];
  });
  if (!iommus.some((unit) => unit.covers === 'rest')) {
    notes.push('The kernel log shows no unit that serves the rest of the devices: one with the usual capabilities is assumed.');
    iommus.push(vtdUnit(facts, { name: `dmar${facts.units.length}`, architecture: 'vtd' }, 'rest'));
  }
  return { iommus, notes };
}

function vtdUnit(facts: HostFacts, unit: UnitFacts, covers: 'rest' | readonly string[]): IommuDescription {
  const decoded = unit.capability !== undefined && unit.extendedCapability !== undefined ? decodeVtd(unit.capability, unit.extendedCapability) : {};
  return { ...DEFAULTS, id: unit.name, name: unit.name, architecture: 'vtd', segment: unit.segment ?? 0, covers, ...decoded, physicalWidth: facts.addressWidth };
}

