/**
 * VFIO_DEVICE_GET_PCI_HOT_RESET_INFO and VFIO_DEVICE_PCI_HOT_RESET: a reset of the bus below a bridge hits every function
 * there, so the user must show that all of them are his: by group descriptors, or by one iommufd that has them (CDV-02).
 */
import { Refusal } from '../../errno.js';
import type { Device, Kernel } from '../../kernel/core.js';
import { forbidsBusReset } from '../../kernel/bus-reset-quirks.js';
import type { VfioDevice, VfioGroup, VfioRegistry } from './registry.js';

/** A function that the reset would hit. */
export interface AffectedDevice {
  readonly device: Device;
  /** The number of its group; of a device that was opened by its character device, its object in the caller's iommufd. */
  readonly id: number;
}

export interface HotResetInfo {
  readonly flags: number;
  readonly affected: readonly AffectedDevice[];
}

/** VFIO_PCI_HOT_RESET_FLAG_*. */
const FLAG = { DEVICE_IDS: 1, OWNED: 2 } as const;
/** VFIO_PCI_DEVID_*: no object of its own, but its group belongs to the caller's iommufd; or somebody else's. */
const DEVICE_ID = { OWNED: 0, NOT_OWNED: -1 } as const;

const RULE = 'VFG-16';

/** Everything below the bridge above the device, bridges too. @throws Refusal ENODEV on a root bus, which cannot be reset, and where a quirk forbids it */
function affectedBy(kernel: Kernel, device: Device): readonly Device[] {
  const bridge = device.kind === 'pci' ? device.description.upstream : null;
  const below = belowBridge(kernel, device, bridge);
  const forbidding = [...(bridge === null ? [] : [kernel.device(bridge)]), ...below].find((each) => each?.kind === 'pci' && forbidsBusReset(each.description));
  if (forbidding !== undefined) throw new Refusal('ENODEV', RULE, `${forbidding.name} would not come back from a reset of ${forbidding.subject === bridge ? 'the bus below it' : 'its bus'}, so that Linux makes none`, [forbidding.subject]);
  return below;
}

function belowBridge(kernel: Kernel, device: Device, bridge: string | null): readonly Device[] {
  if (bridge === null) throw new Refusal('ENODEV', RULE, `there is no bridge above ${device.name} that could reset its bus`, [device.subject]);
  const below = new Map<string, Device[]>();
  for (const each of kernel.devices) {
    if (each.kind !== 'pci' || each.description.upstream === null) continue;
    const siblings = below.get(each.description.upstream);
    if (siblings === undefined) below.set(each.description.upstream, [each]);
    else siblings.push(each);
  }
  const walk = (subject: string): Device[] => (below.get(subject) ?? []).flatMap((each) => [each, ...walk(each.subject)]);
  return walk(bridge);
}

/** @param byCdev the device was opened by its character device, so iommufd's objects are named instead of groups */
export function hotResetInfo(kernel: Kernel, registry: VfioRegistry, vfioDevice: VfioDevice, byCdev: boolean): HotResetInfo {
  const devices = affectedBy(kernel, vfioDevice.device);
  if (!byCdev) return { flags: 0, affected: devices.map((device) => ({ device, id: groupNumber(device) })) };
  const affected = devices.map((device) => ({ device, id: objectId(registry, vfioDevice, device) }));
  const owned = affected.every(({ id }) => id !== DEVICE_ID.NOT_OWNED);
  return { flags: FLAG.DEVICE_IDS | (owned ? FLAG.OWNED : 0), affected };
}

function groupNumber(device: Device): number {
  if (device.group === null) throw new Refusal('EPERM', RULE, `${device.name} is in no IOMMU group`, [device.subject]);
  return device.group.id;
}

/** The object of `device` in the iommufd that `asked` is bound to. */
function objectId(registry: VfioRegistry, asked: VfioDevice, device: Device): number {
  const found = registry.deviceOf(device);
  const context = asked.binding?.context;
  if (found === undefined || context === undefined) return DEVICE_ID.NOT_OWNED;
  if (found.binding?.context === context) return found.binding.id ?? DEVICE_ID.OWNED;
  const groupIsMine = [...found.group.members].some((member) => member.binding?.context === context);
  return groupIsMine ? DEVICE_ID.OWNED : DEVICE_ID.NOT_OWNED;
}

/** What the caller hands over with VFIO_DEVICE_PCI_HOT_RESET. */
export interface ResetProof {
  /** How many descriptors of groups. None with a device that was opened by its character device. */
  readonly count: number;
  /** The groups behind them. @throws Refusal EBADF, EINVAL for what is no group */
  groups(): readonly VfioGroup[];
}

/**
 * What VFIO_DEVICE_PCI_HOT_RESET checks before it resets. Whether descriptors go with the way the device was opened comes
 * first where there are character devices (>= 6.5), and after the bridge before; the descriptors are looked at last.
 * @throws Refusal ENODEV, EINVAL, EBADF
 */
export function checkHotReset(kernel: Kernel, registry: VfioRegistry, vfioDevice: VfioDevice, byCdev: boolean, proof: ResetProof): readonly Device[] {
  const misfits = byCdev === proof.count > 0;
  if (kernel.profile.cdev && misfits) throw wrongCount(byCdev, 'all');
  const devices = affectedBy(kernel, vfioDevice.device);
  if (misfits || proof.count > devices.length) throw wrongCount(byCdev, devices.length);
  const groups = proof.groups();
  const stranger = devices.find((device) => !isOwned(registry, vfioDevice, device, byCdev, groups));
  if (stranger !== undefined) throw new Refusal('EINVAL', RULE, `the reset would hit ${stranger.name}, which the caller has not shown to be his`, [stranger.subject]);
  return devices;
}

const wrongCount = (byCdev: boolean, most: number | 'all'): Refusal =>
  new Refusal('EINVAL', RULE, byCdev ? 'a device of an iommufd is reset without group descriptors' : most === 'all' ? 'the groups of all that the reset hits must be given' : `between 1 and ${most} group descriptors must be given`);

function isOwned(registry: VfioRegistry, asked: VfioDevice, device: Device, byCdev: boolean, groups: readonly VfioGroup[]): boolean {
  const found = registry.deviceOf(device);
  if (found === undefined) return false;
  return byCdev ? objectId(registry, asked, device) !== DEVICE_ID.NOT_OWNED : groups.includes(found.group);
}
