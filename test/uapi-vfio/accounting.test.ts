import { describe, expect, test } from 'vitest';
import { DMA_UNMAP, EXTENSION, type Type1, VfioContainer } from '../../server/simulator/uapi/vfio/index.js';
import { anonymous, Lab, MEMORY, outcomeOf, PAGE } from './machine.js';

const RW = { read: true, write: true };
const MIB = 1n << 20n;

describe.each(['5.13', '6.19'])('locked memory in Linux %s', (kernel) => {
  test('VFT-60, VFT-61: with a domain the mapping is counted once, pins are not', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container, groups } = lab.container(process, ['A', 'vgpu0'], EXTENSION.TYPE1V2);
    lab.vfio.getDeviceFd(process, groups[1]!, 'vgpu0');
    lab.map(process, container, 0n, MIB);
    expect(process.lockedPages).toBe(256);
    lab.vfio.pinPages(lab.device('vgpu0'), 0n, 10n * PAGE, RW);
    expect(process.lockedPages).toBe(256);
  });

  test('VFT-62: when the last domain leaves, only what drivers hold is counted, and the records stay', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container, groups } = lab.container(process, ['A', 'vgpu0'], EXTENSION.TYPE1V2);
    lab.vfio.getDeviceFd(process, groups[1]!, 'vgpu0');
    lab.map(process, container, 0n, MIB);
    lab.vfio.pinPages(lab.device('vgpu0'), 0n, 10n * PAGE, RW);
    lab.vfio.unsetContainer(process, groups[0]!);
    expect(process.lockedPages).toBe(10);
    expect(outcomeOf(() => lab.map(process, container, 0n, PAGE))).toBe('EEXIST');
    lab.vfio.unpinPages(lab.device('vgpu0'), 0n, 4n * PAGE);
    expect(process.lockedPages).toBe(6);
    expect(lab.vfio.unmapDma(process, container, { iova: 0n, size: MIB })).toBe(MIB);
    expect(process.lockedPages).toBe(0);
  });

  test('VFT-63: when mediated devices leave and a domain stays, nothing changes; without a domain all is forgotten', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container, groups } = lab.container(process, ['A', 'vgpu0'], EXTENSION.TYPE1V2);
    lab.map(process, container, 0n, MIB);
    lab.vfio.unsetContainer(process, groups[1]!);
    expect(process.lockedPages).toBe(256);
    lab.vfio.setContainer(process, groups[1]!, container);
    lab.vfio.unsetContainer(process, groups[0]!);
    lab.vfio.unsetContainer(process, groups[1]!);
    expect(process.lockedPages).toBe(0);
    expect(outcomeOf(() => lab.vfio.iommuInfo(process, container))).toBe('EINVAL'); // VFG-20
  });

  test('VFT-30: a replay does not count again what a driver holds, and a failed one takes nothing', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process('p', { memlock: 128n * PAGE, capabilities: [] });
    const { container, groups } = lab.container(process, ['vgpu0'], EXTENSION.TYPE1V2);
    lab.vfio.getDeviceFd(process, groups[0]!, 'vgpu0');
    lab.map(process, container, 0n, 64n * PAGE);
    lab.map(process, container, MIB, 64n * PAGE);
    lab.map(process, container, 2n * MIB, PAGE);
    lab.vfio.pinPages(lab.device('vgpu0'), 0n, 16n * PAGE, RW);
    expect(process.lockedPages).toBe(16);
    expect(outcomeOf(() => lab.join(process, 'A', container))).toBe('ENOMEM');
    expect(process.lockedPages).toBe(16);
    lab.vfio.unmapDma(process, container, { iova: 2n * MIB, size: PAGE });
    expect(outcomeOf(() => lab.join(process, 'B', container))).toBe('ok');
    expect(process.lockedPages).toBe(128);
    expect(lab.vfio.unmapDma(process, container, { iova: 0n, size: 64n * PAGE })).toBe(64n * PAGE);
    expect(process.lockedPages).toBe(64);
  });

  test('VFT-40, VFT-42: a mapping that fails leaves neither pages nor entries nor a record', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    process.areas.length = 0;
    process.areas.push(anonymous(MEMORY, 4n * PAGE, 0x1_0000_0000n));
    const { container } = lab.container(process, ['A', 'B'], EXTENSION.TYPE1V2);
    expect(outcomeOf(() => lab.map(process, container, 0n, 8n * PAGE))).toBe('EFAULT');
    expect(process.lockedPages).toBe(0);
    expect(stateOf(process.file(container)).domains[0]!.domain.mappings(10).total).toBe(0);
    expect(outcomeOf(() => lab.map(process, container, 0n, 4n * PAGE))).toBe('ok');
  });

  test('VFT-45: CAP_IPC_LOCK lets a process lock without limit, and is still counted', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process('p', { memlock: 0n });
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    lab.map(process, container, 0n, MIB);
    expect(process.lockedPages).toBe(256);
    process.exit();
    expect(process.lockedPages).toBe(0);
  });

  test('VFT-64: two containers count the same page twice', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const first = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    const second = lab.container(process, ['B'], EXTENSION.TYPE1V2);
    lab.map(process, first.container, 0n, PAGE);
    lab.map(process, second.container, 0n, PAGE);
    expect(process.lockedPages).toBe(2);
  });
});

test('MDV-22: a driver that keeps its pins although it is told stops the machine', async () => {
  const lab = await Lab.boot('5.13');
  const process = lab.process();
  const { container, groups } = lab.container(process, ['vgpu0'], EXTENSION.TYPE1V2);
  lab.vfio.getDeviceFd(process, groups[0]!, 'vgpu0');
  lab.map(process, container, 0n, MIB);
  lab.vfio.pinPages(lab.device('vgpu0'), 0n, PAGE, RW);
  lab.vfio.mediatingDriver(lab.device('vgpu0')).forgetful = true;
  expect(outcomeOf(() => lab.vfio.unmapDma(process, container, { iova: 0n, size: 0n, flags: DMA_UNMAP.ALL }))).toBe('BUG');
});

/** Type1's state behind a container's file. */
function stateOf(file: unknown) {
  return ((file as VfioContainer).backend as Type1).state;
}
