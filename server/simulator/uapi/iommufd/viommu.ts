/** Virtual IOMMUs: what a guest's unit is in the kernel, its devices, its event queues (IFD-80 .. IFD-84). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import { ADDRESS_MAX } from '../../memory/address.js';
import type { Process } from '../process.js';
import type { IommufdContext } from './context.js';
import { BoundDevice } from './device.js';
import { since, type Envelope } from './dispatch.js';
import { EventQueue, EventQueueFile } from './event-queue.js';
import { Hwpt } from './hwpt.js';
import type { HwQueue } from './hw-queue.js';
import { MOCK_TYPE, MOCK_VIOMMU_DATA } from './mock-constants.js';
import { IommufdObject } from './objects.js';
import { copyUserData, type DataLayout, type UserData } from './user-data.js';

/** What a driver virtualizes. */
interface ViommuDriver {
  readonly type: number;
  /** Optional data when a vIOMMU is made; its `value` is given back. */
  readonly data: DataLayout;
  readonly eventQueueType: number;
  readonly hwQueueType: number;
  /** Queues must be made in this order, and so many there are. */
  readonly hwQueues: number;
}

const DRIVERS: Readonly<Partial<Record<IommuArchitectureName, ViommuDriver>>> = {
  mock: { type: MOCK_TYPE.VIOMMU, data: MOCK_VIOMMU_DATA, eventQueueType: MOCK_TYPE.EVENT_QUEUE, hwQueueType: MOCK_TYPE.HW_QUEUE, hwQueues: 2 },
};

export class Viommu extends IommufdObject {
  readonly kind = 'viommu';
  /** By the number that the guest knows a device by. */
  readonly devices = new Map<bigint, Vdevice>();
  /** By type. */
  readonly eventQueues = new Map<number, EventQueue>();
  readonly hwQueues: (HwQueue | undefined)[] = [];

  /** @param mappedValue what its driver shows in the page that user space may map; null = it has none */
  constructor(
    readonly parent: Hwpt,
    readonly unit: NonNullable<Device['unit']>,
    readonly driver: ViommuDriver,
    readonly mappedValue: bigint | null,
  ) {
    super();
    parent.hold();
  }

  virtualIdOf(device: Device): bigint | undefined {
    for (const [id, virtual] of this.devices) if (virtual.bound.device === device) return id;
    return undefined;
  }

  destroy(): void {
    this.parent.drop();
  }
}

/** One device as the guest of a vIOMMU sees it. */
export class Vdevice extends IommufdObject {
  readonly kind = 'vdevice';

  constructor(
    readonly viommu: Viommu,
    readonly bound: BoundDevice,
    readonly virtualId: bigint,
  ) {
    super();
    viommu.hold();
    viommu.devices.set(virtualId, this);
    bound.virtual = this;
  }

  destroy(): void {
    this.viommu.devices.delete(this.virtualId);
    this.viommu.drop();
    this.bound.virtual = null;
  }
}

export interface ViommuCall extends Envelope {
  readonly device: number;
  readonly hwpt: number;
  readonly type: number;
  readonly data?: UserData;
}
export interface VdeviceCall extends Envelope {
  readonly viommu: number;
  readonly device: number;
  readonly virtualId: bigint;
}
export interface EventQueueCall extends Envelope {
  readonly viommu: number;
  readonly type: number;
  readonly depth: number;
}

/** IFD-84: how deep a queue may be, where anybody asks. */
const DEEPEST = 1 << 19;

/** IFD-80. @returns the vIOMMU, and what its driver wrote back. @throws Refusal EOPNOTSUPP, ENOENT, EINVAL, EFAULT */
export function allocateViommu(context: IommufdContext, call: ViommuCall): { id: number; value: bigint | null } {
  if (call.type === 0) throw new Refusal('EOPNOTSUPP', 'IFD-80', 'no type is asked for');
  const { device } = context.objects.get(call.device, BoundDevice, 'a device');
  const { unit, subject } = device;
  const driver = unit === null ? undefined : DRIVERS[unit.description.architecture];
  if (unit === null || driver === undefined || driver.type !== call.type) throw new Refusal('EOPNOTSUPP', 'IFD-80', `the driver of ${unit?.description.name ?? 'no IOMMU'} virtualizes no unit of type ${call.type}`, [subject]);
  const parent = context.objects.get(call.hwpt, Hwpt, 'a page table that the kernel fills');
  if (!parent.options.nestParent) throw new Refusal('EINVAL', 'IFD-80', `the hwpt ${parent.id} was not allocated as a parent of nested page tables`, [subject]);
  const given = call.data === undefined || call.data.length === 0 ? null : copyUserData(call.data, driver.data, 'IFD-80', [subject]);
  const value = given?.value ?? null;
  return { id: context.objects.add(new Viommu(parent, unit, driver, value)).id, value };
}

/** IFD-82. @throws Refusal EINVAL, ENOENT, EEXIST */
export function allocateVdevice(context: IommufdContext, call: VdeviceCall): number {
  if (call.virtualId > ADDRESS_MAX) throw new Refusal('EINVAL', 'IFD-82', 'the virtual number has more than 64 bits');
  const viommu = context.objects.get(call.viommu, Viommu, 'a vIOMMU');
  const bound = context.objects.get(call.device, BoundDevice, 'a device');
  const { device } = bound;
  if (viommu.unit.description !== device.unit?.description) throw new Refusal('EINVAL', 'IFD-82', `${device.name} is behind another IOMMU than the vIOMMU ${viommu.id}`, [device.subject]);
  if (bound.virtual !== null) throw new Refusal('EEXIST', 'IFD-82', `${device.name} has the virtual device ${bound.virtual.id} already`, [device.subject]);
  if (viommu.devices.has(call.virtualId)) throw new Refusal('EEXIST', 'IFD-82', `the vIOMMU ${viommu.id} has another device with the number ${call.virtualId}`, [device.subject]);
  return context.objects.add(new Vdevice(viommu, bound, call.virtualId)).id;
}

/** IFD-84. @returns the object and the descriptor that reads it. @throws Refusal EOPNOTSUPP, EINVAL, ENOENT, EEXIST */
export function allocateEventQueue(context: IommufdContext, process: Process, call: EventQueueCall): { id: number; file: number } {
  if (call.type === 0) throw new Refusal('EOPNOTSUPP', 'IFD-84', 'no type is asked for');
  const tooDeep = since(context.kernel.profile, 'bounds') && call.depth > DEEPEST;
  if (call.depth === 0 || tooDeep) throw new Refusal('EINVAL', 'IFD-84', `a queue cannot be ${call.depth} events deep`);
  const viommu = context.objects.get(call.viommu, Viommu, 'a vIOMMU');
  if (viommu.eventQueues.has(call.type)) throw new Refusal('EEXIST', 'IFD-84', `the vIOMMU ${viommu.id} has a queue of that type already`);
  const queue = context.objects.add(new EventQueue(viommu, call.type, call.depth));
  return { id: queue.id, file: process.open(new EventQueueFile(context, queue)) };
}
