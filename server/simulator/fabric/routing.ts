/**
 * The way of one memory request through the fabric, hop by hop (PCIE-20 .. PCIE-24, PCIE-30 .. PCIE-38): does it reach an IOMMU, or a
 * peer before it meets one, or nobody.
 */
import type { BarDescription, FunctionDescription, IommuDescription } from '../description.js';
import { hex, type AddressRange } from '../memory/address.js';
import type { HopEvent, TraceSink, Verdict } from '../trace/events.js';
import { forwardsUpstream, ingressViolation, peerDecision, type AcsDecision, type AddressKind } from './acs.js';
import { bridgeAlias } from './aliases.js';
import type { Fabric } from './fabric.js';
import { typeText } from './function-type.js';
import { addressText, devfnOf, requesterIdOf, requesterIdText } from './pci-address.js';

export interface MemoryRequest {
  readonly source: FunctionDescription;
  readonly address: bigint;
  readonly access: 'read' | 'write' | 'atomic';
  readonly addressType: AddressKind;
  /** Where the device puts another ID than its own into the request. */
  readonly requesterId?: number;
}

/** A device's BAR as the target of a request. */
export interface PeerTarget {
  readonly at: 'peer';
  readonly function: FunctionDescription;
  readonly bar: BarDescription;
  /** Bytes into the BAR. */
  readonly offset: bigint;
}

export type Route =
  /** Handed to the IOMMU, under this requester ID. */
  | { readonly at: 'unit'; readonly unit: IommuDescription; readonly requesterId: number }
  /** At the root complex, and nobody translates: the address is what it is. */
  | { readonly at: 'root-complex'; readonly requesterId: number }
  /** No IOMMU has seen it. */
  | PeerTarget
  /** ACS violation at a port. */
  | { readonly at: 'blocked'; readonly port: FunctionDescription; readonly reason: string; readonly rules: readonly string[] }
  /** Nobody takes it: UR. */
  | { readonly at: 'unsupported-request'; readonly port: FunctionDescription | null; readonly reason: string; readonly rules: readonly string[] };

/** Follows a request until it is decided where it goes. Events are made only where somebody listens. */
export function routeRequest(fabric: Fabric, request: MemoryRequest, sink: TraceSink | null): Route {
  return new Journey(fabric, request, sink).run();
}

/** Rules by which a unit gets a request, and where the manuals say which unit it is. */
const GIVEN = ['PCIE-24'];
const GIVEN_TO: Readonly<Partial<Record<IommuDescription['architecture'], readonly string[]>>> = { 'vtd': [...GIVEN, 'VTD-01'], 'amd-vi': [...GIVEN, 'AMD-01'] };
const nameOf = (fn: FunctionDescription): string => `${addressText(fn.address)} (${typeText(fn)})`;

class Journey {
  private requesterId: number;

  constructor(
    private readonly fabric: Fabric,
    private readonly request: MemoryRequest,
    private readonly sink: TraceSink | null,
  ) {
    this.requesterId = request.requesterId ?? requesterIdOf(request.source.address); // PCIE-01
  }

  run(): Route {
    const { source, access, address } = this.request;
    this.hop('device', source, 'continue', ['PCIE-01'], () => `${nameOf(source)} sends a ${access} to ${hex(address)} as requester ${requesterIdText(this.requesterId)}`);
    return this.insideDevice() ?? this.climb(source) ?? this.atRootComplex();
  }

  /** From a function up to its root bus, and through a VMD endpoint on to the endpoint's (ALI-02). */
  private climb(from: FunctionDescription): Route | null {
    const { topology } = this.fabric;
    for (const bridge of topology.ancestors(from)) {
      const end = this.meet(bridge);
      if (end !== null) return end;
    }
    const endpoint = topology.realDmaDevice(from);
    if (endpoint === from || endpoint.behindVmd !== undefined) return null;
    this.requesterId = requesterIdOf(endpoint.address);
    this.hop('device', endpoint, 'continue', ['ALI-02'], () => `the VMD endpoint ${nameOf(endpoint)} sends it on under its own requester ID ${requesterIdText(this.requesterId)}`);
    return this.climb(endpoint);
  }

  /** What a bridge or port does with a request that comes from below; null: it goes on upwards. */
  private meet(bridge: FunctionDescription): Route | null {
    switch (bridge.type) {
      case 'upstream-port': return this.pass(bridge, ['PCIE-06'], 'passes it upstream');
      case 'pcie-to-pci-bridge': case 'pci-to-pcie-bridge': case 'pci-bridge': case 'pci': return this.throughBridge(bridge);
      default: return this.throughPort(bridge);
    }
  }

  /** On a conventional bus everybody sees the address; what nobody there takes, the bridge sends on as its own (PCIE-04, PCIE-05). */
  private throughBridge(bridge: FunctionDescription): Route | null {
    const { address } = this.request;
    const peer = this.targetBelow(bridge);
    if (peer !== null && peer.function !== this.request.source) return this.arrive(peer, ['PCIE-38'], 'is on the same conventional bus');
    if (this.fabric.addresses.inWindow(bridge, address)) return this.refuse(bridge, ['PCIE-20'], `${nameOf(bridge)} passes ${hex(address)} downwards, but nothing below it answers there`);
    const alias = bridgeAlias(this.fabric.topology, bridge, this.fabric.aliases.aliasesAsPcieBridge(bridge));
    if (alias === null) return this.pass(bridge, ['PCIE-06'], 'passes it upstream');
    this.requesterId = alias.requesterId;
    return this.pass(bridge, [bridge.type === 'pcie-to-pci-bridge' ? 'PCIE-04' : 'PCIE-05', alias.rule], `sends it on as requester ${requesterIdText(alias.requesterId)}`);
  }

  /** PCIE-30: source validation, translation blocking, then the route. */
  private throughPort(port: FunctionDescription): Route | null {
    const { topology, addresses, acs } = this.fabric;
    const { address, addressType } = this.request;
    const violation = ingressViolation(acs.of(port), addressType, this.isBelow(port));
    if (violation !== null) return this.block(port, violation);
    const peer = topology.isOnRootBus(port) ? undefined : this.peerPort(port);
    if (peer !== undefined) return this.towardsPeer(port, peer);
    if (addresses.inWindow(port, address)) return this.selfTarget(port);
    return this.ownMemoryOfSwitch(port) ?? this.pass(port, ['PCIE-21'], 'has no peer at this address and passes it upstream');
  }

  /** SV's question: the requester ID's bus is among those of the port. */
  private isBelow(port: FunctionDescription): boolean {
    const { first, last } = this.fabric.topology.busRange(port);
    const bus = this.requesterId >> 8;
    return first <= bus && bus <= last;
  }

  /** PCIE-21: another port of the same switch that passes the address down. */
  private peerPort(port: FunctionDescription): FunctionDescription | undefined {
    const { topology, addresses } = this.fabric;
    return topology.bus(port).functions.find((other) => other !== port && addresses.inWindow(other, this.request.address));
  }

  /** PCIE-31, PCIE-36: the port where the ways part decides. It compares the address that is not translated yet (PCIE-26). */
  private towardsPeer(port: FunctionDescription, egress: FunctionDescription): Route | null {
    const decision = peerDecision(this.fabric.acs.of(port), this.request.addressType, devfnOf(egress.address) >> 3);
    if (decision.way === 'violation') return this.block(port, decision);
    if (decision.way === 'redirected') return this.redirect(port, decision, nameOf(egress));
    this.hop('port', port, 'bypass', ['PCIE-21', ...decision.rules], () => `${nameOf(port)} ${decision.because}: the request goes straight to ${nameOf(egress)}, past every IOMMU`);
    return this.down(egress);
  }

  /** PCIE-22: below a port that passes the address, somebody answers or it ends there. */
  private down(egress: FunctionDescription): Route {
    const target = this.targetBelow(egress);
    if (target === null) return this.refuse(egress, ['PCIE-22'], `nothing below ${nameOf(egress)} answers at ${hex(this.request.address)}`);
    return this.arrive(target, ['PCIE-21'], `is below ${nameOf(egress)}`);
  }

  /** PCIE-37. */
  private selfTarget(port: FunctionDescription): Route | null {
    const { address } = this.request;
    if (forwardsUpstream(this.fabric.acs.of(port))) {
      this.hop('port', port, 'redirected', ['PCIE-37'], () => `${hex(address)} lies below ${nameOf(port)} itself, which forwards it upstream (ACS UF)`);
      return null;
    }
    return this.refuse(port, ['PCIE-37'], `${hex(address)} lies below ${nameOf(port)} itself, which does not forward it upstream (ACS UF off)`);
  }

  /** PCIE-21, third case: a BAR of the switch's upstream port. */
  private ownMemoryOfSwitch(port: FunctionDescription): Route | null {
    const above = this.fabric.topology.upstream(port);
    const bar = above === null ? undefined : this.fabric.addresses.ownBar(above, this.request.address);
    if (above === null || bar === undefined) return null;
    return this.arrive({ at: 'peer', function: above, bar, offset: this.request.address - bar.range.start }, ['PCIE-21'], 'is the switch itself');
  }

  /** PCIE-23, PCIE-38: a way between functions of one device that never leaves it. */
  private insideDevice(): Route | null {
    const { source, addressType, address } = this.request;
    if (!source.internalPeerToPeer) return null;
    const claim = this.fabric.addresses.claim(address);
    if (claim === null || claim.fn === source || !this.isSameDevice(claim.fn, source)) return null;
    const decision = peerDecision(this.fabric.acs.of(source), addressType, devfnOf(claim.fn.address) & 7);
    if (decision.way === 'violation') return this.block(source, decision);
    if (decision.way === 'redirected') return this.redirect(source, decision, nameOf(claim.fn));
    return this.arrive({ at: 'peer', function: claim.fn, bar: claim.bar, offset: address - claim.bar.range.start }, ['PCIE-23', 'PCIE-38', ...decision.rules], 'is a function of the same device');
  }

  private isSameDevice(a: FunctionDescription, b: FunctionDescription): boolean {
    const { topology } = this.fabric;
    const home = (fn: FunctionDescription): FunctionDescription => topology.physicalFunction(fn) ?? fn;
    return topology.slot(home(a)).includes(home(b));
  }

  /** PCIE-24: the translation agent, unless the root complex has a way of its own to the peer. */
  private atRootComplex(): Route {
    const { topology, units, rootComplex } = this.fabric;
    const { requesterId } = this;
    const direct = rootComplex.directPeers ? this.directPeer() : null;
    if (direct !== null) return direct;
    const unit = units.get(topology.realDmaDevice(this.request.source).id);
    if (unit === undefined) {
      this.hop('root-complex', undefined, 'continue', ['AMD-01', 'VTD-01'], () => `no IOMMU covers ${nameOf(this.request.source)}: the root complex takes the address as it is`);
      return { at: 'root-complex', requesterId };
    }
    this.hop('root-complex', undefined, 'continue', GIVEN_TO[unit.architecture] ?? GIVEN, () => `the root complex gives it to ${unit.name} under requester ID ${requesterIdText(requesterId)}`);
    return { at: 'unit', unit, requesterId };
  }

  private directPeer(): Route | null {
    const { topology, addresses, acs } = this.fabric;
    const claim = addresses.claim(this.request.address);
    const rootPort = [...topology.ancestors(this.request.source)].at(-1) ?? this.request.source;
    if (claim === null || claim.fn === this.request.source || peerDecision(acs.of(rootPort), this.request.addressType, 0).way !== 'direct') return null;
    return this.arrive({ at: 'peer', function: claim.fn, bar: claim.bar, offset: this.request.address - claim.bar.range.start }, ['PCIE-24'], 'is reached by the root complex directly');
  }

  private targetBelow(bridge: FunctionDescription): PeerTarget | null {
    const { addresses, topology } = this.fabric;
    const claim = addresses.claim(this.request.address);
    if (claim === null) return null;
    for (const above of topology.ancestors(claim.fn)) if (above === bridge) return { at: 'peer', function: claim.fn, bar: claim.bar, offset: this.request.address - claim.bar.range.start };
    return null;
  }

  private arrive(peer: PeerTarget, rules: readonly string[], why: string): Route {
    this.hop('peer', peer.function, 'bypass', rules, () => `${nameOf(peer.function)} ${why} and takes it in BAR ${peer.bar.index} at offset ${hex(peer.offset)}`);
    return peer;
  }

  private redirect(at: FunctionDescription, decision: AcsDecision, peer: string): null {
    this.hop('port', at, 'redirected', decision.rules, () => `${nameOf(at)} ${decision.because}: what is meant for ${peer} goes upstream`);
    return null;
  }

  private block(port: FunctionDescription, { because, rules }: AcsDecision): Route {
    const reason = `ACS violation: ${nameOf(port)} ${because}`;
    this.hop('port', port, 'blocked', rules, () => reason);
    return { at: 'blocked', port, reason, rules };
  }

  private refuse(port: FunctionDescription, rules: readonly string[], reason: string): Route {
    this.hop('nowhere', port, 'blocked', rules, () => `${reason}: unsupported request`);
    return { at: 'unsupported-request', port, reason, rules };
  }

  private pass(bridge: FunctionDescription, rules: readonly string[], what: string): null {
    this.hop('port', bridge, 'continue', rules, () => `${nameOf(bridge)} ${what}`);
    return null;
  }

  private hop(at: HopEvent['at'], fn: FunctionDescription | undefined, verdict: Verdict, rules: readonly string[], text: () => string): void {
    if (this.sink === null) return;
    this.sink.push({ kind: 'hop', floor: 'fabric', at, text: text(), verdict, rules, address: this.request.address, requesterId: this.requesterId, ...(fn && { subject: fn.id }) });
  }
}

/** Where an address leads that no IOMMU changes any more (PCIE-25, PCIE-35). */
export type Decoded = { readonly at: 'memory' } | PeerTarget | { readonly at: 'nowhere'; readonly reason: string; readonly rules: readonly string[] };

/**
 * What the root complex finds at a host physical address: RAM, a device's BAR, or a hole, which no IOMMU reports (PCIE-25).
 * @param memory RAM, ascending and disjoint
 */
export function decodeAddress(fabric: Fabric, memory: readonly AddressRange[], address: bigint): Decoded {
  if (isInside(memory, address)) return { at: 'memory' };
  const claim = fabric.addresses.claim(address);
  if (claim === null) return { at: 'nowhere', reason: `nothing answers at ${hex(address)}`, rules: ['PCIE-25'] };
  if (!fabric.rootComplex.peersAfterTranslation) return { at: 'nowhere', reason: `the root complex does not pass requests on to ${nameOf(claim.fn)}`, rules: ['PCIE-25'] };
  return { at: 'peer', function: claim.fn, bar: claim.bar, offset: address - claim.bar.range.start };
}

function isInside(ranges: readonly AddressRange[], address: bigint): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && address <= ranges[low - 1]!.last;
}
