/** The registers of an AMD-Vi unit that decide what happens to a request (hw-x86 3.2). Writable by whoever plays firmware. */
import type { AddressRange } from '../../memory/address.js';
import { frameOf, lowHalf } from '../../memory/frame.js';

/** Bytes of a device table entry. */
export const ENTRY_BYTES = 32;
export const ENTRIES_IN_PAGE = 4096 / ENTRY_BYTES;

export class AmdRegisters {
  /** Control.IommuEn */
  enabled = true;
  /** Control.GAEn: interrupt entries have 128 bits instead of 32. */
  wideInterruptEntries = true;
  /** Exclusion range while ExEn is set: untranslated, for devices with DTE.EX or, with `all`, for every device. */
  exclusion: { readonly range: AddressRange; readonly all: boolean } | null = null;

  /** Frame of the device table. */
  tableFrame = 0;
  /** How many entries it has. */
  entries = 0;
  private deviceTableWritten = 0n;

  /** As written: bits 51:12 table, 8:0 its 4 KiB pages less one. */
  get deviceTable(): bigint {
    return this.deviceTableWritten;
  }
  set deviceTable(value: bigint) {
    this.deviceTableWritten = value;
    this.tableFrame = frameOf(value);
    this.entries = ((lowHalf(value) & 0x1ff) + 1) * ENTRIES_IN_PAGE;
  }
}
