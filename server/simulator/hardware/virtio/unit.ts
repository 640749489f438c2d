/**
 * A virtio-iommu device and Linux's driver for it (VIO 6). The driver's domains become the device's by requests; no table is in memory.
 * An endpoint's ID is the requester ID of its function, with its segment above, or what firmware's tables make of it (VI-2).
 */
import type { IommuDescription } from '../../description.js';
import { iova, type AddressRange, type Iova, type PhysicalAddress } from '../../memory/address.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { TraceSink } from '../../trace/events.js';
import type { DeviceEntry, DriverProfile, IommuArchitecture, IommuUnit, PageTable, UnitAnswer, UnitCapabilities, UnitFault, UnitRequest } from '../architecture.js';
import { DomainIds } from '../domain-ids.js';
import { VirtioIommuDevice, type Access, type ReservedMemory } from './device.js';
import { VirtioDomain, type DomainSurroundings } from './domain.js';
import { virtioDriver, type VirtioDriver } from './driver.js';
import { faultLine, virtioFault } from './faults.js';
import { ATTACH_FLAG, MAP_FLAG } from './protocol.js';
import { RequestQueue } from './queue.js';
import { accessEvent, waitingEvent } from './trace.js';

/** Every power of two from 4 KiB to 2^63: the page mask of QEMU's device (PGS-07). */
const ALL_FROM_4_KIB = (1n << 64n) - 4096n;
/** Bits of input address that QEMU's device has on a PC, unless described. */
const DEFAULT_WIDTH = 39;
/** What QEMU's device on a PC says of every endpoint (VI-18). */
const PC_REGIONS: readonly ReservedMemory[] = [{ range: { start: 0xfee0_0000n, last: 0xfeef_ffffn }, kind: 'msi' }];

/** What an access needs of a mapping. */
const NEEDS: Readonly<Record<UnitRequest['access'], number>> = { read: MAP_FLAG.read, write: MAP_FLAG.write, atomic: MAP_FLAG.read | MAP_FLAG.write };

export class VirtioUnit implements IommuUnit {
  cache: RequestQueue | null = null;
  readonly domainCompatibilityKey: string;
  readonly device: VirtioIommuDevice;

  private readonly driver: VirtioDriver;
  private readonly queue: RequestQueue;
  private readonly numbers: DomainIds;
  private readonly forDomains: DomainSurroundings;
  /** In the kernel's log: what is on the virtio bus is numbered as it comes, and an IOMMU has to come before what is behind it. */
  private readonly kernelName: string;
  /** By endpoint: the domain that the driver has attached it to; null for a bypass domain. */
  private readonly attachments = new Map<number, VirtioDomain | null>();
  /** The domain that blocks where the kernel asks for one: nothing is mapped in it. */
  private blocking: VirtioDomain | null = null;
  /** Number of the bypass domain. */
  private bypassNumber: number | null = null;
  /** By regions that stay unmapped: one-to-one domains, for a device without bypass domains. */
  private readonly identities = new Map<string, VirtioDomain>();

  constructor(readonly description: IommuDescription, readonly memory: PhysicalMemory, private readonly profile: DriverProfile) {
    this.driver = virtioDriver(profile);
    this.domainCompatibilityKey = `virtio-iommu ${description.id}`;
    const pageSizes = description.pageSizes?.reduce((map, size) => map | size, 0n) ?? ALL_FROM_4_KIB;
    const aperture: AddressRange<Iova> = { start: iova(0n), last: iova((1n << BigInt(description.addressWidth ?? DEFAULT_WIDTH)) - 1n) };
    this.device = new VirtioIommuDevice({ pageSizeMask: pageSizes, inputRange: aperture, checksRanges: true, exists: () => true, regionsOf: (endpoint) => this.regionsOf(endpoint) });
    this.queue = new RequestQueue(this.device);
    this.numbers = new DomainIds(0);
    this.forDomains = {
      queue: this.queue, readsStatus: !this.driver.queuesMaps, pageSizes, aperture,
      takeId: () => this.numbers.take(), giveBack: (id) => this.numbers.giveBack(id),
    };
    if (this.driver.staticIdentity && description.passThrough) this.bypassNumber = this.numbers.take();
    const index = (profile.units ?? []).filter(({ architecture }) => architecture === 'virtio-iommu').indexOf(description);
    this.kernelName = `virtio${Math.max(index, 0)}`;
  }

  // ---------------------------------------------------------------------------------------------- the driver's side

  capabilities(): UnitCapabilities {
    const { description, driver } = this;
    return {
      cacheCoherency: description.coherent, enforceCacheCoherency: false, isolatedMsi: description.interruptRemapping, deferredFlush: driver.deferredFlush,
      dirtyTracking: false, nested: false, maxPasids: 0, blockedDomain: false, identityDomain: driver.identityDomain,
      finishesDomainsAtAttach: driver.finishesDomainsAtAttach,
    };
  }

  createPageTable(): PageTable {
    const domain = new VirtioDomain(this.forDomains);
    return this.driver.finishesDomainsAtAttach ? domain : domain.takeNumber();
  }

  /** One ATTACH. Whether the device knows the endpoint was asked when its device was probed (VI-7). */
  setDeviceEntry(endpoint: number, entry: DeviceEntry): void {
    switch (entry.kind) {
      case 'paging':
        // Another unit's driver keeps its domains elsewhere: EINVAL, and nothing changes.
        if (entry.table instanceof VirtioDomain && entry.table.isOf(this.forDomains)) this.attach(endpoint, entry.table);
        break;
      case 'blocked':
        this.attach(endpoint, (this.blocking ??= new VirtioDomain(this.forDomains)));
        break;
      case 'identity':
        if (this.description.passThrough) this.attachBypass(endpoint);
        else this.attach(endpoint, this.identityFor(endpoint));
    }
  }

  /** The old domain loses the endpoint at the device first, and its mappings with the last one; a new one gets its own back (VI-1). */
  private attach(endpoint: number, domain: VirtioDomain): void {
    const old = this.attachments.get(endpoint);
    if (old === domain) return;
    this.queue.synchronise();
    old?.detached();
    this.device.attach(domain.id, endpoint, 0);
    this.attachments.set(endpoint, domain);
    domain.attached();
  }

  /** Older drivers have a bypass domain for each group; nobody can tell the difference. */
  private attachBypass(endpoint: number): void {
    this.queue.synchronise();
    this.attachments.get(endpoint)?.detached();
    this.device.attach((this.bypassNumber ??= this.numbers.take()), endpoint, ATTACH_FLAG.bypass);
    this.attachments.set(endpoint, null);
  }

  private identityFor(endpoint: number): VirtioDomain {
    const reply = this.device.probe(endpoint);
    const regions = reply.status === 'OK' ? reply.regions : [];
    const key = regions.map(({ range }) => `${range.start}-${range.last}`).join();
    let domain = this.identities.get(key);
    if (domain === undefined) {
      domain = new VirtioDomain(this.forDomains);
      domain.mapIdentity(regions);
      this.identities.set(key, domain);
    }
    return domain;
  }

  faultMessages(fault: UnitFault, request: UnitRequest): readonly string[] {
    return [faultLine(fault, request, this.kernelName)];
  }

  private regionsOf(endpoint: number): readonly ReservedMemory[] {
    return this.profile.endpointRegions?.(this.description.id, endpoint) ?? PC_REGIONS;
  }

  // ---------------------------------------------------------------------------------------------- the device's side

  /** Nothing is cached in front of the device. What the driver can do instead is wait with its requests. */
  useIotlb(): void {
    this.queue.waits = true;
    this.cache = this.queue;
  }

  translate(request: UnitRequest, sink: TraceSink | null): UnitAnswer {
    if (request.pasid !== undefined) return { kind: 'blocked', reason: 'a virtio-iommu device translates no requests with PASID' };
    if (request.addressType !== 'untranslated') return { kind: 'blocked', reason: 'a virtio-iommu device has no address translation services' };
    const access = this.device.access(request.requesterId, NEEDS[request.access], request.address);
    if (access.kind === 'fault') return this.fault(access, request, sink);
    sink?.push(accessEvent(access, request.requesterId, this.description.id));
    const stale = access.kind === 'mapped' && this.isStale(request);
    if (stale) sink?.push(waitingEvent(this.description.id));
    switch (access.kind) {
      case 'doorbell': return request.access === 'write' ? { kind: 'interrupt', remapped: false, ...(request.data !== undefined && { vector: request.data & 0xff }) } : unchanged(request);
      case 'passes': return unchanged(request);
      case 'mapped': return {
        kind: 'address', address: access.address as PhysicalAddress, read: (access.flags & MAP_FLAG.read) !== 0, write: (access.flags & MAP_FLAG.write) !== 0, pageSize: this.granule,
        ...(stale && { stale }),
      };
    }
  }

  private get granule(): bigint {
    return this.forDomains.pageSizes & -this.forDomains.pageSizes;
  }

  /** The driver has unmapped the address, and the request that says so waits in the queue (DOM-28). */
  private isStale({ requesterId, address }: UnitRequest): boolean {
    if (this.queue.pending === 0) return false;
    return this.attachments.get(requesterId)?.lookup(iova(address)) === null;
  }

  private fault(access: Extract<Access, { kind: 'fault' }>, request: UnitRequest, sink: TraceSink | null): UnitFault {
    const fault = virtioFault(access.reason, access.flags);
    sink?.push({
      kind: 'fault', floor: 'hardware', subject: this.description.id, verdict: 'fault', code: fault.code, name: fault.name, rules: ['VI-9', 'VI-16'],
      text: access.why, messages: this.faultMessages(fault, request),
    });
    return fault;
  }
}

const unchanged = ({ address }: UnitRequest): UnitAnswer => ({ kind: 'address', address: address as PhysicalAddress, read: true, write: true, pageSize: 4096n });

export const virtioIommu: IommuArchitecture = {
  name: 'virtio-iommu',
  createUnit: (description, memory, profile) => new VirtioUnit(description, memory, profile),
};
