/**
 * Builds the tree of buses that `Topology` answers from: one record per function, each on its bus. Linear in the number of functions.
 */
import type { FunctionDescription, SubjectId } from '../description.js';
import { append } from './multimap.js';
import { devfnOf } from './pci-address.js';

/**
 * Where functions see each other's slots: a root bus, the bus below a bridge, or the extra bus that the virtual functions of a device
 * spill onto, which has no bridge of its own and hangs below the physical function's bus (ALI-16).
 */
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
  readonly functions: readonly FunctionDescription[];
}

class PlacedBus implements Bus {
  readonly upstream: FunctionDescription | null;
  readonly places: Place[] = [];
  functions: readonly FunctionDescription[] = [];

  constructor(readonly segment: number, readonly number: number, readonly bridge: FunctionDescription | null, readonly parent: PlacedBus | null) {
    this.upstream = bridge ?? parent?.upstream ?? null;
  }
}

/** Of `Place.order` and `Place.climb`. */
const NOT_YET = -1;

/** All that the tree knows of one function, in one record: a question costs one look-up, and a large host little garbage. */
export class Place {
  /** The bridge above, as described. */
  above: Place | null = null;
  bus: PlacedBus | null = null;
  busesBelow: PlacedBus[] | null = null;
  /** Position in `BusTree.functions`. */
  order = NOT_YET;
  /** The functions of its slot, where there are several. */
  slot: readonly FunctionDescription[] | null = null;
  virtual: FunctionDescription[] | null = null;
  /** The climb to the root that came by first. */
  climb = NOT_YET;

  constructor(readonly fn: FunctionDescription) {}
}

export interface BusTree {
  readonly places: ReadonlyMap<SubjectId, Place>;
  /** By segment and number. */
  readonly rootBuses: readonly Bus[];
  /** Each after the one above it. */
  readonly buses: readonly Bus[];
  /** In the order of enumeration. */
  readonly functions: readonly FunctionDescription[];
}

export function buildBusTree(functions: readonly FunctionDescription[]): BusTree {
  const byId = new Map<SubjectId, Place>();
  for (const fn of functions) byId.set(fn.id, new Place(fn));
  const places = [...byId.values()];
  for (const place of places) relate(place, byId);
  for (const { virtual } of places) virtual?.sort((a, b) => a.virtualFunction!.index - b.virtualFunction!.index);
  places.forEach(cutLoop);
  const buses = new Buses();
  for (const place of places) if (place.fn.virtualFunction === undefined) buses.put(place);
  for (const place of places) if (place.fn.virtualFunction !== undefined) buses.putVirtual(place, byId.get(place.fn.virtualFunction.of));
  buses.all.forEach(sortBus);
  const rootBuses = buses.all.filter(({ parent }) => parent === null).sort((a, b) => a.segment - b.segment || a.number - b.number);
  return { places: byId, rootBuses, buses: buses.all, functions: enumerate(rootBuses, places, byId) };
}

/** The bridge above, where that is another function and not virtual; a virtual function among those of its physical one. */
function relate(place: Place, places: ReadonlyMap<SubjectId, Place>): void {
  const { upstream, virtualFunction } = place.fn;
  const above = upstream === null ? undefined : places.get(upstream);
  if (above && above !== place && above.fn.virtualFunction === undefined) place.above = above;
  const physical = virtualFunction && places.get(virtualFunction.of);
  if (physical) (physical.virtual ??= []).push(place.fn);
}

/** Climbs from a place to where an earlier climb has been, or to a root; where the way comes back to itself, it is cut. */
function cutLoop(place: Place, climb: number): void {
  let at: Place | null = place;
  for (; at !== null && at.climb === NOT_YET; at = at.above) at.climb = climb;
  if (at !== null && at.climb === climb) at.above = null;
}

/** Puts functions onto buses, which are made when the first function comes. */
class Buses {
  readonly all: PlacedBus[] = [];
  private readonly roots = new Map<number, PlacedBus>();
  private readonly extra = new Map<PlacedBus, PlacedBus[]>();
  private readonly waiting: Place[] = [];

  /** After all bridges above it. */
  put(place: Place): void {
    for (let at: Place | null = place; at !== null && at.bus === null; at = at.above) this.waiting.push(at);
    for (let next = this.waiting.pop(); next !== undefined; next = this.waiting.pop()) this.onto(this.busBelow(next), next);
  }

  /** On the physical function's bus, or on the SR-IOV bus beside it that its number names. */
  putVirtual(place: Place, physical: Place | undefined): void {
    const home = physical?.bus ?? null;
    this.onto(home === null ? this.busBelow(place) : this.sameOrExtra(home, place.fn.address.bus), place);
  }

  private onto(bus: PlacedBus, place: Place): void {
    place.bus = bus;
    bus.places.push(place);
  }

  /** The bus of a function's number below the bridge above it, or the root bus of that number. */
  private busBelow({ fn: { address: { segment, bus: number } }, above }: Place): PlacedBus {
    if (above !== null) {
      const known = numbered(above.busesBelow, number);
      if (known) return known;
      const bus = this.make(segment, number, above.fn, above.bus);
      if (above.busesBelow === null) above.busesBelow = [bus];
      else above.busesBelow.push(bus);
      return bus;
    }
    const key = segment * 0x100 + number;
    let root = this.roots.get(key);
    if (root === undefined) this.roots.set(key, (root = this.make(segment, number, null, null)));
    return root;
  }

  private sameOrExtra(home: PlacedBus, number: number): PlacedBus {
    if (home.number === number) return home;
    const known = numbered(this.extra.get(home), number);
    if (known) return known;
    const bus = this.make(home.segment, number, null, home);
    append(this.extra, home, bus);
    return bus;
  }

  private make(segment: number, number: number, bridge: FunctionDescription | null, parent: PlacedBus | null): PlacedBus {
    const bus = new PlacedBus(segment, number, bridge, parent);
    this.all.push(bus);
    return bus;
  }
}

function numbered(buses: readonly PlacedBus[] | null | undefined, number: number): PlacedBus | undefined {
  if (buses) for (const bus of buses) if (bus.number === number) return bus;
  return undefined;
}

/** Ascending, and its slots with more than one function; of functions that claim one address only the first counts. */
function sortBus(bus: PlacedBus): void {
  const { places } = bus;
  if (!isAscending(places)) places.sort((a, b) => devfnOf(a.fn.address) - devfnOf(b.fn.address));
  bus.functions = places.map(({ fn }) => fn);
  let slot: FunctionDescription[] = [];
  let first: Place | null = null;
  let last = NOT_YET;
  for (const place of places) {
    const devfn = devfnOf(place.fn.address);
    if (devfn === last) continue;
    if (devfn >> 3 !== last >> 3) {
      slot = [];
      first = place;
    }
    slot.push(place.fn);
    if (slot.length >= 2) first!.slot = place.slot = slot;
    last = devfn;
  }
}

/** As most descriptions list them. */
const isAscending = (places: readonly Place[]): boolean => places.every(({ fn }, i) => i === 0 || devfnOf(places[i - 1]!.fn.address) <= devfnOf(fn.address));

/**
 * As Linux finds them: a bus as a whole, then what is below each of its bridges; virtual functions, which are switched on later, after
 * all others.
 */
function enumerate(rootBuses: readonly PlacedBus[], places: readonly Place[], byId: ReadonlyMap<SubjectId, Place>): FunctionDescription[] {
  const found: Place[] = [];
  const pending = [...rootBuses].reverse();
  for (let bus = pending.pop(); bus !== undefined; bus = pending.pop()) {
    const below: PlacedBus[] = [];
    for (const place of bus.places) {
      if (place.fn.virtualFunction === undefined) found.push(place);
      if (place.busesBelow !== null) below.push(...place.busesBelow);
    }
    pending.push(...below.reverse());
  }
  for (const { virtual } of [...found]) for (const { id } of virtual ?? []) found.push(byId.get(id)!);
  found.forEach((place, order) => (place.order = order));
  for (const place of places) if (place.order === NOT_YET) place.order = found.push(place) - 1; // virtual functions of nobody
  return found.map(({ fn }) => fn);
}
