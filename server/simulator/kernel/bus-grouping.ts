/**
 * The grouping that a series of 2025 proposed ("Fix incorrect iommu_groups with PCIe ACS", third version, never merged; section 3.5).
 *
 * ACS is a control at the egress of a port: a device on a clean path can still be reached by a neighbour whose port is not clean (GR5-01).
 * So isolation is asked of a whole bus, a group once found to be open takes in everything below it, and silence about ACS counts as
 * isolation where today it counts as none. Work per function is bounded as in the classic algorithm; each bus is judged once.
 */
import type { FunctionDescription } from '../description.js';
import { dmaAliases } from '../fabric/aliases.js';
import { isPcie } from '../fabric/function-type.js';
import { addressText } from '../fabric/pci-address.js';
import type { Bus } from '../fabric/topology.js';
import type { GroupReason } from '../report.js';
import { arrivesAs, behindOpenBridge, insideOpenGroup, isolatedBus, OWN_GROUP, quirkAlias, sharesOpenBus, slotNotTrusted } from './group-reasons.js';
import type { GroupDecision, GroupingAlgorithm, GroupingView } from './grouping.js';

/** What a bus does to the isolation of those on it (GR5-02). */
type BusIsolation =
  | 'isolated'
  /** Everybody on the bus, and the bridge above, are one. */
  | 'open-with-bridge'
  /** Everybody on the bus is one; the bridge above stays out. */
  | 'open';

interface BusVerdict {
  readonly isolation: BusIsolation;
  /** Whose fault it is; null for a bus that isolates. */
  readonly cause: FunctionDescription | null;
  readonly fact: string;
}

const ISOLATED: BusVerdict = { isolation: 'isolated', cause: null, fact: '' };

const RANKS: readonly BusIsolation[] = ['isolated', 'open', 'open-with-bridge'];

export class BusGrouping implements GroupingAlgorithm {
  private readonly verdicts = new Map<Bus, BusVerdict>();
  /** The first member of each function's group stands for the group. */
  private readonly leaders = new Map<FunctionDescription, FunctionDescription>();
  /** Leaders of groups with the flag NON_ISOLATED (GR5-04), with the function that is to blame. */
  private readonly open = new Map<FunctionDescription, FunctionDescription>();
  /** Somebody on the bus who has a group. */
  private readonly first = new Map<Bus, FunctionDescription>();
  private readonly sets = new Map<FunctionDescription, readonly Related[]>();

  constructor(private readonly view: GroupingView) {}

  decide(fn: FunctionDescription): GroupDecision {
    const decision = this.find(fn);
    if (decision.waitsFor === undefined) this.remember(fn, decision.joins);
    return decision;
  }

  /** GR5-05. */
  private find(fn: FunctionDescription): GroupDecision {
    const { topology, aliases, hasGroup } = this.view;
    const real = topology.realDmaDevice(fn);
    if (real !== fn) return hasGroup(real) ? { joins: real, reasons: () => [arrivesAs(fn, { fn: real, requesterId: 0, rule: 'ALI-02' })] } : waits(real, `PCI device is probing out of order, real device of ${addressText(fn.address)} is not probed yet`);
    if (aliases.translatesBelow(fn)) return { joins: null, reasons: () => [OWN_GROUP] };
    const above = topology.upstream(fn);
    if (above === null) return this.amongSiblings(fn);
    if (!hasGroup(above)) return waits(above, `PCI device is probing out of order, upstream bridge device of ${addressText(fn.address)} is not probed yet`);
    const blamed = this.open.get(this.leaders.get(above)!);
    if (blamed !== undefined) return { joins: above, reasons: () => [insideOpenGroup(above, blamed)] }; // GR5-04
    return this.byBus(fn, above, this.verdict(this.homeBus(fn)));
  }

  private byBus(fn: FunctionDescription, above: FunctionDescription, { isolation, cause, fact }: BusVerdict): GroupDecision {
    if (isolation === 'isolated') return this.amongSiblings(fn);
    if (isolation === 'open-with-bridge') {
      this.open.set(this.leaders.get(above)!, cause!);
      return { joins: above, reasons: () => [behindOpenBridge(cause!, fact)] };
    }
    const other = this.first.get(this.homeBus(fn)) ?? null;
    this.open.set(other === null ? fn : this.leaders.get(other)!, cause!);
    return { joins: other, reasons: () => [sharesOpenBus(cause!, fact)] };
  }

  /** GR5-06: the first of its function set that has a group. */
  private amongSiblings(fn: FunctionDescription): GroupDecision {
    const known = this.functionSet(fn).find(({ other }) => this.view.hasGroup(other));
    if (known !== undefined) return { joins: known.other, reasons: () => [known.reason] };
    const above = this.view.topology.upstream(fn);
    return { joins: null, reasons: () => (above === null ? [OWN_GROUP] : [isolatedBus(above), OWN_GROUP]) };
  }

  private remember(fn: FunctionDescription, joined: FunctionDescription | null): void {
    this.leaders.set(fn, joined === null ? fn : this.leaders.get(joined)!);
    const bus = this.homeBus(fn);
    if (!this.first.has(bus)) this.first.set(bus, fn);
  }

  /** A virtual function counts as on the bus of its physical function (GR5-03). */
  private homeBus(fn: FunctionDescription): Bus {
    const { topology } = this.view;
    return topology.bus(topology.physicalFunction(fn) ?? fn);
  }

  // ---------------------------------------------------------------------------------------------- buses

  private verdict(bus: Bus): BusVerdict {
    let verdict = this.verdicts.get(bus);
    if (verdict === undefined) this.verdicts.set(bus, (verdict = bus.bridge === null ? ISOLATED : this.judge(bus, bus.bridge)));
    return verdict;
  }

  /** GR5-03. */
  private judge(bus: Bus, bridge: FunctionDescription): BusVerdict {
    if (isPcie(bridge) === false && !this.view.aliases.aliasesAsPcieBridge(bridge)) return conventional(bridge, 'open-with-bridge');
    switch (bridge.type) {
      case 'root-port': return this.isWeak(bridge) ? { isolation: 'open-with-bridge', cause: bridge, fact: this.fact(bridge) } : ISOLATED;
      case 'downstream-port': return ISOLATED;
      case 'upstream-port': return bus.functions.map((port) => this.judgeSwitchPort(port)).reduce(worse, ISOLATED);
      // Registers of the bridge itself could be reached by what stands behind it.
      case 'pcie-to-pci-bridge': case 'pci-bridge': case 'pci': return conventional(bridge, bridge.bars.length > 0 ? 'open-with-bridge' : 'open');
      case 'unknown': return this.view.unknownIsolates(bridge) ? ISOLATED : conventional(bridge, 'open-with-bridge');
      default: return conventional(bridge, 'open-with-bridge');
    }
  }

  /** What one function of a switch's internal bus makes of it. */
  private judgeSwitchPort(port: FunctionDescription): BusVerdict {
    if (port.type !== 'downstream-port') return { isolation: 'open-with-bridge', cause: port, fact: 'stands on the internal bus of a switch without being one of its ports' };
    if (this.view.aliases.devfns(port).length > 0) return { isolation: 'open-with-bridge', cause: port, fact: 'uses the requester IDs of other ports' };
    return this.isolates(port) ? ISOLATED : { isolation: 'open', cause: port, fact: this.fact(port) };
  }

  private isolates(fn: FunctionDescription): boolean {
    const { isolates } = this.view.acs.of(fn);
    return isolates === 'unknown' ? this.view.unknownIsolates(fn) : isolates;
  }

  /** Has an ACS capability, and not what it takes switched on; no capability is no weakness (GR5-03, GR5-06). */
  private isWeak(fn: FunctionDescription): boolean {
    return fn.acs !== 'none' && !this.isolates(fn);
  }

  private fact(fn: FunctionDescription): string {
    return this.view.acs.of(fn).fact;
  }

  // ---------------------------------------------------------------------------------------------- function sets

  /** Who else is in one set with the function, in the order of the device list; worked out once for all its members. */
  private functionSet(fn: FunctionDescription): readonly Related[] {
    const known = this.sets.get(fn);
    if (known !== undefined) return known;
    const reached = new Map<FunctionDescription, GroupReason>([[fn, OWN_GROUP]]);
    for (const [member] of reached) {
      for (const other of this.view.peers.of(member)) if (!reached.has(other)) reached.set(other, quirkAlias(member, other));
      const { siblings, because } = this.trustedTogether(member);
      for (const other of siblings) if (!reached.has(other)) reached.set(other, slotNotTrusted(because!, this.fact(because!)));
    }
    const { topology } = this.view;
    const members = [...reached].map(([other, reason]): Related => ({ other, reason })).sort((a, b) => topology.order(a.other) - topology.order(b.other));
    for (const [member] of reached) this.sets.set(member, members);
    return members;
  }

  /** The other functions of a slot of which one shows a weakness, or that do not agree about being several (GR5-06). */
  private trustedTogether(fn: FunctionDescription): { readonly siblings: readonly FunctionDescription[]; readonly because: FunctionDescription | null } {
    const { topology } = this.view;
    if (fn.virtualFunction !== undefined) return ALONE;
    const slot = topology.slot(fn).filter((other) => other.virtualFunction === undefined);
    if (slot.length < 2) return ALONE;
    const because = slot.find((other) => this.isWeak(other)) ?? slot.find((other) => !topology.isMultifunction(other)) ?? null;
    return because === null ? ALONE : { siblings: slot.filter((other) => other !== fn), because };
  }
}

interface Related {
  readonly other: FunctionDescription;
  readonly reason: GroupReason;
}

const ALONE = { siblings: [], because: null } as const;

const waits = (waitsFor: FunctionDescription, message: string): GroupDecision => ({ joins: null, reasons: () => [], waitsFor, message });

const worse = (a: BusVerdict, b: BusVerdict): BusVerdict => (RANKS.indexOf(b.isolation) > RANKS.indexOf(a.isolation) ? b : a);

const conventional = (bridge: FunctionDescription, isolation: BusIsolation): BusVerdict =>
  ({ isolation, cause: bridge, fact: isolation === 'open' ? 'leads to a bus on which everybody sees everything' : 'leads to a bus on which everybody sees everything, the bridge included' });

/**
 * The check that the series makes of its own result (GR5-08): every requester ID of a function that belongs to another one should belong
 * to the same group. @returns the lines it logs
 */
export function aliasConflicts(view: Pick<GroupingView, 'topology' | 'aliases'>, groupOf: ReadonlyMap<string, number>): string[] {
  const { topology, aliases } = view;
  return topology.functions.flatMap((fn) => {
    const own = groupOf.get(fn.id);
    if (own === undefined) return [];
    return dmaAliases(topology, fn, aliases).flatMap(({ requesterId }) => {
      const owner = topology.byAddress({ segment: fn.address.segment, bus: requesterId >> 8, device: (requesterId >> 3) & 0x1f, function: requesterId & 7 });
      const theirs = owner === undefined ? undefined : groupOf.get(owner.id);
      if (theirs === undefined || theirs === own) return [];
      return [`pci ${addressText(fn.address)}: During group construction alias processing needed dev ${addressText(owner!.address)} alias ${requesterId.toString(16)} to have the same group but ${theirs} != ${own}`];
    });
  });
}
