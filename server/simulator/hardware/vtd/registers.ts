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

/** GCMD and GSTS */
const STATUS = { translation: 1n << 31n, interruptRemapping: 1n << 25n, compatibilityInterrupts: 1n << 23n } as const;
/** PMEN.EPM */
const PROTECT = 1n << 31n;
/** Protected regions begin and end at such a boundary; units say which, and 2 MiB is usual. */
const REGION_ALIGNMENT = 1n << 21n;

/** Base and limit of each region. */
const REGIONS = [['PLMBASE', 'PLMLIMIT'], ['PHMBASE', 'PHMLIMIT']] as const;

/** Registers written by hand, by their names in the register map. */
export class VtdRegisterFile {
  private protect = false;
  private readonly bounds = new Map<string, bigint>();

  constructor(private readonly registers: VtdRegisters) {}

  write(name: string, value: bigint): void {
    const { registers } = this;
    switch (name) {
      case 'GCMD': case 'GSTS':
        registers.translationEnabled = (value & STATUS.translation) !== 0n;
        registers.interruptRemappingEnabled = (value & STATUS.interruptRemapping) !== 0n;
        registers.compatibilityInterrupts = (value & STATUS.compatibilityInterrupts) !== 0n;
        return;
      case 'RTADDR': registers.rootTable = value; return;
      case 'IRTA': registers.interruptTable = value; return;
      case 'PMEN': this.protect = (value & PROTECT) !== 0n; break;
      default: this.bounds.set(name, value);
    }
    registers.protectedMemory = this.protect ? REGIONS.flatMap(([base, limit]) => this.region(base, limit)) : [];
  }

  /** VTD-24: none until both ends were written, nor where it ends before it begins. */
  private region(base: string, limit: string): AddressRange<PhysicalAddress>[] {
    const [first, last] = [this.bounds.get(base), this.bounds.get(limit)];
    if (first === undefined || last === undefined || last < first) return [];
    return [{ start: (first & ~(REGION_ALIGNMENT - 1n)) as PhysicalAddress, last: (last | (REGION_ALIGNMENT - 1n)) as PhysicalAddress }];
  }
}
