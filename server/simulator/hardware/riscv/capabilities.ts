/** What a RISC-V IOMMU can do: the `capabilities` register, and what its makers may choose (RVI 4.1). */
import type { IommuDescription } from '../../description.js';

/** The parts of `capabilities` that change an answer. */
export interface RiscvCapabilities {
  /** Paging modes of the first stage. */
  readonly sv32: boolean;
  readonly sv39: boolean;
  readonly sv48: boolean;
  readonly sv57: boolean;
  /** Paging modes of the second stage. */
  readonly sv32x4: boolean;
  readonly sv39x4: boolean;
  readonly sv48x4: boolean;
  readonly sv57x4: boolean;
  /** Svrsw60t59b: bits 60:59 of a page table entry are software's. */
  readonly softwareBits: boolean;
  /** Svpbmt: bits 62:61 of a leaf say the memory type. */
  readonly memoryTypes: boolean;
  /** MSI_FLAT: device contexts have the extended format, with an MSI page table. */
  readonly msiFlat: boolean;
  /** MSI_MRIF: interrupt files may be in memory. */
  readonly msiMrif: boolean;
  /** AMO_HWAD: accessed and dirty bits can be set by the unit. */
  readonly setsAccessedDirty: boolean;
  readonly ats: boolean;
  /** Translation requests may be answered with guest physical addresses. */
  readonly t2gpa: boolean;
  /** END: the tables of a device may have another byte order than the unit's own. */
  readonly bothEndians: boolean;
  /** Widths of process directories. */
  readonly pd8: boolean;
  readonly pd17: boolean;
  readonly pd20: boolean;
  /** QOSID: device contexts carry RCID and MCID. */
  readonly qualityOfService: boolean;
  /** PAS: bits of physical address. */
  readonly physicalBits: number;
}

/** What the specification leaves to whoever builds a unit. */
export interface RiscvChoices {
  /** fctl.GXL and fctl.BE can be written. */
  readonly gxlWritable: boolean;
  readonly beWritable: boolean;
  /** Largest value of ddtp.MODE that is kept. */
  readonly largestDirectory: number;
  /** log2 of the bytes of the pages that a Bare stage is said to have. */
  readonly bareFirstShift: number;
  readonly bareSecondShift: number;
}

/** ddtp.MODE */
export const DIRECTORY = { off: 0, bare: 1, oneLevel: 2, twoLevels: 3, threeLevels: 4 } as const;

/** As the specification recommends: the range of a Bare stage is large. */
export const USUAL_CHOICES: RiscvChoices = { gxlWritable: false, beWritable: false, largestDirectory: DIRECTORY.threeLevels, bareFirstShift: 30, bareSecondShift: 30 };

const BIT = {
  sv32: 8, sv39: 9, sv48: 10, sv57: 11, softwareBits: 14, memoryTypes: 15, sv32x4: 16, sv39x4: 17, sv48x4: 18, sv57x4: 19, msiFlat: 22, msiMrif: 23,
  setsAccessedDirty: 24, ats: 25, t2gpa: 26, bothEndians: 27, pd8: 38, pd17: 39, pd20: 40, qualityOfService: 41,
} as const satisfies Readonly<Record<Exclude<keyof RiscvCapabilities, 'physicalBits'>, number>>;
type Flag = keyof typeof BIT;
const FLAGS = Object.keys(BIT) as Flag[];

const PHYSICAL_BITS_SHIFT = 32n;

/** From the register's value. */
export function decodeCapabilities(register: bigint): RiscvCapabilities {
  const flags = Object.fromEntries(FLAGS.map((flag) => [flag, ((register >> BigInt(BIT[flag])) & 1n) === 1n])) as Record<Flag, boolean>;
  return { ...flags, physicalBits: Number((register >> PHYSICAL_BITS_SHIFT) & 0x3fn) };
}

const DEFAULT_ADDRESS_WIDTH = 48;
const DEFAULT_PHYSICAL_WIDTH = 56;

/** What a described unit has: each width of address comes with the smaller ones. */
export function riscvCapabilities(unit: IommuDescription): RiscvCapabilities {
  const width = unit.addressWidth ?? DEFAULT_ADDRESS_WIDTH;
  const nested = unit.nested;
  return {
    sv32: false, sv39: true, sv48: width >= 48, sv57: width >= 57,
    sv32x4: false, sv39x4: nested, sv48x4: nested && width >= 48, sv57x4: nested && width >= 57,
    softwareBits: false, memoryTypes: true, msiFlat: unit.interruptRemapping, msiMrif: false, setsAccessedDirty: unit.dirtyTracking,
    ats: unit.deviceTlb, t2gpa: unit.deviceTlb && nested, bothEndians: false,
    pd8: unit.pasidBits >= 8, pd17: unit.pasidBits >= 17, pd20: unit.pasidBits >= 20, qualityOfService: false,
    physicalBits: unit.physicalWidth ?? DEFAULT_PHYSICAL_WIDTH,
  };
}
