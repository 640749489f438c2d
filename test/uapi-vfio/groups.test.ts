import { describe, expect, test } from 'vitest';
import { DMA_UNMAP, EXTENSION, type Type1, VfioContainer } from '../../server/simulator/uapi/vfio/index.js';
import { Lab, outcomeOf, PAGE } from './machine.js';

const attachedGroups = (file: unknown): string[] => ((file as VfioContainer).backend as Type1).state.attachments.map(({ device }) => device.description.name);

describe('VFG-13: what SET_CONTAINER takes', () => {
  test.each([['5.13', 'EINVAL', 'EINVAL'], ['6.1', 'EINVAL', 'EBADF'], ['6.19', 'EBADFD', 'EBADF']])('Linux %s: another file is %s, a negative descriptor %s', async (kernel, other, negative) => {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const group = lab.vfio.openGroup(process, lab.device('A'));
    const regular = process.open({ kind: 'other', release: () => undefined });
    expect(outcomeOf(() => lab.vfio.setContainer(process, group, regular))).toBe(other);
    expect(outcomeOf(() => lab.vfio.setContainer(process, group, -1))).toBe(negative);
    expect(outcomeOf(() => lab.vfio.setContainer(process, group, 99))).toBe('EBADF');
  });
});

test.each(['5.13', '6.19'])('VFG-06: Linux %s attaches the last added group first', async (kernel) => {
  const lab = await Lab.boot(kernel);
  const process = lab.process();
  const { container } = lab.container(process, ['A', 'B'], EXTENSION.TYPE1V2);
  // B made the domain; A joined it later and is at the head of the list.
  expect(attachedGroups(process.file(container))).toEqual(['A', 'B']);
});

describe('VFG-23: the driver is unbound while its user is there', () => {
  test('with a device open it waits for the last close', async () => {
    const lab = await Lab.boot('6.12');
    const process = lab.process();
    const { container, groups } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    const device = lab.vfio.getDeviceFd(process, groups[0]!, '0000:01:00.0');
    expect(lab.vfio.unbind(lab.device('A'))).toBe('blocked');
    expect(outcomeOf(() => lab.vfio.getDeviceFd(process, groups[0]!, '0000:01:00.0'))).toBe('ENODEV');
    expect(lab.device('A').driver).toBe('vfio-pci');
    process.close(device);
    expect(lab.device('A').driver).toBeNull();
    expect(outcomeOf(() => lab.vfio.groupStatus(process, groups[0]!))).toBe('ENODEV');
    expect(outcomeOf(() => lab.map(process, container, 0n, PAGE))).toBe('EINVAL');
    expect(lab.log).toContain('vfio-pci 0000:01:00.0: No device request channel registered, blocked until released by user');
  });

  test('in the old model it also waits until the group has left its container', async () => {
    const lab = await Lab.boot('5.13');
    const process = lab.process();
    const { groups } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    expect(lab.vfio.unbind(lab.device('A'))).toBe('blocked');
    lab.vfio.unsetContainer(process, groups[0]!);
    expect(lab.device('A').driver).toBeNull();
    expect(lab.vfio.groupStatus(process, groups[0]!).viable).toBe(true);
  });

  test('with only the group open it goes at once, and the file is dead for ever', async () => {
    const lab = await Lab.boot('6.12');
    const process = lab.process();
    const { groups } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    expect(lab.vfio.unbind(lab.device('A'))).toBe('done');
    lab.machine.kernel.bind(lab.device('A'), 'vfio-pci');
    expect(outcomeOf(() => lab.vfio.groupStatus(process, groups[0]!))).toBe('ENODEV');
    expect(outcomeOf(() => lab.vfio.openGroup(process, lab.device('A')))).toBe('ok');
  });
});

describe('VFG-30: VF tokens', () => {
  const SRIOV = 'root-port rp9 at 00:09.0 { acs SV, RR, CR, UF  function pf at 09:00.0 { class ethernet  driver vfio-pci  sriov vfs 1 of 4 offset 128 stride 2 } }';
  const TOKEN = '2ab74924-c335-45f4-9b16-8569e5b08258';

  async function virtualFunction() {
    const lab = await Lab.boot('5.13', SRIOV);
    const vf = lab.device('pf.vf0');
    lab.machine.kernel.bind(vf, 'vfio-pci');
    const process = lab.process();
    const { groups } = lab.container(process, ['pf', 'pf.vf0'], EXTENSION.TYPE1V2);
    const open = (index: number, name: string, token?: string): string =>
      outcomeOf(() => lab.vfio.getDeviceFd(process, groups[index]!, token === undefined ? name : `${name} vf_token=${token}`));
    return { openPf: (token?: string) => open(0, '0000:09:00.0', token), openVf: (token?: string) => open(1, vf.name, token), openOther: (token?: string) => open(1, 'x', token) };
  }

  test('b, d: a virtual function wants the token that its physical function was opened with', async () => {
    const { openPf, openVf } = await virtualFunction();
    expect(openVf()).toBe('EACCES');
    expect(openPf(TOKEN)).toBe('ok');
    expect(openVf()).toBe('EACCES');
    expect(openVf('00000000-0000-0000-0000-000000000000')).toBe('EACCES');
    expect(openVf(TOKEN)).toBe('ok');
  });

  test('c: with virtual functions in use the physical one wants it too', async () => {
    const { openPf, openVf } = await virtualFunction();
    openPf(TOKEN);
    openVf(TOKEN);
    expect(openPf()).toBe('EACCES');
    expect(openPf(TOKEN)).toBe('ok');
  });

  test('e: others take none, and it must look like one', async () => {
    const lab = await Lab.boot('5.13');
    const process = lab.process();
    const { groups } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    expect(outcomeOf(() => lab.vfio.getDeviceFd(process, groups[0]!, `0000:01:00.0 vf_token=${TOKEN}`))).toBe('EINVAL');
    expect(outcomeOf(() => lab.vfio.getDeviceFd(process, groups[0]!, '0000:01:00.0 token'))).toBe('EINVAL');
  });
});

test('VFT-54: while addresses are stale no group may join today; in 2021 one that needs no replay could', async () => {
  for (const [kernel, errno] of [['5.13', 'EFAULT'], ['6.19', 'EBUSY']] as const) {
    const lab = await Lab.boot(kernel);
    const process = lab.process();
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    lab.map(process, container, 0n, PAGE);
    expect(lab.vfio.unmapDma(process, container, { iova: 0n, size: PAGE, flags: DMA_UNMAP.VADDR })).toBe(PAGE);
    const other = lab.vfio.openGroup(process, lab.device('vgpu0'));
    const last = lab.vfio.openGroup(process, lab.device('B'));
    expect(outcomeOf(() => lab.vfio.setContainer(process, last, container))).toBe(kernel === '5.13' ? 'ok' : errno);
    expect(outcomeOf(() => lab.vfio.setContainer(process, other, container))).toBe(kernel === '5.13' ? 'ok' : errno);
  }
});

describe('VFT-03: GET_INFO', () => {
  test('a small buffer learns how much is needed', async () => {
    const lab = await Lab.boot('6.12');
    const process = lab.process();
    const { container } = lab.container(process, ['A'], EXTENSION.TYPE1V2);
    expect(outcomeOf(() => lab.vfio.iommuInfo(process, container, 8))).toBe('EINVAL');
    const small = lab.vfio.iommuInfo(process, container, 24);
    expect(small.capabilities).toEqual([]);
    expect(lab.vfio.iommuInfo(process, container, small.argsz).capabilities.map((each) => each.kind)).toEqual(['migration', 'dma-available', 'iova-range']);
  });

  test('VFT-25: without a domain there is no list of ranges', async () => {
    const lab = await Lab.boot('5.13');
    const process = lab.process();
    const { container } = lab.container(process, ['vgpu0'], EXTENSION.TYPE1V2);
    expect(lab.vfio.iommuInfo(process, container).capabilities.map((each) => each.kind)).toEqual(['migration', 'dma-available']);
  });
});

test('VFT-12: two mediated devices of one parent and one container share its domain, PASID and use count', async () => {
  const lab = await Lab.boot('5.13 cmdline "intel_iommu=on,sm_on"', `
    iommu sm : vtd { address-width 48  interrupt-remapping  scalable-mode  pasid 20  covers rp7 }
    root-port rp7 at 00:07.0 { acs SV, RR, CR, UF  function dsa at 07:00.0 { pasid 20  ats } }
    mdev M5 on dsa : parent-aux
    mdev M6 on dsa : parent-aux`);
  const process = lab.process();
  const { container } = lab.container(process, ['M5', 'M6'], EXTENSION.TYPE1V2);
  const { state } = (process.file(container) as VfioContainer).backend as Type1;
  expect(state.domains).toHaveLength(1);
  expect(lab.vfio.auxDomains.of(state.domains[0]!.domain, lab.device('dsa'))).toEqual({ pasid: 1, uses: 2 });
});
