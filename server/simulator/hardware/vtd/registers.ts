/** The registers of a VT-d unit that decide what happens to a request (hw-x86 2.2). Writable by whoever plays firmware. */
import type { AddressRange, PhysicalAddress } from '../../memory/address.js';

export interface VtdRegisters {
  /** GSTS.TES */
  translationEnabled: boolean;
  /** RTADDR as written: bits 63:12 root table, 11:10 TTM. */
  rootTable: bigint;
  /** GSTS.IRES */
  interruptRemappingEnabled: boolean;
  /** GSTS.CFIS: compatibility format interrupts pass. */
  compatibilityInterrupts: boolean;
  /** IRTA as written: bits 63:12 table, 11 EIME, 3:0 S (2^(S+1) entries); null = the entries are not described. */
  interruptTable: bigint | null;
  /** Protected memory regions while PMEN.EPM is set (VTD-24). */
  protectedMemory: readonly AddressRange<PhysicalAddress>[];
}

/** RTADDR.TTM */
export const TABLE_MODE = { legacy: 0, scalable: 1, reserved: 2, abort: 3 } as const;

export const tableMode = (registers: VtdRegisters): number => Number((registers.rootTable >> 10n) & 3n);
