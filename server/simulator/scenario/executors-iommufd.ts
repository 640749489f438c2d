/** Steps that are calls on an iommufd and on VFIO's character devices. */
import { Refusal } from '../errno.js';
import type { Device } from '../kernel/core.js';
import { hex } from '../memory/address.js';
import { HWPT_FLAGS, MAP_FLAGS, NESTED_DATA, OPTION, OPTION_OP, VTD_S1, type UserData } from '../uapi/iommufd/index.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';
import { permissionOf } from './executors-system.js';
import type { FileHandle, ObjectHandle } from './processes.js';
import type { HandleClass } from './verbs.js';

/** Of VFIO_DEVICE_BIND_IOMMUFD: a token follows. */
const BIND_FLAG_TOKEN = 1;
/** Of VFIO_DEVICE_ATTACH_IOMMUFD_PT and its opposite. */
const FLAG_PASID = 1;

// ------------------------------------------------------------------------------------------------ character devices

const openIommufd: Executor = (call) => call.keep(call.machine.iommufd.open(call.process), 'iommufd');

const openCdev: Executor = (call) => {
  const device = call.deviceOfFile('device', 'CDV-01');
  return call.keep(call.machine.iommufd.openCdev(call.process, device), 'cdev', device);
};

/** CDV-02. A device instead of its character device: that is opened first, under the device's own name. */
const bindIommufd: Executor = (call) => {
  const name = call.word('device');
  const cdev = heldCdev(call) ?? openFor(call, name);
  const iommufd = call.fd('iommufd');
  const token = call.names('token') ? { flags: BIND_FLAG_TOKEN, token: call.word('token') } : {}; // VFG-30
  const { id } = call.machine.iommufd.bindIommufd(call.process, cdev.fd, { iommufd, ...token });
  call.program.handles.set(cdevName(call, cdev) ?? name, { ...cdev, bound: { fd: iommufd, id } });
  return { values: { device: BigInt(id) } };
};

function openFor(call: Call, name: string): FileHandle {
  const device = call.deviceOfFile('device', 'CDV-01');
  const handle: FileHandle = { kind: 'file', class: 'cdev', fd: call.machine.iommufd.openCdev(call.process, device), device };
  call.program.handles.set(name, handle);
  return handle;
}

/** The character device that a `device|cdev` operand means: by its handle, or one that the program holds of that device. */
export function heldCdev(call: Call): FileHandle | undefined {
  const direct = call.optionalHandle('device');
  if (direct?.kind === 'file') return direct;
  const subject = call.subject('device');
  const device = subject === undefined ? undefined : call.machine.kernel.device(subject);
  return device === undefined ? undefined : cdevOf(call, device);
}

function cdevOf(call: Call, device: Device): FileHandle | undefined {
  for (const handle of call.program.handles.values()) if (handle.kind === 'file' && handle.class === 'cdev' && handle.device === device) return handle;
  return undefined;
}

function cdevName(call: Call, cdev: FileHandle): string | undefined {
  for (const [name, handle] of call.program.handles) if (handle === cdev) return name;
  return undefined;
}

/** @throws Refusal EBADF when the program has no character device of it open */
export function cdev(call: Call): FileHandle {
  const held = heldCdev(call);
  if (held !== undefined) return held;
  throw new Refusal('EBADF', 'CDV-01', `the character device of ${call.word('device')} is not open in ${call.process.name}`, deviceSubjects(call));
}

const deviceSubjects = (call: Call): string[] => {
  const subject = call.subject('device');
  return subject === undefined ? [] : [subject];
};

const pasidOf = (call: Call): { readonly flags?: number; readonly pasid?: number } => {
  const pasid = call.optionalNumber('pasid');
  return pasid === undefined ? {} : { flags: FLAG_PASID, pasid: Number(pasid) };
};

const attach: Executor = (call) => {
  const held = cdev(call);
  const { id } = call.machine.iommufd.attach(call.process, held.fd, { pt: idOf(call, 'target'), ...pasidOf(call) });
  call.program.handles.set(cdevName(call, held)!, { ...held, pt: id });
  return { values: { pt: BigInt(id) } };
};

const detach: Executor = (call) => {
  call.machine.iommufd.detach(call.process, cdev(call).fd, pasidOf(call));
  return undefined;
};

// ------------------------------------------------------------------------------------------------ objects

export function object(call: Call, role: string): ObjectHandle {
  const number = call.optionalNumber(role);
  if (number !== undefined) return { kind: 'object', class: 'ioas', fd: call.fd('iommufd'), id: Number(number) };
  const handle = call.handle(role);
  if (handle.kind === 'object') return handle;
  throw new Refusal('ENOENT', 'IFD-04', `${call.word(role)} is a file, not an object of an iommufd`);
}

/** The number of what an operand means: of a test device, its device object's. */
export function idOf(call: Call, role: string): number {
  const number = call.optionalNumber(role);
  if (number !== undefined) return Number(number);
  const handle = object(call, role);
  return handle.device ?? handle.id;
}

/** The context of a call: as said, or the one of the first object that has one. @throws Refusal EBADF */
export function contextOf(call: Call, ...roles: readonly string[]): number {
  if (call.names('iommufd')) return call.handle('iommufd').fd;
  for (const role of roles) {
    const handle = call.optionalHandle(role);
    if (handle?.kind === 'object') return handle.fd;
    if (handle?.kind === 'file' && handle.bound !== undefined) return handle.bound.fd;
  }
  const bound = call.names('device') ? heldCdev(call)?.bound : undefined;
  if (bound !== undefined) return bound.fd;
  throw new Refusal('EBADF', 'VFG-13', 'the step names no open iommufd');
}

/** Gives a new object the name of the `handle` operand. */
export function keepObject(call: Call, kind: HandleClass, fd: number, id: number, more: Pick<ObjectHandle, 'file' | 'device' | 'pt'> = {}): CallResult {
  call.program.handles.set(call.word('handle'), { kind: 'object', class: kind, fd, id, ...more });
  return { values: { id: BigInt(id) } };
}

const ioasAlloc: Executor = (call) => {
  const { fd } = call.handle('iommufd');
  return keepObject(call, 'ioas', fd, call.machine.iommufd.ioasAlloc(call.process, fd).id);
};

const ioasRanges: Executor = (call) => {
  const { fd, id } = object(call, 'target');
  const { ranges, alignment } = call.machine.iommufd.ioasIovaRanges(call.process, fd, { ioas: id, room: Number(call.optionalNumber('room') ?? Infinity) });
  return { values: { ranges: ranges.map(({ start, last }) => `${hex(start)} .. ${hex(last)}`).join(', '), count: BigInt(ranges.length), alignment } };
};

const ioasAllow: Executor = (call) => {
  const { fd, id } = object(call, 'target');
  const start = call.optionalNumber('iova');
  const ranges = start === undefined ? [] : [{ start, last: start + call.number('size') - 1n }];
  call.machine.iommufd.ioasAllowIovas(call.process, fd, { ioas: id, ranges });
  return undefined;
};

/** IFD-18, behind the `map` step. */
export function mapIoas(call: Call, { fd, id }: ObjectHandle, va: bigint, length: bigint): CallResult {
  const wanted = call.optionalNumber('iova');
  const { iova } = call.machine.iommufd.ioasMap(call.process, fd, { ioas: id, va, length, iova: wanted, flags: mapFlags(call, wanted), subject: call.origin });
  return { values: { iova } };
}

export function mapFlags(call: Call, wanted: bigint | undefined): number {
  const { read, write } = permissionOf(call);
  return (read ? MAP_FLAGS.READABLE : 0) | (write ? MAP_FLAGS.WRITEABLE : 0) | (wanted === undefined ? 0 : MAP_FLAGS.FIXED_IOVA);
}

/** IFD-20, behind the `unmap` step; `all` is the range that means everything. */
export function unmapIoas(call: Call, { fd, id }: ObjectHandle): CallResult {
  const all = call.has('all');
  const iova = all ? 0n : call.number('iova');
  const length = all ? 0xffff_ffff_ffff_ffffn : call.number('size');
  return { values: { size: call.machine.iommufd.ioasUnmap(call.process, fd, { ioas: id, iova, length }).unmapped } };
}

const copy: Executor = (call) => {
  const source = object(call, 'source');
  const wanted = call.optionalNumber('at');
  const { iova } = call.machine.iommufd.ioasCopy(call.process, source.fd, {
    source: source.id, target: object(call, 'target').id, sourceIova: call.number('iova'), length: call.number('size'), iova: wanted, flags: mapFlags(call, wanted), subject: call.origin,
  });
  return { values: { iova } };
};

const hwptAlloc: Executor = (call) => {
  const fd = contextOf(call, 'parent', 'device', 'faultQueue', 'faults');
  const { id } = call.machine.iommufd.hwptAlloc(call.process, fd, {
    device: boundId(call), pt: idOf(call, 'parent'), flags: hwptFlags(call), data: hwptData(call), faultQueue: call.names('faults') ? idOf(call, 'faults') : undefined,
  });
  return keepObject(call, 'hwpt', fd, id);
};

const HWPT_WORDS = [['nest-parent', HWPT_FLAGS.NEST_PARENT], ['dirty-tracking', HWPT_FLAGS.DIRTY_TRACKING], ['pasid', HWPT_FLAGS.PASID]] as const;

const hwptFlags = (call: Call): number =>
  HWPT_WORDS.reduce((flags, [word, bit]) => (call.has(word) ? flags | bit : flags), Number(call.optionalNumber('flags') ?? 0n) | (call.names('faults') ? HWPT_FLAGS.FAULT_ID_VALID : 0));

/** What a driver reads: VT-d's `struct iommu_hwpt_vtd_s1`, or the number of the test unit; nothing where nothing is said. */
function hwptData(call: Call): UserData | undefined {
  const root = call.optionalNumber('stage1');
  const value = call.optionalNumber('value');
  const asked = { type: call.optionalNumber('data-type'), length: call.optionalNumber('data-length') };
  if (root === undefined && value === undefined && asked.type === undefined && asked.length === undefined) return undefined;
  const architecture = root !== undefined ? 'vtd' : value !== undefined ? 'mock' : undefined;
  const usual = architecture === undefined ? undefined : NESTED_DATA[architecture];
  return {
    type: Number(asked.type ?? usual?.type ?? 0), length: Number(asked.length ?? usual?.size ?? 0), unreadable: call.has('null-data'),
    fields: { root: root ?? 0n, width: call.optionalNumber('width') ?? 48n, flags: call.has('write-protect') ? VTD_S1.WPE : 0n, value: value ?? 0n },
  };
}

/** The number of the device object; 0, which no object has, for a device that is not bound. */
export function boundId(call: Call): number {
  const handle = call.optionalHandle('device');
  if (call.optionalNumber('device') !== undefined || handle?.kind === 'object') return idOf(call, 'device');
  return heldCdev(call)?.bound?.id ?? 0;
}

const getHwInfo: Executor = (call) => {
  const device = boundId(call);
  if (device === 0 && !call.names('iommufd')) throw new Refusal('ENOENT', 'IFD-65', `${call.word('device')} is not bound to an iommufd`, deviceSubjects(call));
  const type = call.optionalNumber('type');
  const info = call.machine.iommufd.getHwInfo(call.process, contextOf(call, 'device'), { device, flags: type === undefined ? 0 : 1, dataType: type === undefined ? undefined : Number(type) });
  return { values: { type: BigInt(info.dataType), length: BigInt(info.dataLength), capabilities: BigInt(info.capabilities), 'max-pasid-log2': BigInt(info.maxPasidLog2) } };
};

/** IFD-70. */
const setDirtyTracking: Executor = (call) => {
  const { fd, id } = object(call, 'handle');
  call.machine.iommufd.setDirtyTracking(call.process, fd, { hwpt: id, flags: call.has('off') ? 0 : 1 });
  return undefined;
};

/** IFD-71; counted in pages of 4 KiB. */
const dirtyBitmap: Executor = (call) => {
  const { fd, id } = object(call, 'handle');
  const { dirtyPages } = call.machine.iommufd.getDirtyBitmap(call.process, fd, { hwpt: id, iova: call.number('iova'), length: call.number('size'), pageSize: call.optionalNumber('page') ?? 4096n, flags: call.has('keep') ? 1 : 0 });
  return { values: { 'dirty-pages': dirtyPages } };
};

const destroy: Executor = (call) => {
  const { id } = object(call, 'handle');
  call.machine.iommufd.destroy(call.process, contextOf(call, 'handle'), { id });
  return undefined;
};

const OPTIONS: ReadonlyMap<string, number> = new Map([['rlimit-mode', OPTION.RLIMIT_MODE], ['huge-pages', OPTION.HUGE_PAGES]]);

const setOption: Executor = (call) => {
  const target = call.handle('target');
  const option = OPTIONS.get(call.word('option'));
  if (option === undefined) throw new NotModelled(`an option called ${call.word('option')}`);
  const of = target.kind === 'object' ? target.id : 0;
  const wanted = call.optionalNumber('value');
  const op = wanted === undefined ? OPTION_OP.GET : OPTION_OP.SET;
  const { value } = call.machine.iommufd.option(call.process, target.fd, { option, op, object: of, value: wanted });
  return { values: { value } };
};

export const IOMMUFD_EXECUTORS: Readonly<Record<string, Executor>> = {
  'open-iommufd': openIommufd, 'open-cdev': openCdev, 'bind-iommufd': bindIommufd, 'ioas-alloc': ioasAlloc, 'ioas-ranges': ioasRanges,
  'ioas-allow': ioasAllow, copy, 'hwpt-alloc': hwptAlloc, attach, detach, destroy, 'iommufd-option': setOption, 'get-hw-info': getHwInfo, 'set-dirty-tracking': setDirtyTracking, 'dirty-bitmap': dirtyBitmap,
};
