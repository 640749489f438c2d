/** Steps about devices as sysfs has them: which driver may have them, whether they are there, what group they are in. */
import { Refusal } from '../errno.js';
import type { Device, Group } from '../kernel/core.js';
import { regionLine } from '../kernel/reserved-regions.js';
import type { Call, Executor } from './call.js';

const driversProbe: Executor = (call) => {
  const device = call.device('device');
  call.machine.booted.hotPlug.probeDriver(device);
  return { values: { driver: device.driver ?? 'none' } };
};

const driverOverride: Executor = (call) => {
  const driver = call.word('driver');
  call.device('device').driverOverride = driver === 'none' ? null : driver;
  return undefined;
};

/** VFG-23: the removal waits, as an unbind does, for whoever has the device open. */
const remove: Executor = (call) => {
  const device = call.device('device');
  if (device.driver !== null && call.machine.vfio.unbind(device) === 'blocked') return { waitsFor: `the user of ${device.name} to close it` };
  call.machine.booted.hotPlug.remove(device);
  return undefined;
};

/** @throws Refusal ENODEV for a device that is there already: a rescan finds nothing new */
const hotplug: Executor = (call) => {
  const subject = call.subject('device');
  const device = subject === undefined ? undefined : call.machine.booted.hotPlug.absentDevice(subject);
  if (device === undefined) throw new Refusal('ENODEV', 'GRL-06', `${call.word('device')} was not removed, so a rescan finds nothing new`);
  call.machine.booted.hotPlug.add(device);
  return device.group === null ? undefined : { values: { group: BigInt(device.group.id) } };
};

/** @throws Refusal ENOENT */
function groupOf(call: Call): { readonly device: Device; readonly group: Group } {
  const device = call.device('device');
  if (device.group === null) throw new Refusal('ENOENT', 'GRL-01', `${device.name} is in no IOMMU group, so it has no iommu_group link`, [device.subject]);
  return { device, group: device.group };
}

const groupNumber: Executor = (call) => {
  const { group } = groupOf(call);
  return { values: { group: BigInt(group.id), ...(group.name !== null && { name: group.name }) } };
};

/** Type numbers as the kernel's headers have them (section 0.3). */
const TYPE_NUMBERS: Readonly<Record<string, bigint>> = { blocked: 0n, unmanaged: 1n, DMA: 3n, identity: 4n, 'DMA-FQ': 11n };

const groupType: Executor = (call) => {
  const type = groupOf(call).group.defaultDomain?.type ?? 'unknown';
  return { values: { type }, main: TYPE_NUMBERS[type] };
};

const reservedRegions: Executor = (call) => {
  const lines = groupOf(call).group.reservedRegions().map(regionLine);
  return { values: { lines: BigInt(lines.length) }, notes: lines };
};

export const DEVICE_EXECUTORS: Readonly<Record<string, Executor>> = {
  'drivers-probe': driversProbe, 'driver-override': driverOverride, remove, hotplug, 'group-of': groupNumber, 'group-type': groupType, 'reserved-regions': reservedRegions,
};
