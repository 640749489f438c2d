/** How AMD's driver finds a device that is not on PCI in firmware's table of ACPI devices (GRD-02). */
import type { IommuDescription, PlatformDeviceDescription } from '../description.js';
import type { GroupRefusal } from './grouping.js';

export type AcpiMatch = { readonly kind: 'found'; readonly deviceId: number; readonly message?: string } | { readonly kind: 'refused'; readonly refusal: GroupRefusal };

/** Release from which one entry with the right HID is enough where no UID fits. */
const MATCHES_BY_HID_SINCE = 6016;

const refused = (why: string): AcpiMatch => ({ kind: 'refused', refusal: { errno: 'ENODEV', why } });

/** A device with stream IDs of its own is taken by the first of them, as if the table had it. */
export function matchAcpiDevice({ hid, uid, streamIds, name }: PlatformDeviceDescription, { acpiDevices = [] }: IommuDescription, release: number): AcpiMatch {
  if (hid === undefined) return streamIds[0] === undefined ? refused(`${name} has no ACPI companion that the driver could look for`) : { kind: 'found', deviceId: streamIds[0] };
  const sameHid = acpiDevices.filter((each) => each.hid === hid);
  const exact = sameHid.find((each) => each.uid === undefined || each.uid === uid);
  if (exact !== undefined) return { kind: 'found', deviceId: exact.deviceId };
  if (release < MATCHES_BY_HID_SINCE || sameHid.length === 0) return refused(`firmware's table of ACPI devices has no ${hid}${uid === undefined ? '' : ` with UID ${uid}`}`);
  const message = `[Firmware Bug]: No ACPI device matched UID, but ${sameHid.length} device${sameHid.length > 1 ? 's' : ''} matched HID.`;
  if (sameHid.length > 1) return { kind: 'refused', refusal: { errno: 'ENODEV', why: `firmware's table has ${sameHid.length} devices ${hid}, none with its UID`, message } };
  return { kind: 'found', deviceId: sameHid[0]!.deviceId, message };
}
