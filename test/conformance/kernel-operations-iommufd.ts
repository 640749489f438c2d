/** Recorded operations on iommufd and on VFIO's character devices. */
import { hex, type AddressRange } from '../../server/simulator/memory/address.js';
import { MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import type { Call, Operation } from './kernel-operations.js';

const fd = ({ guest, line }: Call, key: string): number => guest.descriptor(line, key);
const number = ({ guest, line }: Call, key: string, otherwise: bigint): bigint => guest.argument(line, key, otherwise);
const integer = ({ guest, line }: Call, key: string, otherwise: number): number => guest.integer(line, key, otherwise);
const optional = (call: Call, key: string): number | undefined => (call.line.values.has(key) ? integer(call, key, 0) : undefined);
const keep = ({ guest, line }: Call, value: number | bigint): void => guest.set(line.values.get('as'), value);

const LETTERS: Readonly<Record<string, number>> = { f: MAP_FLAGS.FIXED_IOVA, w: MAP_FLAGS.WRITEABLE, r: MAP_FLAGS.READABLE };

function mapFlags(call: Call, addressKey: string): number {
  const fixed = call.line.values.has(addressKey) ? MAP_FLAGS.FIXED_IOVA : 0;
  const text = call.line.values.get('flags');
  if (text === undefined) return fixed | MAP_FLAGS.READABLE | MAP_FLAGS.WRITEABLE;
  return /^\d/.test(text) ? integer(call, 'flags', 0) : [...text].reduce((flags, letter) => flags | (LETTERS[letter] ?? 0), fixed);
}

function ranges(call: Call): AddressRange[] {
  return (call.line.values.get('ranges') ?? '').split(',').filter((text) => text.includes(':')).map((text) => {
    const [start = '', last = ''] = text.split(':');
    return { start: call.guest.number(start), last: call.guest.number(last) };
  });
}

/** The next call with an id: an object that the call makes. */
const made = (call: Call, id: number): { readonly outputs: { readonly id: number } } => {
  keep(call, id);
  return { outputs: { id } };
};

const SPACES: Readonly<Record<string, Operation>> = {
  open_iommufd: (call) => keep(call, call.machine.openIommufd(call.guest)),
  ioas_alloc: (call) => made(call, call.machine.iommufd.ioasAlloc(call.guest.process, fd(call, 'f'), { size: optional(call, 'sz'), flags: integer(call, 'flags', 0) }).id),
  ioas_map: (call) => {
    const automatic = !call.line.values.has('iova');
    const recordedAddress = automatic && call.recorded.va !== undefined ? BigInt(String(call.recorded.va)) : undefined;
    const va = call.guest.bufferAddress(call.line, recordedAddress);
    const { iova } = call.machine.iommufd.ioasMap(call.guest.process, fd(call, 'f'), {
      size: optional(call, 'sz'), flags: mapFlags(call, 'iova'), reserved: integer(call, 'rsv', 0), ioas: integer(call, 'ioas', 0),
      va, length: number(call, 'len', 4096n), iova: number(call, 'iova', 0n),
    });
    keep(call, iova);
    return { outputs: { iova: hex(iova) } };
  },
  ioas_map_file: (call) => {
    const { iova } = call.machine.iommufd.ioasMapFile(call.guest.process, fd(call, 'f'), {
      flags: mapFlags(call, 'iova'), ioas: integer(call, 'ioas', 0), file: integer(call, 'fd', 0), start: number(call, 'start', 0n), length: number(call, 'len', 4096n), iova: number(call, 'iova', 0n),
    });
    keep(call, iova);
    return { outputs: { iova: hex(iova) } };
  },
  ioas_unmap: (call) => {
    const { unmapped } = call.machine.iommufd.ioasUnmap(call.guest.process, fd(call, 'f'), { size: optional(call, 'sz'), ioas: integer(call, 'ioas', 0), iova: number(call, 'iova', 0n), length: number(call, 'len', 4096n) });
    return { outputs: { unmapped: hex(unmapped) } };
  },
  ioas_ranges: (call) => {
    const found = call.machine.iommufd.ioasIovaRanges(call.guest.process, fd(call, 'f'), { ioas: integer(call, 'ioas', 0), room: integer(call, 'n', 32) });
    return { outputs: { num: found.ranges.length, align: hex(found.alignment), ranges: found.ranges.map(({ start, last }) => [hex(start), hex(last)]) } };
  },
  ioas_allow: (call) => call.machine.iommufd.ioasAllowIovas(call.guest.process, fd(call, 'f'), { ioas: integer(call, 'ioas', 0), ranges: ranges(call) }),
  ioas_copy: (call) => {
    const { iova } = call.machine.iommufd.ioasCopy(call.guest.process, fd(call, 'f'), {
      flags: mapFlags(call, 'dst_iova'), target: integer(call, 'dst', 0), source: integer(call, 'src', 0), length: number(call, 'len', 4096n), iova: number(call, 'dst_iova', 0n), sourceIova: number(call, 'src_iova', 0n),
    });
    keep(call, iova);
    return { outputs: { iova: hex(iova) } };
  },
  ioas_change_process: (call) => call.machine.iommufd.ioasChangeProcess(call.guest.process, fd(call, 'f')),
  iommufd_option: (call) => {
    const { value } = call.machine.iommufd.option(call.guest.process, fd(call, 'f'), { option: integer(call, 'opt', 0), op: integer(call, 'setget', 0), object: integer(call, 'obj', 0), value: number(call, 'val', 0n) });
    return { outputs: { val: Number(value) } };
  },
  vfio_ioas: (call) => made(call, call.machine.iommufd.vfioIoas(call.guest.process, fd(call, 'f'), { op: integer(call, 'what', 0), ioas: integer(call, 'ioas', 0) }).id),
  destroy: (call) => call.machine.iommufd.destroy(call.guest.process, fd(call, 'f'), { id: integer(call, 'id', 0) }),
};

/** Bytes of the driver data that the probe gives, by type: VT-d's first stage, and the test unit's. */
const DATA_SIZES: ReadonlyMap<number, number> = new Map([[1, 24], [0xdead, 4]]);
/** Of one entry to invalidate. */
const INVALIDATE_SIZES: ReadonlyMap<number, number> = new Map([[0xdeadbeef, 8]]);

const TABLES: Readonly<Record<string, Operation>> = {
  hwpt_alloc: (call) => {
    const type = integer(call, 'type', 0);
    const data = { type, length: integer(call, 'data_len', DATA_SIZES.get(type) ?? 0) };
    return made(call, call.machine.iommufd.hwptAlloc(call.guest.process, fd(call, 'f'), {
      size: optional(call, 'sz'), flags: integer(call, 'flags', 0), device: integer(call, 'dev', 0), pt: integer(call, 'pt', 0), data, faultQueue: integer(call, 'fault', 0),
    }).id);
  },
  hw_info: (call) => {
    const info = call.machine.iommufd.getHwInfo(call.guest.process, fd(call, 'f'), { size: optional(call, 'sz'), flags: integer(call, 'flags', 0), device: integer(call, 'dev', 0) });
    return { outputs: { data_type: info.dataType, data_len: info.dataLength, caps: hex(info.capabilities), max_pasid_log2: info.maxPasidLog2 } };
  },
  dirty_tracking: (call) => call.machine.iommufd.setDirtyTracking(call.guest.process, fd(call, 'f'), { flags: integer(call, 'flags', 1), hwpt: integer(call, 'hwpt', 0) }),
  dirty_bitmap: (call) => void call.machine.iommufd.getDirtyBitmap(call.guest.process, fd(call, 'f'), {
    flags: integer(call, 'flags', 0), hwpt: integer(call, 'hwpt', 0), iova: number(call, 'iova', 0n), length: number(call, 'len', 4096n), pageSize: number(call, 'page', 4096n),
  }),
  hwpt_invalidate: (call) => {
    const dataType = integer(call, 'type', 0);
    const entry = { flags: number(call, 'iflags', 0n), iotlb: number(call, 'iotlb_id', 0n) };
    const { handled } = call.machine.iommufd.hwptInvalidate(call.guest.process, fd(call, 'f'), {
      hwpt: integer(call, 'hwpt', 0), dataType, entryLength: integer(call, 'elen', INVALIDATE_SIZES.get(dataType) ?? 24), entries: integer(call, 'n', 1), fields: [entry],
    });
    return { outputs: { done: handled } };
  },
  fault_alloc: (call) => made(call, call.machine.iommufd.faultQueueAlloc(call.guest.process, fd(call, 'f')).id),
  viommu_alloc: (call) => made(call, call.machine.iommufd.viommuAlloc(call.guest.process, fd(call, 'f'), { size: optional(call, 'sz'), device: integer(call, 'dev', 0), hwpt: integer(call, 'hwpt', 0), type: integer(call, 'type', 0) }).id),
};

/** IOMMU_TEST_CMD: what the kernel's own tests do. */
const SELFTEST: Readonly<Record<string, Operation>> = {
  mock_domain: (call) => {
    const { iommufd } = call.machine;
    const made = iommufd.selftest.mockDomain(iommufd.file(call.guest.process, fd(call, 'f')), integer(call, 'pt', 0), integer(call, 'flags', 0));
    keep(call, made.stdev);
    call.guest.set(call.line.values.get('hwpt_as'), made.hwpt);
    call.guest.set(call.line.values.get('dev_as'), made.device);
    return { outputs: { stdev: made.stdev, hwpt: made.hwpt, dev: made.device } };
  },
  mock_replace: (call) => {
    const { iommufd } = call.machine;
    return { outputs: { pt: iommufd.selftest.replace(iommufd.file(call.guest.process, fd(call, 'f')), integer(call, 'id', 0), integer(call, 'pt', 0)) } };
  },
  mock_reserved: (call) => {
    const { iommufd } = call.machine;
    iommufd.selftest.addReserved(iommufd.file(call.guest.process, fd(call, 'f')), integer(call, 'ioas', 0), number(call, 'start', 0n), number(call, 'len', 0n));
  },
  mock_iotlb: (call) => {
    const { iommufd } = call.machine;
    iommufd.selftest.checkIotlb(iommufd.file(call.guest.process, fd(call, 'f')), integer(call, 'hwpt', 0), integer(call, 'id', 0), integer(call, 'iotlb', 0));
  },
  mock_dirty: (call) => {
    const { iommufd } = call.machine;
    const dirty = iommufd.selftest.markDirty(iommufd.file(call.guest.process, fd(call, 'f')), integer(call, 'hwpt', 0), number(call, 'iova', 0n), number(call, 'len', 0n), number(call, 'page', 4096n));
    return { outputs: { nr_dirty: Number(dirty) } };
  },
  mock_access: (call) => {
    const { iommufd } = call.machine;
    const { file } = iommufd.selftest.createAccess(iommufd.file(call.guest.process, fd(call, 'f')), call.guest.process, integer(call, 'ioas', 0), true);
    keep(call, file);
    call.guest.set(call.line.values.get('id_as'), integer(call, 'ioas', 0)); // the probe read the field that the call leaves alone
    return { outputs: { id: integer(call, 'ioas', 0) } };
  },
  mock_access_pages: (call) => {
    const { iommufd } = call.machine;
    iommufd.selftest.pinPages(iommufd.file(call.guest.process, fd(call, 'f')), call.guest.process, integer(call, 'id', 0), number(call, 'iova', 0n), number(call, 'len', 4096n), false);
  },
};

const CDEVS: Readonly<Record<string, Operation>> = {
  open_cdev: (call) => keep(call, call.machine.openCdev(call.guest, call.machine.deviceNamed(call.line.values.get('dev')))),
  bind_iommufd: (call) => {
    const { id } = call.machine.iommufd.bindIommufd(call.guest.process, fd(call, 'd'), { argsz: optional(call, 'argsz'), flags: integer(call, 'flags', 0), iommufd: fd(call, 'f') });
    call.machine.afterOpen(call.machine.openDevice(call.guest, fd(call, 'd')));
    return made(call, id);
  },
  attach: (call) => made(call, call.machine.iommufd.attach(call.guest.process, fd(call, 'd'), { ...pasid(call, 12, 16), pt: integer(call, 'pt', 0) }).id),
  detach: (call) => call.machine.iommufd.detach(call.guest.process, fd(call, 'd'), pasid(call, 8, 12)),
};

function pasid(call: Call, plain: number, withPasid: number): { readonly argsz: number; readonly flags: number; readonly pasid?: number } {
  const given = call.line.values.has('pasid');
  return { argsz: integer(call, 'argsz', given ? withPasid : plain), flags: integer(call, 'flags', given ? 1 : 0), pasid: optional(call, 'pasid') };
}

export const IOMMUFD_OPERATIONS: Readonly<Record<string, Operation>> = { ...SPACES, ...TABLES, ...SELFTEST, ...CDEVS };
