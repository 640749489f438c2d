/** Access objects: how drivers of emulated devices use an IOAS (ACC-*, SBS-02), and an iommufd in a container's place (CMP-*). */
import { describe, expect, it } from 'vitest';
import { MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import { errnoOf, PAGE, PlainUnit, TestMachine } from './machine.js';

const RW_FIXED = MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE | MAP_FLAGS.WRITEABLE;
const READ = { read: true, write: false };
const WRITE = { read: true, write: true };

function setUp() {
  const machine = new TestMachine({ devices: [{ name: 'a' }], mediated: [{ name: 'm' }, { name: 'quiet', kind: 'software-no-dma' }] });
  const user = machine.process();
  const { iommufd, vfio } = machine;
  const fd = iommufd.open(user);
  const ioas = (): number => iommufd.ioasAlloc(user, fd).id;
  const bind = (name: string): number => {
    const cdev = iommufd.openCdev(user, machine.device(name));
    iommufd.bindIommufd(user, cdev, { iommufd: fd });
    return cdev;
  };
  const map = (target: number, iova: bigint, pages = 1n, flags = RW_FIXED, va = 0x10_0000n): unknown =>
    errnoOf(() => iommufd.ioasMap(user, fd, { ioas: target, va, length: pages * PAGE, iova, flags }));
  const unmap = (target: number, iova: bigint, pages: bigint): unknown => errnoOf(() => iommufd.ioasUnmap(user, fd, { ioas: target, iova, length: pages * PAGE }));
  const pin = (iova: bigint, pages = 1n, permission = READ): unknown => errnoOf(() => vfio.pinPages(machine.device('m'), iova, pages * PAGE, permission).length);
  machine.buffer(user, 0x10_0000n, 0x10_0000n);
  return { machine, user, iommufd, vfio, fd, ioas, bind, map, unmap, pin };
}

describe('ACC-01, ACC-02, ACC-03, ACC-04, CDV-08', () => {
  it('bind takes no group and makes no domain (SBS-02)', () => {
    const { machine, iommufd, user, bind, ioas } = setUp();
    const live = machine.unit.live.size;
    iommufd.attach(user, bind('m'), { pt: ioas() });
    expect([machine.device('m').group?.owner, machine.unit.live.size]).toEqual([null, live]);
  });
  it('attach wants an IOAS and whole pages', () => {
    const { iommufd, user, fd, bind, ioas, map } = setUp();
    const target = ioas();
    const cdev = bind('m');
    expect(errnoOf(() => iommufd.attach(user, cdev, { pt: 77 }))).toBe('ENOENT');
    map(target, 0x800n);
    expect(errnoOf(() => iommufd.attach(user, cdev, { pt: target }))).toBe('EADDRINUSE');
    iommufd.ioasUnmap(user, fd, { ioas: target, iova: 0x800n, length: PAGE });
    expect(iommufd.attach(user, cdev, { pt: target })).toEqual({ id: target });
    expect(map(target, 0x800n)).toBe('EINVAL');
    expect(errnoOf(() => iommufd.destroy(user, fd, { id: target }))).toBe('EBUSY');
    iommufd.detach(user, cdev);
    expect(map(target, 0x800n)).toEqual({ iova: 0x800n });
  });
  it('a second attach moves to the other IOAS and drops every pin (ACC-03)', () => {
    const { iommufd, user, bind, ioas, map, pin } = setUp();
    const [first, second] = [ioas(), ioas()];
    const cdev = bind('m');
    iommufd.attach(user, cdev, { pt: first });
    map(first, 0x1000n, 4n);
    expect(pin(0x1000n, 3n)).toBe(3);
    expect(user.pinnedPages).toBe(3);
    iommufd.attach(user, cdev, { pt: second });
    expect(user.pinnedPages).toBe(0);
    expect(pin(0x1000n)).toBe('ENOENT');
  });
});

describe('ACC-10, ACC-11, ACC-12, ACC-13, ACC-14 pins', () => {
  it('are all or nothing, with permission, over several areas', () => {
    const { iommufd, user, bind, ioas, map, pin } = setUp();
    const target = ioas();
    iommufd.attach(user, bind('m'), { pt: target });
    map(target, 0x1000n, 2n);
    map(target, 0x3000n, 1n, MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE);
    map(target, 0x8000n, 1n, RW_FIXED, 0xdead_0000n);
    expect(pin(0x1000n, 3n)).toBe(3);
    expect(pin(0x1000n, 3n, WRITE)).toBe('EPERM');
    expect(pin(0x1000n, 4n)).toBe('ENOENT');
    expect(pin(0x8000n)).toBe('EFAULT');
    expect(pin(0xffff_ffff_ffff_f000n, 2n)).toBe('EOVERFLOW');
    expect(pin(0x1000n, 0n)).toBe('EINVAL');
    expect(user.pinnedPages).toBe(3);
  });
  it('share the pages with domains (ACC-12), and no order of attaching matters (ACC-14)', () => {
    const { iommufd, user, bind, ioas, map, unmap, pin } = setUp();
    const target = ioas();
    iommufd.attach(user, bind('m'), { pt: target });
    map(target, 0x1000n, 4n);
    pin(0x2000n);
    expect(user.pinnedPages).toBe(1);
    const cdev = bind('a');
    iommufd.attach(user, cdev, { pt: target });
    expect(user.pinnedPages).toBe(4);
    iommufd.detach(user, cdev);
    expect(user.pinnedPages).toBe(1);
    expect(unmap(target, 0x1000n, 4n)).toEqual({ unmapped: 4n * PAGE });
    expect(user.pinnedPages).toBe(0);
  });
  it('SC-73: a driver that keeps its pins is EDEADLOCK, and the area is dead for new ones (IOP-36)', () => {
    const { machine, iommufd, vfio, user, bind, ioas, map, unmap, pin } = setUp();
    const target = ioas();
    iommufd.attach(user, bind('m'), { pt: target });
    map(target, 0x1000n, 4n);
    pin(0x2000n);
    vfio.mediatingDriver(machine.device('m')).forgetful = true;
    expect(unmap(target, 0x1000n, 4n)).toBe('EDEADLOCK');
    expect(pin(0x3000n)).toBe('EINVAL');
    user.exit();
    expect(user.pinnedPages).toBe(0);
  });
  it('unpinning what is not pinned does nothing (VFT-73)', () => {
    const { machine, iommufd, vfio, user, bind, ioas, map, pin } = setUp();
    const target = ioas();
    iommufd.attach(user, bind('m'), { pt: target });
    map(target, 0x1000n, 4n);
    pin(0x1000n, 2n);
    expect(vfio.unpinPages(machine.device('m'), 0x1000n, 4n * PAGE)).toBe(2);
    expect(user.pinnedPages).toBe(0);
  });
  it('ACC-11: copies by the CPU need no alignment', () => {
    const { machine, iommufd, vfio, user, bind, ioas, map } = setUp();
    const target = ioas();
    iommufd.attach(user, bind('m'), { pt: target });
    map(target, 0x1000n, 2n, MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE);
    const copy = (iova: bigint, size: bigint, write: boolean): unknown => errnoOf(() => vfio.dmaRw(user, machine.device('m'), iova, size, write));
    expect([copy(0x1ff0n, 0x20n, false), copy(0x1ff0n, 0x20n, true), copy(0x2ff0n, 0x20n, false), copy(0x1000n, 0n, false)]).toEqual([undefined, 'EPERM', 'ENOENT', 'EINVAL']);
  });
});

describe('CMP an iommufd as a container', () => {
  function container() {
    const set = setUp();
    const group = set.vfio.openGroup(set.user, set.machine.device('a'));
    set.vfio.setContainer(set.user, group, set.fd);
    const mapDma = (iova: bigint, pages: bigint): unknown => errnoOf(() => set.vfio.mapDma(set.user, set.fd, { flags: 3, vaddr: 0x10_0000n, iova, size: pages * PAGE }));
    const unmapDma = (iova: bigint, size: bigint): unknown => errnoOf(() => set.vfio.unmapDma(set.user, set.fd, { iova, size }));
    return { ...set, group, mapDma, unmapDma };
  }
  it('CMP-14: version 1 cuts, version 2 does not', () => {
    const { vfio, user, fd, mapDma, unmapDma } = container();
    vfio.setIommu(user, fd, 3);
    mapDma(0x10_0000n, 4n);
    expect(unmapDma(0x10_1000n, PAGE)).toBe('ENOENT');
    expect(unmapDma(0x20_0000n, PAGE)).toBe(0n);
    vfio.setIommu(user, fd, 1);
    expect(unmapDma(0x10_1000n, PAGE)).toBe(PAGE);
    expect(unmapDma(0x10_0000n, 4n * PAGE)).toBe(3n * PAGE);
  });
  it('CMP-11: version 1 after large pages were used', () => {
    const { machine, vfio, user, fd, group, mapDma } = container();
    vfio.getDeviceFd(user, group, machine.device('a').name);
    mapDma(0x10_0000n, 4n);
    expect(errnoOf(() => vfio.setIommu(user, fd, 1))).toBe('EINVAL');
  });
  it('CMP-12: capabilities fit or not', () => {
    const { vfio, user, fd } = container();
    expect(vfio.iommuInfo(user, fd)).toMatchObject({ flags: 3, argsz: 72, capabilities: [{ kind: 'dma-available', available: 0xffff_ffff }, { kind: 'iova-range' }] });
    expect(vfio.iommuInfo(user, fd, 24)).toMatchObject({ argsz: 72, capabilities: [] });
    expect(vfio.iommuInfo(user, fd, 16)).toMatchObject({ argsz: 16, capabilities: [] });
    expect(errnoOf(() => vfio.iommuInfo(user, fd, 8))).toBe('EINVAL');
  });
  it('CMP-10, IFD-42: coherency is what all page tables enforce', () => {
    const unit = new PlainUnit('loose', { capabilities: { enforceCacheCoherency: false } });
    const machine = new TestMachine({ devices: [{ name: 'a', unit }] });
    const user = machine.process();
    const fd = machine.iommufd.open(user);
    const group = machine.vfio.openGroup(user, machine.device('a'));
    machine.vfio.setContainer(user, group, fd);
    expect(machine.vfio.checkExtension(user, fd, 4)).toBe(1);
    machine.vfio.getDeviceFd(user, group, machine.device('a').name);
    expect(machine.vfio.checkExtension(user, fd, 4)).toBe(0);
  });
  it('CMP-03, IFD-07: a linked group keeps the iommufd alive after its file is closed', () => {
    const { machine, vfio, user, fd, group, mapDma } = container();
    mapDma(0x10_0000n, 4n);
    user.close(fd);
    const device = vfio.getDeviceFd(user, group, machine.device('a').name);
    expect(user.pinnedPages).toBe(4);
    user.close(group);
    expect(user.pinnedPages).toBe(4);
    user.close(device);
    expect([user.pinnedPages, machine.device('a').group?.owner]).toEqual([0, null]);
  });
  it('CMP-05, CMP-15: no dirty pages', () => {
    const { vfio, user, fd } = container();
    expect(errnoOf(() => vfio.dirtyPages(user, fd, { flags: 1, iova: 0n, size: PAGE, bitmap: { pageSize: PAGE, size: 8n } }))).toBe('ENOTTY');
  });
  it('CMP-10, IFD-99: without IOMMU, kernels from 6.13 to 7.0 claim type 1 all the same', () => {
    const claims = ['6.12', '6.19', '7.1'].map((version) => {
      const machine = new TestMachine({ version });
      const user = machine.process();
      const file = machine.iommufd.file(user, machine.iommufd.open(user));
      file.linkGroup(true);
      return file.checkExtension(3);
    });
    expect(claims).toEqual([0, 1, 0]);
  });
  it('CMP-02: groups with and without IOMMU do not mix', () => {
    const { iommufd, user, fd } = container();
    expect(errnoOf(() => iommufd.file(user, fd).linkGroup(true))).toBe('EINVAL');
    const other = iommufd.file(user, iommufd.open(user));
    other.linkGroup(true);
    expect(errnoOf(() => other.linkGroup(false))).toBe('EINVAL');
    expect(errnoOf(() => other.setIommu(user, 3))).toBe('EINVAL');
    expect(errnoOf(() => other.setIommu(user, 8))).toBeUndefined();
    user.capabilities.delete('SYS_RAWIO');
    expect(errnoOf(() => other.setIommu(user, 8))).toBe('EPERM');
  });
});
