/**
 * Domains of two stages: a user's own first stage over a paging domain, its parent (NST-01). The kernel maps nothing into
 * them; they translate what the user has written into its own memory, and what the parent maps.
 */
import type { Permission } from '../description.js';
import type { DeviceEntry, MappedRun, UserTable } from '../hardware/architecture.js';
import { iova, overlaps, physical, type AddressRange, type Iova } from '../memory/address.js';
import type { Device, NestedDomain, PagingDomain } from './core.js';
import { programDevice, TranslatedDomain } from './domains.js';

export class TwoStageDomain implements NestedDomain {
  readonly type = 'nested';
  private readonly attached = new Set<Device>();

  /**
   * @param stage the user's table; null where the unit has no model of one
   * @param accepts what the driver asks of a device that is attached. @throws Refusal
   */
  constructor(
    readonly name: string,
    readonly parent: PagingDomain,
    readonly domainId: number,
    private readonly stage: UserTable | null,
    private readonly accepts: (device: Device) => void,
    private readonly freed: () => void,
  ) {
    if (parent instanceof TranslatedDomain) parent.nested.add(this);
  }

  get unit() {
    return this.parent.unit;
  }

  check(device: Device): void {
    this.accepts(device);
  }

  entryFor(device: Device): DeviceEntry {
    if (!(this.parent instanceof TranslatedDomain)) return { kind: 'blocked' };
    const below = this.parent.entryFor(device);
    return below.kind !== 'paging' || this.stage === null ? below : { ...below, domainId: this.domainId, userTable: this.stage };
  }

  attachDevice(device: Device): void {
    this.attached.add(device);
    programDevice(device, this.entryFor(device));
  }

  detachDevice(device: Device): void {
    this.attached.delete(device);
  }

  /** DRT-01: the parent's dirty bits are switched on or off, which the devices of its nested domains are told as well. */
  parentChanged(): void {
    this.attached.forEach((device) => programDevice(device, this.entryFor(device)));
    this.forget();
  }

  /** What the user's table can name: 48 or 57 bits. */
  get aperture(): AddressRange<Iova> {
    return { start: iova(0n), last: iova((1n << BigInt(12 + 9 * (this.stage?.levels ?? 4))) - 1n) };
  }

  mappings(limit: number): { readonly runs: readonly MappedRun[]; readonly total: number } {
    const runs: MappedRun[] = [];
    let total = 0;
    const leaves = this.stage === null ? [] : this.unit.userMappings?.(this.stage, (address) => this.parent.translate(iova(address)));
    for (const { start, size, address, permission } of leaves ?? []) {
      const wanted = { start: address, last: address + size - 1n };
      for (const below of this.parent.mappings(Infinity).runs) {
        if (!overlaps(below.iova, wanted)) continue;
        total++;
        if (runs.length < limit) runs.push(joinStages(start - address, wanted, permission, below));
      }
    }
    return { runs, total };
  }

  /** The user changed its table, or the kernel the parent's: nothing remembered of this domain holds any more. */
  forget(): void {
    this.unit.cache?.invalidateDomain(this.domainId);
  }

  /** IFD-72: a range of the user's addresses. */
  invalidate(address: bigint, size: bigint): void {
    this.unit.cache?.invalidate(this.domainId, address, size);
  }

  free(): void {
    this.forget();
    if (this.parent instanceof TranslatedDomain) this.parent.nested.delete(this);
    this.freed();
  }
}

/** The part of a leaf that one mapping of the parent serves. @param apart from an address of the parent to the user's */
function joinStages(apart: bigint, leaf: AddressRange, upper: Permission, below: MappedRun): MappedRun {
  const start = leaf.start > below.iova.start ? leaf.start : below.iova.start;
  const last = leaf.last < below.iova.last ? leaf.last : below.iova.last;
  return {
    ...below, iova: { start: iova(start + apart), last: iova(last + apart) }, physical: physical(below.physical + (start - below.iova.start)),
    permission: { read: upper.read && below.permission.read, write: upper.write && below.permission.write },
  };
}
