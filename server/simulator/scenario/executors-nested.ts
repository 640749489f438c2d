/** Steps of iommufd beyond address spaces and attaching (verbs-nested.ts). */
import { Refusal } from '../errno.js';
import { hex } from '../memory/address.js';
import { INVALIDATE_DATA, MOCK_VIOMMU_DATA, MOCK_VIOMMU_INVALIDATE, offsetOf, PAGE_RESPONSE, VFIO_IOAS_OP } from '../uapi/iommufd/index.js';
import type { Capability } from '../uapi/process.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';
import { boundId, cdev, contextOf, idOf, keepObject, mapFlags, object } from './executors-iommufd.js';
import { ioctl } from './executors-ioctl.js';
import { MemoryFileInRam } from './memory-file.js';

const ALL_PAGES = 0xffff_ffff_ffff_ffffn;
const CAPABILITIES: readonly string[] = ['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_ADMIN'] satisfies readonly Capability[];
const isCapability = (word: string): word is Capability => CAPABILITIES.includes(word);
const PAGE_BYTES = 4096n;

// ------------------------------------------------------------------------------------------------ address spaces

const nameHwpt: Executor = (call) => {
  const handle = call.optionalHandle('device') ?? cdev(call);
  if (handle.pt === undefined) throw new Refusal('ENOENT', 'IFD-04', `${call.word('device')} was attached to nothing yet`);
  return keepObject(call, 'hwpt', contextOf(call, 'device'), handle.pt);
};

const vfioIoas: Executor = (call) => {
  const op = call.has('set') ? VFIO_IOAS_OP.SET : call.has('clear') ? VFIO_IOAS_OP.CLEAR : VFIO_IOAS_OP.GET;
  const { id } = call.machine.iommufd.vfioIoas(call.process, call.fd('iommufd'), { op, ioas: call.names('target') ? idOf(call, 'target') : 0 });
  return { values: { ioas: BigInt(id) } };
};

const changeProcess: Executor = (call) => {
  call.machine.iommufd.ioasChangeProcess(call.process, call.fd('iommufd'));
  return undefined;
};

const memfd: Executor = (call) => {
  const size = call.number('size');
  const pieces = call.has('plain') ? null : call.machine.hostMemory.allocate((size + PAGE_BYTES - 1n) & -PAGE_BYTES, PAGE_BYTES);
  return call.keep(call.process.open(pieces === null ? { kind: 'other', release: () => undefined } : new MemoryFileInRam(size, pieces)), 'memfd');
};

const mapFile: Executor = (call) => {
  const iova = call.optionalNumber('iova');
  const file = call.optionalNumber('file');
  const found = call.machine.iommufd.ioasMapFile(call.process, contextOf(call, 'target'), {
    ioas: idOf(call, 'target'), file: file === undefined ? call.fd('file') : Number(file), start: call.optionalNumber('start') ?? 0n, length: call.number('size'), iova, flags: mapFlags(call, iova), subject: call.origin,
  });
  return { values: { iova: found.iova } };
};

// ------------------------------------------------------------------------------------------------ queues

const faultQueueAlloc: Executor = (call) => {
  const fd = contextOf(call);
  const { id, file } = call.machine.iommufd.faultQueueAlloc(call.process, fd);
  return keepObject(call, 'fault-queue', fd, id, { file });
};

/** The descriptor of a queue. @throws Refusal EBADF */
function queueFile(call: Call): number {
  const { file } = object(call, 'handle');
  if (file === undefined) throw new Refusal('EBADF', 'VFG-13', `${call.word('handle')} is no queue`);
  return file;
}

/** Room for many faults, and a multiple of their size. */
const ROOM = 40 * 64;

const readEvents: Executor = (call) => {
  const { faults, events } = call.machine.iommufd.readEvents(call.process, queueFile(call), Number(call.optionalNumber('size') ?? BigInt(ROOM)));
  const notes = [
    ...faults.map(({ device, pasid, address, write, cookie }) => `Device object ${device} wants to ${write ? 'write' : 'read'} at ${hex(address)}${pasid === null ? '' : `, PASID ${pasid}`}; answer with cookie ${cookie}.`),
    ...events.map(({ sequence, virtualId }) => (virtualId === null ? `Events were lost up to number ${sequence}.` : `Event ${sequence} of the device that its guest calls ${hex(virtualId)}.`)),
  ];
  const lost = events.some(({ virtualId }) => virtualId === null);
  return { main: BigInt(faults.length + events.length), values: { count: BigInt(faults.length + events.length), ...(lost ? { lost } : {}), ...(faults.length > 0 ? { cookie: BigInt(faults[0]!.cookie) } : {}) }, notes };
};

const respondFault: Executor = (call) => {
  const given = call.optionalNumber('code');
  const code = given === undefined ? (call.has('invalid') ? PAGE_RESPONSE.INVALID : PAGE_RESPONSE.SUCCESS) : Number(given);
  const { device, response } = call.machine.iommufd.respondToFault(call.process, queueFile(call), Number(call.number('cookie')), code);
  return { values: { response }, notes: [`${device.name} is told: ${response}.`] };
};

// ------------------------------------------------------------------------------------------------ invalidation

const invalidate: Executor = (call) => {
  const target = call.optionalNumber('target') === undefined ? object(call, 'target') : undefined;
  const ofViommu = target?.class === 'viommu';
  const ofTest = call.names('entry') || call.names('id');
  const layout = ofViommu ? MOCK_VIOMMU_INVALIDATE : INVALIDATE_DATA[ofTest ? 'mock' : 'vtd'];
  const { handled } = call.machine.iommufd.hwptInvalidate(call.process, contextOf(call, 'target'), {
    hwpt: idOf(call, 'target'), dataType: Number(call.optionalNumber('type') ?? BigInt(layout?.type ?? 0)), entryLength: Number(call.optionalNumber('length') ?? BigInt(layout?.size ?? 0)),
    entries: Number(call.optionalNumber('count') ?? (call.names('second') ? 2n : 1n)), fields: records(call, ofTest), nullPointer: call.has('null-data'),
  });
  return { main: BigInt(handled), values: { handled: BigInt(handled) } };
};

function records(call: Call, ofTest: boolean): Readonly<Record<string, bigint>>[] {
  const flags = call.optionalNumber('flags');
  if (!ofTest) return [{ address: call.optionalNumber('address') ?? 0n, pages: call.has('all') ? ALL_PAGES : (call.optionalNumber('pages') ?? 0n), flags: flags ?? 0n }];
  const device = call.optionalNumber('id') ?? 0n;
  const record = (entry: bigint, bits: bigint) => ({ flags: bits, iotlb: entry, cache: entry, device });
  const first = record(call.optionalNumber('entry') ?? 0n, flags ?? (call.has('all') ? 1n : 0n));
  const second = call.optionalNumber('second');
  return second === undefined ? [first] : [first, record(second, call.optionalNumber('second-flags') ?? 0n)];
}

// ------------------------------------------------------------------------------------------------ virtual IOMMUs

const viommuAlloc: Executor = (call) => {
  const fd = contextOf(call, 'parent', 'device');
  const value = call.optionalNumber('value');
  const data = value === undefined ? undefined : { ...MOCK_VIOMMU_DATA, length: MOCK_VIOMMU_DATA.size, fields: { value } };
  const made = call.machine.iommufd.viommuAlloc(call.process, fd, { device: boundId(call), hwpt: idOf(call, 'parent'), type: Number(call.number('type')), data });
  const kept = keepObject(call, 'viommu', fd, made.id);
  return made.value === null ? kept : { main: made.value, values: { ...kept.values, value: made.value } };
};

const vdeviceAlloc: Executor = (call) => {
  const fd = contextOf(call, 'viommu', 'device');
  const { id } = call.machine.iommufd.vdeviceAlloc(call.process, fd, { viommu: idOf(call, 'viommu'), device: boundId(call), virtualId: call.number('id') });
  return keepObject(call, 'vdevice', fd, id);
};

const eventQueueAlloc: Executor = (call) => {
  const fd = contextOf(call, 'viommu');
  const { id, file } = call.machine.iommufd.eventQueueAlloc(call.process, fd, { viommu: idOf(call, 'viommu'), type: Number(call.number('type')), depth: Number(call.number('depth')) });
  return keepObject(call, 'event-queue', fd, id, { file });
};

const hwQueueAlloc: Executor = (call) => {
  const fd = contextOf(call, 'viommu');
  const { id } = call.machine.iommufd.hwQueueAlloc(call.process, fd, {
    viommu: idOf(call, 'viommu'), type: Number(call.number('type')), index: Number(call.number('index')), iova: call.number('iova'), length: call.number('size'),
  });
  return keepObject(call, 'hw-queue', fd, id);
};

const mmapViommu: Executor = (call) => {
  const { fd, id } = object(call, 'viommu');
  const mapped = call.machine.iommufd.mapPage(call.process, fd, {
    offset: call.optionalNumber('start') ?? offsetOf(id), length: call.optionalNumber('size') ?? PAGE_BYTES, isPrivate: call.has('private'), executable: call.has('executable'),
  });
  call.keep(mapped.file, 'mapping');
  return { values: { value: mapped.value } };
};

const setupInterrupt: Executor = (call) => {
  const doorbell = call.number('doorbell');
  const iova = call.machine.iommufd.requestInterrupt(call.process, cdev(call).fd, doorbell);
  const note = iova === null ? 'The unit leaves interrupts alone: the device writes to the doorbell itself.' : `The device writes to ${hex(iova)}, which leads to the doorbell at ${hex(doorbell)}.`;
  return { values: { address: iova ?? doorbell }, notes: [note] };
};

// ------------------------------------------------------------------------------------------------ processes

const fork: Executor = (call) => {
  call.machine.programs.fork(call.program, call.word('process'));
  return undefined;
};

const dropCapability: Executor = (call) => {
  const capability = call.word('capability').replace(/^CAP_/, '');
  if (!isCapability(capability)) throw new NotModelled(`the capability ${capability}`);
  call.process.capabilities.delete(capability);
  return undefined;
};

const pinnedMemory: Executor = (call): CallResult => {
  const { process } = call;
  const pages = call.has('user') ? process.user.lockedPages : call.has('locked') ? process.lockedPages : process.pinnedPages;
  return { values: { bytes: BigInt(pages) * PAGE_BYTES } };
};

const unmapMemory: Executor = (call) => {
  const memory = call.subject('memory');
  if (memory === undefined) throw new NotModelled('`unmap-memory` without a memory');
  const start = call.machine.programs.virtualAddress(call.program, memory) + (call.optionalNumber('memoryOffset') ?? 0n);
  call.process.unmap(start, call.number('size'));
  return undefined;
};

export const NESTED_EXECUTORS: Readonly<Record<string, Executor>> = {
  'name-hwpt': nameHwpt, 'vfio-ioas': vfioIoas, 'change-process': changeProcess, memfd, 'map-file': mapFile, 'fault-queue-alloc': faultQueueAlloc, 'read-events': readEvents, 'respond-fault': respondFault,
  invalidate, 'viommu-alloc': viommuAlloc, 'vdevice-alloc': vdeviceAlloc, 'event-queue-alloc': eventQueueAlloc, 'hw-queue-alloc': hwQueueAlloc, 'mmap-viommu': mmapViommu,
  'setup-interrupt': setupInterrupt, fork, 'drop-capability': dropCapability, 'pinned-memory': pinnedMemory, 'unmap-memory': unmapMemory, ioctl,
};
