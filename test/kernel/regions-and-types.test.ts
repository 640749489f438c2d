/** Uses of reserved regions, writes to `type`, groups that VFIO makes: what the scenarios leave open. */
import { describe, expect, test } from 'vitest';
import { physical } from '../../server/simulator/memory/address.js';
import { VfioSubsystem } from '../../server/simulator/uapi/vfio/index.js';
import { answer, boot, fn, rootPort, type HostOptions } from './hosts.js';

const functions = [rootPort('rp', '00:01.0', 1), fn('nic', '01:00.0', { under: 'rp' })];
const rw = { read: true, write: true };
const root = { has: () => true };
const machine = (options: Partial<HostOptions> = {}) => boot({ functions, version: '6.19', ...options });

describe('what the DMA API never gives out', () => {
  test('RSV-35: addresses that look like the memory of a peer', () => {
    const port = rootPort('rp', '00:01.0', 1, { windows: [{ range: { start: physical(0xf000_0000n), last: physical(0xffff_ffffn) }, prefetchable: false }] });
    const { dmaApi, device } = machine({ functions: [port, functions[1]!] });
    expect(dmaApi.map(device('nic'), physical(0x1000n), 0x1000n, rw, undefined, 's')).toBe(0xefff_f000n);
  });

  test('RSV-37: reserved regions, but not the window for software MSI', () => {
    const { dmaApi, device } = machine({ reservedRegions: [{ id: 'r', range: { start: 0xffff_0000n, last: 0xffff_ffffn }, type: 'reserved', devices: [] }] });
    expect(dmaApi.map(device('nic'), physical(0x1000n), 0x1000n, rw, undefined, 's')).toBe(0xfffe_f000n);
  });
});

describe('writing the type', () => {
  test('TYP-01: EACCES comes before all else', () => {
    const { kernel, device } = machine();
    expect(answer(() => kernel.writeGroupType(device('nic'), 'nonsense', { has: (capability) => capability === 'SYS_ADMIN' }))).toBe('EACCES TYP-01');
  });

  test('TYP-03: DMA-FQ is no word before 5.15', () => {
    const { kernel, device } = machine({ version: '5.13' });
    expect(answer(() => kernel.writeGroupType(device('nic'), 'DMA-FQ', root))).toBe('EINVAL TYP-03');
  });

  test('TYP-07: up to 6.3 the group must be on its default domain', () => {
    const { kernel, device } = machine({ version: '6.1' });
    device('nic').group!.attach(kernel.allocateDomain(device('nic'), 'd'));
    expect(answer(() => kernel.writeGroupType(device('nic'), 'identity', root))).toBe('EBUSY TYP-07');
    expect(kernel.log.at(-1)).toBe('pci 0000:01:00.0: Group not assigned to default domain');
  });

  test('TYP-10, DOM-27: the type that it has is taken, and nothing changes', () => {
    const { kernel, device } = machine({ commandLine: 'iommu.strict=1' });
    const before = device('nic').group!.defaultDomain;
    expect(answer(() => kernel.writeGroupType(device('nic'), 'DMA', root))).toBe('ok');
    expect(device('nic').group!.defaultDomain).toBe(before);
    expect(answer(() => kernel.writeGroupType(device('nic'), 'identity', root))).toBe('ok');
    expect(device('nic').group!.domain?.type).toBe('identity');
  });
});

describe('groups that VFIO makes', () => {
  const noIommu: Partial<HostOptions> = { architecture: 'none', buildOptions: ['VFIO_NOIOMMU'], commandLine: 'vfio.enable_unsafe_noiommu_mode=1' };

  test('GRL-09: a group for a device without one, if that was asked for', () => {
    const { kernel, device } = machine(noIommu);
    new VfioSubsystem(kernel);
    kernel.bind(device('nic'), 'vfio-pci');
    expect(device('nic').group).toMatchObject({ id: 0, name: 'vfio-noiommu' });
    expect(kernel.log.at(-1)).toBe('vfio-pci 0000:01:00.0: Adding kernel taint for vfio-noiommu group on device');
    const refusing = machine({ ...noIommu, commandLine: '' });
    new VfioSubsystem(refusing.kernel);
    expect(answer(() => refusing.kernel.bind(refusing.device('nic'), 'vfio-pci'))).toBe('EINVAL VFG-22');
  });

  test.each([['5.13', true], ['6.19', false]])('GRL-10: the fake group of a mediated device in %s', (version, told) => {
    const { kernel, device } = machine({ version, mediatedDevices: [{ id: 'm', name: 'm', kind: 'software', parent: 'nic' }] });
    new VfioSubsystem(kernel);
    expect(device('m').group?.devices).toHaveLength(1);
    expect(kernel.log.includes(`vfio_mdev m: MDEV: group_id = ${device('m').group?.id}`)).toBe(told);
  });
});

describe('the command line', () => {
  test('CMD-02: graphics behind a unit of its own is not translated', () => {
    const display = fn('gpu', '00:02.0', { type: 'integrated-endpoint', classCode: 0x030000 });
    const { device, kernel } = machine({ functions: [display], unit: { covers: ['gpu'] }, commandLine: 'intel_iommu=on,igfx_off' });
    expect(device('gpu').group).toBeNull();
    expect(kernel.log).toContain('DMAR: Disable GFX device mapping');
  });
});

test('RSV-27: 1:1 ranges out of firmware tables reach a guest behind virtio-iommu from 6.0 on', () => {
  const options: Partial<HostOptions> = { architecture: 'virtio-iommu', reservedRegions: [{ id: 'r', range: { start: 0x9000_0000n, last: 0x9000_ffffn }, type: 'direct', devices: ['nic'] }] };
  expect(machine({ ...options, version: '5.19' }).device('nic').requireDirect).toBe(false);
  expect(machine({ ...options, version: '6.1' }).device('nic').requireDirect).toBe(true);
});
