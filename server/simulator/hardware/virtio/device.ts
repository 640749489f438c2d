/**
 * The virtio-iommu device: domains with their mappings, endpoints that are attached to them, and what happens to an endpoint's DMA (VIO 6.2).
 * It keeps no tables in the guest's memory; requests are all that changes it. Where the specification leaves a choice, this device
 * chooses as QEMU's does.
 */
import type { AddressRange } from '../../memory/address.js';
import { IntervalMap } from '../../memory/interval-map.js';
import { ATTACH_FLAG, FAULT_FLAG, HEAD_SIZE, MAP_FLAG, REASON, REQUEST_SIZES, type Status } from './protocol.js';

/** Memory that is not for mappings: a doorbell that is written to as it is, or addresses that nobody may use. */
export interface ReservedMemory {
  readonly range: AddressRange;
  readonly kind: 'msi' | 'reserved';
}

export interface DeviceConfig {
  /** Bit n = pages of 2^n bytes; the lowest is the granule (VI-11). */
  readonly pageSizeMask: bigint;
  readonly inputRange: AddressRange;
  /** Which endpoints there are behind it. */
  exists(endpoint: number): boolean;
  /** What PROBE says of one of them (VI-7). */
  regionsOf(endpoint: number): readonly ReservedMemory[];
  /** Whether MAP is refused for addresses outside the input range or parts of pages, as the specification recommends; QEMU's device looks at neither (VI-15). */
  readonly checksRanges: boolean;
}

interface Mapping {
  /** Host address minus I/O virtual address. */
  readonly offset: bigint;
  /** `MAP_FLAG` bits. */
  readonly flags: number;
}

interface DeviceDomain {
  readonly id: number;
  /** An identity domain: nothing is mapped in it, everything passes. */
  readonly bypass: boolean;
  readonly mappings: IntervalMap<Mapping>;
  /** Endpoints that are attached. Without any the domain ceases to be (VI-3). */
  endpoints: number;
}

/** What the device does with one access. */
export type Access =
  | { readonly kind: 'passes'; readonly domain: number | null }
  | { readonly kind: 'doorbell'; readonly region: AddressRange }
  | { readonly kind: 'mapped'; readonly domain: number; readonly range: AddressRange; /** What the range's start is mapped to. */ readonly to: bigint; readonly address: bigint; readonly flags: number }
  | { readonly kind: 'fault'; readonly reason: number; readonly flags: number; readonly why: string };

/** `PROBE`'s answer. */
export type ProbeReply = { readonly status: 'OK'; readonly regions: readonly ReservedMemory[] } | { readonly status: 'NOENT' };

const KNOWN_MAP_FLAGS = MAP_FLAG.read | MAP_FLAG.write | MAP_FLAG.mmio;

export class VirtioIommuDevice {
  /** The configuration's `bypass` byte: whether endpoints without a domain pass. QEMU's `boot-bypass` is on unless switched off, and Linux leaves it (VI-10). */
  bypass = true;
  private readonly domains = new Map<number, DeviceDomain>();
  /** Endpoints that were ever attached, with their domain now. */
  private readonly endpoints = new Map<number, DeviceDomain | null>();

  /** Bits of an address that are no part of a page number. */
  private readonly withinGranule: bigint;

  constructor(private readonly config: DeviceConfig) {
    this.withinGranule = (config.pageSizeMask & -config.pageSizeMask) - 1n;
  }

  // ---------------------------------------------------------------------------------------------- requests

  /** VI-1, VI-14: the endpoint leaves its domain before anything is said about the new one. @param flags `ATTACH_FLAG` bits */
  attach(id: number, endpoint: number, flags: number): Status {
    if ((flags & ~ATTACH_FLAG.bypass) !== 0) return 'INVAL';
    if (!this.config.exists(endpoint)) return 'NOENT';
    const bypass = (flags & ATTACH_FLAG.bypass) !== 0;
    this.leave(endpoint);
    const domain = this.domains.get(id) ?? this.newDomain(id, bypass);
    if (domain.bypass !== bypass) return 'INVAL';
    domain.endpoints++;
    this.endpoints.set(endpoint, domain);
    return 'OK';
  }

  /** VI-3. */
  detach(id: number, endpoint: number): Status {
    const domain = this.endpoints.get(endpoint);
    if (domain === undefined) return 'NOENT';
    if (domain === null || domain.id !== id) return 'INVAL';
    this.leave(endpoint);
    return 'OK';
  }

  /** VI-4, VI-6: `range` is inclusive; VI-15. @param flags `MAP_FLAG` bits */
  map(id: number, start: bigint, end: bigint, physical: bigint, flags: number): Status {
    if ((flags & ~KNOWN_MAP_FLAGS) !== 0) return 'INVAL';
    const domain = this.domains.get(id);
    if (domain === undefined) return 'NOENT';
    if (domain.bypass) return 'INVAL';
    if (this.config.checksRanges && !this.takes(start, end, physical)) return 'RANGE';
    if (end < start) return 'OK'; // Nothing is in such a range.
    return domain.mappings.insert({ start, last: end }, { offset: physical - start, flags }) ? 'OK' : 'INVAL';
  }

  /** VI-5, VI-17: all mappings of the range go, or none where one of them would be cut. */
  unmap(id: number, start: bigint, end: bigint): Status {
    const domain = this.domains.get(id);
    if (domain === undefined) return 'NOENT';
    if (domain.bypass) return 'INVAL';
    if (end < start) return 'OK';
    const inside = [...domain.mappings.overlapping({ start, last: end })];
    if (inside.some((mapping) => mapping.start < start || mapping.last > end)) return 'RANGE';
    for (const mapping of inside) domain.mappings.remove(mapping.start);
    return 'OK';
  }

  /** VI-7, VI-18. */
  probe(endpoint: number): ProbeReply {
    return this.config.exists(endpoint) ? { status: 'OK', regions: this.config.regionsOf(endpoint) } : { status: 'NOENT' };
  }

  /**
   * What a request gets that is wrong before its fields are looked at (VI-8, VI-19).
   * @param size bytes of what the driver sent, head included
   * @returns null for one that has all its fields; `broken` where there is not even room for a status, and the device stops
   */
  malformed(type: number, size: number): Status | 'broken' | null {
    if (size < HEAD_SIZE) return 'broken';
    const needed = REQUEST_SIZES[type];
    if (needed === undefined) return 'UNSUPP';
    return size < needed ? 'INVAL' : null;
  }

  /** Whole pages inside the input range. */
  private takes(start: bigint, end: bigint, physical: bigint): boolean {
    const { inputRange } = this.config;
    return start <= end && ((start | physical | (end + 1n)) & this.withinGranule) === 0n && inputRange.start <= start && end <= inputRange.last;
  }

  private newDomain(id: number, bypass: boolean): DeviceDomain {
    const domain: DeviceDomain = { id, bypass, mappings: new IntervalMap(), endpoints: 0 };
    this.domains.set(id, domain);
    return domain;
  }

  /** The last endpoint that leaves takes the domain with it, and its mappings (VI-3). */
  private leave(endpoint: number): void {
    const domain = this.endpoints.get(endpoint);
    this.endpoints.set(endpoint, null);
    if (domain === undefined || domain === null) return;
    if (--domain.endpoints === 0) this.domains.delete(domain.id);
  }

  // ---------------------------------------------------------------------------------------------- DMA

  /** VI-9, VI-16: the order decides which reason a request with several faults gets. @param needs `MAP_FLAG` bits */
  access(endpoint: number, needs: number, address: bigint): Access {
    const domain = this.endpoints.get(endpoint);
    if (domain === undefined && !this.bypass) return fault(REASON.unknown, 0, `endpoint ${endpoint} was never attached to a domain, and the device's configuration lets nobody bypass it`);
    const region = this.config.regionsOf(endpoint).find(({ range }) => range.start <= address && address <= range.last);
    if (region?.kind === 'msi') return { kind: 'doorbell', region: region.range };
    if (region !== undefined) return fault(REASON.mapping, 0, `the address is in a region that is reserved for endpoint ${endpoint}`);
    if (domain === undefined || domain === null) {
      return this.bypass ? { kind: 'passes', domain: null } : fault(REASON.domain, 0, `endpoint ${endpoint} is attached to no domain, and the device's configuration lets nobody bypass it`);
    }
    return domain.bypass ? { kind: 'passes', domain: domain.id } : this.translate(domain, endpoint, needs, address);
  }

  private translate(domain: DeviceDomain, endpoint: number, needs: number, address: bigint): Access {
    const found = domain.mappings.at(address);
    if (found === undefined) return fault(REASON.mapping, 0, `endpoint ${endpoint} is attached to domain ${domain.id}, which has no mapping there`);
    const { offset, flags } = found.value;
    const missing = needs & ~flags;
    // FAULT_FLAG and MAP_FLAG have the same bits for reading and writing.
    if (missing !== 0) return fault(REASON.mapping, missing, `endpoint ${endpoint} is attached to domain ${domain.id}, whose mapping there lacks ${missing === MAP_FLAG.read ? 'READ' : missing === MAP_FLAG.write ? 'WRITE' : 'READ and WRITE'}`);
    return { kind: 'mapped', domain: domain.id, range: { start: found.start, last: found.last }, to: found.start + offset, address: this.translated(address, offset), flags };
  }

  /** Whole granules are translated: an address keeps its place in the page, even where a mapping of parts of pages was taken (VI-15). */
  private translated(address: bigint, offset: bigint): bigint {
    const within = this.withinGranule;
    return BigInt.asUintN(64, ((address + offset) & ~within) | (address & within));
  }
}

const fault = (reason: number, flags: number, why: string): Access => ({ kind: 'fault', reason, flags: flags | FAULT_FLAG.address, why });
