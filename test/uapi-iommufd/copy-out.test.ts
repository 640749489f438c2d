/** Answers that cannot be written back (IFD-02). */
import { describe, expect, it } from 'vitest';
import { MAP_FLAGS } from '../../server/simulator/uapi/iommufd/index.js';
import { errnoOf, setUp } from './machine.js';

const { FIXED_IOVA, READABLE } = MAP_FLAGS;

describe('IFD-02', () => {
  it('what was mapped stays mapped', () => {
    const { iommufd, process, fd, ioas } = setUp({ devices: [{ name: 'a' }] });
    const target = ioas();
    const call = { ioas: target, va: 0x7f00_0000_0000n, length: 4096n, iova: 0x1000n, flags: FIXED_IOVA | READABLE };
    expect(errnoOf(() => iommufd.ioasMap(process, fd, { ...call, readOnly: true }))).toBe('EFAULT');
    expect(errnoOf(() => iommufd.ioasMap(process, fd, call))).toBe('EEXIST');
    expect(errnoOf(() => iommufd.ioasUnmap(process, fd, { ioas: target, iova: 0x1000n, length: 4096n, readOnly: true }))).toBe('EFAULT');
    expect(errnoOf(() => iommufd.ioasUnmap(process, fd, { ioas: target, iova: 0x1000n, length: 4096n }))).toBe('ENOENT');
  });

  it('a page table that was made goes', () => {
    const { iommufd, process, fd, bind, ioas } = setUp({ devices: [{ name: 'a' }] });
    const { id: device } = bind('a');
    const pt = ioas();
    expect(errnoOf(() => iommufd.hwptAlloc(process, fd, { device, pt, readOnly: true }))).toBe('EFAULT');
    expect(iommufd.hwptAlloc(process, fd, { device, pt }).id).toBe(pt + 1);
  });
});
