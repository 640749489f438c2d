/** Facts about kinds of functions that addresses, checks and descriptions share. */
import type { FunctionType, PciAddress } from '../../server/simulator/description.js';
import * as ast from '../generated/ast.js';
import { amountOf, enabledFunctions } from '../names.js';
import { smallNumber } from '../numbers.js';
import { addressOfRid, devfnOf } from '../pci.js';

/** What `: TYPE` may say after each kind of function; the first is meant when nothing is said. */
export const FUNCTION_TYPES: Readonly<Record<string, Readonly<Record<string, FunctionType>>>> = {
  'function': { endpoint: 'endpoint', legacy: 'legacy-endpoint', conventional: 'pci', unknown: 'unknown' },
  'integrated': { endpoint: 'integrated-endpoint' },
  'event-collector': { collector: 'event-collector' },
  'root-port': { port: 'root-port' },
  'switch': { upstream: 'upstream-port' },
  'port': { downstream: 'downstream-port' },
  'bridge': { 'pcie-to-pci': 'pcie-to-pci-bridge', 'pci-to-pcie': 'pci-to-pcie-bridge', 'pci': 'pci-bridge', 'unknown': 'unknown' },
  'virtual-function': { endpoint: 'endpoint' },
};

export const isBridgeKind = (kind: string): boolean => ['root-port', 'switch', 'port', 'bridge'].includes(kind);

export function typeOf(node: ast.PciFunction): FunctionType {
  const types = FUNCTION_TYPES[node.kind] ?? FUNCTION_TYPES['function']!;
  return (node.type === undefined ? undefined : types[node.type]) ?? Object.values(types)[0]!;
}

/** Offset and stride of virtual functions where the file says nothing: those of many network cards. */
const DEFAULT_OFFSET = 128n;
const DEFAULT_STRIDE = 2n;
const U16 = 0xffff;

export interface SriovShape {
  readonly enabled: number;
  readonly total: number;
  readonly offset: number;
  readonly stride: number;
}

export function sriovShape(sriov: ast.Sriov): SriovShape {
  const enabled = enabledFunctions(sriov);
  const number = (amount: ast.Amount | undefined, usual: bigint): number => smallNumber(amountOf(amount) ?? usual, U16) ?? Number(usual);
  return { enabled, total: Math.max(number(sriov.total, BigInt(enabled)), enabled), offset: number(sriov.offset, DEFAULT_OFFSET), stride: number(sriov.stride, DEFAULT_STRIDE) };
}

/** PCIE-02: requester ID of virtual function `index`; carries into the bus number. */
export function virtualFunctionAddress(physical: PciAddress, shape: SriovShape, index: number): PciAddress {
  const rid = (physical.bus << 8) + devfnOf(physical) + shape.offset + index * shape.stride;
  return addressOfRid(physical.segment, rid & U16);
}
