/** Attaching PASIDs of bound devices to page tables: one record per group and PASID (IFD-31; rules PAS of iommufd). */
import { Refusal } from '../../errno.js';
import type { Device, Group } from '../../kernel/core.js';
import { attachRules } from '../../kernel/attach-history.js';
import { checkPasidCall, type AttachHandle } from '../../kernel/pasid.js';
import { checkTakesFaults } from '../../kernel/io-page-faults.js';
import type { IommufdContext } from './context.js';
import type { BoundDevice } from './device.js';
import { PageTableObject } from './hwpt.js';
import { Ioas } from './ioas.js';

/** Who calls says which it means; VFIO_DEVICE_ATTACH_IOMMUFD_PT takes what fits (PAS-02). */
export type AttachMode = 'either' | 'attach' | 'replace';

/** What one PASID of a group is attached to, and by which of its devices. */
interface PasidRecord {
  hwpt: PageTableObject;
  handle: AttachHandle;
  readonly devices: Set<BoundDevice>;
}

export class PasidRecords {
  private readonly records = new Map<number, PasidRecord>();

  constructor(private readonly group: Group) {}

  /** Each attachment: which device, which PASID, through which page table. */
  entries(): readonly { readonly pasid: number; readonly hwpt: PageTableObject; readonly device: Device }[] {
    return [...this.records].flatMap(([pasid, { hwpt, devices }]) => [...devices].map(({ device }) => ({ pasid, hwpt, device })));
  }

  get size(): number {
    return this.records.size;
  }

  /**
   * VFIO_DEVICE_ATTACH_IOMMUFD_PT with a PASID: replaces when the device has attached that PASID before (PAS-02).
   * @returns the hwpt. @throws Refusal ENOENT, EINVAL, EOPNOTSUPP, EBUSY; everything stays as before then
   */
  attach(bound: BoundDevice, target: number, pasid: number, requesterHwpt: PageTableObject | null, mode: AttachMode = 'either'): PageTableObject {
    const { context, device } = bound;
    const hwpt = targetHwpt(context, device, target);
    const record = this.records.get(pasid);
    const replacing = record?.devices.has(bound) ?? false;
    // PAS-06
    if (mode === 'attach' && replacing) throw new Refusal('EBUSY', 'PAS-06', `PASID ${pasid} of ${device.name} is attached already`, [device.subject]);
    if (mode === 'replace' && !replacing) throw new Refusal('EINVAL', 'PAS-06', `PASID ${pasid} of ${device.name} is not attached, so nothing can be replaced`, [device.subject]);
    if (record !== undefined && record.hwpt !== hwpt && !replacing) {
      throw new Refusal('EINVAL', 'IFD-40', `PASID ${pasid} of the same IOMMU group is attached to the hwpt ${record.hwpt.id}`, [...record.devices].map((other) => other.device.subject));
    }
    if (record?.hwpt === hwpt) this.join(record, bound);
    else if (record !== undefined) this.replace(record, bound, hwpt, pasid, requesterHwpt);
    else this.begin(bound, hwpt, pasid, requesterHwpt);
    return hwpt;
  }

  /** PAS-06, IFD-51: nothing for a PASID that the device has not attached. */
  detach(bound: BoundDevice, pasid: number): void {
    const record = this.records.get(pasid);
    if (record === undefined || !record.devices.delete(bound)) return;
    if (record.devices.size === 0) {
      this.records.delete(pasid);
      this.group.pasids.detach(pasid);
      record.hwpt.released(record.handle);
    }
    record.hwpt.drop();
    bound.drop();
  }

  detachAll(bound: BoundDevice): void {
    for (const pasid of [...this.records.keys()]) this.detach(bound, pasid);
  }

  private begin(bound: BoundDevice, hwpt: PageTableObject, pasid: number, requesterHwpt: PageTableObject | null): void {
    checkCompatible(hwpt, bound.device, requesterHwpt);
    const { device, context } = bound;
    checkPasidCall(attachRules(context.kernel.profile), device, hwpt.domain, 'iommu_attach_device_pasid');
    takeFaults(hwpt, bound);
    const handle = hwpt.handleFor(bound);
    this.group.pasids.attach(device, hwpt.domain, pasid, handle);
    const record = { hwpt, handle, devices: new Set<BoundDevice>() };
    this.records.set(pasid, record);
    this.join(record, bound);
  }

  private join(record: PasidRecord, bound: BoundDevice): void {
    if (record.devices.has(bound)) return;
    record.devices.add(bound);
    record.hwpt.hold();
    bound.hold();
  }

  /** All devices of the record move together (IFD-50). */
  private replace(record: PasidRecord, bound: BoundDevice, hwpt: PageTableObject, pasid: number, requesterHwpt: PageTableObject | null): void {
    checkCompatible(hwpt, bound.device, requesterHwpt);
    const { device, context } = bound;
    checkPasidCall(attachRules(context.kernel.profile), device, hwpt.domain, 'iommu_replace_device_pasid');
    takeFaults(hwpt, bound);
    const handle = hwpt.handleFor(bound);
    this.group.pasids.replace(device, hwpt.domain, pasid, handle);
    record.hwpt.released(record.handle);
    record.handle = handle;
    for (let i = 0; i < record.devices.size; i++) {
      hwpt.hold();
      record.hwpt.drop();
    }
    record.hwpt = hwpt;
  }
}

/** IOPF-03 @throws Refusal ENODEV, EOPNOTSUPP */
function takeFaults(hwpt: PageTableObject, { device, context }: BoundDevice): void {
  if (hwpt.faultQueue !== null) checkTakesFaults(attachRules(context.kernel.profile), device);
}

function targetHwpt(context: IommufdContext, device: Device, target: number): PageTableObject {
  const object = context.objects.find(target);
  const offenders = [device.subject];
  if (object === undefined) throw new Refusal('ENOENT', 'IFD-40', `no object has the id ${target}`, offenders);
  if (object instanceof Ioas) throw new Refusal('EINVAL', 'PAS-04', 'page tables that the kernel makes for an IOAS serve no PASIDs', offenders);
  if (!(object instanceof PageTableObject)) throw new Refusal('EINVAL', 'IFD-40', `the object ${target} is a ${object.kind}`, offenders);
  return object;
}

/** PAS-03. @throws Refusal EINVAL */
function checkCompatible(hwpt: PageTableObject, device: Device, requesterHwpt: PageTableObject | null): void {
  if (!hwpt.options.pasid) throw new Refusal('EINVAL', 'PAS-03', `the hwpt ${hwpt.id} was not allocated for PASIDs`, [device.subject]);
  if (requesterHwpt !== null && !requesterHwpt.options.pasid) throw new Refusal('EINVAL', 'PAS-03', `${device.name} itself is attached to hwpt ${requesterHwpt.id}, which was not allocated for PASIDs`, [device.subject]);
}

/** PAS-03, the other way round: what the device itself is attached to while PASIDs are. @throws Refusal EINVAL */
export function checkBesidePasids(hwpt: PageTableObject, device: Device, records: PasidRecords): void {
  if (records.size > 0 && !hwpt.options.pasid) throw new Refusal('EINVAL', 'PAS-03', `PASIDs of ${device.name} are attached, and the hwpt ${hwpt.id} was not allocated for use beside them`, [device.subject]);
}
