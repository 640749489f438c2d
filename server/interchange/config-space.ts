/** Configuration space from a hex dump (`lspci -x`, `-xxx`, `-xxxx`): facts that names and flags do not give. */
import type { FunctionType } from '../simulator/description.js';
import { busesOf, type FunctionFacts } from './facts.js';

/** Device/port type field of the PCIe capability register, bits 7:4 (PCIE r6 7.5.3.2). */
const PORT_TYPES: readonly (FunctionType | undefined)[] = [
  'endpoint', 'legacy-endpoint', undefined, undefined, 'root-port', 'upstream-port', 'downstream-port', 'pcie-to-pci-bridge', 'pci-to-pcie-bridge',
  'integrated-endpoint', 'event-collector',
];
const EXPRESS_CAPABILITY = 0x10;

/** Fills in what the dump shows; what was read from names before gives way to it. */
export function readConfigSpace(facts: FunctionFacts, hexLines: readonly string[]): void {
  const bytes = bytesOf(hexLines);
  const word = (at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
  if (bytes.length < 64 || word(0) === 0xffff || word(0) === 0) return;
  facts.vendor = word(0);
  facts.device = word(2);
  facts.classCode = (word(10) << 8) | bytes[9]!;
  facts.multifunction = (bytes[14]! & 0x80) !== 0;
  facts.bridge = (bytes[14]! & 0x7f) === 1;
  if (facts.bridge) facts.buses = busesOf(bytes[25], bytes[26]);
  else if (word(44) !== 0) [facts.subsystemVendor, facts.subsystemDevice] = [word(44), word(46)];
  facts.type ??= expressType(bytes);
}

/** From 00: contiguous; a gap ends it. */
function bytesOf(lines: readonly string[]): readonly number[] {
  const bytes: number[] = [];
  for (const line of lines) {
    const [offset, ...row] = line.trim().split(/[: ]+/);
    if (parseInt(offset!, 16) !== bytes.length) break;
    bytes.push(...row.map((byte) => parseInt(byte, 16)));
  }
  return bytes;
}

/** Undefined when the dump does not reach the capabilities (64 bytes only) or the list is broken. */
function expressType(bytes: readonly number[]): FunctionType | undefined {
  if ((bytes[6]! & 0x10) === 0) return 'pci';
  if (bytes.length < 256) return undefined;
  const seen = new Set<number>();
  for (let at = bytes[0x34]! & 0xfc; at !== 0 && !seen.has(at); at = bytes[at + 1]! & 0xfc) {
    seen.add(at);
    if (bytes[at] === EXPRESS_CAPABILITY) return PORT_TYPES[bytes[at + 2]! >> 4];
  }
  return 'pci';
}
