/** The registers of an AMD-Vi unit that decide what happens to a request (hw-x86 3.2). Writable by whoever plays firmware. */
import type { AddressRange } from '../../memory/address.js';

export interface AmdRegisters {
  /** Control.IommuEn */
  enabled: boolean;
  /** As written: bits 51:12 table, 8:0 its 4 KiB pages less one. */
  deviceTable: bigint;
  /** Control.GAEn: interrupt entries have 128 bits instead of 32. */
  wideInterruptEntries: boolean;
  /** Exclusion range while ExEn is set: untranslated, for devices with DTE.EX or, with `all`, for every device. */
  exclusion: { readonly range: AddressRange; readonly all: boolean } | null;
}

/** Bytes of a device table entry. */
export const ENTRY_BYTES = 32;
const TABLE_PAGE = 4096n;

/** Entries that the device table register covers. */
export const entriesOf = (deviceTable: bigint): number => Number((((deviceTable & 0x1ffn) + 1n) * TABLE_PAGE) / BigInt(ENTRY_BYTES));
