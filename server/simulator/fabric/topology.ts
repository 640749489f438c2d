/**
 * The PCI functions of a host as a tree of buses, indexed once. Everything here is linear in the number of functions.
 *
 * A bus is a place where functions see each other's slots: a root bus, the bus below a bridge, or the extra bus that the
 * virtual functions of a device spill onto, which has no bridge of its own and hangs below the physical function's bus (ALI-16).
 */
import type { FunctionDescription, HostDescription, PciAddress, SubjectId } from '../description.js';
import { append } from './multimap.js';
import { addressText, devfnOf } from './pci-address.js';

export interface Bus {
  readonly segment: number;
  readonly number: number;
  /** The bridge it hangs below; null for a root bus and for an SR-IOV bus. */
  readonly bridge: FunctionDescription | null;
  /** The bus above; null for a root bus. */
  readonly parent: Bus | null;
  /** The nearest bridge above: its own, or that of the bus which an SR-IOV bus hangs below. Null where there is none. */
  readonly upstream: FunctionDescription | null;
  /** Ascending by devfn. */
  readonly functions: FunctionDescription[];
}

const NOBODY: readonly never[] = [];
/** Of `Place.order` and `Place.climb`. */
const NOT_YET = -1;

/** All that the tree knows of one function, in one record: a question costs one look-up, and a large host little garbage. */
class Place {
  /** The bridge above, as described. */
  above: Place | null = null;
  bus: Bus | null = null;
  busesBelow: Bus[] | null = null;
  /** Position in `Topology.functions`. */
  order = NOT_YET;
  /** The functions of its slot, where there are several. */
  slot: readonly FunctionDescription[] | null = null;
  virtual: FunctionDescription[] | null = null;
  /** The climb to the root that came by first. */
  climb = NOT_YET;

  constructor(readonly fn: FunctionDescription) {}
}

export class Topology {
  /**
   * In the order in which Linux finds them: a bus as a whole, then what is below each of its bridges; virtual functions, which
   * are switched on later, after all others. Roots by segment and bus number.
   */
  readonly functions: readonly FunctionDescription[];
  readonly rootBuses: readonly Bus[];
  private readonly places = new Map<SubjectId, Place>();
  private addresses: ReadonlyMap<string, FunctionDescription> | null = null;
  private seen: ReadonlyMap<SubjectId, { first: number; last: number }> | null = null;

  constructor(readonly host: HostDescription) {
    for (const fn of host.functions) this.places.set(fn.id, new Place(fn));
    const places = [...this.places.values()];
    for (const place of places) this.relate(place);
    for (const { virtual } of places) virtual?.sort((a, b) => a.virtualFunction!.index - b.virtualFunction!.index);
    places.forEach(cutLoop);
    this.rootBuses = this.placeAll(places).sort((a, b) => a.segment - b.segment || a.number - b.number);
    this.functions = this.enumerate(places);
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

  /** The bridge above, where that is another function and not virtual; a virtual function among those of its physical one. */
  private relate(place: Place): void {
    const { upstream, virtualFunction } = place.fn;
    const above = upstream === null ? undefined : this.places.get(upstream);
    if (above && above !== place && above.fn.virtualFunction === undefined) place.above = above;
    const physical = virtualFunction && this.places.get(virtualFunction.of);
    if (physical) (physical.virtual ??= []).push(place.fn);
  }

  /** Puts every function on its bus, after the bridge above it; returns the root buses. */
  private placeAll(places: readonly Place[]): Bus[] {
    const roots = new Map<number, Bus>();
    const extra = new Map<Bus, Bus[]>();
    const waiting: Place[] = [];
    for (const place of places) {
      if (place.fn.virtualFunction !== undefined) continue;
      for (let at: Place | null = place; at !== null && at.bus === null; at = at.above) waiting.push(at);
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) put(next, busBelow(next, roots));
    }
    for (const place of places) {
      if (place.fn.virtualFunction === undefined) continue;
      const home = this.places.get(place.fn.virtualFunction.of)?.bus;
      put(place, home ? sameOrExtra(home, place.fn, extra) : busBelow(place, roots));
    }
    const buses = new Set<Bus>();
    for (const place of places) buses.add(place.bus!);
    for (const bus of buses) this.sortBus(bus);
    return [...roots.values()];
  }

  /** Ascending, and its slots with more than one function; of functions that claim one address only the first counts. */
  private sortBus(bus: Bus): void {
    if (!isAscending(bus.functions)) bus.functions.sort((a, b) => devfnOf(a.address) - devfnOf(b.address));
    let slot: FunctionDescription[] = [];
    for (const fn of bus.functions) {
      const devfn = devfnOf(fn.address);
      const last = slot.at(-1);
      if (last !== undefined && devfnOf(last.address) === devfn) continue;
      if (last === undefined || devfnOf(last.address) >> 3 !== devfn >> 3) slot = [];
      slot.push(fn);
      if (slot.length === 2) this.places.get(slot[0]!.id)!.slot = slot;
      if (slot.length >= 2) this.places.get(fn.id)!.slot = slot;
    }
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

  private enumerate(places: readonly Place[]): FunctionDescription[] {
    const found: Place[] = [];
    const pending = [...this.rootBuses].reverse();
    for (let bus = pending.pop(); bus !== undefined; bus = pending.pop()) {
      const below: Bus[] = [];
      for (const { id } of bus.functions) {
        const place = this.places.get(id)!;
        if (place.fn.virtualFunction === undefined) found.push(place);
        if (place.busesBelow !== null) below.push(...place.busesBelow);
      }
      pending.push(...below.reverse());
    }
    for (const { virtual } of [...found]) for (const { id } of virtual ?? NOBODY) found.push(this.places.get(id)!);
    found.forEach((place, order) => (place.order = order));
    for (const place of places) if (place.order === NOT_YET) place.order = found.push(place) - 1; // virtual functions of nobody
    return found.map(({ fn }) => fn);
  }
}

const newBus = (segment: number, number: number, bridge: FunctionDescription | null, parent: Bus | null): Bus =>
  ({ segment, number, bridge, parent, upstream: bridge ?? parent?.upstream ?? null, functions: [] });

function put(place: Place, bus: Bus): void {
  place.bus = bus;
  bus.functions.push(place.fn);
}

/** As most descriptions list them. */
const isAscending = (functions: readonly FunctionDescription[]): boolean =>
  functions.every((fn, i) => i === 0 || devfnOf(functions[i - 1]!.address) <= devfnOf(fn.address));

function numbered(buses: readonly Bus[] | null | undefined, number: number): Bus | undefined {
  for (const bus of buses ?? NOBODY) if (bus.number === number) return bus;
  return undefined;
}

/** The bus of a function's number below the bridge above it, or the root bus of that number; made when it is the first there. */
function busBelow({ fn: { address: { segment, bus: number } }, above }: Place, roots: Map<number, Bus>): Bus {
  if (above === null) {
    const key = segment * 0x100 + number;
    const root = roots.get(key) ?? newBus(segment, number, null, null);
    roots.set(key, root);
    return root;
  }
  const known = numbered(above.busesBelow, number);
  if (known) return known;
  const bus = newBus(segment, number, above.fn, above.bus);
  if (above.busesBelow === null) above.busesBelow = [bus];
  else above.busesBelow.push(bus);
  return bus;
}

/** The physical function's bus, or the SR-IOV bus beside it that the virtual function's number names. */
function sameOrExtra(home: Bus, { address: { bus: number } }: FunctionDescription, extra: Map<Bus, Bus[]>): Bus {
  if (home.number === number) return home;
  const known = numbered(extra.get(home), number);
  if (known) return known;
  const bus = newBus(home.segment, number, null, home);
  append(extra, home, bus);
  return bus;
}

/** Climbs from a place to where an earlier climb has been, or to a root; where the way comes back to itself, it is cut. */
function cutLoop(place: Place, climb: number): void {
  let at: Place | null = place;
  for (; at !== null && at.climb === NOT_YET; at = at.above) at.climb = climb;
  if (at !== null && at.climb === climb) at.above = null;
}
