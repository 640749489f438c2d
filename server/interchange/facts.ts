/**
 * What importers find out about a host, before names and structure are given to it. Whatever an input does not show
 * stays `undefined`: nothing is guessed here.
 */
import type { BarDescription, FunctionType, PciAddress, KernelDescription, IommuArchitectureName } from '../simulator/description.js';
import type { AddressRange, PhysicalAddress } from '../simulator/memory/address.js';

/** Access Control Services of a function; `present`: it has the capability, its bits were not shown. */
export type AcsFacts = { readonly capability: number; readonly control: number } | 'none' | 'present' | 'unknown';

/** One PCI function, filled in as lines are read. */
export interface FunctionFacts {
  readonly address: PciAddress;
  label?: string;
  /** 24 bits: base class, subclass, programming interface. */
  classCode?: number;
  vendor?: number;
  device?: number;
  subsystemVendor?: number;
  subsystemDevice?: number;
  /** Type 1 header; undefined: not shown. */
  bridge?: boolean;
  /** Undefined: capabilities were not shown, so it may be PCIe or not. */
  type?: FunctionType;
  buses?: { readonly secondary: number; readonly subordinate: number };
  /** Header type bit 7 as read; undefined when it was inferred from siblings or not shown. */
  multifunction?: boolean;
  acs: AcsFacts;
  ari?: boolean;
  ats?: boolean;
  pri?: boolean;
  /** Width in bits; `present`: the capability without its width. */
  pasid?: number | 'present' | 'none';
  msi?: boolean;
  functionLevelReset?: boolean;
  bars: BarDescription[];
  windows: { readonly range: AddressRange<PhysicalAddress>; readonly prefetchable: boolean }[];
  /** Offset and stride are at least 1 where they are known. */
  sriov?: { readonly enabled: number; readonly total: number; readonly offset?: number; readonly stride?: number };
  /** null = none bound; undefined = not shown. */
  driver?: string | null;
  group?: number;
  /** Whether it has a group was not shown; otherwise no `group` on a host with groups means that it has none. */
  groupNotShown?: boolean;
  bootVga?: boolean;
}

/** An IOMMU unit that the kernel reported. */
export interface UnitFacts {
  readonly name: string;
  readonly architecture: IommuArchitectureName;
  /** It serves what no other unit's scope names (INCLUDE_PCI_ALL). */
  readonly rest?: boolean;
  readonly segment?: number;
  /** VT-d CAP and ECAP as printed. */
  readonly capability?: bigint;
  readonly extendedCapability?: bigint;
  /** AMD-Vi extended features (EFR) as printed. */
  readonly features?: bigint;
}

export interface HostFacts {
  /** Where it came from, a sentence fragment for the header comment. */
  readonly source: string;
  readonly functions: FunctionFacts[];
  cpuVendor: KernelDescription['cpuVendor'];
  cpu?: string;
  kernelVersion?: string;
  commandLine?: string;
  /** "Translated", "Passthrough", "Passthrough (set via kernel command line)": as the kernel logged it. */
  defaultDomain?: string;
  memory: AddressRange<PhysicalAddress>[];
  units: UnitFacts[];
  /** RMRR, IVMD. */
  reserved: AddressRange[];
  /** Host address width, bits. */
  addressWidth?: number;
  interruptRemapping?: boolean;
  /** What a reader must know about gaps in the input. */
  notes: string[];
}

/** A function about which nothing but its address is known. */
export const emptyFunction = (address: PciAddress): FunctionFacts => ({ address, acs: 'unknown', bars: [], windows: [] });

/** Bus numbers of a bridge; undefined unless both are known and in order (a bridge that was not set up has 0 .. 0). */
export function busesOf(secondary: number | undefined, subordinate: number | undefined): FunctionFacts['buses'] {
  if (secondary === undefined || subordinate === undefined || secondary === 0 || subordinate < secondary || subordinate > 0xff) return undefined;
  return { secondary, subordinate };
}

/** `value` when it is a whole number of 0 .. `max`: what a field that a dump damaged, or a file got wrong, must not break. */
export const wholeNumber = (value: unknown, max: number): number | undefined => (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max ? value : undefined);

/** The kernel counts groups in 32 bits. */
export const MAX_GROUP = 0xffff_ffff;
/** NumVFs and TotalVFs have 16 bits. */
export const MAX_VFS = 0xffff;
/** The widest PASID. */
export const MAX_PASID_WIDTH = 20;
