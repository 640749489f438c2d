/** What /dev/iommu answers without any device: structures, ids, areas, options, accounting (IFD-01 .. IFD-22, IOP-*). */
import { describe, expect, it } from 'vitest';
import { ADDRESS_MAX } from '../../server/simulator/memory/address.js';
import type { Process } from '../../server/simulator/uapi/process.js';
import { MAP_FLAGS, OPTION, OPTION_OP, VFIO_IOAS_OP, type MemoryFile } from '../../server/simulator/uapi/iommufd/index.js';
import { errnoOf, PAGE, TestMachine } from './machine.js';

const { FIXED_IOVA, READABLE, WRITEABLE } = MAP_FLAGS;
const RW = READABLE | WRITEABLE;

function setUp(version = '6.12', process?: (machine: TestMachine) => Process) {
  const machine = new TestMachine({ version, devices: [{ name: 'a' }, { name: 'b' }] });
  const user = process?.(machine) ?? machine.process();
  const { iommufd } = machine;
  const fd = iommufd.open(user);
  const ioas = iommufd.ioasAlloc(user, fd).id;
  const map = (call: object): unknown => errnoOf(() => iommufd.ioasMap(user, fd, { ioas, va: 0x10_0000n, length: PAGE, flags: FIXED_IOVA | RW, ...call }));
  const unmap = (iova: bigint, length: bigint): unknown => errnoOf(() => iommufd.ioasUnmap(user, fd, { ioas, iova, length }));
  const attach = (name = 'a', pt = ioas): unknown => {
    const cdev = iommufd.openCdev(user, machine.device(name));
    iommufd.bindIommufd(user, cdev, { iommufd: fd });
    return errnoOf(() => iommufd.attach(user, cdev, { pt }));
  };
  return { machine, user, iommufd, fd, ioas, map, unmap, attach };
}

describe('IFD-01, IFD-03, IFD-08 structures', () => {
  it('too short EINVAL, longer with zeros as if exact, with data E2BIG', () => {
    const { iommufd, user, fd } = setUp();
    expect(errnoOf(() => iommufd.ioasAlloc(user, fd, { size: 8 }))).toBe('EINVAL');
    expect(errnoOf(() => iommufd.ioasAlloc(user, fd, { size: 16 }))).toEqual({ id: 2 });
    expect(errnoOf(() => iommufd.ioasAlloc(user, fd, { size: 16, tailNotZero: true }))).toBe('E2BIG');
  });
  it('unknown flags and reserved fields come before the id (EOPNOTSUPP)', () => {
    const { iommufd, user, fd, map } = setUp();
    expect(map({ ioas: 99, flags: 0x80 })).toBe('EOPNOTSUPP');
    expect(map({ ioas: 99, reserved: 1 })).toBe('EOPNOTSUPP');
    expect(errnoOf(() => iommufd.ioasIovaRanges(user, fd, { ioas: 99, reserved: 1 }))).toBe('EOPNOTSUPP');
  });
  it('calls of later kernels are ENOTTY', () => {
    const { iommufd, user, fd, ioas } = setUp('6.12');
    expect(errnoOf(() => iommufd.ioasMapFile(user, fd, { ioas, file: 99, start: 0n, length: PAGE, flags: RW }))).toBe('ENOTTY');
    expect(errnoOf(() => iommufd.ioasChangeProcess(user, fd))).toBe('ENOTTY');
  });
  it('of another file: ENOTTY, of none: EBADF', () => {
    const { machine, iommufd, user } = setUp();
    expect(errnoOf(() => iommufd.ioasAlloc(user, machine.vfio.openContainer(user)))).toBe('ENOTTY');
    expect(errnoOf(() => iommufd.ioasAlloc(user, 99))).toBe('EBADF');
  });
});

describe('IFD-04, IFD-05, IFD-10, IFD-11 ids', () => {
  it('are the smallest that are free', () => {
    const { iommufd, user, fd } = setUp();
    const ids = [1, 2, 3, 4].map(() => iommufd.ioasAlloc(user, fd).id);
    expect(ids).toEqual([2, 3, 4, 5]);
    for (const id of [4, 2, 5]) iommufd.destroy(user, fd, { id });
    expect([1, 2, 3, 4].map(() => iommufd.ioasAlloc(user, fd).id)).toEqual([2, 4, 5, 6]);
    expect(errnoOf(() => iommufd.destroy(user, fd, { id: 0 }))).toBe('ENOENT');
  });
});

describe('IFD-18, IFD-18a the order of MAP', () => {
  it.each<[string, object, unknown]>([
    ['no permission, unknown IOAS', { ioas: 99, flags: FIXED_IOVA }, 'EINVAL'],
    ['length 2^64-1, no permission', { length: ADDRESS_MAX, flags: 0 }, 'EOVERFLOW'],
    ['unknown IOAS, length 0', { ioas: 99, length: 0n }, 'ENOENT'],
    ['length 0', { length: 0n }, 'EINVAL'],
    ['memory wraps', { va: 0xffff_ffff_ffff_f000n, length: 2n * PAGE }, 'EOVERFLOW'],
    ['IOVA wraps', { iova: 0xffff_ffff_ffff_f000n, length: 2n * PAGE }, 'EOVERFLOW'],
    ['the last page', { iova: 0xffff_ffff_ffff_f000n }, { iova: 0xffff_ffff_ffff_f000n }],
    ['wild memory without a domain', { va: 0xdead_0000n, iova: 0x1000n }, { iova: 0x1000n }],
  ])('%s', (_title, call, answer) => expect(setUp().map(call)).toEqual(answer));

  it('length and wrap changed places after 6.12', () => {
    const call = { va: 0x1_0000n, length: 0xffff_ffff_ffff_f000n, iova: 0x1000n };
    expect([setUp('6.12').map(call), setUp('6.19').map(call)]).toEqual(['EINVAL', 'EOVERFLOW']);
  });
});

describe('IOP-10, IFD-14 automatic addresses', () => {
  const choose = (set: ReturnType<typeof setUp>, va: bigint, length: bigint): unknown => set.map({ flags: RW, va, length });
  it('keep the alignment of the memory, first fit from the second page', () => {
    const set = setUp();
    expect(choose(set, 0x7f00_0000_1000n, 0x2000n)).toEqual({ iova: 0x1000n });
    expect(choose(set, 0x7f00_0020_0000n, 0x20_0000n)).toEqual({ iova: 0x20_0000n });
    expect(choose(set, 0n, 0x1800n)).toEqual({ iova: 0x4000n });
    expect(choose(set, 0x7f00_0000_0123n, 0x100n)).toEqual({ iova: 0x3123n });
  });
  it('stay in what is allowed and find again what becomes free', () => {
    const set = setUp();
    const { iommufd, user, fd, ioas } = set;
    iommufd.ioasAllowIovas(user, fd, { ioas, ranges: [{ start: 0x2000n, last: 0x3fffn }] });
    expect([1, 2, 3].map(() => choose(set, 0x10_0000n, PAGE))).toEqual([{ iova: 0x2000n }, { iova: 0x3000n }, 'ENOSPC']);
    set.unmap(0x2000n, PAGE);
    expect(choose(set, 0x10_0000n, PAGE)).toEqual({ iova: 0x2000n });
    expect(set.map({ iova: 0x10_0000n })).toEqual({ iova: 0x10_0000n });
    iommufd.ioasAllowIovas(user, fd, { ioas, ranges: [] });
    expect(choose(set, 0x10_0000n, PAGE)).toEqual({ iova: 0x1000n });
  });
  it('are too long for half the address space, or too little aligned', () => {
    const set = setUp();
    expect(choose(set, 0x1000n, ADDRESS_MAX / 2n)).toBe('EOVERFLOW');
    set.iommufd.option(set.user, set.fd, { option: OPTION.HUGE_PAGES, op: OPTION_OP.SET, object: set.ioas, value: 0n });
    expect(choose(set, 0x10_0800n, PAGE)).toBe('EINVAL');
  });
});

describe('IOP-35, IFD-20, IFD-10a unmap', () => {
  it('is not atomic', () => {
    const { map, unmap } = setUp();
    map({ iova: 0x1000n });
    map({ iova: 0x2000n, length: 2n * PAGE });
    expect(unmap(0x1000n, 2n * PAGE)).toBe('ENOENT');
    expect(unmap(0x1000n, PAGE)).toBe('ENOENT');
    expect(unmap(0x2000n, 2n * PAGE)).toEqual({ unmapped: 2n * PAGE });
  });
  it('everything, also when there is nothing', () => {
    const { map, unmap } = setUp();
    map({ iova: 0n });
    map({ iova: 0xffff_ffff_ffff_f000n });
    expect(unmap(0n, ADDRESS_MAX)).toEqual({ unmapped: 2n * PAGE });
    expect(unmap(0n, ADDRESS_MAX)).toEqual({ unmapped: 0n });
    expect([unmap(0x1000n, PAGE), unmap(0n, 0n), unmap(PAGE, ADDRESS_MAX)]).toEqual(['ENOENT', 'EINVAL', 'EOVERFLOW']);
  });
});

describe('IFD-12, IFD-13, IFD-17 options', () => {
  it('the accounting mode', () => {
    const set = setUp();
    const mode = (call: object): unknown => errnoOf(() => set.iommufd.option(set.user, set.fd, { option: OPTION.RLIMIT_MODE, op: OPTION_OP.SET, value: 1n, ...call }));
    expect(mode({ op: OPTION_OP.GET })).toEqual({ value: 0n });
    expect([mode({}), mode({ value: 2n }), mode({ object: 1 }), mode({ op: 7 }), mode({ option: 9 })]).toEqual(['EBUSY', 'EBUSY', 'EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP']);
    set.iommufd.destroy(set.user, set.fd, { id: set.ioas });
    expect([mode({ value: 2n }), mode({})]).toEqual(['EINVAL', { value: 1n }]);
    set.user.capabilities.delete('SYS_RESOURCE');
    expect(mode({})).toBe('EPERM');
  });
  it('large pages cannot be switched off under a filled domain', () => {
    const set = setUp();
    set.machine.buffer(set.user, 0x10_0000n, 0x1_0000n);
    set.attach();
    const off = (): unknown => errnoOf(() => set.iommufd.option(set.user, set.fd, { option: OPTION.HUGE_PAGES, op: OPTION_OP.SET, object: set.ioas, value: 0n }));
    set.map({ iova: 0x1000n });
    expect(off()).toBe('EINVAL');
    set.unmap(0x1000n, PAGE);
    expect(off()).toEqual({ value: 0n });
  });
  it('the compatibility IOAS', () => {
    const { iommufd, user, fd, ioas } = setUp();
    const act = (op: number, id = 0): unknown => errnoOf(() => iommufd.vfioIoas(user, fd, { op, ioas: id }));
    expect([act(VFIO_IOAS_OP.GET), act(VFIO_IOAS_OP.SET, 9), act(VFIO_IOAS_OP.SET, ioas), act(VFIO_IOAS_OP.GET)]).toEqual(['ENODEV', 'ENOENT', { id: ioas }, { id: ioas }]);
    iommufd.destroy(user, fd, { id: ioas });
    expect([act(VFIO_IOAS_OP.GET), act(9)]).toEqual(['ENODEV', 'EOPNOTSUPP']);
  });
});

describe('IOP-30, IOP-31 locked memory', () => {
  const limited = (machine: TestMachine): Process => {
    const user = machine.process('u', { user: 'nobody', memlock: 4n * PAGE, capabilities: [] });
    machine.buffer(user, 0x10_0000n, 0x1_0000n);
    return user;
  };
  it('is charged when a domain needs it, to the user, once per MAP', () => {
    const { machine, user, map, unmap, attach } = setUp('6.12', limited);
    expect(map({ iova: 0x1000n, length: 3n * PAGE })).toEqual({ iova: 0x1000n });
    expect(user.user.lockedPages).toBe(0);
    expect(attach()).toMatchObject({ id: expect.any(Number) });
    expect([user.user.lockedPages, user.pinnedPages, user.lockedPages]).toEqual([3, 3, 0]);
    expect(map({ iova: 0x8000n, length: 2n * PAGE })).toBe('ENOMEM');
    expect(map({ iova: 0x8000n })).toEqual({ iova: 0x8000n });
    unmap(0x1000n, 3n * PAGE);
    expect([user.user.lockedPages, user.pinnedPages]).toEqual([1, 1]);
    expect(machine.users.get('nobody')).toBe(user.user);
  });
  it('COPY shares the pages (IFD-16)', () => {
    const set = setUp('6.12', limited);
    set.attach();
    set.map({ iova: 0x1000n, length: 4n * PAGE });
    const copy = (iova: bigint, sourceIova: bigint, length: bigint): unknown =>
      errnoOf(() => set.iommufd.ioasCopy(set.user, set.fd, { source: set.ioas, target: set.ioas, sourceIova, length, iova, flags: FIXED_IOVA | RW }));
    expect(copy(0x10_0000n, 0x1000n, 4n * PAGE)).toEqual({ iova: 0x10_0000n });
    expect(copy(0x20_0000n, 0x2000n, PAGE)).toEqual({ iova: 0x20_0000n });
    expect(set.user.pinnedPages).toBe(4);
    set.unmap(0x1000n, 4n * PAGE);
    expect(set.user.pinnedPages).toBe(4);
    set.unmap(0x10_0000n, 4n * PAGE);
    expect(set.user.pinnedPages).toBe(1);
    set.unmap(0x20_0000n, PAGE);
    expect([set.user.pinnedPages, set.user.user.lockedPages]).toEqual([0, 0]);
  });
  it('a copy of several areas is mapped whole or not at all', () => {
    const set = setUp('6.12', limited);
    set.map({ iova: 0x1000n });
    set.map({ iova: 0x2000n, va: 0xdead_0000n });
    const target = set.iommufd.ioasAlloc(set.user, set.fd).id;
    set.attach('a', target);
    expect(errnoOf(() => set.iommufd.ioasCopy(set.user, set.fd, { source: set.ioas, target, sourceIova: 0x1000n, length: 2n * PAGE, iova: 0x8000n, flags: FIXED_IOVA | RW }))).toBe('EFAULT');
    const { domain } = set.machine.device('a').group!;
    expect(domain?.type === 'unmanaged' && domain.mappings(9).total).toBe(0);
    expect(set.user.pinnedPages).toBe(0);
  });
  it('CAP_IPC_LOCK is not limited and not counted, yet shown as pinned', () => {
    const set = setUp('6.12', (machine) => {
      const user = machine.process('root', { memlock: PAGE });
      machine.buffer(user, 0x10_0000n, 0x1_0000n);
      return user;
    });
    set.attach();
    expect(set.map({ iova: 0x1000n, length: 4n * PAGE })).toEqual({ iova: 0x1000n });
    expect([set.user.pinnedPages, set.user.user.lockedPages]).toEqual([4, 0]);
  });
  it('device memory is not pinned (CMP-13)', () => {
    const set = setUp('6.12', (machine) => {
      const user = machine.process();
      machine.buffer(user, 0x10_0000n, 0x1_0000n, { kind: 'device' });
      return user;
    });
    set.attach();
    expect(set.map({ iova: 0x1000n })).toBe('EFAULT');
  });
  it('a second domain takes over what the first pinned, though the memory is gone (IOP-30)', () => {
    const set = setUp('6.12', limited);
    set.attach('a');
    set.map({ iova: 0x1000n });
    set.user.areas.length = 0;
    const cdev = set.iommufd.openCdev(set.user, set.machine.device('b'));
    const { id: device } = set.iommufd.bindIommufd(set.user, cdev, { iommufd: set.fd });
    expect(errnoOf(() => set.iommufd.hwptAlloc(set.user, set.fd, { device, pt: set.ioas }))).toMatchObject({ id: expect.any(Number) });
    expect(set.user.pinnedPages).toBe(1);
  });
});

describe('IFD-19, IFD-22 files', () => {
  const memfd = (size: bigint): MemoryFile => ({ kind: 'other', size, *pieces(from, bytes) { yield { physical: (0x8000_0000n + from) as never, size: bytes, device: false }; }, release: () => undefined });
  const mapFile = (set: ReturnType<typeof setUp>, call: object): unknown =>
    errnoOf(() => set.iommufd.ioasMapFile(set.user, set.fd, { ioas: set.ioas, file: 0, start: 0n, length: PAGE, iova: 0x1000n, flags: FIXED_IOVA | RW, ...call }));
  it('are looked at when they are pinned (SC-86)', () => {
    const set = setUp('6.19');
    const plain = set.user.open({ kind: 'other', release: () => undefined });
    expect(mapFile(set, { file: 99 })).toBe('EBADF');
    expect(mapFile(set, { file: plain })).toEqual({ iova: 0x1000n });
    expect(set.attach()).toBe('EINVAL');
  });
  it('beyond their end', () => {
    const set = setUp('6.19');
    const file = set.user.open(memfd(4n * PAGE));
    set.attach();
    expect(mapFile(set, { file, start: 3n * PAGE, length: 2n * PAGE })).toBe('EINVAL');
    expect(mapFile(set, { file, start: 3n * PAGE })).toEqual({ iova: 0x1000n });
  });
  it('SC-70: may change hands, memory of a process may not', () => {
    const set = setUp('6.19');
    const file = set.user.open(memfd(4n * PAGE));
    set.attach();
    mapFile(set, { file, length: 4n * PAGE });
    const other = set.machine.process('other', { user: 'else', memlock: 2n * PAGE, capabilities: [] });
    other.files.set(set.fd, set.user.file(set.fd));
    const change = (): unknown => errnoOf(() => set.iommufd.ioasChangeProcess(other, set.fd));
    expect(change()).toBeUndefined();
    expect([set.user.pinnedPages, other.pinnedPages]).toEqual([0, 4]);
    set.machine.buffer(set.user, 0x10_0000n, 0x1_0000n);
    set.map({ iova: 0x10_0000n });
    expect(change()).toBe('EINVAL');
  });
});
