/** Registers of IOMMU units that a person may write by hand, as the manuals name them: those that decide what happens to a request. */
import type { IommuArchitectureName } from '../description.js';

export interface RegisterSpec {
  readonly name: string;
  /** In the unit's register space, in bytes. */
  readonly offset: number;
  readonly bits: 32 | 64;
  /** What its fields decide, for hovers. */
  readonly doc: string;
}

const register = (name: string, offset: number, bits: RegisterSpec['bits'], doc: string): RegisterSpec => ({ name, offset, bits, doc });

const REGISTERS: Readonly<Partial<Record<IommuArchitectureName, readonly RegisterSpec[]>>> = {
  vtd: [
    register('GCMD', 0x18, 32, '31 TE: requests are translated; 25 IRE: interrupts are remapped; 23 CFI: interrupts of the old format pass.'),
    register('GSTS', 0x1c, 32, 'As GCMD: 31 TES, 25 IRES, 23 CFIS.'),
    register('RTADDR', 0x20, 64, '63:12 root table; 11:10 TTM: 0 legacy, 1 scalable, 3 abort. In force at once, as after GCMD.SRTP (VTD-10).'),
    register('PMEN', 0x64, 32, '31 EPM: the protected memory regions are in force (VTD-24).'),
    register('PLMBASE', 0x68, 32, 'First byte of the low protected region.'),
    register('PLMLIMIT', 0x6c, 32, 'Last byte of the low protected region; bits below its alignment count as set.'),
    register('PHMBASE', 0x70, 64, 'First byte of the high protected region.'),
    register('PHMLIMIT', 0x78, 64, 'Last byte of the high protected region; bits below its alignment count as set.'),
    register('IRTA', 0xb8, 64, '63:12 interrupt remapping table; 11 EIME; 3:0 S: 2^(S+1) entries.'),
  ],
  'amd-vi': [
    register('DEVTAB_BASE', 0x00, 64, '51:12 device table; 8:0 its size in pages of 4 KiB, less one.'),
    register('CONTROL', 0x18, 64, '0 IommuEn: requests are translated; 17 GAEn: interrupt entries have 128 bits.'),
    register('EXCL_BASE', 0x20, 64, '51:12 first page of the exclusion range; 1 Allow: for every device; 0 ExEn: in force.'),
    register('EXCL_LIMIT', 0x28, 64, '51:12 last page of the exclusion range.'),
  ],
  smmuv3: [
    register('CR0', 0x20, 32, '0 SMMUEN: streams are looked up; 4 ATSCHK: translated requests are looked at.'),
    register('CR2', 0x2c, 32, '1 RECINVSID: an event for streams beyond the table.'),
    register('GBPA', 0x44, 32, '20 ABORT: what becomes of requests while SMMUEN is 0.'),
    register('STRTAB_BASE', 0x80, 64, '51:6 stream table.'),
    register('STRTAB_BASE_CFG', 0x88, 32, '5:0 LOG2SIZE: streams; 10:6 SPLIT; 17:16 FMT: 0 linear, 1 two levels.'),
  ],
  'riscv-iommu': [
    register('fctl', 0x08, 32, '0 BE: directories and second stage are big-endian; 2 GXL: second stage of 32-bit guests.'),
    register('ddtp', 0x10, 64, '3:0 mode: 0 Off, 1 Bare, 2 to 4 = 1LVL to 3LVL; 53:10 page of the device directory. As written from Off: a mode that the unit has not leaves it off.'),
  ],
};

const NONE: readonly RegisterSpec[] = [];

/** In the order of their offsets; none for architectures whose registers are not modelled. */
export const registersOf = (architecture: IommuArchitectureName): readonly RegisterSpec[] => REGISTERS[architecture] ?? NONE;

/** Of all architectures. */
export const REGISTER_NAMES: readonly string[] = [...new Set(Object.values(REGISTERS).flatMap((specs) => specs.map(({ name }) => name)))];

/** By name in any case, with or without `_REG`, or by offset ("0x20"). */
export function registerNamed(architecture: IommuArchitectureName, text: string): RegisterSpec | undefined {
  if (/^\d/.test(text)) return registersOf(architecture).find(({ offset }) => offset === Number(text.replaceAll('_', '')));
  const name = text.toUpperCase().replace(/_REG$/, '');
  return registersOf(architecture).find((spec) => spec.name.toUpperCase() === name);
}
