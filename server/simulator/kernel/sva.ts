/** Shared virtual addressing: a device walks the addresses of a process (SVA-01 .. SVA-05). */
import { Refusal } from '../errno.js';
import type { DeviceEntry, IommuUnit, PageTable } from '../hardware/architecture.js';
import type { Iova, PhysicalAddress, VirtualAddress } from '../memory/address.js';
import type { AttachRules } from './attach-history.js';
import { groupOf } from './attach.js';
import type { Device } from './core.js';
import { usesAts } from './domains.js';
import { checkSharesAddresses } from './features.js';
import type { FaultHandling, PageRequest } from './io-page-faults.js';
import { checkPasidCall, maxPasids, type SharedDomain } from './pasid.js';
import { FIRST_PASID, type PasidNumbers } from './pasid-numbers.js';

/** A process as its page tables show it. */
export interface AddressSpace {
  readonly name: string;
  readonly areas: readonly MappedArea[];
}
interface MappedArea {
  readonly start: VirtualAddress;
  readonly size: bigint;
  readonly writable: boolean;
  readonly pieces: readonly { readonly physical: PhysicalAddress; readonly size: bigint }[];
}

/** FLPT_DEFAULT_DID: the domain number of all first-stage tables of processes. */
const PROCESS_DOMAIN_ID = 1;

/** The tables of one process as the units of one kind walk them; kept the same as the process's memory. */
class ProcessDomain implements SharedDomain {
  readonly type = 'sva';
  readonly name: string;
  users = 0;
  private readonly table: PageTable;
  private readonly shown = new Map<MappedArea, bigint>();

  constructor(readonly unit: IommuUnit, readonly space: AddressSpace) {
    this.name = `addresses of ${space.name}`;
    this.table = unit.createProcessTable!();
    this.follow();
  }

  entryFor(device: Device): DeviceEntry {
    return { kind: 'paging', table: this.table, domainId: PROCESS_DOMAIN_ID, ats: usesAts(device) };
  }

  /** Shows what the process has mapped since, and no more what it has unmapped. */
  follow(): void {
    const now = new Set(this.space.areas);
    for (const [area, size] of this.shown) {
      if (now.has(area)) continue;
      this.table.unmap(iovaOf(area.start), size);
      this.unit.cache?.invalidate(PROCESS_DOMAIN_ID, iovaOf(area.start), size);
      this.shown.delete(area);
    }
    for (const area of now) if (!this.shown.has(area)) this.show(area);
  }

  /** The process has that address, so its page can be brought in (IOPF-01). */
  has({ address, write }: PageRequest): boolean {
    const area = this.space.areas.find(({ start, size }) => start <= address && address < start + size);
    return area !== undefined && (area.writable || !write);
  }

  free(): void {
    this.table.free();
    this.unit.cache?.invalidateDomain(PROCESS_DOMAIN_ID);
  }

  private show(area: MappedArea): void {
    let at: bigint = area.start;
    for (const { physical, size } of area.pieces) {
      const whole = (size + 4095n) & ~4095n;
      this.table.map(iovaOf(at), physical, whole, { read: true, write: area.writable });
      at += whole;
    }
    this.shown.set(area, at - area.start);
  }
}

const iovaOf = (address: bigint): Iova => address as Iova;

/** One device uses one process's addresses. */
interface Bond extends FaultHandling {
  readonly domain: ProcessDomain;
  readonly device: Device;
  users: number;
}

/** What the kernel keeps for a process that shares its addresses (`iommu_mm`). */
interface Sharing {
  pasid: number | null;
  readonly domains: ProcessDomain[];
  readonly bonds: Map<Device, Bond>;
}

export class SharedAddressing {
  private readonly sharings = new Map<AddressSpace, Sharing>();

  constructor(
    private readonly rules: AttachRules,
    private readonly numbers: PasidNumbers,
  ) {}

  /** `iommu_sva_bind_device`. @returns the PASID. @throws Refusal ENODEV, EINVAL, EOPNOTSUPP, EOVERFLOW, ENOMEM, ENOSPC, EBUSY */
  bind(device: Device, space: AddressSpace): number {
    this.checkCall(device);
    const sharing = this.sharings.get(space) ?? { pasid: null, domains: [], bonds: new Map<Device, Bond>() };
    const fresh = sharing.pasid === null;
    const pasid = this.pasidFor(device, space, sharing);
    this.sharings.set(space, sharing);
    const known = this.bondOf(sharing, device);
    if (known !== undefined) {
      known.users++; // SVA-04
      return pasid;
    }
    try {
      this.attach(device, space, sharing, pasid);
    } catch (refusal) {
      if (fresh) this.letGo(space, sharing);
      throw refusal;
    }
    return pasid;
  }

  /** `iommu_sva_unbind_device`. @throws Refusal EINVAL where nothing is bound */
  unbind(device: Device, space: AddressSpace): void {
    const sharing = this.sharings.get(space);
    const bond = sharing === undefined ? undefined : this.bondOf(sharing, device);
    if (sharing === undefined || bond === undefined) throw new Refusal('EINVAL', 'SVA-01', `${device.name} does not use the addresses of ${space.name}`, [device.subject]);
    if (--bond.users > 0) return;
    this.end(sharing, bond);
    if (this.rules.pasidLives === 'while-bound' && sharing.bonds.size === 0) this.letGo(space, sharing); // SVA-05
  }

  /** The process ends: nothing of it is reached any more, and its PASID is free (SVA-05). */
  processEnds(space: AddressSpace): void {
    const sharing = this.sharings.get(space);
    if (sharing === undefined) return;
    for (const bond of sharing.bonds.values()) this.end(sharing, bond);
    this.letGo(space, sharing);
  }

  /** Tables of processes are always as the processes are: to be called before a device looks. */
  follow(): void {
    for (const { domains } of this.sharings.values()) for (const domain of domains) domain.follow();
  }

  pasidOf(space: AddressSpace): number | null {
    return this.sharings.get(space)?.pasid ?? null;
  }

  /** SVA-04: by device, and since handles are kept for groups by any device of the group. */
  private bondOf(sharing: Sharing, device: Device): Bond | undefined {
    if (!this.rules.handles) return sharing.bonds.get(device);
    return [...sharing.bonds.values()].find((bond) => bond.device.group === device.group);
  }

  // ---------------------------------------------------------------------------------------------- the checks of each era

  private checkCall(device: Device): void {
    const refuse = (errno: 'ENODEV' | 'EOPNOTSUPP' | 'EINVAL', rule: string, why: string): never => {
      throw new Refusal(errno, rule, why, [device.subject]);
    };
    if (this.rules.sva === 'driver') {
      if (device.unit === null || device.unit.createProcessTable === undefined) refuse('ENODEV', 'SVA-01', `the driver of ${device.unit?.description.name ?? 'no IOMMU'} binds no processes`);
      if (groupOf(device).devices.length !== 1) refuse('EINVAL', 'SVA-01', `${device.name} is not alone in its IOMMU group`);
      if (!device.features?.has('sva')) refuse('ENODEV', 'SVA-01', `the feature sva of ${device.name} is off`);
      return;
    }
    if (this.rules.handles) groupOf(device); // SVA-04: ENODEV comes first
    if (this.rules.sva === 'ioasid' && maxPasids(device) === 0) refuse('EOPNOTSUPP', 'SVA-02', `${device.name} has no PASIDs`);
  }

  /** The PASID of the process, which must be one that the device can send (SVA-02, SVA-03). */
  private pasidFor(device: Device, space: AddressSpace, sharing: Sharing): number {
    const limit = maxPasids(device);
    const last = limit - 1;
    const old = this.rules.sva === 'global' ? limit : this.rules.sva === 'ioasid' ? last : limit;
    if (sharing.pasid !== null) {
      if (sharing.pasid < old) return sharing.pasid;
      throw new Refusal('EOVERFLOW', this.rules.sva === 'global' ? 'SVA-03' : 'SVA-02', `the PASID of ${space.name} is ${sharing.pasid}, and those of ${device.name} end at ${last}`, [device.subject]);
    }
    if (this.rules.sva === 'ioasid' && last < FIRST_PASID) throw new Refusal('EINVAL', 'SVA-02', `${device.name} has no PASID but 0`, [device.subject]);
    const pasid = this.numbers.take(last);
    if (pasid !== null) return (sharing.pasid = pasid);
    const errno = this.rules.sva === 'global' ? 'ENOSPC' : 'ENOMEM';
    throw new Refusal(errno, errno === 'ENOSPC' ? 'SVA-03' : 'SVA-02', limit === 0 ? `${device.name} has no PASIDs` : `all PASIDs of ${device.name} up to ${last} are taken`, [device.subject]);
  }

  // ---------------------------------------------------------------------------------------------- attaching

  private attach(device: Device, space: AddressSpace, sharing: Sharing, pasid: number): void {
    const { pasids } = groupOf(device);
    if (this.rules.handles) refuseOthers(device, pasid);
    checkSharesAddresses(device, this.rules.sva === 'driver' ? 'SVA-01' : 'SVA-02');
    const existing = sharing.domains.find((domain) => domain.unit === device.unit);
    const domain = existing ?? new ProcessDomain(device.unit!, space);
    const bond: Bond = { domain, device, users: 1, handleFaults: (_, requests) => (requests.every((request) => domain.has(request)) ? 'success' : 'invalid') };
    try {
      if (this.rules.pasids) checkPasidCall(this.rules, device, domain, 'iommu_attach_device_pasid');
      pasids.attach(device, domain, pasid, bond);
    } catch (refusal) {
      if (existing === undefined) domain.free();
      throw refusal;
    }
    if (existing === undefined) sharing.domains.push(domain);
    domain.users++;
    sharing.bonds.set(device, bond);
  }

  private end(sharing: Sharing, { domain, device }: Bond): void {
    groupOf(device).pasids.detach(sharing.pasid!);
    sharing.bonds.delete(device);
    if (--domain.users > 0) return;
    sharing.domains.splice(sharing.domains.indexOf(domain), 1);
    domain.free();
  }

  private letGo(space: AddressSpace, sharing: Sharing): void {
    if (sharing.pasid !== null) this.numbers.giveBack(sharing.pasid);
    this.sharings.delete(space);
  }
}

/** SVA-04: the group has something else on that PASID. @throws Refusal EBUSY */
function refuseOthers(device: Device, pasid: number): void {
  const { pasids } = groupOf(device);
  if (pasids.domainOf(pasid) === null) return;
  const handle = pasids.handleOf(pasid, 'sva');
  throw new Refusal('EBUSY', 'SVA-04', `PASID ${pasid} of the group of ${device.name} is bound already${handle?.domain.type === 'sva' ? ` to the ${handle.domain.name}` : ''}`, [device.subject]);
}
