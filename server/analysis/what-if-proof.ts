/** A DMA that goes from one function to another without meeting an IOMMU: what no group on paper can argue away. */
import type { FunctionDescription, HostDescription, SubjectId } from '../simulator/description.js';
import { Fabric, USUAL_ROOT_COMPLEX } from '../simulator/fabric/fabric.js';
import { routeRequest } from '../simulator/fabric/routing.js';
import { Topology } from '../simulator/fabric/topology.js';
import { parseCommandLine } from '../simulator/kernel/command-line.js';
import { formGroups } from '../simulator/kernel/groups.js';
import { profileFor } from '../simulator/kernel/profile.js';
import type { AddressRange, PhysicalAddress } from '../simulator/memory/address.js';
import type { TraceEvent } from '../simulator/trace/events.js';

export interface PeerProof {
  readonly device: SubjectId;
  readonly peer: SubjectId;
  /** The address that the device writes to. */
  readonly address: bigint;
  /** What had to be assumed because the file does not say it; empty: it follows from the description alone. */
  readonly assumptions: readonly string[];
  /** Hop by hop. */
  readonly trace: readonly TraceEvent[];
}

/** Where a function without described BARs is given one: above all memory that a host has. */
const PRETENDED_BAR = 0x7f00_0000_0000n;
const BAR_SIZE = 0x1_0000n;

/** The way as described, else under assumptions that nothing in the description rules out; null when the fabric keeps the two apart. */
export function peerProof(host: HostDescription, from: SubjectId, to: SubjectId): PeerProof | null {
  return tryRoute(host, from, to, [], false) ?? underAssumptions(host, from, to);
}

function tryRoute(host: HostDescription, from: SubjectId, to: SubjectId, assumptions: readonly string[], directPeers: boolean): PeerProof | null {
  const topology = new Topology(host);
  const source = topology.byId(from);
  const target = topology.byId(to);
  const address = target?.bars.find((bar) => bar.index !== 6)?.range.start;
  if (source === undefined || target === undefined || address === undefined) return null;
  const formed = formGroups(host, topology, profileFor(host.kernel.version), parseCommandLine(host.kernel.commandLine));
  const fabric = new Fabric(topology, formed.acs, formed.units, formed.aliases, { ...USUAL_ROOT_COMPLEX, directPeers });
  const trace: TraceEvent[] = [];
  const route = routeRequest(fabric, { source, address, access: 'write', addressType: 'untranslated' }, trace);
  return route.at === 'peer' && route.function.id === to ? { device: from, peer: to, address, assumptions, trace } : null;
}

function underAssumptions(host: HostDescription, from: SubjectId, to: SubjectId): PeerProof | null {
  const topology = new Topology(host);
  const source = topology.byId(from);
  const target = topology.byId(to);
  if (source === undefined || target === undefined) return null;
  const assumptions: string[] = [];
  let changed = host;
  if (target.bars.length === 0) {
    changed = withBar(changed, topology, target);
    assumptions.push(`the file describes no BAR of ${target.name}, so one is taken`);
  }
  const sameDevice = topology.slot(source).includes(target);
  if (sameDevice) {
    changed = replaced(changed, from, { internalPeerToPeer: true });
    assumptions.push('functions of one device may reach each other inside it, and nothing says that these cannot');
  }
  const root = (fn: FunctionDescription): FunctionDescription => [...topology.ancestors(fn)].at(-1) ?? fn;
  const acrossRoot = !sameDevice && root(source) !== root(target);
  if (acrossRoot) assumptions.push('a root complex may hand requests of one root port to another without its IOMMU when the port does not redirect them');
  return tryRoute(changed, from, to, assumptions, acrossRoot);
}

const replaced = (host: HostDescription, id: SubjectId, change: Partial<FunctionDescription>): HostDescription => ({ ...host, functions: host.functions.map((fn) => (fn.id === id ? { ...fn, ...change } : fn)) });

/** Windows of the bridges above are worked out anew, so that they let the pretended BAR through. */
function withBar(host: HostDescription, topology: Topology, target: FunctionDescription): HostDescription {
  const range = { start: PRETENDED_BAR, last: PRETENDED_BAR + BAR_SIZE - 1n } as AddressRange<PhysicalAddress>;
  const above = new Set([...topology.ancestors(target)].map((bridge) => bridge.id));
  return {
    ...host,
    functions: host.functions.map((fn) => {
      if (fn.id === target.id) return { ...fn, bars: [{ index: 0, range, prefetchable: true }] };
      return above.has(fn.id) && fn.windows.length > 0 ? { ...fn, windows: [...fn.windows, { range, prefetchable: true }] } : fn;
    }),
  };
}
