/** Steps of iommufd's own tests (verbs-selftest.ts). */
import { Refusal } from '../errno.js';
import { MOCK_DEVICE, type AttachMode } from '../uapi/iommufd/index.js';
import type { Call, CallResult, Executor } from './call.js';
import { contextOf, idOf, keepObject, object } from './executors-iommufd.js';

const PAGE_BYTES = 4096n;
const TEST_PAGE = 2048n;

const testOf = (call: Call) => call.machine.iommufd.selftest;
/** The iommufd of a call, by the first operand that has one. @throws Refusal EBADF, ENOTTY */
const fileOf = (call: Call, ...roles: readonly string[]) => call.machine.iommufd.file(call.process, contextOf(call, ...roles));

const mockDomain: Executor = (call) => {
  const fd = contextOf(call, 'target');
  const flags = (call.has('no-dirty') ? MOCK_DEVICE.NO_DIRTY : 0) | (call.has('pasids') ? MOCK_DEVICE.PASID : 0);
  const made = testOf(call).mockDomain(call.machine.iommufd.file(call.process, fd), idOf(call, 'target'), flags);
  keepObject(call, 'mock-device', fd, made.stdev, { device: made.device, pt: made.hwpt });
  return { main: BigInt(made.hwpt), values: { stdev: BigInt(made.stdev), device: BigInt(made.device), hwpt: BigInt(made.hwpt) } };
};

const mockReplace: Executor = (call) => {
  const handle = object(call, 'device');
  const pt = testOf(call).replace(fileOf(call, 'device'), handle.id, idOf(call, 'target'));
  call.program.handles.set(call.word('device'), { ...handle, pt });
  return { values: { pt: BigInt(pt) } };
};

const pasidAttach = (mode: AttachMode): Executor => (call) => {
  const pt = testOf(call).attachPasid(fileOf(call, 'device'), object(call, 'device').id, Number(call.number('pasid')), idOf(call, 'target'), mode);
  return { values: { pt: BigInt(pt) } };
};

const pasidDetach: Executor = (call) => {
  testOf(call).detachPasid(fileOf(call, 'device'), object(call, 'device').id, Number(call.number('pasid')));
  return undefined;
};

const pasidCheck: Executor = (call) => {
  testOf(call).checkPasid(fileOf(call, 'device'), object(call, 'device').id, Number(call.number('pasid')), idOf(call, 'target'));
  return undefined;
};

const mockReserved: Executor = (call) => {
  testOf(call).addReserved(fileOf(call, 'target'), idOf(call, 'target'), call.number('iova'), call.number('size'));
  return undefined;
};

const checkMap: Executor = (call) => {
  const memory = call.subject('memory')!;
  const va = call.machine.programs.virtualAddress(call.program, memory) + (call.optionalNumber('memoryOffset') ?? 0n);
  testOf(call).checkMap(fileOf(call, 'handle'), call.process, idOf(call, 'handle'), call.number('iova'), call.number('size'), va);
  return undefined;
};

const mockDirty: Executor = (call) => {
  const marked = testOf(call).markDirty(fileOf(call, 'handle'), idOf(call, 'handle'), call.number('iova'), call.number('size'), call.optionalNumber('page') ?? TEST_PAGE);
  return { values: { marked } };
};

// ------------------------------------------------------------------------------------------------ accesses

const mockAccess: Executor = (call) => {
  const fd = contextOf(call, 'target');
  const made = testOf(call).createAccess(call.machine.iommufd.file(call.process, fd), call.process, idOf(call, 'target'), !call.has('copies-only'));
  return keepObject(call, 'test-access', fd, made.id, { file: made.file });
};

/** The descriptor of an access. @throws Refusal EBADFD */
function accessFile(call: Call): number {
  const { file } = object(call, 'access');
  if (file === undefined) throw new Refusal('EBADFD', 'ACC-01', `${call.word('access')} is no test access`);
  return file;
}

const accessReplace: Executor = (call) => {
  testOf(call).replaceAccess(fileOf(call, 'access'), call.process, accessFile(call), idOf(call, 'target'));
  return undefined;
};

const pin: Executor = (call): CallResult => ({
  values: { entry: BigInt(testOf(call).pinPages(fileOf(call, 'access'), call.process, accessFile(call), call.number('iova'), call.number('size'), call.has('w'))) },
});

const unpin: Executor = (call) => {
  testOf(call).unpinPages(fileOf(call, 'access'), call.process, accessFile(call), Number(call.number('entry')));
  return undefined;
};

const readWrite: Executor = (call) => {
  const write = call.has('w');
  testOf(call).readWrite(fileOf(call, 'access'), call.process, accessFile(call), call.number('iova'), call.number('size'), { read: !write, write });
  return undefined;
};

// ------------------------------------------------------------------------------------------------ what is behind the kernel's back

const checkIotlb: Executor = (call) => {
  testOf(call).checkIotlb(fileOf(call, 'handle'), idOf(call, 'handle'), Number(call.number('entry')), Number(call.number('value')));
  return undefined;
};

const checkCache: Executor = (call) => {
  testOf(call).checkCache(fileOf(call, 'device'), idOf(call, 'device'), Number(call.number('entry')), Number(call.number('value')));
  return undefined;
};

const mockFault: Executor = (call) => {
  const pasid = call.optionalNumber('pasid');
  testOf(call).triggerFault(fileOf(call, 'device'), call.machine.services.pageRequests, idOf(call, 'device'), call.number('address'), pasid === undefined ? undefined : Number(pasid));
  return undefined;
};

const mockEvent: Executor = (call) => {
  testOf(call).triggerEvent(fileOf(call, 'device'), idOf(call, 'device'));
  return undefined;
};

const dmaBuffer: Executor = (call) => {
  const size = call.number('size');
  let backing = PAGE_BYTES;
  while (backing < size) backing <<= 1n;
  const start = call.machine.hostMemory.allocate(size, backing)[0]?.physical ?? 0n;
  return call.keep(testOf(call).getBuffer(fileOf(call), call.process, size, start), 'memfd');
};

const revoke: Executor = (call) => {
  testOf(call).revokeBuffer(fileOf(call), call.process, call.fd('handle'), !call.has('back'));
  return undefined;
};

export const SELFTEST_EXECUTORS: Readonly<Record<string, Executor>> = {
  'mock-domain': mockDomain, 'mock-replace': mockReplace, 'mock-pasid-attach': pasidAttach('attach'), 'mock-pasid-replace': pasidAttach('replace'), 'mock-pasid-detach': pasidDetach, 'mock-pasid-check': pasidCheck,
  'mock-reserved': mockReserved, 'mock-check-map': checkMap, 'mock-dirty': mockDirty, 'mock-access': mockAccess, 'mock-access-replace': accessReplace, 'mock-pin': pin, 'mock-unpin': unpin, 'mock-rw': readWrite,
  'mock-check-iotlb': checkIotlb, 'mock-check-cache': checkCache, 'mock-fault': mockFault, 'mock-event': mockEvent, 'mock-dma-buffer': dmaBuffer, 'mock-revoke': revoke,
};
