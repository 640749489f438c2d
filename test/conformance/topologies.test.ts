/** Recorded topologies of real kernels, where they are at hand. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { compareRecord, runTopologies, type RecordedDevice, type RecordedTopology } from './topologies.js';

const FACTS = fileURLToPath(new URL('../../../shared/facts/kernel', import.meta.url));

test.skipIf(!existsSync(FACTS))('groups, ACS registers and reserved regions are those that real kernels had (needs ../shared/facts/kernel)', () => {
  const { agree, differ, differences } = runTopologies(FACTS);
  expect(differences).toEqual([]);
  expect(differ).toBe(0);
  expect(agree).toBeGreaterThan(1000);
});

const RECORD: RecordedTopology = {
  case: 'two', kernel: '6.12.107', iommu: 'intel', cmdline: 'intel_iommu=on',
  inventory: {
    devices: [
      { bdf: '0000:00:03.0', id: 'rp', parent: 'pci0000:00', driver: '', vendor: '1b36', device: '000c', class: '060400', header: 1, multifunction: false, pcie_type: 'root-port', bus: [0, 1, 1], acs_cap: '0x5f', acs_ctl: '0x1d' },
      { bdf: '0000:01:00.0', id: 'a', parent: '0000:00:03.0', driver: '', vendor: '8086', device: '10d3', class: '020000', header: 0, multifunction: false, pcie_type: 'endpoint' },
    ],
    groups: [
      { group: 0, devices: ['0000:00:03.0'], reserved: ['0x00000000fee00000 0x00000000feefffff msi'] },
      { group: 1, devices: ['0000:01:00.0'], reserved: ['0x00000000fee00000 0x00000000feefffff msi'] },
    ],
  },
};

test('a record that agrees in all three respects, and one that differs in all', () => {
  expect(compareRecord(RECORD)).toEqual({ differences: [null, null, null] });
  const { devices } = RECORD.inventory;
  const wrong = { ...RECORD, inventory: { devices: [{ ...devices[0]!, acs_ctl: '0x0' }, devices[1]!], groups: [{ group: 0, devices: ['0000:00:03.0', '0000:01:00.0'], reserved: [] }] } };
  const { differences } = compareRecord(wrong);
  expect(differences.map((text) => /: (groups|ACS control|reserved regions): /.exec(text ?? '')?.[1])).toEqual(['groups', 'ACS control', 'reserved regions']);
});

test('virtio-iommu numbers groups as drivers come: which functions are together is compared, and which have a group at all', () => {
  const [port, nic] = RECORD.inventory.devices as [RecordedDevice, RecordedDevice];
  const virtio = (driver: string, ...groups: readonly (readonly string[])[]) =>
    compareRecord({ ...RECORD, iommu: 'virtio', inventory: { devices: [port, { ...nic, driver }], groups: groups.map((devices, group) => ({ group, devices })) } }).differences[0];
  expect(virtio('e1000e', [nic.bdf], [port.bdf])).toBeNull();
  expect(virtio('', [port.bdf])).toBeNull();
  expect(virtio('', [port.bdf], [nic.bdf])).toBe('two (6.12.107): groups: recorded {00:03.0} {01:00.0}, modelled {00:03.0}');
  expect(virtio('e1000e', [port.bdf, nic.bdf])).toBe('two (6.12.107): groups: recorded {00:03.0 01:00.0}, modelled {00:03.0} {01:00.0}');
});
