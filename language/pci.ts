/** PCI addresses and bus numbers as text: hexadecimal, as lspci prints them. */
import type { PciAddress } from '../server/simulator/description.js';

const ADDRESS = /^(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-9a-fA-F]{1,2})$/;
const DEVFN = /^([0-9a-fA-F]{1,2})\.([0-7])$/;

const hexNumber = (text: string): number => Number.parseInt(text, 16);

/**
 * `0000:01:00.0`, or `01:00.0` in segment 0. Device above 0x1f gives undefined, function above 7 too unless the device is 0
 * (then it is an ARI function, 0 .. 0xff).
 */
export function parsePciAddress(text: string | undefined): PciAddress | undefined {
  const match = ADDRESS.exec(text ?? '');
  if (match === null) return undefined;
  const address = { segment: hexNumber(match[1] ?? '0'), bus: hexNumber(match[2]!), device: hexNumber(match[3]!), function: hexNumber(match[4]!) };
  if (address.device > 0x1f || (address.function > 7 && address.device !== 0)) return undefined;
  return address;
}

/** Device and function `1c.2` as one byte (0xe2). */
export function parseDevfn(text: string): number | undefined {
  const match = DEVFN.exec(text);
  if (match === null) return undefined;
  const device = hexNumber(match[1]!);
  return device > 0x1f ? undefined : (device << 3) | Number(match[2]);
}

/** A bus number: two hexadecimal digits as in an address, or `0x1f`. */
export function parseBus(text: string | undefined): number | undefined {
  const match = /^(?:0[xX])?([0-9a-fA-F]{1,2})$/.exec(text ?? '');
  return match === null ? undefined : hexNumber(match[1]!);
}

/** `10de:2484` */
export function parseIdPair(text: string | undefined): { readonly first: number; readonly second: number } | undefined {
  const match = /^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})$/.exec(text ?? '');
  return match === null ? undefined : { first: hexNumber(match[1]!), second: hexNumber(match[2]!) };
}

const digits = (value: number, count: number): string => value.toString(16).padStart(count, '0');

/** The short form in segment 0, else with the segment. */
export function printPciAddress(address: PciAddress): string {
  const segment = address.segment === 0 ? '' : `${digits(address.segment, 4)}:`;
  return `${segment}${digits(address.bus, 2)}:${digits(address.device, 2)}.${address.function.toString(16)}`;
}

/** One number that orders addresses as the kernel enumerates them, and tells them apart. ARI or not, the low byte is the devfn. */
export function addressKey(address: PciAddress): number {
  return (address.segment * 256 + address.bus) * 256 + devfnOf(address);
}

export function devfnOf(address: PciAddress): number {
  return address.function > 7 ? address.function : (address.device << 3) | address.function;
}

/** The address whose requester ID is `rid` (16 bits) in `segment`. */
export function addressOfRid(segment: number, rid: number): PciAddress {
  return { segment, bus: (rid >> 8) & 0xff, device: (rid >> 3) & 0x1f, function: rid & 7 };
}
