/** Devices that an IOMMU isolates, in iommufd: bind, attach, replace, detach (IFD-30 .. IFD-51, SBS-01). */
import { Refusal } from '../../errno.js';
import type { Device, Group } from '../../kernel/core.js';
import { attachRules } from '../../kernel/attach-history.js';
import { checkTakesFaults } from '../../kernel/io-page-faults.js';
import { deviceLine } from '../../kernel/log-lines.js';
import { isOn } from '../vfio/registry.js';
import type { IommufdContext } from './context.js';
import { allocatePagingHwpt, AUTOMATIC, PageTableObject, type Hwpt } from './hwpt.js';
import { Ioas } from './ioas.js';
import { IommufdObject } from './objects.js';
import { checkBesidePasids, PasidRecords, type AttachMode } from './pasid-attach.js';
import type { Vdevice } from './viommu.js';

/** OWN-47, IFD-30: the kernel's words when the administrator accepts the risk. */
const INSECURE_INTERRUPTS =
  'MSI interrupts are not secure, they cannot be isolated by the platform. Check that platform features like interrupt remapping are enabled. Use the "allow_unsafe_interrupts" module parameter to override';

/** IFD-31: what one IOMMU group is attached to in this context. */
export class AttachedGroup {
  hwpt: PageTableObject | null = null;
  /** Members that asked for it; all devices of the group use it. */
  readonly attached = new Set<BoundDevice>();
  bound = 0;
  /** What PASIDs of the group are attached to. */
  readonly pasids: PasidRecords;

  constructor(readonly group: Group) {
    this.pasids = new PasidRecords(group);
  }
}

/** IOMMU_OBJ_DEVICE: a device whose DMA this context owns. */
export class BoundDevice extends IommufdObject {
  readonly kind = 'device';
  /** IFD-82: at most one. */
  virtual: Vdevice | null = null;

  constructor(
    readonly context: IommufdContext,
    readonly device: Device,
    readonly membership: AttachedGroup,
  ) {
    super();
    membership.bound++;
    context.hold();
    this.hold(); // IFD-09: its driver keeps it
  }

  get isAttached(): boolean {
    return this.membership.attached.has(this);
  }

  /** `iommufd_device_unbind`: detaches as well (CDV-05). */
  /** IFD-10c: its virtual device goes with it, whose number stays taken. */
  unbind(): void {
    if (this.virtual !== null) this.context.objects.bury(this.virtual);
    this.membership.pasids.detachAll(this);
    this.detach();
    this.drop();
    this.context.objects.remove(this);
  }

  destroy(): void {
    const { group } = this.membership;
    group.releaseDevice(this.device);
    this.membership.bound--;
    if (this.membership.bound === 0) this.context.groups.delete(group);
    this.context.drop();
  }

  // ---------------------------------------------------------------------------------------------- attach

  /**
   * `iommufd_device_attach`, or `iommufd_device_replace` when the device is attached (CDV-03, IFD-40, IFD-41, IFD-50).
   * @returns the hwpt that translates now. @throws Refusal; everything stays as before then
   */
  attachTo(target: number): PageTableObject {
    const object = this.context.objects.find(target);
    if (object === undefined) throw new Refusal('ENOENT', 'IFD-40', `no object has the id ${target}`, [this.device.subject]);
    const replacing = this.isAttached;
    if (object instanceof PageTableObject) {
      this.change(object, replacing);
      return object;
    }
    if (object instanceof Ioas) return this.attachToIoas(object, replacing);
    throw new Refusal('EINVAL', 'IFD-40', `the object ${target} is a ${object.kind}, not an address space or a page table`, [this.device.subject]);
  }

  /** IFD-41: through an automatic hwpt that fits, or a new one. */
  private attachToIoas(ioas: Ioas, replacing: boolean): Hwpt {
    for (const hwpt of [...ioas.hwpts]) {
      if (!hwpt.options.automatic) continue;
      try {
        this.change(hwpt, replacing);
        return hwpt;
      } catch (refusal) {
        // SET-03: EINVAL says that this domain does not fit, and another may; any other errno is final.
        if (!(refusal instanceof Refusal) || refusal.errno !== 'EINVAL') throw refusal;
      }
    }
    return this.attachToNew(ioas, replacing);
  }

  private attachToNew(ioas: Ioas, replacing: boolean): Hwpt {
    const { context, device } = this;
    if (!replacing) {
      return allocatePagingHwpt(context, ioas, device, AUTOMATIC, (hwpt) => {
        this.attach(hwpt);
        return () => this.leave();
      });
    }
    const hwpt = allocatePagingHwpt(context, ioas, device, AUTOMATIC);
    try {
      this.replace(hwpt);
    } catch (refusal) {
      context.objects.remove(hwpt);
      throw refusal;
    }
    return hwpt;
  }

  private change(hwpt: PageTableObject, replacing: boolean): void {
    if (replacing) this.replace(hwpt);
    else this.attach(hwpt);
  }

  /** IFD-40. @throws Refusal EINVAL, EADDRINUSE, what the IOMMU core says */
  private attach(hwpt: PageTableObject): void {
    const { membership } = this;
    if (membership.hwpt !== null && membership.hwpt !== hwpt) { // NST-03
      const [other] = membership.attached;
      throw new Refusal('EINVAL', 'IFD-40', `${other?.device.name} of the same IOMMU group is attached to the hwpt ${membership.hwpt.id}`, other === undefined ? [] : [other.device.subject]);
    }
    reserveRegions(hwpt.ioas, this);
    if (membership.hwpt === null) {
      try {
        this.context.messages.prepare(this.membership.group, this.device, hwpt);
        this.checkTakesFaults(hwpt);
        checkBesidePasids(hwpt, this.device, membership.pasids);
        membership.group.attach(hwpt.domain);
      } catch (refusal) {
        hwpt.ioas.table.space.unreserve(this);
        throw refusal;
      }
      this.show(hwpt);
    }
    membership.attached.add(this);
    hwpt.hold();
    this.hold();
  }

  /** IFD-50: all devices of the group move together. @throws Refusal EADDRINUSE, EINVAL; the old hwpt stays then */
  private replace(hwpt: PageTableObject): void {
    const { membership } = this;
    const old = membership.hwpt!;
    if (old === hwpt) return;
    const moves = old.ioas !== hwpt.ioas;
    if (moves) reserveForAll(hwpt.ioas, membership.attached);
    try {
      this.context.messages.prepare(membership.group, this.device, hwpt);
      this.checkTakesFaults(hwpt);
      checkBesidePasids(hwpt, this.device, membership.pasids);
      membership.group.replace(hwpt.domain);
    } catch (refusal) {
      if (moves) unreserveForAll(hwpt.ioas, membership.attached);
      throw refusal;
    }
    if (moves) unreserveForAll(old.ioas, membership.attached);
    this.show(hwpt);
    for (const member of membership.attached) {
      hwpt.hold();
      member.putHwpt(old);
    }
  }

  /** IFD-45, IOPF-03. @throws Refusal EINVAL, ENODEV */
  private checkTakesFaults(hwpt: PageTableObject): void {
    if (hwpt.faultQueue === null) return;
    refuseFaultsOfFunctions(hwpt, this.device);
    checkTakesFaults(attachRules(this.context.kernel.profile), this.device);
  }

  /** What the group translates through from now on; whoever asks for pages through what was before hears "invalid". */
  private show(hwpt: PageTableObject | null): void {
    const { membership } = this;
    const { pasids } = membership.group;
    membership.hwpt?.released(pasids.requesterHandle);
    membership.hwpt = hwpt;
    pasids.requesterHandle = hwpt?.handleFor(this) ?? null;
  }

  /** With a PASID (PAS-02). @throws Refusal */
  attachPasid(target: number, pasid: number, mode: AttachMode = 'either'): PageTableObject {
    return this.membership.pasids.attach(this, target, pasid, this.membership.hwpt, mode);
  }

  detachPasid(pasid: number): void {
    this.membership.pasids.detach(this, pasid);
  }

  /** IFD-51; of a device that is not attached, nothing (CDV-04). */
  detach(): void {
    if (!this.isAttached) return;
    const { hwpt } = this.membership;
    this.leave();
    if (hwpt !== null) this.freeIfUnused(hwpt);
  }

  /** Takes the attachment back without freeing the hwpt. */
  private leave(): void {
    const { membership } = this;
    const hwpt = membership.hwpt!;
    hwpt.ioas.table.space.unreserve(this);
    membership.attached.delete(this);
    if (membership.attached.size === 0) {
      this.show(null);
      membership.group.detach();
    }
    hwpt.drop();
    this.drop();
  }

  private putHwpt(hwpt: PageTableObject): void {
    hwpt.drop();
    this.freeIfUnused(hwpt);
  }

  /** IFD-10b. */
  private freeIfUnused(hwpt: PageTableObject): void {
    if (hwpt.options.automatic && hwpt.users === 1) this.context.objects.remove(hwpt);
  }
}

// ------------------------------------------------------------------------------------------------ bind

/** `iommufd_device_bind` (IFD-30, OWN-47). The user names a device; its group, which no file stands for, is claimed behind that (ARG-05, HIS-06, THR-04). @throws Refusal EINVAL, ENODEV, EPERM, EBUSY */
export function bindDevice(context: IommufdContext, device: Device): BoundDevice {
  const { group, subject, name } = device;
  if (device.unit === null || !device.unit.capabilities().cacheCoherency) {
    throw new Refusal('EINVAL', 'IFD-30', `the IOMMU of ${name} does not keep DMA coherent with the CPU's caches, or there is none`, [subject]);
  }
  if (group === null) throw new Refusal('ENODEV', 'IFD-30', `${name} is in no IOMMU group`, [subject]);
  checkInterruptIsolation(context, device, group);
  group.claimDevice(device, context);
  let membership = context.groups.get(group);
  if (membership === undefined) context.groups.set(group, (membership = new AttachedGroup(group)));
  return context.objects.add(new BoundDevice(context, device, membership));
}

function checkInterruptIsolation({ kernel }: IommufdContext, device: Device, group: Group): void {
  const exposed = group.devices.filter((member) => !member.unit?.capabilities().isolatedMsi);
  if (exposed.length === 0) return;
  if (!isOn(kernel.moduleParameter('iommufd', 'allow_unsafe_interrupts'))) {
    throw new Refusal('EPERM', 'IFD-30', `interrupts of ${exposed[0]!.name} are not isolated from the rest of the machine, and iommufd.allow_unsafe_interrupts is off`, exposed.map((member) => member.subject));
  }
  kernel.log.push(deviceLine(device, INSECURE_INTERRUPTS));
}

// ------------------------------------------------------------------------------------------------ parts of attach

/** IFD-40 step 3, IOP-05, RSV-47: addresses that the device cannot use, or that mean something else to it. @throws Refusal EADDRINUSE, EINVAL */
function reserveRegions(ioas: Ioas, bound: BoundDevice): void {
  const { device } = bound;
  const count = (type: string): number => device.reservedRegions.filter((region) => region.type === type).length;
  try {
    for (const { range, type } of device.reservedRegions) {
      if (type !== 'direct-relaxable') ioas.table.space.reserve(range, bound, `the ${type} region of ${device.name} at`, [device.subject]);
    }
    const software = count('software-msi');
    if (software > 1 || (software > 0 && count('msi') > 0)) {
      throw new Refusal('EINVAL', 'IFD-40', `the MSI regions of ${device.name} contradict one another`, [device.subject]);
    }
  } catch (refusal) {
    ioas.table.space.unreserve(bound);
    throw refusal;
  }
}

function reserveForAll(ioas: Ioas, members: ReadonlySet<BoundDevice>): void {
  const reserved: BoundDevice[] = [];
  try {
    for (const member of members) {
      reserveRegions(ioas, member);
      reserved.push(member);
    }
  } catch (refusal) {
    unreserveForAll(ioas, reserved);
    throw refusal;
  }
}

function unreserveForAll(ioas: Ioas, members: Iterable<BoundDevice>): void {
  for (const member of members) ioas.table.space.unreserve(member);
}

/** IFD-45. */
function refuseFaultsOfFunctions(hwpt: PageTableObject, device: Device): void {
  if (device.kind !== 'pci' || device.description.virtualFunction === undefined || !device.description.pri) return;
  throw new Refusal('EINVAL', 'IFD-45', `${device.name} is a virtual function with page requests, which hwpt ${hwpt.id} reports to its user`, [device.subject]);
}
