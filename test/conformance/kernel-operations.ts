/** What each recorded operation does, in terms of the simulator's facades: drivers, containers, groups, memory. */
import type { Device } from '../../server/simulator/kernel/core.js';
import { Refusal } from '../../server/simulator/errno.js';
import { hex } from '../../server/simulator/memory/address.js';
import { DMA_MAP, DMA_UNMAP } from '../../server/simulator/uapi/vfio/index.js';
import type { InfoCapability } from '../../server/simulator/uapi/container.js';
import { NotCovered, type Guest } from './kernel-guest.js';
import type { RecordedMachine } from './kernel-machine.js';
import type { OperationLine, RecordedOperation } from './kernel-record.js';

/** What an operation returns when it succeeds. */
export interface Result {
  /** 0 unless the call returns a number. */
  readonly ret?: number;
  /** Those that are modelled, by their recorded names. */
  readonly outputs?: Readonly<Record<string, unknown>>;
}

export interface Call {
  readonly machine: RecordedMachine;
  readonly guest: Guest;
  readonly line: OperationLine;
  /** Only for what is no answer of the kernel: where memory was placed, which name was made up. */
  readonly recorded: RecordedOperation;
}

export type Operation = (call: Call) => Result | void;

const deviceOf = ({ machine, line }: Call, key = 'dev'): Device => machine.deviceNamed(line.values.get(key));
const fd = (call: Call, key: string): number => call.guest.descriptor(call.line, key);
const number = (call: Call, key: string, otherwise: bigint): bigint => call.guest.argument(call.line, key, otherwise);
const integer = (call: Call, key: string, otherwise: number): number => call.guest.integer(call.line, key, otherwise);
const openAs = (call: Call, descriptor: number): void => call.guest.set(call.line.values.get('as'), descriptor);

// ------------------------------------------------------------------------------------------------ drivers

const driverOutput = ({ machine }: Call, device: Device): Result => ({ outputs: { driver: machine.shownDriver(device) } });

/** Binding results are printed whether they succeed or not. */
function withDriver(call: Call, device: Device, act: () => void): Result {
  act();
  return driverOutput(call, device);
}

const DRIVERS: Readonly<Record<string, Operation>> = {
  override: (call) => {
    call.machine.wantRoot(call.guest);
    deviceOf(call).driverOverride = call.line.values.get('driver') || null;
  },
  bind: (call) => withDriver(call, deviceOf(call), () => {
    call.machine.wantRoot(call.guest);
    call.machine.drivers.bind(deviceOf(call), call.line.values.get('driver') ?? 'vfio-pci');
  }),
  unbind: (call) => withDriver(call, deviceOf(call), () => {
    call.machine.wantRoot(call.guest);
    call.machine.drivers.unbind(deviceOf(call));
  }),
  drivers_probe: (call) => withDriver(call, deviceOf(call), () => call.machine.drivers.probe(deviceOf(call))),
  vfio: (call) => withDriver(call, deviceOf(call), () => call.machine.drivers.change(deviceOf(call), 'vfio-pci')),
  stub: (call) => withDriver(call, deviceOf(call), () => call.machine.drivers.change(deviceOf(call), 'pci-stub')),
  native: (call) => withDriver(call, deviceOf(call), () => call.machine.drivers.change(deviceOf(call), null)),
  driver: (call) => driverOutput(call, deviceOf(call)),
  remove: (call) => call.machine.remove(deviceOf(call)),
  rescan: (call) => call.machine.rescan(),
  group_type: (call) => {
    const device = deviceOf(call);
    const wanted = call.line.values.get('set');
    const { group } = device;
    if (group === null && wanted !== undefined) throw new Refusal('ENOENT', 'GRL-01', `${device.name} has no group`);
    if (wanted !== undefined) call.machine.writeGroupType(call.guest, device, wanted);
    return { outputs: { type: group === null ? '' : call.machine.groupType(group) } }; // the probe shows a file that is not there as an empty one
  },
  reserved: (call) => {
    const device = deviceOf(call);
    if (device.group === null) throw new Refusal('ENOENT', 'GRL-01', `${device.name} has no group`);
    return { outputs: { value: call.machine.reservedText(device.group) } };
  },
  mdev_create: ({ machine, guest, line, recorded }) => {
    const device = machine.createMediatedDevice(line.values.get('uuid') ?? DEFAULT_UUID);
    guest.set(line.values.get('as'), Number(recorded.group));
    machine.rememberGroup(Number(recorded.group), device);
  },
  write: ({ machine, line }) => {
    const [path = '', data = ''] = [line.values.get('path'), line.values.get('data')];
    return machine.writeParameter(path, data) ? { outputs: { path } } : machine.drivers.writeFile(path, machine.substituted(data));
  },
  ls: ({ machine, line }) => {
    switch (line.values.get('path')) {
      case '/dev/vfio': return { outputs: { list: machine.nodes() } };
      case '/dev/vfio/devices': return { outputs: { list: machine.deviceNodes() } };
      default: throw new NotCovered(`listing ${line.values.get('path')}`);
    }
  },
};

const DEFAULT_UUID = '11111111-2222-3333-4444-555555555555';

// ------------------------------------------------------------------------------------------------ legacy VFIO

const MAP_LETTERS: Readonly<Record<string, number>> = { r: DMA_MAP.READ, w: DMA_MAP.WRITE, v: DMA_MAP.VADDR };

function mapFlags(call: Call): number {
  const text = call.line.values.get('flags');
  if (text === undefined) return DMA_MAP.READ | DMA_MAP.WRITE;
  return /^\d/.test(text) ? integer(call, 'flags', 0) : [...text].reduce((flags, letter) => flags | (MAP_LETTERS[letter] ?? 0), 0);
}

function unmapFlags(call: Call): number {
  const text = call.line.values.get('flags');
  if (text === 'all') return DMA_UNMAP.ALL;
  return text === 'vaddr' ? DMA_UNMAP.VADDR : integer(call, 'flags', 0);
}

const rangeTexts = (ranges: readonly { readonly start: bigint; readonly last: bigint }[]): string[][] => ranges.map(({ start, last }) => [hex(start), hex(last)]);

const capabilityRecord = (capability: InfoCapability): Readonly<Record<string, unknown>> => {
  if (capability.kind === 'iova-range') return { id: 1, ranges: rangeTexts(capability.ranges) };
  if (capability.kind === 'dma-available') return { id: 3, avail: capability.available };
  return { id: 2, pgsize_bitmap: hex(capability.pageSizes), max_dirty_bitmap_size: capability.maxBitmapSize };
};

const VFIO: Readonly<Record<string, Operation>> = {
  open_container: (call) => openAs(call, call.machine.vfio.openContainer(call.guest.process)),
  open: (call) => {
    if (call.line.values.get('path') !== '/dev/null') throw new NotCovered(`opening ${call.line.values.get('path')}`);
    openAs(call, call.guest.process.open({ kind: 'other', release: () => undefined }));
  },
  close: ({ guest, line, machine }) => {
    machine.close(guest, guest.descriptor(line, 'fd'));
    guest.forget(line.values.get('fd') ?? '');
  },
  api_version: (call) => ({ ret: call.machine.vfio.apiVersion(call.guest.process, fd(call, 'c')) }),
  check_ext: (call) => ({ ret: call.machine.vfio.checkExtension(call.guest.process, fd(call, 'c'), integer(call, 'ext', 1)) }),
  open_group: (call) => {
    const device = call.line.values.has('group') ? call.machine.deviceOfGroup(number(call, 'group', 0n)) : deviceOf(call);
    openAs(call, call.machine.openGroup(call.guest, device, call.line.values.has('noiommu')));
  },
  group_status: (call) => {
    const { flags, viable, containerSet } = call.machine.vfio.groupStatus(call.guest.process, fd(call, 'g'), integer(call, 'argsz', 8));
    return { outputs: { flags, viable, container_set: containerSet } };
  },
  set_container: (call) => call.machine.vfio.setContainer(call.guest.process, fd(call, 'g'), fd(call, 'c')),
  unset_container: (call) => call.machine.vfio.unsetContainer(call.guest.process, fd(call, 'g')),
  set_iommu: (call) => call.machine.vfio.setIommu(call.guest.process, fd(call, 'c'), integer(call, 'type', 3)),
  iommu_info: (call) => {
    const info = call.machine.vfio.iommuInfo(call.guest.process, fd(call, 'c'), integer(call, 'argsz', 16384));
    const chain = info.capabilities.length > 0 ? { caps: info.capabilities.map(capabilityRecord) } : {};
    return { outputs: { flags: info.flags, argsz_out: info.argsz, pgsizes: hex(info.pageSizes), ...chain } };
  },
  map: (call) => call.machine.vfio.mapDma(call.guest.process, fd(call, 'c'), {
    argsz: integer(call, 'argsz', DMA_MAP.SIZE), flags: mapFlags(call), vaddr: call.guest.bufferAddress(call.line),
    iova: number(call, 'iova', 0n), size: number(call, 'size', 4096n),
  }),
  unmap: (call) => {
    const unmapped = call.machine.vfio.unmapDma(call.guest.process, fd(call, 'c'), {
      argsz: integer(call, 'argsz', DMA_UNMAP.SIZE), flags: unmapFlags(call), iova: number(call, 'iova', 0n), size: number(call, 'size', 4096n),
    });
    return { outputs: { unmapped: hex(unmapped) } };
  },
  dirty_pages: (call) => {
    const runs = call.machine.vfio.dirtyPages(call.guest.process, fd(call, 'c'), {
      argsz: integer(call, 'argsz', 48), flags: integer(call, 'flags', 1), iova: number(call, 'iova', 0n), size: number(call, 'size', 4096n),
      bitmap: { pageSize: number(call, 'pgsize', 4096n), size: number(call, 'bmsize', 8n) },
    });
    if (runs === null) return {};
    let word = 0n;
    for (const { first, last } of runs) for (let page = Math.max(0, first); page <= Math.min(63, last); page++) word |= 1n << BigInt(page);
    return { outputs: { bitmap0: hex(word) } };
  },
  get_device: (call) => {
    const name = call.line.values.get('name') ?? deviceOf(call).name;
    const descriptor = call.machine.vfio.getDeviceFd(call.guest.process, fd(call, 'g'), name);
    call.machine.afterOpen(call.machine.openDevice(call.guest, descriptor));
    openAs(call, descriptor);
  },
  dev_info: (call) => {
    const info = call.machine.vfio.deviceCalls.info(call.guest.process, fd(call, 'd'), integer(call, 'argsz', 24));
    return { outputs: { ...info } };
  },
  busmaster: (call) => {
    call.machine.openDevice(call.guest, fd(call, 'd')).busMaster = !call.line.values.has('off');
  },
  dev_reset: (call) => call.machine.vfio.deviceCalls.reset(call.guest.process, fd(call, 'd')),
};

// ------------------------------------------------------------------------------------------------ processes and memory

const PROCESSES: Readonly<Record<string, Operation>> = {
  nop: () => undefined,
  sleep: () => undefined,
  limits: (call) => {
    const { guest, line } = call;
    if (line.values.has('memlock')) guest.process.memlock = number(call, 'memlock', 0n);
    if (line.values.has('uid')) guest.becomeUser(integer(call, 'uid', 0));
    if (line.values.has('memlock')) return { outputs: { memlock: Number(guest.process.memlock), uid: guest.uid } };
    return { outputs: { uid: guest.uid } };
  },
  chmod_vfio: ({ machine }) => machine.openNodesToAll(),
  chmod: ({ machine, line }) => {
    const label = /^\/dev\/vfio\/\{group:(.*)\}$/.exec(line.values.get('path') ?? '')?.[1];
    if (label === undefined) throw new NotCovered('the mode of such a file');
    machine.setGroupNode(machine.deviceNamed(label), (Number.parseInt(line.values.get('mode') ?? '666', 8) & 6) === 6);
  },
  status: ({ guest: { process } }) => ({ outputs: { VmLck: `${process.lockedPages * 4} kB`, VmPin: `${process.pinnedPages * 4} kB` } }),
  buf: ({ machine, guest, line, recorded }) => {
    const prot = line.values.get('prot');
    const size = guest.argument(line, 'size', 4096n);
    const kind = line.values.has('huge') ? 'hugetlb' : line.values.has('memfd') ? 'file' : 'anonymous';
    guest.map(line.values.get('as') ?? '_buf', size, BigInt(String(recorded.va)), { writable: prot === undefined || prot.includes('w'), accessible: prot === undefined || /[rw]/.test(prot), kind });
    const fill = line.values.get('fill');
    if (fill !== undefined) for (const chunk of machine.contents.chunks(guest, guest.number(line.values.get('as') ?? '_buf'), size)) chunk.fill(Number(guest.number(fill)));
    const memfd = line.values.get('memfd');
    if (memfd !== undefined) guest.tainted.add(memfd);
  },
  munmap: (call) => call.guest.unmap(number(call, 'buf', 0n) + number(call, 'off', 0n), number(call, 'size', 4096n)),
  mprotect: (call) => call.guest.protect(number(call, 'buf', 0n) + number(call, 'off', 0n), number(call, 'size', 4096n), (call.line.values.get('prot') ?? '').includes('w')),
};

export const VFIO_OPERATIONS: Readonly<Record<string, Operation>> = { ...DRIVERS, ...VFIO, ...PROCESSES };
