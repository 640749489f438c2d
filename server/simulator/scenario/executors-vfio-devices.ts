/** Steps on open devices of VFIO, on dirty pages, on mediated devices and on KVM's side of VFIO. */
import { Refusal } from '../errno.js';
import type { DirtyRun } from '../uapi/container.js';
import { DIRTY_PAGES, FEATURE_FLAG, FEATURES, IRQ_SET } from '../uapi/vfio/index.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';

// ------------------------------------------------------------------------------------------------ devices

/** The file of the `device` operand: itself, or what the program has open of that device. @throws Refusal EBADF */
function deviceFd(call: Call): number {
  const direct = call.optionalHandle('device');
  if (direct !== undefined) return direct.fd;
  const device = call.subject('device') === undefined ? undefined : call.device('device');
  for (const handle of call.program.handles.values()) {
    if (handle.kind === 'file' && device !== undefined && handle.device === device && handle.class !== 'group') return handle.fd;
  }
  throw new Refusal('EBADF', 'VFG-16', `${call.word('device')} is not open in ${call.process.name}`);
}

const index = (call: Call): number => Number(call.number('index'));

const deviceInfo: Executor = (call) => {
  const { flags, regions, irqs } = call.machine.vfio.deviceCalls.info(call.process, deviceFd(call));
  return { values: { flags: BigInt(flags), regions: BigInt(regions), irqs: BigInt(irqs) } };
};

const regionInfo: Executor = (call) => {
  const { flags, size, offset } = call.machine.vfio.deviceCalls.region(call.process, deviceFd(call), index(call));
  return { values: { size, flags: BigInt(flags), offset } };
};

const irqInfo: Executor = (call) => {
  const { flags, count } = call.machine.vfio.deviceCalls.irq(call.process, deviceFd(call), index(call));
  return { values: { count: BigInt(count), flags: BigInt(flags) } };
};

/** Kind of data and action of each flag of the step. */
const IRQ_FLAGS: Readonly<Record<string, number>> = {
  eventfd: IRQ_SET.DATA_EVENTFD | IRQ_SET.TRIGGER, fire: IRQ_SET.DATA_NONE | IRQ_SET.TRIGGER, mask: IRQ_SET.DATA_NONE | IRQ_SET.MASK,
  unmask: IRQ_SET.DATA_NONE | IRQ_SET.UNMASK, disable: IRQ_SET.DATA_NONE | IRQ_SET.TRIGGER,
};

const setIrqs: Executor = (call) => {
  const flags = call.step.flags.reduce((bits, flag) => bits | (IRQ_FLAGS[flag] ?? 0), 0);
  const count = call.has('disable') ? 0 : Number(call.optionalNumber('count') ?? 1n);
  call.machine.vfio.deviceCalls.setIrqs(call.process, deviceFd(call), { flags, index: index(call), start: Number(call.optionalNumber('start') ?? 0n), count });
  return undefined;
};

const resetDevice: Executor = (call) => {
  call.machine.vfio.deviceCalls.reset(call.process, deviceFd(call));
  return undefined;
};

const hotResetInfo: Executor = (call) => {
  const { flags, affected } = call.machine.vfio.deviceCalls.hotResetInfo(call.process, deviceFd(call));
  const names = affected.map(({ device, id }) => `${call.machine.nameOf(device.subject)} (${id})`).join(', ');
  return { values: { flags: BigInt(flags), affected: names }, main: BigInt(affected.length) };
};

const hotReset: Executor = (call) => {
  const groups = ['group', 'group2', 'group3'].filter((role) => call.names(role)).map((role) => call.fd(role));
  const reset = call.machine.vfio.deviceCalls.hotReset(call.process, deviceFd(call), groups);
  return { values: { functions: BigInt(reset.length) }, notes: [`The bus is reset: ${reset.map(({ subject }) => call.machine.nameOf(subject)).join(', ')}.`] };
};

/** What is made is mapped as a file (IFD-19). */
const exportDmaBuf: Executor = (call) => {
  const request = { region: Number(call.number('region')), start: call.optionalNumber('start') ?? 0n, size: call.number('size'), ranges: Number(call.optionalNumber('count') ?? 1n) };
  return call.keep(call.machine.vfio.deviceCalls.exportMemory(call.process, deviceFd(call), request), 'memfd');
};

const deviceFeature: Executor = (call) => {
  const word = call.word('feature');
  const feature = FEATURES.get(word) ?? Number(word);
  if (!Number.isInteger(feature)) throw new NotModelled(`a device feature called ${word}`);
  const flags = (call.has('get') ? FEATURE_FLAG.GET : 0) | (call.has('set') ? FEATURE_FLAG.SET : 0) | (call.has('probe') ? FEATURE_FLAG.PROBE : 0);
  call.machine.vfio.deviceCalls.feature(call.process, deviceFd(call), { feature, flags, token: call.names('token') ? call.word('token') : undefined });
  return undefined;
};

// ------------------------------------------------------------------------------------------------ containers

const apiVersion: Executor = (call) => ({ values: { version: BigInt(call.machine.vfio.apiVersion(call.process, call.handle('container').fd)) } });

const unknownIoctl: Executor = (call) => call.machine.vfio.unknownIoctl(call.process, call.handle('file').fd);

/** A bit for every page, in words of 64. */
const bitmapBytes = (pages: bigint): bigint => ((pages + 63n) / 64n) * 8n;

const dirtyPages: Executor = (call) => {
  const { fd } = call.handle('container');
  const flags = (call.has('start') ? DIRTY_PAGES.START : 0) | (call.has('stop') ? DIRTY_PAGES.STOP : 0) | (call.has('get') ? DIRTY_PAGES.GET_BITMAP : 0);
  const size = call.optionalNumber('size') ?? 0n;
  const pageSize = call.optionalNumber('page') ?? SMALLEST_PAGE;
  const runs = call.machine.vfio.dirtyPages(call.process, fd, { flags, iova: call.optionalNumber('iova') ?? 0n, size, bitmap: { pageSize, size: bitmapBytes(size / (pageSize || SMALLEST_PAGE)) } });
  return runs === null ? undefined : dirtyResult(runs);
};

const SMALLEST_PAGE = 4096n;

/** Dirty pages as a person reads them: how many, and which, counted from the start of the range. */
export const dirtyResult = (runs: readonly DirtyRun[]): CallResult => ({
  values: {
    dirty: BigInt(runs.reduce((pages, { first, last }) => pages + last - first + 1, 0)),
    pages: runs.map(({ first, last }) => (first === last ? `${first}` : `${first} .. ${last}`)).join(', '),
  },
});

// ------------------------------------------------------------------------------------------------ mediated devices

const dmaRw: Executor = (call) => {
  call.machine.vfio.dmaRw(call.process, call.device('device'), call.number('iova'), call.number('size'), call.has('w'));
  return undefined;
};

const groupIommuDomain: Executor = (call) => {
  const { domain, pasid } = call.machine.vfio.groupIommuDomain(call.device('device'));
  return { values: { domain: domain.name, ...(pasid !== null && { pasid: BigInt(pasid) }) } };
};

/** MDV-02: only what the file describes can be made, because nothing else is known of its type. @throws Refusal EINVAL */
const mdevCreate: Executor = (call) => {
  const subject = call.subject('device');
  const description = call.machine.host.mediatedDevices.find(({ id }) => id === subject);
  if (description === undefined) throw new Refusal('EINVAL', 'MDV-02', `${call.word('device')} is no mediated device of this host`);
  const device = call.machine.vfio.mediatedDevices.create(description);
  return device.group === null ? undefined : { values: { group: BigInt(device.group.id) } };
};

const mdevRemove: Executor = (call) => {
  const device = call.device('device');
  return call.machine.vfio.mediatedDevices.remove(device) === 'blocked' ? { waitsFor: `the user of ${call.machine.nameOf(device.subject)} to close it` } : undefined;
};

// ------------------------------------------------------------------------------------------------ KVM

const openKvm: Executor = (call) => call.keep(call.machine.vfio.openKvmDevice(call.process), 'kvm-device');

const kvmGroup = (action: 'add' | 'remove'): Executor => (call) => {
  call.machine.vfio.kvmGroup(call.process, call.handle('kvm').fd, call.handle('group').fd, action);
  return undefined;
};

export const VFIO_DEVICE_EXECUTORS: Readonly<Record<string, Executor>> = {
  'device-info': deviceInfo, 'region-info': regionInfo, 'irq-info': irqInfo, 'set-irqs': setIrqs, 'reset-device': resetDevice, 'hot-reset-info': hotResetInfo,
  'hot-reset': hotReset, 'device-feature': deviceFeature, 'export-dma-buf': exportDmaBuf, 'api-version': apiVersion, 'vfio-ioctl': unknownIoctl, 'dirty-pages': dirtyPages, 'dma-rw': dmaRw,
  'group-iommu-domain': groupIommuDomain, 'mdev-create': mdevCreate, 'mdev-remove': mdevRemove, 'open-kvm': openKvm, 'kvm-add-group': kvmGroup('add'), 'kvm-remove-group': kvmGroup('remove'),
};
