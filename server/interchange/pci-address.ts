/** PCI addresses as text and in order. */
import type { PciAddress } from '../simulator/description.js';

const digits = (value: number, width: number): string => value.toString(16).padStart(width, '0');

/** "0000:01:00.0", the form of sysfs. */
export const formatAddress = (a: PciAddress): string => `${digits(a.segment, 4)}:${digits(a.bus, 2)}:${digits(a.device, 2)}.${a.function.toString(16)}`;

/** As `formatAddress`, without the segment when it is 0. */
export const shortAddress = (a: PciAddress): string => (a.segment === 0 ? formatAddress(a).slice(5) : formatAddress(a));

const ADDRESS = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i;

/** @returns null when `text` is not a PCI address (device above 1f included). */
export function parseAddress(text: string): PciAddress | null {
  const match = ADDRESS.exec(text);
  if (match === null) return null;
  const device = parseInt(match[3]!, 16);
  if (device > 0x1f) return null;
  return { segment: parseInt(match[1] ?? '0', 16), bus: parseInt(match[2]!, 16), device, function: parseInt(match[4]!, 16) };
}

/** Ascending by segment, bus, device, function. */
export const compareAddresses = (a: PciAddress, b: PciAddress): number => addressKey(a) - addressKey(b);

/** The address as one exact number: segment (32 bits), bus, device, function. */
export const addressKey = (a: PciAddress): number => ((a.segment * 256 + a.bus) * 32 + a.device) * 8 + a.function;
