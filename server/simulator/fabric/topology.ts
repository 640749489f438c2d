/** The PCI functions of a host as a tree of buses, indexed once: what is above, below and beside each. */
import type { FunctionDescription, HostDescription, PciAddress, SubjectId } from '../description.js';
import { buildBusTree, type Bus, type Place } from './bus-tree.js';
import { addressText, devfnOf } from './pci-address.js';

export type { Bus } from './bus-tree.js';

const NOBODY: readonly never[] = [];

export class Topology {
  /**
   * In the order in which Linux finds them: a bus as a whole, then what is below each of its bridges; virtual functions, which
   * are switched on later, after all others. Roots by segment and bus number.
   */
  readonly functions: readonly FunctionDescription[];
  readonly rootBuses: readonly Bus[];
  /** All, each after the one above it. */
  readonly buses: readonly Bus[];
  private readonly places: ReadonlyMap<SubjectId, Place>;
  private addresses: ReadonlyMap<string, FunctionDescription> | null = null;
  private seen: ReadonlyMap<SubjectId, { first: number; last: number }> | null = null;

  constructor(readonly host: HostDescription) {
    ({ functions: this.functions, rootBuses: this.rootBuses, buses: this.buses, places: this.places } = buildBusTree(host.functions));
  }

  byId(id: SubjectId): FunctionDescription | undefined {
    return this.places.get(id)?.fn;
  }

  /** By address or its text, "0000:01:00.0"; the first described where two claim one address. */
  byAddress(address: PciAddress | string): FunctionDescription | undefined {
    this.addresses ??= new Map([...this.host.functions].reverse().map((fn) => [addressText(fn.address), fn]));
    return this.addresses.get(typeof address === 'string' ? address : addressText(address));
  }

  /** @throws RangeError for a function of another host. */
  bus(fn: FunctionDescription): Bus {
    const bus = this.places.get(fn.id)?.bus;
    if (!bus) throw new RangeError(`${fn.name} is not a function of host ${this.host.name}`);
    return bus;
  }

  /** Position in `functions`. */
  order(fn: FunctionDescription): number {
    return this.places.get(fn.id)!.order;
  }

  isOnRootBus(fn: FunctionDescription): boolean {
    return this.bus(fn).parent === null;
  }

  /** The bridge directly above; of a virtual function the bridge above its physical function. Null on a root bus. */
  upstream(fn: FunctionDescription): FunctionDescription | null {
    return this.bus(fn).upstream;
  }

  /** Bridges above, nearest first. */
  *ancestors(fn: FunctionDescription): Generator<FunctionDescription> {
    for (let bridge = this.upstream(fn); bridge !== null; bridge = this.upstream(bridge)) yield bridge;
  }

  /** Functions directly below a bridge, virtual ones included. */
  children(bridge: FunctionDescription): readonly FunctionDescription[] {
    const buses = this.busesBelow(bridge);
    return buses.length === 1 ? buses[0]!.functions : buses.flatMap((bus) => bus.functions);
  }

  /** The bus number directly below a bridge, described or seen; null when nothing says. */
  secondaryBus(bridge: FunctionDescription): number | null {
    return bridge.buses?.secondary ?? this.busesBelow(bridge)[0]?.number ?? null;
  }

  /** Bus numbers below a bridge: described, or those seen there. */
  busRange(bridge: FunctionDescription): { readonly first: number; readonly last: number } {
    if (bridge.buses) return { first: bridge.buses.secondary, last: bridge.buses.subordinate };
    return this.seenBuses().get(bridge.id) ?? { first: 0, last: 0 };
  }

  /** All functions of the same bus and slot, itself included, ascending; a slot is eight devfns also with ARI (GRP-22). */
  slot(fn: FunctionDescription): readonly FunctionDescription[] {
    return this.places.get(fn.id)?.slot ?? [fn];
  }

  physicalFunction(fn: FunctionDescription): FunctionDescription | undefined {
    return fn.virtualFunction && this.byId(fn.virtualFunction.of);
  }

  /** Ascending by index. */
  virtualFunctions(physical: FunctionDescription): readonly FunctionDescription[] {
    return this.places.get(physical.id)?.virtual ?? NOBODY;
  }

  /** The function as which the IOMMU sees it: the VMD endpoint for what is behind one (ALI-02). */
  realDmaDevice(fn: FunctionDescription): FunctionDescription {
    return (fn.behindVmd === undefined ? undefined : this.byId(fn.behindVmd)) ?? fn;
  }

  /**
   * Header type bit 7, with what Linux makes of it (ALI-16, ALI-17): never of a virtual function (which is why it never shares its siblings' group, GRP-18), always of a function above 0.
   * Where the bit was not read, it is set when the slot shows a sibling.
   */
  isMultifunction(fn: FunctionDescription): boolean {
    if (fn.virtualFunction !== undefined) return false;
    if ((devfnOf(fn.address) & 7) !== 0) return true;
    return fn.multifunction ?? this.slot(fn).some((other) => other !== fn && other.virtualFunction === undefined);
  }

  private busesBelow(bridge: FunctionDescription): readonly Bus[] {
    return this.places.get(bridge.id)?.busesBelow ?? NOBODY;
  }

  /** Worked out when first asked for, from the leaves upwards. */
  private seenBuses(): ReadonlyMap<SubjectId, { first: number; last: number }> {
    if (this.seen !== null) return this.seen;
    const seen = new Map<SubjectId, { first: number; last: number }>();
    for (const fn of [...this.functions].reverse()) {
      const above = this.upstream(fn);
      if (above === null) continue;
      const own = { first: fn.address.bus, last: Math.max(fn.address.bus, fn.buses?.subordinate ?? 0, seen.get(fn.id)?.last ?? 0) };
      const known = seen.get(above.id);
      seen.set(above.id, known === undefined ? own : { first: Math.min(known.first, own.first), last: Math.max(known.last, own.last) });
    }
    return (this.seen = seen);
  }
}
