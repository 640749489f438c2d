/** Events that an AMD-Vi unit logs, and what Linux prints about them (hw-x86 3.9, 3.12, AMD-30). */
import { hex } from '../../memory/address.js';
import type { UnitFault, UnitRequest } from '../architecture.js';

export const EVENT = {
  illegalDeviceEntry: 1,
  pageFault: 2,
  deviceTableError: 3,
  pageTableError: 4,
  invalidRequest: 8,
} as const;

export const EVENT_NAMES: Readonly<Record<number, string>> = {
  0x1: 'ILLEGAL_DEV_TABLE_ENTRY', 0x2: 'IO_PAGE_FAULT', 0x3: 'DEV_TAB_HARDWARE_ERROR', 0x4: 'PAGE_TAB_HARDWARE_ERROR', 0x5: 'ILLEGAL_COMMAND_ERROR',
  0x6: 'COMMAND_HARDWARE_ERROR', 0x7: 'IOTLB_INV_TIMEOUT', 0x8: 'INVALID_DEVICE_REQUEST', 0x9: 'INVALID_PPR_REQUEST', 0xa: 'EVENT_COUNTER_ZERO',
  0xb: 'GUEST_EVENT_FAULT', 0xc: 'VIOMMU_HARDWARE_ERROR', 0xd: 'RMP_PAGE_FAULT', 0xe: 'RMP_HARDWARE_ERROR',
};

/** The flag bits as Linux prints them. */
export const FLAG = {
  guest: 0x001, noExecute: 0x002, user: 0x004, interrupt: 0x008, present: 0x010, write: 0x020, permission: 0x040, reserved: 0x080, translation: 0x100,
} as const;

export const FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [FLAG.guest, 'GN'], [FLAG.noExecute, 'NX'], [FLAG.user, 'US'], [FLAG.interrupt, 'I'], [FLAG.present, 'PR'], [FLAG.write, 'RW'],
  [FLAG.permission, 'PE'], [FLAG.reserved, 'RZ'], [FLAG.translation, 'TR'],
];

/** The type field of INVALID_DEVICE_REQUEST and of the hardware errors. */
export const typeFlag = (type: number): number => type << 9;

/** Types of INVALID_DEVICE_REQUEST without TR. */
export const INVALID = {
  interruptRangeRead: 0, preTranslated: 1, portIo: 2, postedWrite: 3, nonPosted: 4, interruptAborted: 5, reservedInterrupt: 6, systemManagement: 7,
} as const;

/** Type of a hardware error: nothing answered. */
export const MASTER_ABORT = 1;

export function amdFault(code: number, flags: number, domainId: number, recorded = true): UnitFault {
  return { kind: 'fault', code, name: EVENT_NAMES[code]!, flags, domainId, recorded };
}

/** "PR PE" or "none". */
export function flagText(flags: number): string {
  const names = FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  if (flags >>> 9 !== 0) names.push(`type ${flags >>> 9}`);
  return names.length === 0 ? 'none' : names.join(' ');
}

const padded = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const two = (value: number): string => value.toString(16).padStart(2, '0');

/** "0000:41:00.0", without the segment in older kernels. */
export function eventDevice(requesterId: number, segment: number, withSegment: boolean): string {
  const address = `${two(requesterId >> 8)}:${two((requesterId >> 3) & 31)}.${requesterId & 7}`;
  return withSegment ? `${segment.toString(16).padStart(4, '0')}:${address}` : address;
}

export interface EventSource {
  /** As `eventDevice` writes it. */
  readonly device: string;
  /** The PCI function, when the kernel knows it; its driver's name, else the bus's, begins the line. */
  readonly known: { readonly name: string; readonly driver: string | null } | null;
  /** Name of the unit's own device, "ivhd0". */
  readonly unit: string;
}

/** How the middle of each event's line is written; those of the unit's own begin with the unit. */
const DETAILS: Readonly<Record<number, (source: EventSource, address: string, flags: string, pasid: string) => string>> = {
  [EVENT.illegalDeviceEntry]: ({ device }, address, flags, pasid) => `device=${device} pasid=${pasid} address=${address} flags=${flags}`,
  [EVENT.deviceTableError]: ({ device }, address, flags) => `device=${device} address=${address} flags=${flags}`,
  [EVENT.pageTableError]: ({ device }, address, flags, pasid) => `device=${device} pasid=${pasid} address=${address} flags=${flags}`,
  [EVENT.invalidRequest]: ({ device }, address, flags, pasid) => `device=${device} pasid=${pasid} address=${address} flags=${flags}`,
};

/** The lines of one logged event. Unlike VT-d's, the address is printed in full. */
export function eventLines(fault: UnitFault, request: UnitRequest, source: EventSource): readonly string[] {
  const address = hex(request.address);
  const flags = padded(fault.flags ?? 0, 4);
  if (fault.code === EVENT.pageFault) {
    const domain = padded(fault.domainId ?? 0, 4);
    if (source.known === null) return [`AMD-Vi: Event logged [IO_PAGE_FAULT device=${source.device} domain=${domain} address=${address} flags=${flags}]`];
    return [`${source.known.driver ?? 'pci'} ${source.known.name}: AMD-Vi: Event logged [IO_PAGE_FAULT domain=${domain} address=${address} flags=${flags}]`];
  }
  const details = DETAILS[fault.code]!(source, address, flags, padded(request.pasid ?? 0, 5));
  return [`iommu ${source.unit}: AMD-Vi: Event logged [${fault.name} ${details}]`];
}
