/** Which functions the kernel does not trust: they came in through an external connector (section 5.2, DOM-22). */
import type { FunctionDescription, SubjectId } from '../description.js';
import type { Topology } from '../fabric/topology.js';
import type { KernelProfile } from './profile.js';

/** Root ports of Thunderbolt controllers inside Intel processors: whatever is below came through a tunnel. */
const INTEGRATED_THUNDERBOLT: ReadonlySet<number> = new Set([0x8a1d, 0x8a1f, 0x8a21, 0x8a23, 0x9a23, 0x9a25, 0x9a27, 0x9a29, 0x9a2b, 0x9a2d, 0x9a2f, 0x9a31]);
const INTEL = 0x8086;

/** Functions in enumeration order, so a parent is decided before its children. */
export function untrustedFunctions(topology: Topology, profile: KernelProfile): Set<SubjectId> {
  const untrusted = new Set<SubjectId>();
  if (!topology.functions.some((fn) => fn.externalFacing)) return untrusted;
  const comesFromOutside = profile.untrusted === 'tunnelled' ? isTunnelled : isBelowExternalPort;
  for (const fn of topology.functions) {
    const above = topology.upstream(fn);
    if (above !== null && (untrusted.has(above.id) || comesFromOutside(topology, fn, above))) untrusted.add(fn.id);
  }
  return untrusted;
}

const isBelowExternalPort = (_topology: Topology, _fn: FunctionDescription, above: FunctionDescription): boolean => above.externalFacing;

/** A controller that sits on the board between the external-facing port and the connector is not behind the tunnel; all else below the port is. */
function isTunnelled(topology: Topology, fn: FunctionDescription): boolean {
  const ancestors = [...topology.ancestors(fn)];
  const root = ancestors.find((each) => each.type === 'root-port');
  if (root?.externalFacing !== true) return false;
  const integrated = root.ids?.vendor === INTEL && INTEGRATED_THUNDERBOLT.has(root.ids.device);
  return integrated || !isDiscreteController([fn, ...ancestors].slice(0, ancestors.indexOf(root) + 1));
}

/** The parts of a controller, from the port down: its switch, the switch's ports, and the endpoints right behind these. */
const CONTROLLER = ['upstream-port', 'downstream-port', 'endpoint'];

const isDiscreteController = (fromFunctionUp: readonly FunctionDescription[]): boolean =>
  fromFunctionUp.length <= CONTROLLER.length && fromFunctionUp.toReversed().every((fn, depth) => fn.type === CONTROLLER[depth]);
