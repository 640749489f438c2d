/**
 * A domain as its driver keeps it: an interval for each piece that was mapped. The device has them only while endpoints are attached, so
 * they are told to it again when the first one is.
 */
import type { Permission, SubjectId } from '../../description.js';
import type { Errno } from '../../errno.js';
import { ADDRESS_MAX, iova as asIova, physical as asPhysical, type AddressRange, type Iova, type PhysicalAddress } from '../../memory/address.js';
import { IntervalMap, type Interval } from '../../memory/interval-map.js';
import type { MappedRun, PageTable } from '../architecture.js';
import type { ReservedMemory } from './device.js';
import { firstPiece } from './pieces.js';
import { MAP_FLAG, STATUSES, type Status } from './protocol.js';
import type { RequestQueue } from './queue.js';

interface Mapping {
  /** What is to be added to an I/O virtual address. */
  readonly offset: bigint;
  readonly permission: Permission;
  readonly origin: SubjectId | undefined;
  readonly pageSize: bigint;
}

/** What its unit gives a domain. */
export interface DomainSurroundings {
  readonly queue: RequestQueue;
  /** The status of a MAP is waited for. */
  readonly readsStatus: boolean;
  readonly pageSizes: bigint;
  readonly aperture: AddressRange<Iova>;
  takeId(): number;
  giveBack(id: number): void;
}

export class VirtioDomain implements PageTable {
  /** There is no table in memory. */
  readonly root = asPhysical(0n);
  readonly levels = 0;
  private readonly mappings = new IntervalMap<Mapping, Iova>();
  private number: number | null = null;
  /** Endpoints that are attached now. */
  private endpoints = 0;

  constructor(private readonly surroundings: DomainSurroundings) {}

  get pageSizes(): bigint {
    return this.surroundings.pageSizes;
  }

  get aperture(): AddressRange<Iova> {
    return this.surroundings.aperture;
  }

  /** By which the device knows it; taken when it is first asked for, at the latest when an endpoint is attached. */
  get id(): number {
    return (this.number ??= this.surroundings.takeId());
  }

  /** Newer drivers number a domain when it is made. */
  takeNumber(): this {
    this.number ??= this.surroundings.takeId();
    return this;
  }

  /** Whether it was made by the driver of that unit. */
  isOf(surroundings: DomainSurroundings): boolean {
    return this.surroundings === surroundings;
  }

  // ---------------------------------------------------------------------------------------------- endpoints

  /** An endpoint was attached: the first one finds an empty domain at the device, so all MAP requests are sent again. */
  attached(): void {
    if (this.endpoints++ === 0) for (const { start, last, value } of this.mappings.entries()) this.surroundings.queue.send(this.mapRequest(start, last, value));
  }

  detached(): void {
    this.endpoints--;
  }

  // ---------------------------------------------------------------------------------------------- mappings

  /**
   * One MAP request for each piece. The driver looks at nothing: a collision or an address beyond the input range is the device's to refuse,
   * which is only heard of where the status is waited for.
   */
  map(iova: Iova, physical: PhysicalAddress, size: bigint, permission: Permission, origin?: SubjectId): Errno | null {
    if (iova + size - 1n > ADDRESS_MAX || physical + size - 1n > ADDRESS_MAX) return 'ERANGE';
    for (let done = 0n; done < size; ) {
      const at = iova + done;
      const piece = firstPiece(this.pageSizes, at, physical + done, size - done);
      const errno = this.mapPiece({ start: asIova(at), last: asIova(at + piece.size - 1n) }, { offset: physical - iova, permission, origin, pageSize: piece.pageSize });
      if (errno !== null) {
        this.unmap(iova, done);
        this.surroundings.queue.synchronise();
        return errno;
      }
      done += piece.size;
    }
    return null;
  }

  /** Linux's interval tree takes two mappings of one address, this one keeps the first, which is the one that the device knows. */
  private mapPiece(range: AddressRange<Iova>, mapping: Mapping): Errno | null {
    const { queue, readsStatus } = this.surroundings;
    const isNew = this.mappings.insert(range, mapping);
    if (this.endpoints === 0) return null;
    const request = this.mapRequest(range.start, range.last, mapping);
    if (!readsStatus) {
      queue.add(request);
      return null;
    }
    const status: Status = queue.send(request);
    if (status !== 'OK' && isNew) this.mappings.remove(range.start);
    return STATUSES[status].errno;
  }

  private mapRequest(start: bigint, end: bigint, { offset, permission }: Mapping) {
    const flags = (permission.read ? MAP_FLAG.read : 0) | (permission.write ? MAP_FLAG.write : 0);
    return { type: 'map', domain: this.id, start, end, physical: start + offset, flags } as const;
  }

  /** UNM-02: piece by piece, up to one that is not mapped as a whole. */
  unmap(iova: Iova, size: bigint): bigint {
    let done = 0n;
    while (done < size) {
      const at = iova + done;
      const removed = this.unmapPiece(at, firstPiece(this.pageSizes, at, at, size - done).size);
      if (removed === 0n) break;
      done += removed;
    }
    return done;
  }

  /**
   * Mappings that begin in the piece, whole. One that began before it ends the search. Where less than the piece was mapped the device is not
   * told, although the driver has forgotten what it found.
   * @returns bytes, more than asked where a mapping ends later; 0 when there were fewer
   */
  private unmapPiece(start: bigint, size: bigint): bigint {
    let removed = 0n;
    for (const found of this.mappings.overlapping({ start, last: start + size - 1n })) {
      if (found.start < start) break;
      removed += found.last - found.start + 1n;
      this.mappings.remove(found.start);
    }
    if (removed < size) return 0n;
    if (this.endpoints > 0) this.surroundings.queue.add({ type: 'unmap', domain: this.id, start, end: start + removed - 1n });
    return removed;
  }

  /** Everything one-to-one but reserved regions, for devices that have no bypass domains (`viommu_domain_map_identity`). */
  mapIdentity(regions: readonly ReservedMemory[]): void {
    const granule = this.pageSizes & -this.pageSizes;
    const mapping: Mapping = { offset: 0n, permission: { read: true, write: true }, origin: undefined, pageSize: granule };
    const { start: first, last } = this.aperture;
    let start: bigint = first;
    for (const { range } of [...regions].sort((a, b) => (a.range.start < b.range.start ? -1 : 1))) {
      const from = range.start & -granule;
      if (from > last) break;
      if (from > start) this.mappings.insert({ start: asIova(start), last: asIova(from - 1n) }, mapping);
      const after = (range.last | (granule - 1n)) + 1n;
      if (after > start) start = after;
    }
    if (start <= last) this.mappings.insert({ start: asIova(start), last }, mapping);
  }

  lookup(iova: Iova) {
    const found = this.mappings.at(iova);
    if (found === undefined) return null;
    const { offset, permission, pageSize } = found.value;
    return { physical: asPhysical(iova + offset), pageSize, permission };
  }

  runs(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number } {
    const runs: MappedRun[] = [];
    let total = 0;
    let open: { start: Iova; last: Iova; value: Mapping; sizes: Set<bigint> } | null = null;
    const close = (): void => {
      if (open !== null && total++ < limit) runs.push(runOf(open));
    };
    for (const found of this.mappings.entries()) {
      if (open !== null && continues(open, found)) {
        open.last = found.last;
        open.sizes.add(found.value.pageSize);
        continue;
      }
      close();
      open = { start: found.start, last: found.last, value: found.value, sizes: new Set([found.value.pageSize]) };
    }
    close();
    return { runs, total };
  }

  free(): void {
    this.mappings.clear();
    if (this.number !== null && this.endpoints === 0) this.surroundings.giveBack(this.number);
    this.number = null;
  }
}

function continues(run: Interval<Mapping, Iova>, next: Interval<Mapping, Iova>): boolean {
  const { offset, permission, origin } = run.value;
  return run.last + 1n === next.start && offset === next.value.offset && origin === next.value.origin
    && permission.read === next.value.permission.read && permission.write === next.value.permission.write;
}

function runOf({ start, last, value: { offset, permission, origin }, sizes }: Interval<Mapping, Iova> & { readonly sizes: ReadonlySet<bigint> }): MappedRun {
  return { iova: { start, last }, physical: asPhysical(start + offset), permission, pageSizes: [...sizes].sort((a, b) => (a < b ? -1 : 1)), origin };
}
