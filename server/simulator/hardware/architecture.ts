/**
 * What every IOMMU architecture offers: a unit that answers requests as its silicon would, and a driver side that
 * programs it as Linux would. Both meet only in simulated memory: the driver writes table entries in the vendor's
 * format, the unit reads them back. Adding an architecture touches this folder's registry and nothing else.
 */
import type { IommuArchitectureName, IommuDescription, SubjectId } from '../description.js';
import type { AddressRange, Iova, PhysicalAddress } from '../memory/address.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { FaultCode, TraceSink } from '../trace/events.js';
import type { Permission } from '../description.js';
import type { Errno } from '../errno.js';

/** One request as it arrives at a unit (GEN-01). */
export interface UnitRequest {
  /**
   * By which the unit knows the sender: the 16-bit requester ID that the request carries (already an alias where a bridge took ownership),
   * or the stream ID or device ID of up to 32 bits that firmware's tables make of it (GRD-20).
   */
  readonly requesterId: number;
  readonly access: 'read' | 'write' | 'atomic';
  readonly addressType: 'untranslated' | 'translation-request' | 'translated';
  readonly address: bigint;
  /** Bytes; the request does not cross a 4 KiB boundary. */
  readonly size: number;
  readonly pasid?: number;
  readonly privileged: boolean;
  readonly execute: boolean;
  /** The 32 bits that a write carries, where they matter: a message-signalled interrupt. Undefined = not known. */
  readonly data?: number;
}

export type UnitAnswer =
  | { readonly kind: 'address'; readonly address: PhysicalAddress; readonly read: boolean; readonly write: boolean; /** Bytes of the leaf page. */ readonly pageSize: bigint; /** From an IOTLB entry that the tables contradict (VTD-70); only said to who traces. */ readonly stale?: true }
  | { readonly kind: 'interrupt'; readonly vector?: number; readonly remapped: boolean }
  | UnitFault
  /** Refused without a fault record. */
  | { readonly kind: 'blocked'; readonly reason: string };

/** The code is a VT-d fault reason, AMD event code, SMMUv3 event number, RISC-V cause, virtio-iommu fault reason. */
export interface UnitFault extends FaultCode {
  readonly kind: 'fault';
  readonly name: string;
  /** AMD: the event's 12 flag bits. Virtio-iommu: the flags of the fault event. */
  readonly flags?: number;
  /** False when the entry's FPD / SA / SE bits suppress the record: no message then. */
  readonly recorded: boolean;
  /** AMD: the domain number that the event names. */
  readonly domainId?: number;
  /** SMMUv3: the words of the event record, lowest first. */
  readonly record?: readonly bigint[];
  /** VT-d: which interrupt remapping entry a blocked interrupt wanted. */
  readonly interruptIndex?: number;
  /** RISC-V: iotval2 of the record, the guest physical address of a guest page fault; bits 0 and 1: of a table that the unit read or was to write. */
  readonly value?: bigint;
}

/** What the Linux driver gives a requester ID (or stream ID, device ID); see hw-x86 4.1. */
export type DeviceEntry =
  | { readonly kind: 'blocked' }
  | { readonly kind: 'identity'; /** AMD: the device uses ATS. */ readonly ats?: boolean }
  | { readonly kind: 'paging'; readonly table: PageTable; readonly domainId: number; readonly ats: boolean; /** The unit sets dirty bits in leaves that are written through (DRT-01). */ readonly dirty?: boolean; /** Walked first; what it gives are addresses of `table` (NST-01). */ readonly userTable?: UserTable };

/** A first-stage table that a user keeps in its own memory (`struct iommu_hwpt_vtd_s1`). */
export interface UserTable {
  /** Where its top is, as an address of the parent's table. */
  readonly root: bigint;
  readonly levels: number;
  /** WPE: write protection holds for privileged requests too. */
  readonly writeProtect: boolean;
  /** SRE: privileged requests may be made with PASID. */
  readonly supervisor: boolean;
}

/** One leaf of a user's table. */
export interface UserMapping {
  readonly start: bigint;
  readonly size: bigint;
  /** Of the parent's table. */
  readonly address: bigint;
  readonly permission: Permission;
}

/** A page table in simulated memory, written by the driver's code of this architecture. */
export interface PageTable {
  readonly root: PhysicalAddress;
  /** Levels now (AMD v1 grows on demand). */
  readonly levels: number;
  /** Supported leaf sizes in bytes as a bit map, bit n = 2^n bytes (PGS-*). */
  readonly pageSizes: bigint;
  /** What the domain accepts (DOM aperture). */
  readonly aperture: AddressRange<Iova>;
  /**
   * Writes leaves for [iova, iova+size), each the largest that fits (LNX-10, MAP-02). All three are multiples of the
   * smallest page. `origin` is remembered for `leaves`.
   * @returns the errno of the page-table code on a collision or an address beyond the table; nothing is left mapped then (MAP-04).
   */
  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): Errno | null;
  /** @returns bytes unmapped: whole leaves, stopping at the first hole (UNM-02); may exceed `size`. */
  unmap(iova: Iova, size: bigint): bigint;
  /** The leaf that maps `iova`, without hardware checks (iommu_iova_to_phys). */
  lookup(iova: Iova): { readonly physical: PhysicalAddress; readonly pageSize: bigint; readonly permission: Permission } | null;
  /** Leaves in IOVA order, neighbours with equal offset and permission joined; at most `limit` runs. */
  runs(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number };
  /** Gives the table pages back. */
  free(): void;
  /** Pages in [iova, iova+size) whose leaves say dirty, which `clear` takes back; where missing, the format has no such bits. */
  takeDirty?(iova: Iova, size: bigint, clear: boolean): readonly AddressRange<Iova>[];
  /** VT-d: leaves carry SNP (`enforce_cache_coherency`). To be set while the table is empty (COH-03). */
  snooped?: boolean;
}

export interface MappedRun {
  readonly iova: AddressRange<Iova>;
  readonly physical: PhysicalAddress;
  readonly permission: Permission;
  readonly pageSizes: readonly bigint[];
  readonly origin?: SubjectId;
}

/** What the driver reports to the IOMMU core about devices behind this unit. */
export interface UnitCapabilities {
  readonly cacheCoherency: boolean;
  readonly enforceCacheCoherency: boolean;
  readonly isolatedMsi: boolean;
  readonly deferredFlush: boolean;
  readonly dirtyTracking: boolean;
  readonly nested: boolean;
  /** PASIDs are below this number; 0 = requests with PASID are not translated (PAS-11). */
  readonly maxPasids: number;
  /** The driver puts paging domains on PASIDs (PAS-01); absent = it does not. */
  readonly pasidAttach?: boolean;
  /** ... also those that track dirty pages (DRT-02). */
  readonly pasidDirty?: boolean;
  /** Domains whose devices are to have PASIDs as well need a table of their own kind, `pasid`, or cannot be had; absent = any table will do. */
  readonly pasidTables?: 'own-kind' | 'none';
  /** A domain learns what it translates when a device is attached to it, and has been made for nobody until then. */
  readonly finishesDomainsAtAttach?: boolean;
  /** What the driver asks of a device before it walks the addresses of a process: PASIDs and nothing else, or it never does; absent = as VT-d. */
  readonly processTables?: 'with-pasids' | 'never';
  /** Widest first-stage table that may be nested, in levels; absent = 4. */
  readonly userTableLevels?: number;
  /** Static blocked domain in this kernel version; else an empty paging domain blocks. */
  readonly blockedDomain: boolean;
  readonly identityDomain: boolean;
  /**
   * False: a domain that was allocated for iommufd cannot be attached (EINVAL), although one of type1 can. VT-d up to 6.12 makes second-stage
   * tables for iommufd, and says "No second level translation support" when the unit has only a first.
   */
  readonly userDomains?: boolean;
  /** False: the driver programs the device's own requester ID only, so requests under an alias fault. VT-d in scalable mode. */
  readonly programsAliases?: boolean;
}

/** An IOTLB as its driver sees it (4.3). */
export interface IotlbControl {
  /** False while somebody only asks what would happen: nothing is remembered then. */
  filling: boolean;
  /** Page-selective; domain-selective where the range is too large for one command. Complete when it returns. */
  invalidate(domainId: number, iova: bigint, size: bigint): void;
  invalidateDomain(domainId: number): void;
  /** After a map call: nothing has to go, unless the unit remembers what was not there (caching mode). */
  mapped(domainId: number, iova: bigint, size: bigint): void;
}

/** What a domain is for, where that decides which kind of table its driver makes (VT-d: first or second stage; AMD-Vi: version 1 or 2). */
export type TableUse = 'kernel' | 'user' | 'dirty-tracking' | 'nest-parent' | 'pasid';

export interface IommuUnit {
  readonly description: IommuDescription;
  /** The IOTLB in front of the tables, as far as the driver knows it; without one every request walks. Virtio-iommu: the queue in which its requests wait. */
  readonly cache?: IotlbControl | null;
  /** Puts an IOTLB in front of the tables. */
  useIotlb?(): void;
  /** Why nobody can say what this unit does with a request, in one sentence; absent for units whose hardware is modelled. */
  readonly notModelled?: string;
  capabilities(): UnitCapabilities;
  /** Domains with different keys cannot share a page table (type1's "same ops", iommufd's EINVAL and next). */
  readonly domainCompatibilityKey: string;
  /**
   * An empty table for a paging domain of a device behind this unit.
   * `alloc` is bounded by the memory's table-page limit: throws `ResourceLimit` beyond it.
   */
  createPageTable(use?: TableUse): PageTable;
  /**
   * Programs the entry that `requesterId` selects and flushes what the driver flushes.
   * @param pasids the device's PASIDs are below this number (PAS-11); AMD-Vi makes room for them
   */
  setDeviceEntry(requesterId: number, entry: DeviceEntry, pasids?: number): void;
  /** Programs the entry of one PASID other than 0; where missing, the driver attaches none (`maxPasids` is 0 then). */
  setPasidEntry?(requesterId: number, pasid: number, entry: DeviceEntry): void;
  /** What the driver answers before it programs a PASID, where it may refuse for reasons of its own. */
  checkPasid?(requesterId: number, pasid: number): Errno | null;
  /** An empty first-stage table for a process's addresses (SVA); where missing, the unit walks no process's tables. */
  createProcessTable?(): PageTable;
  /** The leaves of a user's table, by addresses of the user's memory. */
  userMappings?(table: UserTable, physicalOf: (address: bigint) => bigint | null): Iterable<UserMapping>;
  /** A register of `register-map`, written by hand: in force at once. Nobody invalidates then, so from now on nothing is cached. */
  writeRegister?(name: string, value: bigint): void;
  /** What the silicon does with a request; events go to `sink` when there is one. */
  translate(request: UnitRequest, sink: TraceSink | null): UnitAnswer;
  /** The lines Linux prints for a recorded fault; `driver` and `address` of the device are printed by AMD. */
  faultMessages(fault: UnitFault, request: UnitRequest, device: { readonly name: string; readonly driver: string | null } | null): readonly string[];
  /** Raw registers and tables for people who write them by hand. */
  readonly memory: PhysicalMemory;
}

/** What differs by kernel, for the driver side of a unit. */
export interface DriverProfile {
  /** Major * 1000 + minor: 5013, 6012. */
  readonly version: number;
  readonly commandLine: ReadonlyMap<string, readonly string[]>;
  /** Units of the machine that are switched on: drivers use of some features what all units have; absent = only the one that is made. */
  readonly units?: readonly IommuDescription[];
  /** Virtio-iommu: memory that the device reserves for an endpoint of a unit (RSV-26); absent = as QEMU's device on a PC. */
  readonly endpointRegions?: (unit: SubjectId, endpoint: number) => readonly { readonly range: AddressRange; readonly kind: 'msi' | 'reserved' }[];
  /** Takes lines that the driver logs while it works and that no errno tells, without time stamp. */
  readonly log?: (line: string) => void;
}

export interface IommuArchitecture {
  readonly name: IommuArchitectureName;
  createUnit(description: IommuDescription, memory: PhysicalMemory, profile: DriverProfile): IommuUnit;
}
