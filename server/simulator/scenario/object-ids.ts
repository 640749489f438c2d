/** Identities of objects in an object graph: the same after every action of a run, and made of nothing but the object itself. */
import type { Device, Group } from '../kernel/core.js';
import type { IommufdContext } from '../uapi/iommufd/context.js';
import type { IommufdObject } from '../uapi/iommufd/objects.js';
import type { VfioContainer, VfioGroup } from '../uapi/vfio/index.js';

export const programId = (name: string): string => `program:${name}`;
export const containerId = (container: VfioContainer): string => `container:${container.serial}`;
export const vfioGroupId = (group: VfioGroup): string => `vfio-group:${group.nodeName}`;
export const iommufdId = (context: IommufdContext): string => `iommufd:${context.serial}`;
/** Numbers of objects are used again when one is destroyed (IFD-05). */
export const objectId = (context: IommufdContext, { kind, id }: IommufdObject): string => `${iommufdId(context)}/${kind}:${id}`;
export const deviceId = (device: Pick<Device, 'subject'> & { readonly kind?: Device['kind'] }): string => `${device.kind === 'mdev' ? 'mdev' : 'device'}:${device.subject}`;
export const groupId = (group: Group): string => `group:${group.id}`;
