/**
 * The grouping algorithm of Linux as every released kernel has it (section 3.1, PCIE-40). It never merges groups: it only finds the existing
 * group that a new function joins, so that the order of probing matters (GRP-23). Work per function is bounded by the depth of the tree,
 * the functions of its slot and the 256 devfns of its bus.
 */
import type { FunctionDescription, SubjectId } from '../description.js';
import { dmaAliases, type AliasVisit } from '../fabric/aliases.js';
import { devfnOf } from '../fabric/pci-address.js';
import type { GroupReason } from '../report.js';
import { arrivesAs, OWN_GROUP, portDoesNotIsolate, portIsolates, quirkAlias, sharesRequesterId, slotSibling } from './group-reasons.js';
import type { GroupDecision, GroupingAlgorithm, GroupingView } from './grouping.js';

/** A function with a group, and why it is related to the one that was asked about; null when it is that one. */
interface Relative {
  readonly found: FunctionDescription;
  readonly reason: (() => GroupReason) | null;
}

export class ClassicGrouping implements GroupingAlgorithm {
  /** By bridge: the nearest function on its way to the root, itself included, that does not isolate; null = the path is clean (ACS-09). */
  private readonly causes = new Map<SubjectId, FunctionDescription | null>();
  /** By devfn: the search that has seen it last. GRP-08 looks at each devfn once, and there is a search for every function. */
  private readonly seen = new Uint32Array(256);
  private search = 0;

  constructor(private readonly view: GroupingView) {
    for (const { bridge } of view.topology.buses) if (bridge !== null) this.causes.set(bridge.id, this.causeAt(bridge));
  }

  decide(fn: FunctionDescription): GroupDecision {
    const { topology, aliases } = this.view;
    let top = fn;
    for (const visit of dmaAliases(topology, fn, aliases)) { // GRP-02
      if (this.view.hasGroup(visit.fn)) return sharing(fn, visit);
      top = visit.fn; // GRP-03
    }
    for (let bridge = topology.upstream(top); bridge !== null; bridge = topology.upstream(bridge)) { // GRP-04
      const cause = this.causes.get(bridge.id)!;
      if (cause === null) break;
      if (this.view.hasGroup(bridge)) return this.below(fn, bridge, cause);
      top = bridge;
    }
    this.search++;
    const relative = this.aliasGroup(top) ?? this.functionGroup(top); // GRP-08
    return relative === null ? this.alone(fn, top) : this.related(fn, relative);
  }

  /** GRP-04. */
  private below(fn: FunctionDescription, bridge: FunctionDescription, cause: FunctionDescription): GroupDecision {
    return { joins: bridge, reasons: () => [...this.aliased(fn), portDoesNotIsolate(cause, this.view.acs.of(cause))] };
  }

  private related(fn: FunctionDescription, { found, reason }: Relative): GroupDecision {
    return { joins: found, reasons: () => (reason === null ? this.aliased(fn) : [...this.aliased(fn), reason()]) };
  }

  /** GRP-07. */
  private alone(fn: FunctionDescription, top: FunctionDescription): GroupDecision {
    return { joins: null, reasons: () => [...this.aliased(fn), ...this.cleanPath(top), OWN_GROUP] };
  }

  /** What puts its requester ID in the place of the function's. */
  private aliased(fn: FunctionDescription): GroupReason[] {
    return dmaAliases(this.view.topology, fn, this.view.aliases).filter((visit) => visit.fn !== fn).map((visit) => arrivesAs(fn, visit));
  }

  private isolates(fn: FunctionDescription): boolean {
    const { isolates } = this.view.acs.of(fn);
    return isolates === 'unknown' ? this.view.unknownIsolates(fn) : isolates;
  }

  private causeAt(bridge: FunctionDescription): FunctionDescription | null {
    if (!this.isolates(bridge)) return bridge;
    const above = this.view.topology.upstream(bridge);
    return above === null ? null : this.causes.get(above.id)!;
  }

  /** GRP-05: the group of `fn`, or of a function on its bus that is its DMA alias, directly or in turn. */
  private aliasGroup(fn: FunctionDescription): Relative | null {
    const devfn = devfnOf(fn.address);
    if (this.seen[devfn] === this.search) return null;
    this.seen[devfn] = this.search;
    if (this.view.hasGroup(fn)) return { found: fn, reason: null };
    for (const other of this.view.peers.of(fn)) {
      const relative = this.aliasGroup(other) ?? this.functionGroup(other);
      if (relative !== null) return relative.reason === null ? { found: relative.found, reason: () => quirkAlias(fn, other) } : relative;
    }
    return null;
  }

  /** GRP-06: the group of a sibling in the slot, where neither isolates. */
  private functionGroup(fn: FunctionDescription): Relative | null {
    const { topology } = this.view;
    if (!topology.isMultifunction(fn) || this.isolates(fn)) return null;
    for (const other of topology.slot(fn)) {
      if (other === fn || this.isolates(other)) continue;
      const relative = this.aliasGroup(other);
      if (relative !== null) return relative.reason === null ? this.besides(fn, other, relative.found) : relative;
    }
    return null;
  }

  private besides(fn: FunctionDescription, sibling: FunctionDescription, found: FunctionDescription): Relative {
    const { acs } = this.view;
    return { found, reason: () => slotSibling(fn, acs.of(fn), sibling, acs.of(sibling)) };
  }

  /** Every port on the way, each with what makes it isolate. */
  private cleanPath(fn: FunctionDescription): GroupReason[] {
    const { topology, acs } = this.view;
    return [...topology.ancestors(fn)].filter(({ id }) => this.causes.get(id) === null).map((port) => portIsolates(port, acs.of(port)));
  }
}

/** GRP-02. */
const sharing = (fn: FunctionDescription, visit: AliasVisit): GroupDecision => ({ joins: visit.fn, reasons: () => [sharesRequesterId(fn, visit)] });
