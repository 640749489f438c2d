/**
 * Partitionable endpoints of IBM POWER without a hypervisor (GRD-11): the host bridge keeps apart what is on different buses, so that a
 * bus is one endpoint. Behind a bridge to conventional PCI all buses are one; a virtual function is one by itself; a bridge is in none.
 */
import type { FunctionDescription } from '../description.js';
import type { Topology } from '../fabric/topology.js';

/** A name for the endpoint of the function; null for what belongs to none. */
export function partitionableEndpoint(topology: Topology, fn: FunctionDescription): string | null {
  if (isBridge(fn)) return null;
  if (fn.virtualFunction !== undefined) return `PE of ${fn.id}`;
  const conventional = [...topology.ancestors(fn)].findLast(({ type }) => type === 'pcie-to-pci-bridge');
  const bus = conventional === undefined ? fn.address.bus : topology.secondaryBus(conventional) ?? fn.address.bus;
  return `PE of bus ${fn.address.segment}:${bus}`;
}

const BRIDGE_CLASS = 0x0604;

const isBridge = ({ type, classCode = 0 }: FunctionDescription): boolean =>
  type === 'root-port' || type === 'upstream-port' || type === 'downstream-port' || type === 'pcie-to-pci-bridge' || type === 'pci-to-pcie-bridge' || type === 'pci-bridge' || classCode >> 8 === BRIDGE_CLASS;
