/**
 * Under which requester IDs the requests of a function may arrive at an IOMMU: its own, those of its quirks, and those of the
 * bridges that put their own in place (section 1; PCIE-04 .. PCIE-08).
 *
 * The walk is the one of Linux. Phantom functions take no part in it (ALI-15, PCIE-08).
 */
import type { FunctionDescription } from '../description.js';
import { append, groupBy } from './multimap.js';
import { devfnOf, requesterId, requesterIdOf } from './pci-address.js';
import type { Bus, Topology } from './topology.js';

/** What is known of single devices beyond their capabilities; the kernel's quirk tables say it. */
export interface AliasKnowledge {
  /** Devfns of the same bus that the function also uses, ascending (ALI-13). */
  devfns(fn: FunctionDescription): readonly number[];
  /** A conventional bridge that behaves as a PCIe-to-PCI bridge (ALQ-04). */
  aliasesAsPcieBridge(bridge: FunctionDescription): boolean;
  /** The translation unit sits below this bridge (ALI-06). */
  translatesBelow(bridge: FunctionDescription): boolean;
}

/** Knows of no quirk. */
export const NO_QUIRKS: AliasKnowledge = { devfns: (fn) => fn.extraAliases, aliasesAsPcieBridge: () => false, translatesBelow: () => false };

export interface AliasVisit {
  /** Whose requester ID it is: the function (or the VMD endpoint for it), or a bridge above. */
  readonly fn: FunctionDescription;
  readonly requesterId: number;
  /** The rule that made the visit. */
  readonly rule: 'ALI-02' | 'ALI-03' | 'ALI-04' | 'ALI-08' | 'ALI-09' | 'ALI-10';
}

/**
 * The visits in the kernel's order: own ID (ALI-03), quirk aliases (ALI-04), then aliasing bridges upwards, past SR-IOV buses (ALI-05).
 * Whoever has seen enough looks no further (ALI-11). Nearly always one, at most those of a bus and the bridges above.
 */
export function dmaAliases(topology: Topology, fn: FunctionDescription, knowledge: AliasKnowledge): AliasVisit[] {
  const real = topology.realDmaDevice(fn);
  const visits: AliasVisit[] = [{ fn: real, requesterId: requesterIdOf(real.address), rule: real === fn ? 'ALI-03' : 'ALI-02' }];
  for (const devfn of knowledge.devfns(real)) visits.push({ fn: real, requesterId: requesterId(real.address.bus, devfn), rule: 'ALI-04' });
  for (let bridge = topology.upstream(real); bridge !== null && !knowledge.translatesBelow(bridge); bridge = topology.upstream(bridge)) {
    const visit = bridgeAlias(topology, bridge, knowledge.aliasesAsPcieBridge(bridge));
    if (visit !== null) visits.push(visit);
  }
  return visits;
}

/**
 * The requester ID that a bridge puts on the requests that pass it; null for ports, which leave them alone (PCIE-06, ALI-07).
 * The number in ALI-08 is that of the bus directly below (ALI-12).
 */
export function bridgeAlias(topology: Topology, bridge: FunctionDescription, asPcieBridge: boolean): AliasVisit | null {
  const own = (rule: AliasVisit['rule']): AliasVisit => ({ fn: bridge, requesterId: requesterIdOf(bridge.address), rule });
  const below = (rule: AliasVisit['rule']): AliasVisit => {
    const bus = topology.secondaryBus(bridge);
    return bus === null ? own(rule) : { fn: bridge, requesterId: requesterId(bus, 0), rule };
  };
  switch (bridge.type) {
    case 'pcie-to-pci-bridge': return below('ALI-08');
    case 'pci-to-pcie-bridge': return own('ALI-09');
    case 'pci-bridge': case 'pci': return asPcieBridge ? below('ALI-10') : own('ALI-10');
    default: return null;
  }
}

/** Every requester ID of a function once, its own first: what a driver programs (PCIE-07). */
export function requesterIds(topology: Topology, fn: FunctionDescription, knowledge: AliasKnowledge): number[] {
  const ids = [requesterIdOf(topology.realDmaDevice(fn).address)];
  for (const visit of dmaAliases(topology, fn, knowledge)) if (!ids.includes(visit.requesterId)) ids.push(visit.requesterId);
  return ids;
}

/** Functions of one bus by devfn, and by the devfns that they are known to use besides their own. */
interface BusAliases {
  readonly at: ReadonlyMap<number, readonly FunctionDescription[]>;
  readonly usersOf: ReadonlyMap<number, readonly FunctionDescription[]>;
}

const NOBODY: readonly FunctionDescription[] = [];

/** Who is a DMA alias of whom on one bus (ALI-14), found without comparing all with all. */
export class AliasPeers {
  private readonly buses = new Map<Bus, BusAliases>();
  private readonly known = new Map<FunctionDescription, readonly FunctionDescription[]>();

  constructor(
    private readonly topology: Topology,
    private readonly knowledge: AliasKnowledge,
  ) {
    const users = groupBy(topology.functions.filter((fn) => knowledge.devfns(fn).length > 0), (fn) => topology.bus(fn));
    for (const [bus, functions] of users) {
      const usersOf = new Map<number, FunctionDescription[]>();
      for (const fn of functions) for (const devfn of knowledge.devfns(fn)) append(usersOf, devfn, fn);
      this.buses.set(bus, { at: groupBy(bus.functions, (fn) => devfnOf(fn.address)), usersOf });
    }
  }

  /** In the order of the global device list (GRP-09). A VMD endpoint is never on the bus of what is behind it. */
  of(fn: FunctionDescription): readonly FunctionDescription[] {
    const bus = this.buses.size === 0 ? undefined : this.buses.get(this.topology.bus(fn));
    if (bus === undefined) return NOBODY;
    let peers = this.known.get(fn);
    if (peers === undefined) this.known.set(fn, (peers = this.find(fn, bus)));
    return peers;
  }

  private find(fn: FunctionDescription, { at, usersOf }: BusAliases): readonly FunctionDescription[] {
    const peers = new Set(usersOf.get(devfnOf(fn.address)));
    for (const devfn of this.knowledge.devfns(fn)) for (const other of at.get(devfn) ?? NOBODY) peers.add(other);
    peers.delete(fn);
    return [...peers].sort((a, b) => this.topology.order(a) - this.topology.order(b));
  }
}
