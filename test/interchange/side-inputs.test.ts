import { describe, expect, it } from 'vitest';
import { relevantCommandLine } from '../../server/interchange/command-line.js';
import { readDmesg } from '../../server/interchange/dmesg.js';
import { readGroupsListing } from '../../server/interchange/groups-listing.js';
import { ImportError } from '../../server/interchange/import-error.js';
import { decodeVtd } from '../../server/interchange/units.js';

describe('group listings', () => {
  const expected = new Map([['0000:00:01.0', 3], ['0000:01:00.0', 3], ['10000:e1:00.0', 6]]);

  it.each([
    ['find', '/sys/kernel/iommu_groups/3/devices/0000:00:01.0\n/sys/kernel/iommu_groups/3/devices/0000:01:00.0\n/sys/kernel/iommu_groups/6/devices/10000:e1:00.0\n'],
    ['script with headings', 'IOMMU Group 3:\n\t00:01.0 PCI bridge [0604]: Intel\n\t01:00.0 VGA [0300]: NVIDIA\nIOMMU Group 6:\n\t10000:e1:00.0 NVMe\n'],
    ['one line each', 'IOMMU Group 3 00:01.0 PCI bridge\nIOMMU Group 3 01:00.0 VGA\nIOMMU Group 6 10000:e1:00.0 NVMe\n'],
    ['ls -l', '/sys/kernel/iommu_groups/3/devices:\ntotal 0\nlrwxrwxrwx 1 root root 0 Nov  1 12:00 0000:00:01.0 -> ../../../../devices/pci0000:00/0000:00:01.0\nlrwxrwxrwx 1 root root 0 Nov  1 12:00 0000:01:00.0 -> ../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0\n\n/sys/kernel/iommu_groups/6/devices:\nlrwxrwxrwx 1 root root 0 10000:e1:00.0 -> x\n'],
    ['a script with ids first', 'Group 3:\t[8086:1901] [R] 00:01.0  PCI bridge\n\t\t[10de:2484] [R] 01:00.0  VGA\nGroup 6:\t[144d:a80a] [R] 10000:e1:00.0  NVMe\n'],
    ['old kernel logs', 'iommu: Adding device 0000:00:01.0 to group 3\niommu: Adding device 0000:01:00.0 to group 3\niommu: Adding device 10000:e1:00.0 to group 6\n'],
    ['ls-iommu', 'Group: 3 0000:00:01.0 PCI bridge [0604]\nGroup: 3 0000:01:00.0 VGA\nGroup: 6 10000:e1:00.0 NVMe\n'],
    ['readlink', '/sys/bus/pci/devices/0000:00:01.0/iommu_group -> ../../../kernel/iommu_groups/3\n0000:01:00.0 ../../../../kernel/iommu_groups/3\nlrwxrwxrwx 1 root root 0 /sys/bus/pci/devices/10000:e1:00.0/iommu_group -> ../../kernel/iommu_groups/6\n'],
    ['a page that lost the line ends', 'here they are:/sys/kernel/iommu_groups/3/devices/0000:00:01.0/sys/kernel/iommu_groups/3/devices/0000:01:00.0/sys/kernel/iommu_groups/6/devices/10000:e1:00.0 thanks'],
    ['tree', '/sys/kernel/iommu_groups\n├── 3\n│   ├── devices\n│   │   ├── 0000:00:01.0 -> ../../../../devices/pci0000:00/0000:00:01.0\n│   │   └── 0000:01:00.0 -> ../../../../devices/x/0000:01:00.0\n│   └── type\n└── 6\n    └── devices\n        └── 10000:e1:00.0 -> x\n'],
    ['a table of Proxmox', '┌──────────┬──────────────┬────────────┐\n│ class    │ id           │ iommugroup │\n╞══════════╪══════════════╪════════════╡\n│ 0x060400 │ 0000:00:01.0 │          3 │\n├──────────┼──────────────┼────────────┤\n│ 0x030000 │ 0000:01:00.0 │          3 │\n│ 0x010802 │ 10000:e1:00.0 │         6 │\n│ 0x080600 │ 0000:00:00.2 │         -1 │\n'],
    ['a table in Markdown', '| Device | IOMMU Group | What |\n|---|---|---|\n| 00:01.0 | 3 | port |\n| 01:00.0 | 3 | card |\n| 10000:e1:00.0 | 6 | disk |\n'],
    ['JSON of Proxmox', '[{"id":"0000:00:01.0","iommugroup":3},{"id":"0000:01:00.0","iommugroup":3},{"id":"10000:e1:00.0","iommugroup":6},{"id":"0000:00:00.2","iommugroup":-1}]'],
    ['lspci -vv', '00:01.0 PCI bridge: A\n\tControl: I/O+\n\tIOMMU group: 3\n\n01:00.0 VGA: B\n\tControl: I/O+\n\tIOMMU group: 3\n\n10000:e1:00.0 NVMe: C\n\tControl: I/O+\n\tIOMMU group: 6\n'],
    ['lspci -v', '00:01.0 PCI bridge: A\n\tFlags: bus master, IOMMU group 3\n\n01:00.0 VGA: B\n\tFlags: IOMMU group 3\n\n10000:e1:00.0 NVMe: C\n\tFlags: IOMMU group 6\n'],
    ['lspci -vmm', 'Slot:\t00:01.0\nClass:\tPCI bridge\nIOMMUGroup:\t3\n\nSlot:\t01:00.0\nClass:\tx\nIOMMUGroup:\t3\n\nSlot:\t10000:e1:00.0\nClass:\tx\nIOMMUGroup:\t6\n'],
    ['headings that look like lspci', 'IOMMU group: 3\n00:01.0 PCI bridge\n01:00.0 VGA\nIOMMU group: 6\n10000:e1:00.0 NVMe\n'],
    ['headings between marks', '### Group 3 ###\n    00:01.0 PCI bridge: x\n    01:00.0 VGA: x\n### Group 6 ###\n    10000:e1:00.0 NVMe\n'],
    ['a tree of units', 'IOMMU: dmar0\n  IOMMU Group: 3\n    Group Device: 0000:00:01.0 - PCI bridge\n    Group Device: 0000:01:00.0 - VGA\n  IOMMU Group: 6\n    Group Device: 10000:e1:00.0 - NVMe\n'],
    ['Unraid', 'IOMMU group 3:\t[8086:1901] 00:01.0 PCI bridge: x\n[10de:2484] 01:00.0 VGA: x\nBus 001 Device 002: ID 046d:c52b hub\nIOMMU group 6: [144d:a80a] 10000:e1:00.0 NVMe\n'],
    ['German', 'IOMMU-Gruppe 3:\n  00:01.0 PCI bridge\n  01:00.0 VGA\nIOMMU-Gruppe 6:\n  10000:e1:00.0 NVMe\n'],
    ['libvirt', "<iommuGroup number='3'>\n  <address domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>\n  <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>\n</iommuGroup>\n<iommuGroup number='6'>\n  <address domain='0x10000' bus='0xe1' slot='0x00' function='0x0'/>\n"],
  ])('reads the form of %s', (_, text) => {
    expect(readGroupsListing(text)).toEqual(expected);
  });

  it('refuses text that names no group', () => {
    expect(() => readGroupsListing('total 0\n')).toThrow(ImportError);
    expect(() => readGroupsListing('\n\ntotal 0\n')).toThrow(/the first line is "total 0" \(groups, line 3\)/);
    expect(readGroupsListing('')).toEqual(new Map());
  });
});

describe('kernel log', () => {
  it('reads version, memory, units and functions, whatever stands before the lines', () => {
    const log = readDmesg(`[    0.000000] Linux version 6.14.0-00001-g13b (builder) (gcc)
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=UUID=x quiet intel_iommu=on iommu=pt
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable
[    0.000000] BIOS-e820: [mem 0x00000000000a0000-0x00000000000fffff] reserved
Jan 05 08:40:49 fedora kernel: DMAR: Host address width 39
DMAR: DRHD base: 0x000000fed90000 flags: 0x0
DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap 1c0000c40660462 ecap 19e2ff0505e
DMAR: DRHD base: 0x000000fed91000 flags: 0x1
DMAR: dmar1: reg_base_addr fed91000 ver 1:0 cap d2008c40660462 ecap f050da
DMAR: RMRR base: 0x0000007d800000 end: 0x0000007fffffff
pci 0000:00:01.0: [8086:1901] type 01 class 0x060400 PCIe Root Port
pci 0000:00:01.0: PCI bridge to [bus 01-05]
pci 0000:01:00.0: [10de:2484] type 00 class 0x030000
pci 0000:01:00.0: vgaarb: setting as boot VGA device
vfio-pci 0000:01:00.0: Adding to iommu group 2
iommu: Default domain type: Translated
`);
    expect(log.host).toMatchObject({ kernelVersion: '6.14.0-00001-g13b', commandLine: 'intel_iommu=on iommu=pt', addressWidth: 39, defaultDomain: 'Translated' });
    expect(log.host.memory).toEqual([{ start: 0n, last: 0x9_ffffn }]);
    expect(log.host.units.map((unit) => [unit.name, unit.rest])).toEqual([['dmar0', false], ['dmar1', true]]);
    expect(log.host.reserved).toEqual([{ start: 0x7d80_0000n, last: 0x7fff_ffffn }]);
    expect(log.functions.get('0000:00:01.0')).toMatchObject({ type: 'root-port', vendor: 0x8086, buses: { secondary: 1, subordinate: 5 } });
    expect(log.functions.get('0000:01:00.0')).toMatchObject({ type: undefined, classCode: 0x030000, bootVga: true, group: 2 });
  });

  it('keeps only what matters of a command line', () => {
    expect(relevantCommandLine('BOOT_IMAGE=/boot/vmlinuz-6.6 root=UUID=1 ro quiet amd_iommu=on iommu=pt pci=noaer vfio-pci.ids=10de:2484,10de:228b\n')).toBe('amd_iommu=on iommu=pt pci=noaer vfio-pci.ids=10de:2484,10de:228b');
  });
});

describe('VT-d registers', () => {
  it('decodes the published presets (hw-x86 section 8)', () => {
    expect(decodeVtd(0x8d2078c106f0466n, 0xf020dfn)).toMatchObject({
      addressWidth: 48, levels: [4], coherent: true, deviceTlb: true, interruptRemapping: true, passThrough: true, snoopControl: true, scalableMode: false, pasidBits: 0,
      pageSizes: [0x1000n, 0x20_0000n, 0x4000_0000n], cachingMode: false,
    });
    expect(decodeVtd(0x19ed008c40780c66n, 0x3ee9e86f050dfn)).toMatchObject({ addressWidth: 57, levels: [4, 5], scalableMode: true, firstStage: true, nested: true, pasidBits: 0, pageRequests: false });
    expect(decodeVtd(0xd2008c22260286n, 0xf00f5an)).toMatchObject({ addressWidth: 39, levels: [3], cachingMode: true });
  });
});
