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
  /** Ascending by devfn. */
  readonly functions: FunctionDescription[];
}

export class Topology {
  /**
   * In the order in which Linux finds them: a bus as a whole, then what is below each of its bridges; virtual functions, which
   * are switched on later, after all others. Roots by segment and bus number.
   */
  readonly functions: readonly FunctionDescription[];
  readonly rootBuses: readonly Bus[];
  private readonly ids = new Map<SubjectId, FunctionDescription>();
  private addresses: ReadonlyMap<string, FunctionDescription> | null = null;
  private readonly busOf = new Map<SubjectId, Bus>();
  private readonly busesBelow = new Map<SubjectId, Bus[]>();
  private readonly slots = new Map<SubjectId, readonly FunctionDescription[]>();
  private readonly virtual = new Map<SubjectId, FunctionDescription[]>();
  private readonly orders = new Map<SubjectId, number>();
  private seen: ReadonlyMap<SubjectId, { first: number; last: number }> | null = null;

  constructor(readonly host: HostDescription) {
    for (const fn of host.functions) this.know(fn);
    for (const siblings of this.virtual.values()) siblings.sort((a, b) => a.virtualFunction!.index - b.virtualFunction!.index);
    this.rootBuses = this.placeAll().sort((a, b) => a.segment - b.segment || a.number - b.number);
    this.functions = this.enumerate();
    this.functions.forEach((fn, order) => this.orders.set(fn.id, order));
  }

  byId(id: SubjectId): FunctionDescription | undefined {
    return this.ids.get(id);
  }

  /** By address or its text, "0000:01:00.0"; the first described where two claim one address. */
  byAddress(address: PciAddress | string): FunctionDescription | undefined {
    this.addresses ??= new Map([...this.host.functions].reverse().map((fn) => [addressText(fn.address), fn]));
    return this.addresses.get(typeof address === 'string' ? address : addressText(address));
  }

  /** @throws RangeError for a function of another host. */
  bus(fn: FunctionDescription): Bus {
    const bus = this.busOf.get(fn.id);
    if (bus === undefined) throw new RangeError(`${fn.name} is not a function of host ${this.host.name}`);
    return bus;
  }

  /** Position in `functions`. */
  order(fn: FunctionDescription): number {
    return this.orders.get(fn.id)!;
  }

  isOnRootBus(fn: FunctionDescription): boolean {
    return this.bus(fn).parent === null;
  }

  /** The bridge directly above; of a virtual function the bridge above its physical function. Null on a root bus. */
  upstream(fn: FunctionDescription): FunctionDescription | null {
    for (let bus: Bus | null = this.bus(fn); bus !== null; bus = bus.parent) if (bus.bridge !== null) return bus.bridge;
    return null;
  }

  /** Bridges above, nearest first. */
  *ancestors(fn: FunctionDescription): Generator<FunctionDescription> {
    for (let bridge = this.upstream(fn); bridge !== null; bridge = this.upstream(bridge)) yield bridge;
  }

  /** Functions directly below a bridge, virtual ones included. */
  children(bridge: FunctionDescription): readonly FunctionDescription[] {
    return (this.busesBelow.get(bridge.id) ?? []).flatMap((bus) => bus.functions);
  }

  /** The bus number directly below a bridge, described or seen; null when nothing says. */
  secondaryBus(bridge: FunctionDescription): number | null {
    return bridge.buses?.secondary ?? this.busesBelow.get(bridge.id)?.[0]?.number ?? null;
  }

  /** Bus numbers below a bridge: described, or those seen there. */
  busRange(bridge: FunctionDescription): { readonly first: number; readonly last: number } {
    if (bridge.buses) return { first: bridge.buses.secondary, last: bridge.buses.subordinate };
    return this.seenBuses().get(bridge.id) ?? { first: 0, last: 0 };
  }

  /** All functions of the same bus and slot, itself included, ascending; a slot is eight devfns also with ARI (GRP-22). */
  slot(fn: FunctionDescription): readonly FunctionDescription[] {
    return this.slots.get(fn.id) ?? [fn];
  }

  physicalFunction(fn: FunctionDescription): FunctionDescription | undefined {
    return fn.virtualFunction && this.ids.get(fn.virtualFunction.of);
  }

  /** Ascending by index. */
  virtualFunctions(physical: FunctionDescription): readonly FunctionDescription[] {
    return this.virtual.get(physical.id) ?? [];
  }

  /** The function as which the IOMMU sees it: the VMD endpoint for what is behind one (ALI-02). */
  realDmaDevice(fn: FunctionDescription): FunctionDescription {
    return (fn.behindVmd === undefined ? undefined : this.ids.get(fn.behindVmd)) ?? fn;
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

  private know(fn: FunctionDescription): void {
    this.ids.set(fn.id, fn);
    if (fn.virtualFunction !== undefined) append(this.virtual, fn.virtualFunction.of, fn);
  }

  /** Puts every function on its bus; returns the root buses. */
  private placeAll(): Bus[] {
    const roots = new Map<number, Bus>();
    const extra = new Map<Bus, Bus[]>();
    const parents = this.soundParents();
    for (const fn of topDown(this.host.functions, parents)) this.place(fn, this.busBelow(fn, parents.get(fn.id), roots));
    for (const fn of this.host.functions) {
      if (fn.virtualFunction === undefined) continue;
      const physical = this.physicalFunction(fn);
      const home = physical && this.busOf.get(physical.id);
      this.place(fn, home === undefined ? this.busBelow(fn, parents.get(fn.id), roots) : sameOrExtra(home, fn, extra));
    }
    const buses = new Set(this.busOf.values());
    for (const bus of buses) this.sortBus(bus);
    return [...roots.values()];
  }

  private place(fn: FunctionDescription, bus: Bus): void {
    this.busOf.set(fn.id, bus);
    bus.functions.push(fn);
  }

  /** The bus of a function's number below a bridge, or the root bus of that number; made when it is the first there. */
  private busBelow({ address: { segment, bus: number } }: FunctionDescription, bridge: FunctionDescription | undefined, roots: Map<number, Bus>): Bus {
    if (bridge === undefined) {
      const key = segment * 0x100 + number;
      const root = roots.get(key) ?? newBus(segment, number, null, null);
      roots.set(key, root);
      return root;
    }
    const known = this.busesBelow.get(bridge.id)?.find((bus) => bus.number === number);
    if (known) return known;
    const bus = newBus(segment, number, bridge, this.busOf.get(bridge.id)!);
    append(this.busesBelow, bridge.id, bus);
    return bus;
  }

  /** Ascending, and its slots with more than one function; of functions that claim one address only the first counts. */
  private sortBus(bus: Bus): void {
    bus.functions.sort((a, b) => devfnOf(a.address) - devfnOf(b.address));
    let slot: FunctionDescription[] = [];
    for (const fn of bus.functions) {
      const devfn = devfnOf(fn.address);
      const last = slot.at(-1);
      if (last !== undefined && devfnOf(last.address) === devfn) continue;
      if (last === undefined || devfnOf(last.address) >> 3 !== devfn >> 3) slot = [];
      slot.push(fn);
      if (slot.length === 2) this.slots.set(slot[0]!.id, slot);
      if (slot.length >= 2) this.slots.set(fn.id, slot);
    }
  }

  /**
   * The bridge above each function that is not virtual. A bridge that is not described, is no bridge or stands below itself counts as
   * none: the function is then on a root bus.
   */
  private soundParents(): Map<SubjectId, FunctionDescription> {
    const parents = new Map<SubjectId, FunctionDescription>();
    for (const fn of this.host.functions) {
      const above = fn.upstream === null ? undefined : this.ids.get(fn.upstream);
      if (above && above !== fn && above.virtualFunction === undefined) parents.set(fn.id, above);
    }
    const sound = new Set<SubjectId>();
    for (const fn of this.host.functions) cutLoop(fn, parents, sound);
    return parents;
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

  private enumerate(): FunctionDescription[] {
    const found: FunctionDescription[] = [];
    const late: FunctionDescription[] = [];
    const pending = [...this.rootBuses].reverse();
    for (let bus = pending.pop(); bus !== undefined; bus = pending.pop()) {
      const below: Bus[] = [];
      for (const fn of bus.functions) {
        if (fn.virtualFunction === undefined) found.push(fn);
        below.push(...(this.busesBelow.get(fn.id) ?? []));
      }
      pending.push(...below.reverse());
    }
    for (const fn of found) late.push(...this.virtualFunctions(fn));
    const listed = new Set([...found, ...late]);
    return [...found, ...late, ...this.host.functions.filter((fn) => !listed.has(fn))];
  }
}

const newBus = (segment: number, number: number, bridge: FunctionDescription | null, parent: Bus | null): Bus => ({ segment, number, bridge, parent, functions: [] });

/** The physical function's bus, or the SR-IOV bus beside it that the virtual function's number names. */
function sameOrExtra(home: Bus, { address: { bus: number } }: FunctionDescription, extra: Map<Bus, Bus[]>): Bus {
  if (home.number === number) return home;
  const known = extra.get(home)?.find((bus) => bus.number === number);
  if (known) return known;
  const bus = newBus(home.segment, number, null, home);
  append(extra, home, bus);
  return bus;
}

/** Climbs from `fn` to something known to end at a root; where the way comes back to itself, it is cut. */
function cutLoop(fn: FunctionDescription, parents: Map<SubjectId, FunctionDescription>, sound: Set<SubjectId>): void {
  const path = new Set<SubjectId>();
  let at: FunctionDescription | undefined = fn;
  while (at && !sound.has(at.id)) {
    if (path.has(at.id)) {
      parents.delete(at.id);
      break;
    }
    path.add(at.id);
    at = parents.get(at.id);
  }
  for (const id of path) sound.add(id);
}

/** Functions that are not virtual, each after the bridge above it. */
function topDown(functions: readonly FunctionDescription[], parents: ReadonlyMap<SubjectId, FunctionDescription>): Set<FunctionDescription> {
  const done = new Set<FunctionDescription>();
  for (const fn of functions) {
    if (fn.virtualFunction !== undefined) continue;
    const chain: FunctionDescription[] = [];
    for (let at: FunctionDescription | undefined = fn; at && !done.has(at); at = parents.get(at.id)) chain.push(at);
    for (let last = chain.pop(); last !== undefined; last = chain.pop()) done.add(last);
  }
  return done;
}
