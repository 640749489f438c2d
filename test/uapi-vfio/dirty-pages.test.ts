import { describe, expect, test } from 'vitest';
import { DIRTY_PAGES, EXTENSION } from '../../server/simulator/uapi/vfio/index.js';
import type { Process } from '../../server/simulator/uapi/process.js';
import { Lab, outcomeOf, PAGE } from './machine.js';

const RW = { read: true, write: true };

function ask(lab: Lab, process: Process, container: number, flags: number, pages = 4n) {
  return lab.vfio.dirtyPages(process, container, { flags, iova: 0n, size: pages * PAGE, bitmap: { pageSize: PAGE, size: 8n } });
}

describe.each(['5.13', '6.19'])('dirty pages in Linux %s', (kernel) => {
  test('VFT-55: not in version 1', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1);
    expect(outcomeOf(() => ask(lab, process, container, DIRTY_PAGES.START))).toBe('EACCES');
  });

  test('VFT-55: one question at a time', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    for (const flags of [0, DIRTY_PAGES.START | DIRTY_PAGES.STOP, 8]) expect(outcomeOf(() => ask(lab, process, container, flags))).toBe('EINVAL');
    expect(outcomeOf(() => ask(lab, process, container, DIRTY_PAGES.STOP))).toBe('ok');
  });

  test('VFT-58: a device that never pins may have written everything', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    lab.map(process, container, 0n, 4n * PAGE);
    expect(outcomeOf(() => ask(lab, process, container, DIRTY_PAGES.GET_BITMAP))).toBe('EINVAL'); // VFT-57: tracking is off
    ask(lab, process, container, DIRTY_PAGES.START);
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual([{ first: 0, last: 3 }]);
    expect(outcomeOf(() => ask(lab, process, container, DIRTY_PAGES.GET_BITMAP, 2n))).toBe('EINVAL'); // VFT-57: splits the mapping
  });

  test('VFT-58: of a mediated device, what it pins and what it pinned since the last reading', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container, groups } = lab.container(process, ['vgpu0'], EXTENSION.TYPE1V2);
    lab.vfio.getDeviceFd(process, groups[0]!, 'vgpu0');
    lab.map(process, container, 0n, 4n * PAGE);
    ask(lab, process, container, DIRTY_PAGES.START);
    lab.vfio.pinPages(lab.device('vgpu0'), 2n * PAGE, PAGE, RW);
    const two = [{ first: 2, last: 2 }];
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual(two);
    lab.vfio.unpinPages(lab.device('vgpu0'), 2n * PAGE, PAGE);
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual(two);
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual([]);
    lab.vfio.dmaRw(process, lab.device('vgpu0'), PAGE - 1n, 2n, true); // VFT-74
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual([{ first: 0, last: 1 }]);
  });

  test('VFT-59: a device that never pinned leaves everything dirty once', async () => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container, groups } = lab.container(process, ['A', 'vgpu0'], EXTENSION.TYPE1V2);
    lab.map(process, container, 0n, 4n * PAGE);
    ask(lab, process, container, DIRTY_PAGES.START);
    lab.vfio.unsetContainer(process, groups[0]!);
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual([{ first: 0, last: 3 }]);
    expect(ask(lab, process, container, DIRTY_PAGES.GET_BITMAP)).toEqual([]);
  });
});
