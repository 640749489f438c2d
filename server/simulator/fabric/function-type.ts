/** What kinds of functions there are and what follows from the kind alone. */
import type { FunctionDescription, FunctionType } from '../description.js';

const BRIDGES: ReadonlySet<FunctionType> = new Set(['root-port', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge', 'pci-bridge']);
const CONVENTIONAL: ReadonlySet<FunctionType> = new Set(['pci', 'pci-bridge']);

const BRIDGE_CLASS = 0x0604;
const IOMMU_CLASS = 0x0806;

const baseAndSubclass = (fn: FunctionDescription): number => (fn.classCode ?? 0) >> 8;

/** By its type, or by what else is known of it when the type is not. */
export const isBridge = (fn: FunctionDescription): boolean => BRIDGES.has(fn.type) || (fn.type === 'unknown' && (fn.buses !== undefined || baseAndSubclass(fn) === BRIDGE_CLASS));

/** Has a PCI Express capability; null when the type is not known. */
export const isPcie = (fn: FunctionDescription): boolean | null => (fn.type === 'unknown' ? null : !CONVENTIONAL.has(fn.type));

/** An IOMMU's own configuration function, as AMD's units have one. */
export const isIommuFunction = (fn: FunctionDescription): boolean => baseAndSubclass(fn) === IOMMU_CLASS;

const NAMES: Readonly<Record<FunctionType, string>> = {
  endpoint: 'endpoint', 'legacy-endpoint': 'legacy endpoint', 'integrated-endpoint': 'integrated endpoint', 'event-collector': 'event collector',
  'root-port': 'root port', 'upstream-port': 'upstream port', 'downstream-port': 'downstream port',
  'pcie-to-pci-bridge': 'PCIe-to-PCI bridge', 'pci-to-pcie-bridge': 'PCI-to-PCIe bridge',
  pci: 'conventional function', 'pci-bridge': 'conventional bridge', unknown: 'function of unknown type',
};

/** The kind in words, for texts. */
export const typeText = (fn: FunctionDescription): string => (fn.type === 'unknown' && isBridge(fn) ? 'bridge of unknown type' : NAMES[fn.type]);
