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

const CONTROL = { enabled: 1n << 0n, wideInterruptEntries: 1n << 17n } as const;
const EXCLUSION = { enabled: 1n << 0n, all: 1n << 1n } as const;
/** Bits 51:12 */
const PAGE_OF_REGISTER = 0xf_ffff_ffff_f000n;

/** Registers written by hand, by their names in the register map. */
export class AmdRegisterFile {
  private exclusionBase = 0n;
  private exclusionLimit = 0n;

  constructor(private readonly registers: AmdRegisters) {}

  write(name: string, value: bigint): void {
    switch (name) {
      case 'DEVTAB_BASE': this.registers.deviceTable = value; break;
      case 'CONTROL':
        this.registers.enabled = (value & CONTROL.enabled) !== 0n;
        this.registers.wideInterruptEntries = (value & CONTROL.wideInterruptEntries) !== 0n;
        break;
      case 'EXCL_BASE': this.exclusionBase = value; this.updateExclusion(); break;
      case 'EXCL_LIMIT': this.exclusionLimit = value; this.updateExclusion(); break;
    }
  }

  private updateExclusion(): void {
    const range = { start: this.exclusionBase & PAGE_OF_REGISTER, last: this.exclusionLimit & PAGE_OF_REGISTER };
    this.registers.exclusion = (this.exclusionBase & EXCLUSION.enabled) === 0n ? null : { range, all: (this.exclusionBase & EXCLUSION.all) !== 0n };
  }
}
