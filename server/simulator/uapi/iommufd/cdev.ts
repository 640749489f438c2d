/** /dev/vfio/devices/vfioX: a VFIO device that user space binds to an iommufd itself (CDV-01 .. CDV-08). */
import { Refusal } from '../../errno.js';
import type { Process } from '../process.js';
import { closed, opened, wakeWaiting, type DeviceHolder } from '../vfio/device-file.js';
import type { VfioDevice, VfioRegistry } from '../vfio/registry.js';
import { checkToken } from '../vfio/vf-token.js';
import { Access } from './access.js';
import { IommufdFile } from './compat-container.js';
import { bindDevice, type BoundDevice } from './device.js';

/** `struct vfio_device_bind_iommufd`. */
export interface BindRequest {
  readonly argsz?: number;
  readonly flags?: number;
  /** File descriptor. */
  readonly iommufd: number;
  /** With BIND_FLAG_TOKEN: the UUID behind the pointer; absent = it cannot be read. */
  readonly token?: string;
}

/** `struct vfio_device_attach_iommufd_pt`, and the same without `pt` to detach. */
export interface DetachRequest {
  readonly argsz?: number;
  readonly flags?: number;
  readonly pasid?: number;
}
export interface AttachRequest extends DetachRequest {
  /** Id of an IOAS or hwpt. */
  readonly pt: number;
}

const SIZE = { BIND: 16, ATTACH: 12, ATTACH_PASID: 16, DETACH: 8, DETACH_PASID: 12 } as const;
const BIND_FLAG_TOKEN = 1;
/** VFIO_DEVICE_ATTACH_PASID, VFIO_DEVICE_DETACH_PASID. */
const FLAG_PASID = 1;
/** MDV-20 K7, SBS-06: the one driver that attaches PASIDs. */
const PASID_DRIVER = 'vfio-pci';

const invalid = (rule: string, why: string, subject?: string): Refusal => new Refusal('EINVAL', rule, why, subject === undefined ? [] : [subject]);

export class CdevFile implements DeviceHolder {
  readonly kind = 'cdev';
  readonly byCdev = true;
  private bound: BoundDevice | Access | null = null;

  /** @param extended kernels from 6.13 on: PASIDs, binding tokens */
  constructor(
    readonly registered: VfioDevice,
    private readonly registry: VfioRegistry,
    private readonly extended: boolean,
  ) {
    registered.cdevFiles++;
  }

  get vfioDevice(): VfioDevice {
    return this.registered;
  }

  get isBound(): boolean {
    return this.bound !== null;
  }

  /** The object of the iommufd that stands for the device. */
  get object(): BoundDevice | Access | null {
    return this.bound;
  }

  // ---------------------------------------------------------------------------------------------- bind

  /** VFIO_DEVICE_BIND_IOMMUFD (CDV-02). @returns the id of the device (or access) object */
  bind(process: Process, request: BindRequest): number {
    const { registered } = this;
    const { device, group } = registered;
    if ((request.argsz ?? SIZE.BIND) < SIZE.BIND) throw invalid('CDV-02', `argsz ${request.argsz} is less than ${SIZE.BIND}`);
    this.checkBindFlags(request);
    if (group.opened) throw new Refusal('EBUSY', 'CDV-06', `/dev/vfio/${group.nodeName}, the group of ${device.name}, is open`, [device.subject]);
    if (this.bound !== null) throw invalid('CDV-02', `this file of ${device.name} is bound already`, device.subject);
    if (this.extended) this.checkBindToken(request);
    const file = process.file(request.iommufd);
    if (!(file instanceof IommufdFile)) throw new Refusal('EBADFD', 'CDV-02', `file descriptor ${request.iommufd} is not an iommufd`);
    if (registered.openCount > 0) throw invalid('CDV-02', `${device.name} is open through another file`, device.subject);
    const bound = this.bindTo(file);
    this.checkOpens(bound);
    this.bound = bound;
    group.boundCdevs++;
    const memory = bound instanceof Access ? bound : null;
    registered.binding = { memory, context: file.context, id: bound.id, close: () => this.unbind() };
    opened(registered, () => memory);
    return bound.id;
  }

  private checkBindFlags({ flags = 0, iommufd }: BindRequest): void {
    if (iommufd < 0 || (flags & ~(this.extended ? BIND_FLAG_TOKEN : 0)) !== 0) throw invalid('CDV-02', iommufd < 0 ? 'the file descriptor is negative' : `flags ${flags} are unknown`);
  }

  /** VFG-30: kernels that know the flag also ask for the token without it. @throws Refusal EFAULT, EINVAL, EACCES */
  private checkBindToken({ flags = 0, token }: BindRequest): void {
    const given = (flags & BIND_FLAG_TOKEN) !== 0;
    if (given && token === undefined) throw new Refusal('EFAULT', 'CDV-02', 'the token cannot be read');
    checkToken(this.registry, this.registered, given ? token!.toLowerCase() : null);
  }

  /** vfio-pci resets the function when it is opened, which a driver on its way out does not let it. @throws Refusal EAGAIN; nothing is bound then */
  private checkOpens(bound: BoundDevice | Access): void {
    const { device, waiting } = this.registered;
    if (waiting.length === 0 || device.kind !== 'pci') return;
    bound.unbind();
    throw new Refusal('EAGAIN', 'CDV-02', `the driver of ${device.name} is being unbound`, [device.subject]);
  }

  /** CDV-08: how the driver registered decides, nobody looks at the bus. */
  private bindTo({ context }: IommufdFile): BoundDevice | Access {
    const { device, kind, mediating } = this.registered;
    if (kind !== 'emulated') return bindDevice(context, device);
    const onUnmap = mediating?.listens ? (iova: bigint, size: bigint) => mediating.unmapped(iova, size) : null;
    return context.objects.add(new Access(context, device, onUnmap));
  }

  // ---------------------------------------------------------------------------------------------- attach

  /** VFIO_DEVICE_ATTACH_IOMMUFD_PT (CDV-03). @returns the id that is written back: the hwpt's, or of an emulated device the same */
  attach(request: AttachRequest): number {
    const bound = this.needBound();
    if (this.checkPasid(request, SIZE.ATTACH, SIZE.ATTACH_PASID, 'CDV-03')) return this.attachPasid(bound, request.pt, request.pasid ?? 0);
    if (bound instanceof Access) {
      bound.attachTo(request.pt);
      return request.pt;
    }
    return bound.attachTo(request.pt).id;
  }

  /** VFIO_DEVICE_DETACH_IOMMUFD_PT (CDV-04): also when nothing is attached. */
  detach(request: DetachRequest): void {
    const bound = this.needBound();
    if (!this.checkPasid(request, SIZE.DETACH, SIZE.DETACH_PASID, 'CDV-04')) bound.detach();
    else if (!(bound instanceof Access)) bound.detachPasid(request.pasid ?? 0); // PAS-06
  }

  private needBound(): BoundDevice | Access {
    if (this.bound === null) throw invalid('CDV-01', `${this.registered.device.name} is not bound to an iommufd`, this.registered.device.subject);
    return this.bound;
  }

  /** @returns whether the call is about a PASID. @throws Refusal EINVAL, EOPNOTSUPP */
  private checkPasid({ argsz, flags = 0 }: DetachRequest, size: number, pasidSize: number, rule: string): boolean {
    const { device } = this.registered;
    const pasid = this.extended && (flags & FLAG_PASID) !== 0;
    if ((argsz ?? pasidSize) < size) throw invalid(rule, `argsz ${argsz} is less than ${size}`);
    if ((flags & ~(this.extended ? FLAG_PASID : 0)) !== 0) throw invalid(rule, `flags ${flags} are unknown`);
    if (!pasid) return false;
    if (device.driver !== PASID_DRIVER) throw new Refusal('EOPNOTSUPP', rule, `${device.driver ?? 'the driver'} of ${device.name} attaches no PASIDs`, [device.subject]);
    if ((argsz ?? pasidSize) < pasidSize) throw invalid(rule, `argsz ${argsz} is less than ${pasidSize}`);
    return true;
  }

  /** PAS-02. */
  private attachPasid(bound: BoundDevice | Access, pt: number, pasid: number): number {
    const { device } = this.registered;
    if (bound instanceof Access) throw new Refusal('EOPNOTSUPP', 'CDV-03', `${device.name} has no PASIDs`, [device.subject]);
    return bound.attachPasid(pt, pasid).id;
  }

  // ---------------------------------------------------------------------------------------------- close

  /** CDV-05. */
  release(): void {
    const { registered } = this;
    this.unbind();
    registered.cdevFiles--;
    wakeWaiting(registered);
  }

  private unbind(): void {
    const { registered, bound } = this;
    if (bound === null) return;
    this.bound = null;
    closed(registered);
    bound.unbind();
    registered.binding = null;
    registered.group.boundCdevs--;
  }
}
