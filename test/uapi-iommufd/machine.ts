/** Small machines for the tests of this room: the real kernel and VFIO on IOMMU units that are only what iommufd asks of them. */
import type { FunctionDescription, HostDescription, IommuDescription, MediatedKind, Permission } from '../../server/simulator/description.js';
import type { Errno } from '../../server/simulator/errno.js';
import { Refusal } from '../../server/simulator/errno.js';
import type { IommuUnit, MappedRun, PageTable, UnitCapabilities } from '../../server/simulator/hardware/architecture.js';
import type { Device, ReservedRegion } from '../../server/simulator/kernel/core.js';
import { MachineKernel } from '../../server/simulator/kernel/machine-kernel.js';
import { profileFor } from '../../server/simulator/kernel/profile.js';
import type { AddressRange, Iova, PhysicalAddress, VirtualAddress } from '../../server/simulator/memory/address.js';
import { IntervalMap } from '../../server/simulator/memory/interval-map.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { IommufdSubsystem } from '../../server/simulator/uapi/iommufd/index.js';
import { Process, type Capability, type MemoryArea, type User } from '../../server/simulator/uapi/process.js';
import { VfioSubsystem } from '../../server/simulator/uapi/vfio/index.js';
import { groupBy } from '../../server/simulator/fabric/multimap.js';

export const PAGE = 4096n;
const SIZES_4K_2M_1G = (1n << 12n) | (1n << 21n) | (1n << 30n);

export interface UnitOptions {
  readonly pageSizes?: bigint;
  readonly aperture?: { readonly start: bigint; readonly last: bigint };
  readonly capabilities?: Partial<UnitCapabilities>;
  /** Units of one key share domains. */
  readonly key?: string;
}

/** A page table without a format: what was mapped, as it was mapped. */
class PlainTable implements PageTable {
  readonly root = 0n as PhysicalAddress;
  readonly levels = 4;
  private readonly entries = new IntervalMap<{ physical: PhysicalAddress; permission: Permission }, Iova>();

  constructor(
    readonly pageSizes: bigint,
    readonly aperture: AddressRange<Iova>,
  ) {}

  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission): Errno | null {
    const range = { start: iova, last: (iova + size - 1n) as Iova };
    if (range.start < this.aperture.start || range.last > this.aperture.last) return 'EFAULT';
    return this.entries.insert(range, { physical, permission }) ? null : 'EEXIST';
  }

  unmap(iova: Iova, size: bigint): bigint {
    let removed = 0n;
    for (const entry of [...this.entries.overlapping({ start: iova, last: iova + size - 1n })]) {
      if (entry.start !== iova + removed) break;
      this.entries.remove(entry.start);
      removed += entry.last - entry.start + 1n;
    }
    return removed;
  }

  lookup(iova: Iova) {
    const entry = this.entries.at(iova);
    return entry === undefined ? null : { physical: (entry.value.physical + (iova - entry.start)) as PhysicalAddress, pageSize: PAGE, permission: entry.value.permission };
  }

  runs(limit: number) {
    const runs: MappedRun[] = [...this.entries.entries()].map(({ start, last, value }) => ({ iova: { start, last }, pageSizes: [], ...value }));
    return { runs: runs.slice(0, limit), total: runs.length };
  }

  free(): void {
    this.entries.clear();
  }
}

export class PlainUnit implements IommuUnit {
  readonly memory = new PhysicalMemory();
  readonly description: IommuDescription;
  readonly domainCompatibilityKey: string;
  /** Page tables handed out and not yet freed. */
  readonly live = new Set<PageTable>();

  constructor(name: string, private readonly options: UnitOptions = {}) {
    this.domainCompatibilityKey = options.key ?? 'plain';
    this.description = {
      id: name, name, architecture: 'vtd', segment: 0, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: true, scalableMode: false,
      firstStage: false, nested: false, dirtyTracking: false, passThrough: true, deviceTlb: false, pageRequests: false, cachingMode: false, pasidBits: 0,
    };
  }

  capabilities(): UnitCapabilities {
    return {
      cacheCoherency: true, enforceCacheCoherency: true, isolatedMsi: true, deferredFlush: true, dirtyTracking: false, nested: false, maxPasids: 0,
      blockedDomain: true, identityDomain: true, ...this.options.capabilities,
    };
  }

  createPageTable(): PageTable {
    const { start, last } = this.options.aperture ?? { start: 0n, last: (1n << 48n) - 1n };
    const table = new PlainTable(this.options.pageSizes ?? SIZES_4K_2M_1G, { start: start as Iova, last: last as Iova });
    const free = table.free.bind(table);
    table.free = () => {
      this.live.delete(table);
      free();
    };
    this.live.add(table);
    return table;
  }

  setDeviceEntry(): void {
    // No requests are translated in these tests.
  }

  translate() {
    return { kind: 'blocked', reason: 'not a real unit' } as const;
  }

  faultMessages(): readonly string[] {
    return [];
  }
}

export interface DeviceOptions {
  readonly name: string;
  readonly driver?: string | null;
  /** Devices with equal numbers share a group; each its own without. */
  readonly group?: number;
  readonly unit?: PlainUnit;
  readonly reserved?: readonly { readonly start: bigint; readonly last: bigint; readonly type: ReservedRegion['type'] }[];
  readonly virtualFunction?: boolean;
  readonly pri?: boolean;
}

export interface MachineOptions {
  readonly version?: string;
  readonly devices?: readonly DeviceOptions[];
  readonly mediated?: readonly { readonly name: string; readonly kind?: MediatedKind }[];
  readonly moduleParameters?: readonly string[];
  readonly buildOptions?: readonly string[];
}

/** VT-d's interrupt window. */
export const MSI = { start: 0xfee0_0000n, last: 0xfeef_ffffn, type: 'msi' } as const;

export class TestMachine {
  readonly unit = new PlainUnit('dmar0');
  readonly kernel: MachineKernel;
  readonly vfio: VfioSubsystem;
  readonly iommufd: IommufdSubsystem;
  readonly users = new Map<string, User>();
  private nextPhysical = 0x1_0000_0000n;

  constructor({ version = '6.12', devices = [], mediated = [], moduleParameters = [], buildOptions = [] }: MachineOptions = {}) {
    const unitOf = new Map(devices.map((device) => [device.name, device.unit ?? this.unit]));
    const groups = groupBy(devices, (device) => device.group ?? device.name);
    const host = {
      id: 'host', name: 'host', kernel: { id: 'kernel', version, commandLine: '', buildOptions, moduleParameters, cpuVendor: 'intel' }, memory: [], iommus: [],
      functions: devices.map(describeFunction), platformDevices: [], reservedRegions: [], bindings: [],
      mediatedDevices: mediated.map(({ name, kind = 'software' }) => ({ id: name, name, kind, parent: devices[0]!.name })),
    } satisfies HostDescription;
    this.kernel = new MachineKernel(host, {
      profile: profileFor(version), commandLine: new Map(), units: [this.unit], earlyMessages: [],
      partition: [...groups.values()].map((members) => members.map((member) => member.name)),
      unitOf: (subject) => unitOf.get(subject) ?? null,
      requesterIds: () => [],
      reservedRegions: (subject) => (devices.find((device) => device.name === subject)?.reserved ?? [MSI]).map(({ start, last, type }) => ({ range: { start: start as Iova, last: last as Iova }, type })),
      untrusted: () => false,
      mergeRegions: (regions) => regions.flat(),
    });
    this.vfio = new VfioSubsystem(this.kernel);
    this.iommufd = new IommufdSubsystem(this.kernel, this.vfio.registry);
  }

  device(name: string): Device {
    const found = this.kernel.device(name);
    if (found === undefined) throw new Error(`no device ${name}`);
    return found;
  }

  /** Root unless said otherwise. `memlock` in bytes. */
  process(name = 'p0', { user = 'root', memlock = null, capabilities = ['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE'] }: { user?: string; memlock?: bigint | null; capabilities?: Capability[] } = {}): Process {
    let account = this.users.get(user);
    if (account === undefined) this.users.set(user, (account = { lockedPages: 0 }));
    return new Process(name, account, new Set(capabilities), memlock);
  }

  /** Memory of a process in contiguous pieces of 2 MiB. */
  buffer(process: Process, start: bigint, size: bigint, { writable = true, kind = 'anonymous' }: { writable?: boolean; kind?: MemoryArea['kind'] } = {}): bigint {
    const pieces = [];
    for (let left = size; left > 0n; left -= 1n << 21n) {
      pieces.push({ physical: this.nextPhysical as PhysicalAddress, size: left < 1n << 21n ? left : 1n << 21n });
      this.nextPhysical += 1n << 22n;
    }
    process.areas.push({ start: start as VirtualAddress, size, kind, writable, pieces, name: `buffer at ${start.toString(16)}` });
    return start;
  }
}

function describeFunction({ name, driver = 'vfio-pci', virtualFunction, pri }: DeviceOptions, index: number): FunctionDescription {
  return {
    id: name, name, address: { segment: 0, bus: index + 1, device: 0, function: 0 }, type: 'endpoint', upstream: null, acs: 'none', ari: false, ats: false, pri: pri ?? false,
    pasidBits: 0, msi: true, bars: [], windows: [], extraAliases: [], externalFacing: false, internalPeerToPeer: false, driver, ...(virtualFunction ? { virtualFunction: { of: 'pf', index: 0 } } : {}),
  };
}

/** The errno of a call that must fail, or what it gave. */
export function errnoOf<T>(call: () => T): string | T {
  try {
    return call();
  } catch (refusal) {
    if (refusal instanceof Refusal) return refusal.errno;
    throw refusal;
  }
}

/** The rule that refused a call. */
export function ruleOf(call: () => unknown): string {
  try {
    call();
  } catch (refusal) {
    if (refusal instanceof Refusal) return refusal.rule;
    throw refusal;
  }
  return 'not refused';
}
