/**
 * QEMU started by libvirt (iommufd: 12.1 and later): libvirtd, which is root, detaches the devices from the host when they are
 * managed, raises the limit of locked memory, and for iommufd opens the files that QEMU then finds open. The rest is QEMU's.
 */
import type { OwnerDescription } from '../../description.js';
import { isVfioDriver } from '../../kernel/drivers.js';
import type { Assigned, Calls, Part, Task } from './steps.js';
import { deviceHandle, handle, number, openCdev, subject, word } from './steps.js';
import { qemu, throughIommufd } from './qemu.js';
import { sizeWord } from '../../memory/sizes.js';

const LIBVIRTD = 'libvirtd';
/** What libvirt adds to the memory of a guest: for QEMU itself and for MMIO. */
const HEADROOM = 1n << 30n;

/** `managed='yes'`; else the administrator has bound the devices, and libvirt starts no VM of which he has not. */
export const detachesDevices = ({ program, managed }: OwnerDescription): boolean => program === 'libvirt' && managed !== false;

export function* libvirt(task: Task): Calls {
  if (detachesDevices(task.steps.owner)) for (const assigned of task.assigned) yield* detachFromHost(task, assigned);
  yield* raiseLimit(task);
  if (task.steps.owner.through !== 'iommufd') return yield* qemu(task);
  yield* startWithFiles(task);
}

/** All devices before the first call of QEMU. One that has VFIO's driver stays as it is; an mdev has no driver of the host. */
function* detachFromHost({ steps }: Task, assigned: Assigned): Calls {
  const { device, name, origin } = assigned;
  if (device.kind === 'mdev' || (device.driver !== null && isVfioDriver(device.driver))) return;
  const by = LIBVIRTD;
  const driver = device.kind === 'platform' ? 'vfio-platform' : 'vfio-pci';
  yield* steps.call(origin, 'driver-override', { device: subject(assigned), driver: word(driver) }, `${name} to ${driver}`, { by });
  if (device.driver !== null) yield* steps.call(origin, 'unbind', { device: subject(assigned) }, name, { by });
  yield* steps.call(origin, 'drivers-probe', { device: subject(assigned) }, name, { by });
}

/** `memlock` of the file is `<hard_limit>` of libvirt; without it, guest memory, once per device behind a virtual IOMMU, and 1 GiB more. */
function* raiseLimit({ steps }: Task): Calls {
  const { owner } = steps;
  const memory = owner.memory.reduce((sum, { size }) => sum + size, 0n);
  const times = owner.virtualIommu === true ? BigInt(owner.assigned.length) : 1n;
  const limit = owner.memlock ?? memory * times + HEADROOM;
  yield* steps.call(owner.id, 'set-memlock', { process: word(owner.name), limit: number(limit) }, `${owner.name} to ${sizeWord(limit)}`, { by: LIBVIRTD });
}

/** IFD-12: locked memory counts for QEMU's process and not for its user; setting that takes a capability that QEMU has not. */
function* startWithFiles(task: Task): Calls {
  const { steps } = task;
  const { owner } = steps;
  const by = LIBVIRTD;
  if (!(yield* steps.ok(owner.id, 'open-iommufd', { handle: handle('fd') }, 'fd', { by }))) return;
  if (!(yield* steps.ok(owner.id, 'iommufd-option', { target: handle('fd'), option: word('rlimit-mode'), value: number(1n) }, 'fd rlimit-mode 1', { by }))) return;
  const opened: Assigned[] = [];
  for (const assigned of task.assigned) if (yield* openCdev(task, assigned, by)) opened.push(assigned);
  if (!(yield* steps.ok(owner.id, 'inherit-iommufd', { handle: handle('fd'), process: word(by) }, `fd from ${by}`))) return;
  const inherited: Assigned[] = [];
  for (const assigned of opened) if (yield* inheritCdev(task, assigned)) inherited.push(assigned);
  yield* throughIommufd({ ...task, assigned: inherited }, true);
}

const inheritCdev = ({ steps }: Task, assigned: Assigned): Part =>
  steps.ok(assigned.origin, 'inherit-cdev', { handle: handle(deviceHandle(assigned)), process: word(LIBVIRTD) }, `${deviceHandle(assigned)} from ${LIBVIRTD}`);
