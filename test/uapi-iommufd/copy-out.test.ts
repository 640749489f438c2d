/** Answers that cannot be written back (IFD-02). */
import { describe, expect, it } from 'vitest';
import { MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import { errnoOf, TestMachine } from './machine.js';

function setUp() {
  const machine = new TestMachine({ devices: [{ name: 'a' }] });
  const process = machine.process();
  const { iommufd } = machine;
  const fd = iommufd.open(process);
  return { machine, iommufd, process, fd, ioas: iommufd.ioasAlloc(process, fd).id };
}

describe('IFD-02', () => {
  it('what was mapped stays mapped, what was unmapped is gone', () => {
    const { iommufd, process, fd, ioas } = setUp();
    const map = { ioas, va: 0x7f00_0000_0000n, length: 4096n, iova: 0x1000n, flags: MAP_FLAGS.FIXED_IOVA | MAP_FLAGS.READABLE };
    const unmap = { ioas, iova: 0x1000n, length: 4096n };
    expect(errnoOf(() => iommufd.ioasMap(process, fd, { ...map, readOnly: true }))).toBe('EFAULT');
    expect(errnoOf(() => iommufd.ioasMap(process, fd, map))).toBe('EEXIST');
    expect(errnoOf(() => iommufd.ioasUnmap(process, fd, { ...unmap, readOnly: true }))).toBe('EFAULT');
    expect(errnoOf(() => iommufd.ioasUnmap(process, fd, unmap))).toBe('ENOENT');
  });

  it('a page table that was made goes', () => {
    const { machine, iommufd, process, fd, ioas } = setUp();
    const { id: device } = iommufd.bindIommufd(process, iommufd.openCdev(process, machine.device('a')), { iommufd: fd });
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt: ioas, readOnly: true }))).toBe('EFAULT');
    expect(iommufd.hwptAlloc(process, fd, { device, pt: ioas }).id).toBe(device + 1);
  });
});
