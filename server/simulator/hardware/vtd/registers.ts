/** The registers of a VT-d unit that decide what happens to a request (hw-x86 2.2). Writable by whoever plays firmware. */
import type { AddressRange, PhysicalAddress } from '../../memory/address.js';
import { frameOf, lowHalf } from '../../memory/frame.js';

/** RTADDR.TTM */
export const TABLE_MODE = { legacy: 0, scalable: 1, reserved: 2, abort: 3 } as const;

export class VtdRegisters {
  /** GSTS.TES */
  translationEnabled = true;
  /** GSTS.IRES */
  interruptRemappingEnabled = false;
  /** GSTS.CFIS: compatibility format interrupts pass. */
  compatibilityInterrupts = false;
  /** IRTA as written: bits 63:12 table, 11 EIME, 3:0 S (2^(S+1) entries); null = the entries are not described. */
  interruptTable: bigint | null = null;
  /** Protected memory regions while PMEN.EPM is set (VTD-24). */
  protectedMemory: readonly AddressRange<PhysicalAddress>[] = [];

  /** Frame of the root table. */
  rootFrame = 0;
  /** RTADDR.TTM, one of TABLE_MODE. */
  tableMode: number = TABLE_MODE.legacy;
  private rootTableWritten = 0n;

  /** RTADDR as written: bits 63:12 root table, 11:10 TTM (VTD-10). */
  get rootTable(): bigint {
    return this.rootTableWritten;
  }
  set rootTable(value: bigint) {
    this.rootTableWritten = value;
    this.rootFrame = frameOf(value);
    this.tableMode = (lowHalf(value) >>> 10) & 3;
  }
}
