/**
 * Steps that ask for PASIDs: the calls of the series of 2021. The model of the host decides which of them exist; an absent one says what took its place
 * (`kernel/ioasid/absent.ts`).
 */
import { Refusal } from '../errno.js';
import {
  INVALID_IOASID, NOTIFIER_LEVELS, offered, type IdRange, type IoasidCalls, type IoasidFunction, type NotifierScope, type SetNumber, type SetType, type Token,
} from '../kernel/ioasid/index.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';
import { describedSet } from './pasid-sets.js';
import type { HandleClass } from './verbs.js';

/** What a driver holds after an allocation of a set that failed: an error pointer, which is no set. */
const NO_SET: SetNumber = 0;
/** The last number of a range without end. */
const LAST_ID = INVALID_IOASID - 1;

const kernel = <F extends IoasidFunction>(call: Call, name: F): NonNullable<IoasidCalls[F]> => offered(call.machine.ioasids, name);
const caller = (call: Call): Token => call.process;

// ------------------------------------------------------------------------------------------------ operands

/** The set that is named, null when none is. */
function setOf(call: Call): SetNumber | null {
  const subject = call.subject('set');
  const handle = subject === undefined ? call.optionalHandle('set') : describedSet(call.machine, subject);
  if (handle !== undefined) return handle.kind === 'object' ? handle.id : NO_SET;
  return call.names('set') ? NO_SET : null;
}

/** The number that is meant; an allocation that failed left INVALID_IOASID in its variable. */
function idOf(call: Call): number {
  const number = call.optionalNumber('id');
  if (number !== undefined) return unsigned32(number);
  const handle = call.optionalHandle('id');
  return handle?.kind === 'object' ? handle.id : INVALID_IOASID;
}

/** `ioasid_t` has 32 bits. */
const unsigned32 = (value: bigint): number => Number(BigInt.asUintN(32, value));

function rangeOf(call: Call, first: bigint | undefined): IdRange | undefined {
  const min = call.optionalNumber('min') ?? first;
  const max = call.optionalNumber('max');
  if (min === undefined && max === undefined) return undefined;
  return { min: unsigned32(min ?? 1n), max: max === undefined ? LAST_ID : unsigned32(max) };
}

/** Names what was given out; INVALID_IOASID is kept as well, as the driver's variable keeps it. */
function keep(call: Call, kind: HandleClass, id: number): CallResult {
  call.program.handles.set(call.word('handle'), { kind: 'object', class: kind, fd: -1, id });
  return { values: { [kind]: BigInt(id) } };
}

// ------------------------------------------------------------------------------------------------ sets and numbers

const SET_TYPES: Readonly<Record<string, SetType>> = { NULL: 'NULL', '1': 'NULL', MM: 'MM', '2': 'MM' };

const allocateSet: Executor = (call) => {
  const allocate = kernel(call, 'allocateSet');
  const type = SET_TYPES[call.word('type')] ?? 'unknown';
  const token = call.has('token') || (type === 'MM' && !call.has('no-token')) ? caller(call) : null;
  return keep(call, 'ioasid-set', allocate(type, token, unsigned32(call.optionalNumber('quota') ?? 0n)));
};

const freeSet: Executor = (call) => {
  kernel(call, 'freeSet')(setOf(call) ?? NO_SET);
  return undefined;
};

const allocate: Executor = (call) => {
  const allocateOne = kernel(call, 'allocate');
  const subject = call.subject('set');
  const first = subject === undefined ? undefined : call.machine.pasidSet(subject)?.first;
  const device = call.subject('device') === undefined ? undefined : call.device('device');
  const range = device === undefined || call.optionalNumber('min') !== undefined || call.optionalNumber('max') !== undefined ? rangeOf(call, first) : undefined;
  return keep(call, 'ioasid', allocateOne({ set: setOf(call), range, device, data: call.optionalNumber('data') ?? 0n, caller: caller(call) }));
};

/** Who counts tells how many there are now. */
function references(call: Call, id: number): CallResult | undefined {
  const { calls } = call.machine.ioasids;
  return calls.state === undefined ? undefined : { values: { references: BigInt(calls.state(id).references) } };
}

const get: Executor = (call) => {
  const id = idOf(call);
  kernel(call, 'get')(setOf(call), id);
  return references(call, id);
};

const getIfOwned: Executor = (call) => {
  const id = idOf(call);
  kernel(call, 'getIfOwned')(caller(call), id);
  return references(call, id);
};

const put: Executor = (call) => ({ values: { freed: kernel(call, 'put')(setOf(call), idOf(call)) ? 1n : 0n } });

const free: Executor = (call) => {
  const id = idOf(call);
  kernel(call, 'free')(setOf(call), id);
  return references(call, id);
};

const find: Executor = (call) => ({ values: { data: kernel(call, 'find')(setOf(call), idOf(call), !call.has('getter-refuses')) ?? 0n } });

const setData: Executor = (call) => {
  kernel(call, 'setData')(idOf(call), call.number('data'));
  return undefined;
};

const state: Executor = (call) => {
  const { state: word, references: count, spid } = kernel(call, 'state')(idOf(call));
  return { values: { references: BigInt(count), state: word, ...(spid === null ? {} : { spid: BigInt(spid) }) } };
};

// ------------------------------------------------------------------------------------------------ numbers of the owner

const attachSpid: Executor = (call) => {
  kernel(call, 'attachSpid')(idOf(call), unsigned32(call.number('spid')));
  return undefined;
};

const detachSpid: Executor = (call) => {
  kernel(call, 'detachSpid')(idOf(call));
  return undefined;
};

const findBySpid: Executor = (call) => ({ values: { ioasid: BigInt(kernel(call, 'findBySpid')(setOf(call) ?? NO_SET, unsigned32(call.number('spid')))) } });

// ------------------------------------------------------------------------------------------------ allocators, capacity, notifications

const opsOf = (call: Call): { name: string; functions: string } => ({ name: call.word('name'), functions: call.names('functions') ? call.word('functions') : call.word('name') });

const registerAllocator: Executor = (call) => {
  kernel(call, 'registerAllocator')(opsOf(call));
  return undefined;
};

const unregisterAllocator: Executor = (call) => {
  kernel(call, 'unregisterAllocator')(opsOf(call));
  return undefined;
};

const countOf = (call: Call): number => unsigned32(call.number('count'));

const installCapacity: Executor = (call) => {
  kernel(call, 'installCapacity')(countOf(call));
  return undefined;
};

const reserveCapacity: Executor = (call) => ({ values: { reserved: BigInt(kernel(call, 'reserveCapacity')(countOf(call))) } });

const cancelCapacity: Executor = (call) => ({ values: { available: BigInt(kernel(call, 'cancelCapacity')(countOf(call))) } });

const registerNotifier: Executor = (call) => {
  const register = kernel(call, 'registerNotifier');
  const level = NOTIFIER_LEVELS.find((known) => known === call.word('level').toLowerCase());
  if (level === undefined) throw new NotModelled(`a notifier of level ${call.word('level')}`);
  register(scopeOf(call), { name: call.word('name'), level });
  return undefined;
};

function scopeOf(call: Call): NotifierScope {
  if (call.has('mm')) return { mm: caller(call) };
  const set = setOf(call);
  return set === null ? 'all' : { set };
}

// ------------------------------------------------------------------------------------------------ cgroup

const createCgroup: Executor = (call) => {
  kernel(call, 'createCgroup')(call.word('cgroup'), call.names('parent') ? call.word('parent') : null);
  return undefined;
};

const moveToCgroup: Executor = (call) => {
  kernel(call, 'moveToCgroup')(call.machine.programs.named(call.word('process')).process, call.word('cgroup'));
  return undefined;
};

const writeCgroupMax: Executor = (call) => {
  kernel(call, 'writeCgroupMax')(call.word('cgroup'), call.word('text'));
  return undefined;
};

const readCgroup: Executor = (call) => {
  const { current, max, events } = kernel(call, 'readCgroup')(call.word('cgroup'));
  return { values: { current, max, events: `max ${events}` } };
};

// ------------------------------------------------------------------------------------------------ /dev/ioasid

const openDevice: Executor = (call) => {
  kernel(call, 'openDevice')(caller(call));
  const close = kernel(call, 'closeDevice');
  const { process } = call;
  return call.keep(process.open({ kind: 'other', release: () => close(process) }), 'ioasid-file');
};

/** The function, when the file is open and its argument can be read. @throws Refusal EBADF, EFAULT, EINVAL (IOX-10) */
function onFile<F extends IoasidFunction>(call: Call, name: F): NonNullable<IoasidCalls[F]> {
  const found = kernel(call, name);
  call.handle('file');
  if (call.has('bad-pointer')) throw new Refusal('EFAULT', 'IOX-10', 'the argument cannot be read');
  if (call.has('short')) throw new Refusal('EINVAL', 'IOX-10', 'argsz is less than the structure');
  if (call.has('unknown-flags')) throw new Refusal('EINVAL', 'IOX-10', 'no flags are known');
  return found;
}

const request: Executor = (call) => keep(call, 'ioasid', onFile(call, 'requestFromDevice')(caller(call), { min: unsigned32(call.number('min')), max: unsigned32(call.number('max')) }));

const release: Executor = (call) => {
  onFile(call, 'releaseToDevice')(caller(call), idOf(call));
  return undefined;
};

const ask: Executor = (call) => ({ values: { answer: BigInt(onFile(call, 'askDevice')(call.word('command'))) } });

export const IOASID_EXECUTORS: Readonly<Record<string, Executor>> = {
  'ioasid-set-alloc': allocateSet, 'ioasid-set-free': freeSet, 'ioasid-alloc': allocate, 'ioasid-get': get, 'ioasid-get-if-owned': getIfOwned, 'ioasid-put': put, 'ioasid-free': free,
  'ioasid-find': find, 'ioasid-set-data': setData, 'ioasid-state': state, 'ioasid-attach-spid': attachSpid, 'ioasid-detach-spid': detachSpid, 'ioasid-find-by-spid': findBySpid,
  'ioasid-register-allocator': registerAllocator, 'ioasid-unregister-allocator': unregisterAllocator,
  'ioasid-install-capacity': installCapacity, 'ioasid-reserve-capacity': reserveCapacity, 'ioasid-cancel-capacity': cancelCapacity, 'ioasid-register-notifier': registerNotifier,
  'cgroup-create': createCgroup, 'cgroup-move': moveToCgroup, 'write-ioasids-max': writeCgroupMax, 'read-ioasids': readCgroup,
  'open-ioasid': openDevice, 'ioasid-request': request, 'ioasid-release': release, 'ioasid-ioctl': ask,
};
