/** Who is above whom: bridges by their bus numbers, VMD domains by their endpoints, virtual functions by their physical one. */
import type { FunctionType } from '../simulator/description.js';
import { guessBuses } from './bus-order.js';
import type { FunctionFacts } from './facts.js';
import { groupBy } from '../simulator/fabric/multimap.js';
import { addressKey, compareAddresses } from './pci-address.js';

export interface TreeNode {
  readonly facts: FunctionFacts;
  /** The bridge above; null on a root bus. */
  readonly upstream: TreeNode | null;
  readonly children: TreeNode[];
  /** The VMD endpoint whose domain this is in. */
  readonly vmd: TreeNode | null;
  readonly virtualFunction: { readonly of: TreeNode; readonly index: number; /** Only its name says so. */ readonly byName: boolean } | null;
  /** Other functions of the same bus and device are there too. */
  readonly siblings: boolean;
  /** Its bus is not known to belong to any bridge (`upstream` is a guess then, or null), and there are bridges of which it could be, or one that is not listed. */
  readonly unplaced: boolean;
}

export interface Tree {
  /** In enumeration order: a bridge before what is below it. */
  readonly nodes: readonly TreeNode[];
  readonly roots: readonly TreeNode[];
}

/** VMD endpoints make PCI domains above the 16 bits that firmware's have. */
const FIRST_VMD_SEGMENT = 0x1_0000;
const VMD_DRIVER = 'vmd';
const VMD_DEVICES = new Set([0x201d, 0x28c0, 0x467f, 0x4c3d, 0x9a0b, 0x7d0b, 0xa77f, 0xad0b, 0xb06f, 0xb60b]);
const INTEL = 0x8086;

const busKey = (segment: number, bus: number): number => segment * 256 + bus;

/** Linear in the number of functions; `functions` are ascending by address. */
export function buildTree(functions: readonly FunctionFacts[]): Tree {
  const builder = new TreeBuilder(functions);
  const nodes = functions.map((facts) => builder.node(facts));
  return { nodes: inOrder(nodes), roots: nodes.filter((node) => node.upstream === null) };
}

class TreeBuilder {
  private readonly made = new Map<FunctionFacts, TreeNode>();
  /** By segment and bus: the bridge whose secondary bus it is. */
  private readonly bridges = new Map<number, FunctionFacts>();
  /** By segment and bus: buses that some bridge leads to. */
  private readonly led = new Set<number>();
  /** The same for bridges of which nobody knows where they lead: guesses. */
  private readonly guesses = new Map<number, FunctionFacts>();
  /** Segments with a bridge of which nobody knows where it leads. */
  private readonly openSegments: ReadonlySet<number>;
  private readonly slots = new Map<number, number>();
  private readonly virtual: ReadonlyMap<number, VirtualFunction>;
  private readonly vmdEndpoints: readonly FunctionFacts[];
  private readonly vmdSegments: readonly number[];

  constructor(functions: readonly FunctionFacts[]) {
    for (const facts of functions) {
      this.slots.set(slotKey(facts), (this.slots.get(slotKey(facts)) ?? 0) + 1);
    }
    this.knowBridges(functions);
    this.openSegments = new Set(functions.filter(leadsAnywhere).map((facts) => facts.address.segment));
    this.guess(functions);
    this.virtual = virtualFunctions(functions);
    this.vmdEndpoints = functions.filter(isVmd);
    this.vmdSegments = [...new Set(functions.map((facts) => facts.address.segment).filter((segment) => segment >= FIRST_VMD_SEGMENT))];
  }

  private knowBridges(functions: readonly FunctionFacts[]): void {
    for (const facts of functions) {
      if (facts.buses === undefined) continue;
      const { secondary, subordinate } = facts.buses;
      const { segment, bus } = facts.address;
      /* Only downwards: bus numbers grow away from the root, and so no bridge can be above itself. */
      if (secondary <= bus) continue;
      this.bridges.set(busKey(segment, secondary), facts);
      for (let below = secondary; below <= subordinate; below++) this.led.add(busKey(segment, below));
    }
  }

  private guess(functions: readonly FunctionFacts[]): void {
    const ofSegment = groupBy(functions.filter((facts) => this.openSegments.has(facts.address.segment)), (facts) => facts.address.segment);
    for (const [segment, members] of ofSegment) {
      for (const [bus, bridge] of guessBuses(members, (bus) => this.led.has(busKey(segment, bus)))) this.guesses.set(busKey(segment, bus), bridge);
    }
  }

  node(facts: FunctionFacts): TreeNode {
    const known = this.made.get(facts);
    if (known !== undefined) return known;
    const virtual = this.virtual.get(addressKey(facts.address));
    const of = virtual === undefined ? null : this.node(virtual.of);
    const bus = busKey(facts.address.segment, facts.address.bus);
    const shown = this.bridges.get(bus);
    const bridge = shown ?? this.guesses.get(bus);
    const upstream = of !== null ? of.upstream : bridge === undefined ? null : this.node(bridge);
    const node: TreeNode = {
      facts, upstream, children: [], vmd: this.vmdOf(facts),
      virtualFunction: of === null ? null : { of, index: virtual!.index, byName: virtual!.byName },
      siblings: this.slots.get(slotKey(facts))! > 1,
      unplaced: of === null && shown === undefined && this.mayBeBelow(facts, bus),
    };
    this.made.set(facts, node);
    upstream?.children.push(node);
    return node;
  }

  /** No bridge shown leads to this bus, and yet one must or may. */
  private mayBeBelow(facts: FunctionFacts, bus: number): boolean {
    if (this.led.has(bus)) return true;
    return facts.address.bus !== 0 && (this.openSegments.has(facts.address.segment) || (facts.type !== undefined && BELOW_A_PORT.has(facts.type)));
  }

  /** Linux numbers the domains as it finds the endpoints. */
  private vmdOf(facts: FunctionFacts): TreeNode | null {
    const endpoint = this.vmdEndpoints[this.vmdSegments.indexOf(facts.address.segment)];
    return endpoint === undefined ? null : this.node(endpoint);
  }
}

const BRIDGE_CLASS = 0x0604;

/** What has a PCIe link has a port at its other end; on bus 0 of virtual machines there may be none. */
const BELOW_A_PORT: ReadonlySet<FunctionType> = new Set(['endpoint', 'legacy-endpoint', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge']);

const leadsAnywhere = (facts: FunctionFacts): boolean => facts.buses === undefined && (facts.bridge === true || (facts.classCode ?? 0) >> 8 === BRIDGE_CLASS);
const slotKey = (facts: FunctionFacts): number => Math.floor(addressKey(facts.address) / 8);
const isVmd = (facts: FunctionFacts): boolean =>
  facts.address.segment < FIRST_VMD_SEGMENT && (facts.driver === VMD_DRIVER || (facts.vendor === INTEL && VMD_DEVICES.has(facts.device ?? -1)));

interface VirtualFunction {
  readonly of: FunctionFacts;
  readonly index: number;
  readonly byName: boolean;
}

/** Virtual functions that are listed, by address. */
function virtualFunctions(functions: readonly FunctionFacts[]): Map<number, VirtualFunction> {
  const present = new Set(functions.map((facts) => addressKey(facts.address)));
  const found = new Map<number, VirtualFunction>();
  for (const facts of functions) for (const [key, virtual] of madeBy(facts)) if (present.has(key)) found.set(key, virtual);
  addByName(functions, found);
  return found;
}

/** PCIE r6 9.2.1.2: the n-th VF (from 0) is at PF + First VF Offset + n × VF Stride. */
function* madeBy(facts: FunctionFacts): Iterable<[number, VirtualFunction]> {
  const { enabled, offset, stride } = facts.sriov ?? { enabled: 0, offset: undefined, stride: undefined };
  if (offset === undefined || stride === undefined) return;
  for (let index = 0; index < Math.min(enabled, 0xffff); index++) yield [addressKey(facts.address) + offset + index * stride, { of: facts, index, byName: false }];
}

const NAMED_VIRTUAL = /\bVirtual Function\b/i;

const isVirtualByName = (facts: FunctionFacts): boolean => NAMED_VIRTUAL.test(facts.label ?? '') && facts.sriov === undefined;

/** Where the capability is not shown: the physical function is the nearest one before it of the same vendor and class. */
function addByName(functions: readonly FunctionFacts[], found: Map<number, VirtualFunction>): void {
  const physical = new Map<string, FunctionFacts>();
  const counts = new Map<FunctionFacts, number>();
  for (const facts of functions) {
    const kind = `${facts.address.segment} ${facts.vendor} ${(facts.classCode ?? 0) >> 8}`;
    if (found.has(addressKey(facts.address))) continue;
    const of = physical.get(kind);
    if (!isVirtualByName(facts)) physical.set(kind, facts);
    else if (of !== undefined) {
      const index = counts.get(of) ?? 0;
      counts.set(of, index + 1);
      found.set(addressKey(facts.address), { of, index, byName: true });
    }
  }
}

/** By bridge: the highest bus number seen below it, for bridges that led further than was said. `nodes` has bridges before what is below. */
export function highestBuses(nodes: readonly TreeNode[]): Map<TreeNode, number> {
  const highest = new Map<TreeNode, number>();
  for (const node of [...nodes].reverse()) {
    const own = Math.max(highest.get(node) ?? 0, node.facts.buses?.subordinate ?? 0);
    highest.set(node, own);
    const { upstream } = node;
    if (upstream !== null) highest.set(upstream, Math.max(highest.get(upstream) ?? 0, own, node.facts.address.bus));
  }
  return highest;
}

/** A bus as a whole, ascending by address, then what is below each of its bridges: as Linux enumerates, and as the language does. */
function inOrder(nodes: readonly TreeNode[]): TreeNode[] {
  const ordered: TreeNode[] = [];
  const emit = (level: readonly TreeNode[]): void => {
    const sorted = [...level].sort((a, b) => compareAddresses(a.facts.address, b.facts.address));
    ordered.push(...sorted);
    for (const node of sorted) if (node.children.length > 0) emit(node.children);
  };
  emit(nodes.filter((node) => node.upstream === null));
  return ordered;
}
