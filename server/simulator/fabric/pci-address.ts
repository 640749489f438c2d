/** PCI addresses as numbers and as text (ALI-01, PCIE-01, PCIE-02). */
import type { PciAddress } from '../description.js';

/** (device << 3) | function; with ARI the eight bits are one function number. */
export const devfnOf = ({ device, function: number }: PciAddress): number => ((device << 3) | number) & 0xff;

/** The 16 bits that a request carries: bus and devfn (ALI-01). */
export const requesterIdOf = (address: PciAddress): number => requesterId(address.bus, devfnOf(address));

export const requesterId = (bus: number, devfn: number): number => ((bus & 0xff) << 8) | devfn;

const hexadecimal = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Of each byte: reasons and messages name addresses by the thousand. */
const TWO_DIGITS = Array.from({ length: 0x100 }, (_, byte) => hexadecimal(byte, 2));

/** "01.0": device and function as Linux prints eight bits, ARI or not. */
export const devfnText = (devfn: number): string => `${TWO_DIGITS[devfn >> 3]}.${devfn & 7}`;

/** "0000:01:00.0", as sysfs names the function. */
export const addressText = (address: PciAddress): string => `${hexadecimal(address.segment, 4)}:${TWO_DIGITS[address.bus] ?? hexadecimal(address.bus, 2)}:${devfnText(devfnOf(address))}`;

/** "01:00.0" from the 16 bits of a requester ID. */
export const requesterIdText = (id: number): string => `${TWO_DIGITS[id >> 8] ?? hexadecimal(id >> 8, 2)}:${devfnText(id & 0xff)}`;

/**
 * Where virtual function `index` of a physical function answers: a 16-bit addition that may carry into the bus number (PCIE-02).
 */
export function virtualFunctionAddress(physical: PciAddress, sriov: { readonly offset: number; readonly stride: number }, index: number): PciAddress {
  const id = (requesterIdOf(physical) + sriov.offset + index * sriov.stride) & 0xffff;
  return { segment: physical.segment, bus: id >> 8, device: (id >> 3) & 0x1f, function: id & 7 };
}
