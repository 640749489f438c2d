/** Bind, attach, replace, detach and page tables, on units made for the occasion (IFD-30 .. IFD-65, CDV-*). */
import { describe, expect, it } from 'vitest';
import { HWPT_FLAGS, MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import { errnoOf, MSI, PlainUnit, ruleOf, TestMachine, type MachineOptions } from './machine.js';

const RW_FIXED = MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE | MAP_FLAGS.WRITEABLE;

/** A process with an iommufd, and devices bound to it. */
function setUp(options: MachineOptions) {
  const machine = new TestMachine(options);
  const process = machine.process();
  const { iommufd } = machine;
  const fd = iommufd.open(process);
  const bind = (name: string): { cdev: number; id: number } => {
    const cdev = iommufd.openCdev(process, machine.device(name));
    return { cdev, id: iommufd.bindIommufd(process, cdev, { iommufd: fd }).id };
  };
  const ioas = (): number => iommufd.ioasAlloc(process, fd).id;
  const map = (target: number, iova: bigint, length = 0x1000n, va = 0x10_0000n): unknown => iommufd.ioasMap(process, fd, { ioas: target, va, length, iova, flags: RW_FIXED });
  machine.buffer(process, 0x10_0000n, 0x10_0000n);
  return { machine, process, iommufd, fd, bind, ioas, map };
}

describe('IFD-30 bind', () => {
  it('refuses a unit that is not coherent', () => {
    const unit = new PlainUnit('incoherent', { capabilities: { cacheCoherency: false } });
    // VFG-22: today's VFIO does not even take the device, so there is no node to bind.
    expect(() => setUp({ devices: [{ name: 'a', unit }] })).toThrow(/coherent/);
  });

  it('refuses interrupts that are not isolated, unless the administrator accepts them', () => {
    const devices = [{ name: 'a', unit: new PlainUnit('open', { capabilities: { isolatedMsi: false } }) }];
    const refused = setUp({ devices });
    expect(errnoOf(() => refused.bind('a'))).toBe('EPERM');
    expect(refused.machine.device('a').group?.owner).toBeNull();
    const accepted = setUp({ devices, moduleParameters: ['iommufd.allow_unsafe_interrupts=1'] });
    expect(accepted.bind('a').id).toBe(1);
    expect(accepted.machine.kernel.log.at(-1)).toMatch(/^vfio-pci 0000:01:00.0: MSI interrupts are not secure/);
  });

  it('takes the group from the kernel and gives it back with the last device (OWN-05, OWN-07)', () => {
    const { machine, process, bind } = setUp({ devices: [{ name: 'a', group: 1 }, { name: 'b', group: 1 }] });
    const { group } = machine.device('a');
    const a = bind('a');
    expect(group?.domain).toEqual({ type: 'blocked' });
    const b = bind('b');
    expect(group?.ownerCount).toBe(2);
    process.close(a.cdev);
    expect(group?.owner).not.toBeNull();
    process.close(b.cdev);
    expect(group?.owner).toBeNull();
    expect(group?.domain).toBe(group?.defaultDomain);
  });
});

describe('IFD-41 automatic page tables', () => {
  it('are shared by devices behind compatible units and separate otherwise (SC-90)', () => {
    const units = [new PlainUnit('u0', { key: 'x' }), new PlainUnit('u1', { key: 'x' }), new PlainUnit('u2', { key: 'y' })] as const;
    const { iommufd, process, bind, ioas } = setUp({ devices: units.map((unit, i) => ({ name: `d${i}`, unit })) });
    const target = ioas();
    const hwpts = ['d0', 'd1', 'd2'].map((name) => iommufd.attach(process, bind(name).cdev, { pt: target }).id);
    expect(hwpts[1]).toBe(hwpts[0]);
    expect(hwpts[2]).not.toBe(hwpts[0]);
  });

  it('go with their last attachment (IFD-10b, SC-62)', () => {
    const { machine, iommufd, process, fd, bind, ioas } = setUp({ devices: [{ name: 'a' }] });
    const before = machine.unit.live.size;
    const target = ioas();
    const { cdev } = bind('a');
    const { id } = iommufd.attach(process, cdev, { pt: target });
    expect(machine.unit.live.size).toBe(before + 1);
    expect(errnoOf(() => iommufd.destroy(process, fd, { id }))).toBe('EBUSY');
    iommufd.detach(process, cdev);
    expect(errnoOf(() => iommufd.destroy(process, fd, { id }))).toBe('ENOENT');
    expect(machine.unit.live.size).toBe(before);
  });

  it('leave nothing behind when filling them fails (IOP-07)', () => {
    const { machine, iommufd, process, bind, ioas, map } = setUp({ devices: [{ name: 'a' }] });
    const target = ioas();
    map(target, 0x20_0000n);
    map(target, 0x30_0000n, 0x1000n, 0xdead_0000n);
    const { cdev } = bind('a');
    const before = machine.unit.live.size;
    expect(errnoOf(() => iommufd.attach(process, cdev, { pt: target }))).toBe('EFAULT');
    expect([machine.unit.live.size, process.pinnedPages]).toEqual([before, 0]);
    expect(machine.device('a').group?.domain).toEqual({ type: 'blocked' });
    expect(iommufd.ioasIovaRanges(process, 3, { ioas: target }).ranges).toHaveLength(1);
  });

  it('SC-82: a unit whose smallest page is larger than the kernel\'s is of no use', () => {
    const unit = new PlainUnit('large', { pageSizes: 1n << 16n });
    const { iommufd, process, bind, ioas } = setUp({ devices: [{ name: 'a', unit }] });
    expect(errnoOf(() => iommufd.attach(process, bind('a').cdev, { pt: ioas() }))).toBe('EINVAL');
  });
});

describe('IFD-40, IFD-50 attach and replace', () => {
  it('an unknown target is ENOENT, one of another kind EINVAL (SC-64)', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({ devices: [{ name: 'a' }] });
    const { cdev, id } = bind('a');
    expect(errnoOf(() => iommufd.attach(process, cdev, { pt: 99 }))).toBe('ENOENT');
    expect(errnoOf(() => iommufd.attach(process, cdev, { pt: id }))).toBe('EINVAL');
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device: id, pt: 99 }))).toBe('EINVAL');
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device: 99, pt: ioas() }))).toBe('ENOENT');
  });

  it('a replacement that fails leaves everything as it was', () => {
    const { machine, iommufd, process, bind, ioas, map } = setUp({ devices: [{ name: 'a', reserved: [MSI] }] });
    const [first, second] = [ioas(), ioas()];
    const { cdev } = bind('a');
    iommufd.attach(process, cdev, { pt: first });
    const { domain } = machine.device('a').group!;
    map(second, MSI.start);
    expect(errnoOf(() => iommufd.attach(process, cdev, { pt: second }))).toBe('EADDRINUSE');
    expect(machine.device('a').group?.domain).toBe(domain);
    expect(errnoOf(() => map(first, MSI.start))).toBe('EINVAL');
    expect(iommufd.ioasIovaRanges(process, 3, { ioas: second }).ranges).toHaveLength(1);
  });

  it('the regions of every device of the group count, DIRECT_RELAXABLE does not (IOP-05)', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({
      devices: [
        { name: 'a', group: 1, reserved: [{ start: 0x1000n, last: 0x1fffn, type: 'direct-relaxable' }] },
        { name: 'b', group: 1, reserved: [{ start: 0x5000n, last: 0x5fffn, type: 'reserved' }] },
      ],
    });
    const target = ioas();
    iommufd.attach(process, bind('a').cdev, { pt: target });
    expect(iommufd.ioasIovaRanges(process, fd, { ioas: target }).ranges).toEqual([{ start: 0n, last: (1n << 48n) - 1n }]);
    iommufd.attach(process, bind('b').cdev, { pt: target });
    expect(iommufd.ioasIovaRanges(process, fd, { ioas: target }).ranges).toEqual([{ start: 0n, last: 0x4fffn }, { start: 0x6000n, last: (1n << 48n) - 1n }]);
  });

  it('MSI regions that contradict one another are EINVAL', () => {
    const software = { start: 0x800_0000n, last: 0x80f_ffffn, type: 'software-msi' } as const;
    const { iommufd, process, bind, ioas } = setUp({ devices: [{ name: 'a', reserved: [MSI, software] }] });
    expect(errnoOf(() => iommufd.attach(process, bind('a').cdev, { pt: ioas() }))).toBe('EINVAL');
  });

  it('IFD-45, SC-91: a virtual function with page requests and a page table that reports faults', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({ version: '6.19', devices: [{ name: 'vf', virtualFunction: true, pri: true }] });
    const { cdev, id } = bind('vf');
    const queue = iommufd.faultQueueAlloc(process, fd);
    const hwpt = iommufd.hwptAlloc(process, fd, { device: id, pt: ioas(), flags: HWPT_FLAGS.FAULT_ID_VALID, faultQueue: queue.id });
    expect(ruleOf(() => iommufd.attach(process, cdev, { pt: hwpt.id }))).toBe('IFD-45');
    process.close(queue.file);
    expect(errnoOf(() => iommufd.destroy(process, fd, { id: queue.id }))).toBe('EBUSY');
    iommufd.destroy(process, fd, { id: hwpt.id });
    iommufd.destroy(process, fd, { id: queue.id });
  });
});

describe('IFD-60 flags of page tables', () => {
  const alloc = (version: string, flags: number, more = {}): unknown => {
    const { iommufd, process, fd, bind, ioas } = setUp({ version, devices: [{ name: 'a' }] });
    const { id } = bind('a');
    return errnoOf(() => iommufd.hwptAlloc(process, fd, { device: id, pt: ioas(), flags, ...more }));
  };
  it.each([
    ['6.12', HWPT_FLAGS.PASID, 'EOPNOTSUPP'], ['6.12', HWPT_FLAGS.FAULT_ID_VALID, 'EOPNOTSUPP'], ['6.19', HWPT_FLAGS.PASID, { id: 3 }], ['6.19', HWPT_FLAGS.FAULT_ID_VALID, 'ENOENT'],
    ['6.19', HWPT_FLAGS.DIRTY_TRACKING, 'EOPNOTSUPP'], ['6.19', HWPT_FLAGS.NEST_PARENT, 'EOPNOTSUPP'], ['6.6', 0, { id: 3 }], ['6.6', HWPT_FLAGS.NEST_PARENT, 'EOPNOTSUPP'], ['6.6', HWPT_FLAGS.DIRTY_TRACKING, 'EOPNOTSUPP'],
  ])('%s flags %i', (version, flags, answer) => expect(alloc(version, flags)).toEqual(answer));
  it('IFD-01: data are beyond the structure of 6.6', () => expect(alloc('6.6', 0, { data: { type: 1, length: 24 } })).toBe('E2BIG'));
  it('IFD-61, SC-84: data for an IOAS is not taken', () => expect(alloc('6.12', 0, { data: { type: 1, length: 24 } })).toBe('EOPNOTSUPP'));
  it.each([['6.6', 'ENOENT'], ['6.12', 'EINVAL']])('IFD-60, SC-64: %s without an address space', (version, answer) => {
    const { iommufd, process, fd, bind } = setUp({ version, devices: [{ name: 'a' }] });
    const { id: device } = bind('a');
    expect([99, device].map((pt) => errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt })))).toEqual([answer, answer]);
  });
  it('IFD-62: a page table that is no parent', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({ devices: [{ name: 'a' }] });
    const { id: device } = bind('a');
    const parent = iommufd.hwptAlloc(process, fd, { device, pt: ioas() }).id;
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt: parent }))).toBe('EOPNOTSUPP');
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt: parent, data: { type: 1, length: 24 } }))).toBe('EINVAL');
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt: parent, data: { type: 1, length: 0 } }))).toBe('EINVAL');
  });
});

describe('CDV character devices', () => {
  it('CDV-02: what is asked, in order', () => {
    const { machine, iommufd, process, fd } = setUp({ devices: [{ name: 'a' }] });
    const cdev = iommufd.openCdev(process, machine.device('a'));
    const bind = (call: object): unknown => errnoOf(() => iommufd.bindIommufd(process, cdev, { iommufd: fd, ...call }));
    expect(bind({ argsz: 8, iommufd: -1 })).toBe('EINVAL');
    expect(bind({ iommufd: -1 })).toBe('EINVAL');
    expect(bind({ flags: 1 })).toBe('EINVAL');
    expect(bind({ iommufd: 99 })).toBe('EBADF');
    expect(bind({ iommufd: cdev })).toBe('EBADFD');
    expect(bind({})).toEqual({ id: 1 });
    expect(bind({})).toBe('EINVAL');
    const second = iommufd.openCdev(process, machine.device('a'));
    expect(errnoOf(() => iommufd.bindIommufd(process, second, { iommufd: fd }))).toBe('EINVAL');
    process.close(cdev);
    expect(iommufd.bindIommufd(process, second, { iommufd: fd })).toEqual({ id: 1 });
  });

  it('CDV-05: closing gives everything back, also after the iommufd was closed (IFD-07)', () => {
    const { machine, iommufd, process, fd, bind, ioas, map } = setUp({ devices: [{ name: 'a' }] });
    const live = machine.unit.live.size;
    const target = ioas();
    const { cdev } = bind('a');
    iommufd.attach(process, cdev, { pt: target });
    map(target, 0x20_0000n, 0x4000n);
    process.close(fd);
    expect(process.pinnedPages).toBe(4);
    process.close(cdev);
    expect([process.pinnedPages, machine.unit.live.size]).toEqual([0, live]);
    expect(machine.device('a').group?.owner).toBeNull();
  });

  it('VFG-23: an open file, bound or not, holds the driver', () => {
    const { machine, iommufd, process, fd } = setUp({ devices: [{ name: 'a' }] });
    const cdev = iommufd.openCdev(process, machine.device('a'));
    expect(machine.vfio.unbind(machine.device('a'))).toBe('blocked');
    expect(errnoOf(() => iommufd.bindIommufd(process, cdev, { iommufd: fd }))).toBe('EAGAIN');
    process.close(cdev);
    expect(machine.device('a').driver).toBeNull();
    expect(errnoOf(() => iommufd.openCdev(process, machine.device('a')))).toBe('ENOENT');
  });

  it('are absent before 6.6 and where the kernel was built without', () => {
    const old = new TestMachine({ version: '6.1', devices: [{ name: 'a' }] });
    expect(errnoOf(() => old.iommufd.openCdev(old.process(), old.device('a')))).toBe('ENOENT');
    const without = new TestMachine({ devices: [{ name: 'a' }], buildOptions: ['!IOMMUFD'] });
    expect(errnoOf(() => without.iommufd.openCdev(without.process(), without.device('a')))).toBe('ENOENT');
    expect(errnoOf(() => without.iommufd.open(without.process()))).toBe('ENOENT');
  });
});

describe('IFD-65 hardware information', () => {
  const info = (version: string, call = {}): unknown => {
    const { iommufd, process, fd, bind } = setUp({ version, devices: [{ name: 'a' }] });
    const { id } = bind('a');
    return errnoOf(() => iommufd.getHwInfo(process, fd, { device: id, ...call }));
  };
  it('VT-d', () => expect(info('6.12')).toEqual({ dataType: 1, dataLength: 24, capabilities: 0, maxPasidLog2: 0 }));
  it('since 7.1 says that there is no ATS', () => expect(info('7.1')).toMatchObject({ capabilities: 8 }));
  it('INPUT_TYPE is unknown to 6.12', () => expect([info('6.12', { flags: 1 }), info('6.19', { flags: 1, dataType: 2 })]).toEqual(['EOPNOTSUPP', 'EOPNOTSUPP']));
  it('of no device', () => expect(info('6.12', { device: 77 })).toBe('ENOENT'));
});

describe('IFD-70, IFD-71, IFD-72, IFD-75, IFD-80: what no modelled unit can do ends at the kernel\'s own check', () => {
  function withHwpt(version: string) {
    const set = setUp({ version, devices: [{ name: 'a' }] });
    const { id: device } = set.bind('a');
    const ioas = set.ioas();
    return { ...set, device, ioas, hwpt: set.iommufd.hwptAlloc(set.process, set.fd, { device, pt: ioas }).id };
  }
  it('dirty pages', () => {
    const { iommufd, process, fd, hwpt, ioas } = withHwpt('6.12');
    const track = (call: object): unknown => errnoOf(() => iommufd.setDirtyTracking(process, fd, { hwpt, flags: 1, ...call }));
    expect([track({}), track({ hwpt: ioas }), track({ flags: 2 })]).toEqual(['EOPNOTSUPP', 'ENOENT', 'EOPNOTSUPP']);
    const read = (call: object): unknown => errnoOf(() => iommufd.getDirtyBitmap(process, fd, { hwpt, iova: 0x1000n, length: 0x1000n, pageSize: 0x1000n, ...call }));
    expect([read({}), read({ hwpt: 99 }), read({ length: 0n }), read({ iova: 0x800n }), read({ pageSize: 0n }), read({ pageSize: 0x2000n })]).toEqual(['EOPNOTSUPP', 'ENOENT', 'EOVERFLOW', 'EINVAL', 'EINVAL', 'EINVAL']);
  });
  it('invalidation and virtual units', () => {
    const answers = ['6.12', '6.19'].map((version) => {
      const { iommufd, process, fd, hwpt, device } = withHwpt(version);
      return [
        errnoOf(() => iommufd.hwptInvalidate(process, fd, { hwpt, entryLength: 24, entries: 1 })), errnoOf(() => iommufd.hwptInvalidate(process, fd, { hwpt, entryLength: 0, entries: 1 })),
        errnoOf(() => iommufd.viommuAlloc(process, fd, { device, hwpt, type: 1 })), errnoOf(() => iommufd.viommuAlloc(process, fd, { device: 99, hwpt, type: 1 })),
      ];
    });
    expect(answers).toEqual([['ENOENT', 'EINVAL', 'ENOTTY', 'ENOTTY'], ['EINVAL', 'EINVAL', 'EOPNOTSUPP', 'ENOENT']]);
  });
});

describe('IOP-01, IOP-41 a domain leaves', () => {
  it('takes its reservations and its alignment with it, and the last one the pins', () => {
    const { machine, iommufd, process, fd, bind, ioas, map } = setUp({ devices: [{ name: 'a' }, { name: 'b' }] });
    const target = ioas();
    const { cdev } = bind('a');
    const { id: device } = bind('b');
    iommufd.attach(process, cdev, { pt: target });
    const hwpt = iommufd.hwptAlloc(process, fd, { device, pt: target }).id;
    map(target, 0x20_0000n, 0x3000n);
    iommufd.detach(process, cdev);
    expect(process.pinnedPages).toBe(3);
    expect(iommufd.ioasIovaRanges(process, fd, { ioas: target })).toEqual({ ranges: [{ start: 0n, last: (1n << 48n) - 1n }], alignment: 0x1000n });
    iommufd.destroy(process, fd, { id: hwpt });
    expect(process.pinnedPages).toBe(0);
    expect(iommufd.ioasIovaRanges(process, fd, { ioas: target })).toEqual({ ranges: [{ start: 0n, last: (1n << 64n) - 1n }], alignment: 1n });
    expect(machine.device('a').group?.domain).toEqual({ type: 'blocked' });
  });
});

describe('IOP-06, IFD-14 what stands in the way is named', () => {
  it('device first, then the mapping', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({ devices: [{ name: 'a' }] });
    const target = ioas();
    iommufd.ioasMap(process, fd, { ioas: target, va: 0x10_0000n, length: 0x1000n, iova: MSI.start, flags: RW_FIXED, subject: 'the map statement' });
    const { cdev } = bind('a');
    expect(() => iommufd.attach(process, cdev, { pt: target })).toThrow(expect.objectContaining({ errno: 'EADDRINUSE', rule: 'IOP-06', offenders: ['a', 'the map statement'] }));
  });
});

describe('VFG-30 tokens of virtual functions at BIND', () => {
  const TOKEN = '00112233-4455-6677-8899-aabbccddeeff';
  const bind = (version: string, call: object): unknown => {
    const machine = new TestMachine({ version, devices: [{ name: 'pf' }, { name: 'vf', virtualFunction: true }] });
    const user = machine.process();
    const iommufd = machine.iommufd.open(user);
    return errnoOf(() => machine.iommufd.bindIommufd(user, machine.iommufd.openCdev(user, machine.device('vf')), { iommufd, ...call }));
  };
  it('are wanted since character devices can give one', () => {
    expect([bind('6.12', {}), bind('6.19', {}), bind('6.19', { flags: 1 }), bind('6.19', { flags: 1, token: TOKEN })]).toEqual([{ id: 1 }, 'EACCES', 'EFAULT', 'EACCES']);
  });
});
