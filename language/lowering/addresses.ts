/**
 * Gives every function an address and every bridge its buses. What the file says stands; what it leaves out gets the lowest free
 * device (below a port: function) of its bus, and a bridge without buses the bus of its children or the lowest unused one.
 */
import type { PciAddress } from '../../server/simulator/description.js';
import * as ast from '../generated/ast.js';
import { sriovOf } from '../names.js';
import { addressKey, addressOfRid, parseBus, parsePciAddress } from '../pci.js';
import { isBridgeKind, sriovShape, virtualFunctionAddress } from './functions.js';

export interface Slot {
  readonly node: ast.PciFunction;
  readonly address: PciAddress;
  readonly upstream: ast.PciFunction | undefined;
  readonly buses?: { readonly secondary: number; readonly subordinate: number };
  readonly children: readonly Slot[];
  /** Set when the slot is a virtual function that the `sriov` statement of `node` makes. */
  readonly virtual?: { readonly sriov: ast.Sriov; readonly index: number };
}

const LAST_BUS = 0xff;
const DEVFNS = 0x100;

/** @param unplaced is told of each function that no address was left for. */
export function layOut(roots: readonly ast.PciFunction[], unplaced: (node: ast.PciFunction) => void = () => {}): Slot[] {
  return new Layout(roots, unplaced).place(roots, undefined, { segment: 0, bus: 0 });
}

interface Bus {
  readonly segment: number;
  readonly bus: number;
}

class Layout {
  private readonly taken = new Set<number>();
  private readonly takenDevices = new Set<number>();
  private readonly highestBus = new Map<number, number>();
  /** Where the search for a free place goes on, per bus. */
  private readonly cursor = new Map<number, number>();

  constructor(roots: readonly ast.PciFunction[], private readonly unplaced: (node: ast.PciFunction) => void) {
    this.reserve(roots);
  }

  /** Takes note of all that the file says, so that nothing invented collides with it. */
  private reserve(functions: readonly ast.PciFunction[]): void {
    for (const node of functions) {
      const address = parsePciAddress(node.address);
      if (address !== undefined) this.take(address);
      if (address !== undefined) for (const virtual of virtualAddresses(node, address)) this.take(virtual);
      const buses = node.items.find(ast.isBuses);
      const last = parseBus(buses?.subordinate) ?? parseBus(buses?.secondary);
      if (last !== undefined) this.useBus(address?.segment ?? 0, last);
      this.reserve(childrenOf(node));
    }
  }

  private take(address: PciAddress): void {
    const key = addressKey(address);
    this.taken.add(key);
    this.takenDevices.add(deviceKey(key));
    this.useBus(address.segment, address.bus);
  }

  private useBus(segment: number, bus: number): void {
    this.highestBus.set(segment, Math.max(this.highestBus.get(segment) ?? 0, bus));
  }

  place(functions: readonly ast.PciFunction[], upstream: ast.PciFunction | undefined, bus: Bus): Slot[] {
    return functions.flatMap((node) => {
      if (isEmpty(node)) return [];
      const address = parsePciAddress(node.address) ?? this.ofVirtual(node) ?? this.free(bus, upstream, node.address !== undefined);
      if (address !== undefined) return this.slots(node, address, upstream);
      if (node.address === undefined) this.unplaced(node);
      return [];
    });
  }

  private slots(node: ast.PciFunction, address: PciAddress, upstream: ast.PciFunction | undefined): Slot[] {
    const sriov = sriovOf(node);
    const virtual = sriov === undefined ? [] : virtualAddresses(node, address)
      .map((where, index): Slot => ({ node, address: where, upstream, children: [], virtual: { sriov, index } }));
    // What stands in a function that is no bridge is an error; it counts as standing beside it.
    if (!isBridgeKind(node.kind)) return [{ node, address, upstream, children: [] }, ...virtual, ...this.place(childrenOf(node), upstream, address)];
    const secondary = this.secondaryOf(node, address.segment);
    const children = this.place(childrenOf(node), node, { segment: address.segment, bus: secondary });
    const subordinate = parseBus(node.items.find(ast.isBuses)?.subordinate) ?? highest(children, secondary);
    return [{ node, address, upstream, buses: { secondary, subordinate: Math.max(secondary, subordinate) }, children }, ...virtual];
  }

  /** An explicitly listed virtual function without an address has the one that SR-IOV gives it. */
  private ofVirtual(node: ast.PciFunction): PciAddress | undefined {
    const physical = node.physical?.ref;
    const address = parsePciAddress(physical?.address);
    const sriov = physical === undefined ? undefined : sriovOf(physical);
    const index = node.index === undefined || !ast.isLiteral(node.index) ? 0 : Number(node.index.value);
    return address === undefined || sriov === undefined || node.address !== undefined ? undefined : virtualFunctionAddress(address, sriovShape(sriov), index);
  }

  private secondaryOf(node: ast.PciFunction, segment: number): number {
    const said = parseBus(node.items.find(ast.isBuses)?.secondary);
    if (said !== undefined) return said;
    const child = childrenOf(node).find((it) => parsePciAddress(it.address) !== undefined);
    if (child !== undefined) return parsePciAddress(child.address)!.bus;
    const fresh = Math.min((this.highestBus.get(segment) ?? 0) + 1, LAST_BUS);
    this.useBus(segment, fresh);
    return fresh;
  }

  /** The lowest free address of a bus; undefined when it is full, or when the file gives an address that is none. */
  private free(bus: Bus, upstream: ast.PciFunction | undefined, broken: boolean): PciAddress | undefined {
    if (broken) return undefined;
    const first = addressKey({ ...bus, device: 0, function: 0 });
    const step = upstream !== undefined && ['root-port', 'port'].includes(upstream.kind) ? 1 : 8;
    const start = this.cursor.get(first) ?? (upstream === undefined ? step : 0);
    for (let devfn = start; devfn < DEVFNS; devfn += step) {
      this.cursor.set(first, devfn + step);
      if (step === 1 ? this.taken.has(first + devfn) : this.takenDevices.has(deviceKey(first + devfn))) continue;
      const address = addressOfRid(bus.segment, (bus.bus << 8) + devfn);
      this.take(address);
      return address;
    }
    return undefined;
  }
}

/** Of the device that a function belongs to. */
const deviceKey = (key: number): number => Math.floor(key / 8);

/** Left of a statement that broke at its second word. */
const isEmpty = (node: ast.PciFunction): boolean => node.name === undefined && node.address === undefined && node.items.length === 0;

const childrenOf = (node: ast.PciFunction): ast.PciFunction[] => node.items.filter(ast.isPciFunction);

function virtualAddresses(node: ast.PciFunction, physical: PciAddress): PciAddress[] {
  const sriov = sriovOf(node);
  if (sriov === undefined) return [];
  const shape = sriovShape(sriov);
  return Array.from({ length: shape.enabled }, (_, index) => virtualFunctionAddress(physical, shape, index));
}

function highest(children: readonly Slot[], secondary: number): number {
  return children.reduce((bus, child) => Math.max(bus, child.address.bus, child.buses?.subordinate ?? 0), secondary);
}
