/**
 * The 25 problems that people have with VFIO and IOMMUs, by number: each is a file, a diagnostic that says so beforehand in the words that people
 * see, its page, and its repair. A line of the table is a fixture below test/fixtures/problems.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rulePage } from '../../server/diagnostics/page.js';
import { ruleNamed } from '../../server/diagnostics/registry.js';
import { analyseText, applyFix, codesOf } from '../helpers.js';

const FOLDER = join(import.meta.dirname, '../fixtures/problems');

interface Problem {
  readonly number: number;
  readonly fixture: string;
  readonly code: string;
  /** Words that people search for, in the finding's message. */
  readonly message: readonly string[];
  /** Such words, on the page of the diagnostic. */
  readonly page: readonly string[];
  /** Why no edit of the file repairs it. */
  readonly noFix?: string;
}

const problem = (number: number, fixture: string, code: string, message: readonly string[], page: readonly string[], noFix?: string): Problem => ({ number, fixture, code, message, page, ...(noFix === undefined ? {} : { noFix }) });

const PROBLEMS: readonly Problem[] = [
  problem(1, '01-group-not-viable', 'ownership/group-not-viable', ['vfio 0000:01:00.0: group 1 is not viable', 'audio (0000:01:00.1, driver snd_hda_intel)'], ['Please ensure all devices within the iommu_group are bound to their vfio bus driver']),
  problem(1, '01-group-not-viable-dpdk', 'ownership/group-not-viable', ['VFIO group is not viable! Not all devices in IOMMU group bound to VFIO or unbound', 'nic1 (0000:01:00.1, driver i40e)'], ['VFIO group is not viable!']),
  problem(2, '02-one-big-group', 'group/not-alone', ['shares its IOMMU group with nic1', 'One way out: '], ['IOMMU group 1 contains all i210s']),
  problem(3, '03-acs-override', 'group/acs-override', ['pcie_acs_override=', 'Without it the groups are'], ['pcie_acs_override=']),
  problem(4, '04-iommu-off', 'iommu/disabled', ['no iommu_group found: No such file or directory'], ['no iommu_group found: No such file or directory', 'intel_iommu=on']),
  problem(4, '04-iommu-absent', 'iommu/none', ['no iommu_group'], ['No IOMMU detected, please activate it']),
  problem(5, '05-rmrr', 'reserved/firmware-mapping', ['Device is ineligible for IOMMU domain attach due to platform RMRR requirement.  Contact your platform vendor.'], ['Device is ineligible for IOMMU domain attach due to platform RMRR requirement'], 'firmware wants it'),
  problem(6, '06-memlock', 'memory/memlock-exceeded', ['vfio_pin_pages_remote: RLIMIT_MEMLOCK (65536) exceeded', 'vfio_container_dma_map(…) = -12 (Cannot allocate memory)', 'VFIO_MAP_DMA failed: Cannot allocate memory', 'ENOMEM'], ['hard_limit', 'CAP_IPC_LOCK']),
  problem(6, '06-memlock-iommufd', 'memory/memlock-exceeded', ['IOMMU_IOAS_MAP failed: Cannot allocate memory'], ['RLIMIT_MEMLOCK']),
  problem(6, '06-memlock-virtual-iommu', 'memory/memlock-exceeded', ['wants to map 8 GiB, which is its memory in 2 address spaces of its virtual IOMMU', 'RLIMIT_MEMLOCK (5368709120) exceeded'], ['one for each of its address spaces']),
  problem(7, '07-address-width', 'memory/beyond-address-width', ['vfio_container_dma_map(…) = -22 (Invalid argument)', '39 bits'], ['iommu width (39) is not sufficient for the mapped address (8800001000)']),
  problem(7, '07-guest-address-width', 'memory/guest-address-width', ['VFIO_MAP_DMA failed: Invalid argument', '0x380000000000', 'iommu width (39) is not sufficient for the mapped address'], ['guest-phys-bits=39']),
  problem(8, '08-reset-fails', 'device/reset-fails', ['vfio-pci 0000:01:00.0: not ready 65535ms after bus reset; giving up', "Unknown PCI header type '127'"], ['not ready 65535ms after FLR; giving up']),
  problem(8, '08-bus-reset-hits-others', 'device/no-reset', ['no function level reset', 'nic (0000:01:00.1), driver igb', 'VFIO_DEVICE_PCI_HOT_RESET fails with EINVAL', 'Cannot reset device 0000:01:00.0, depends on group 2 which is not owned'], ['no available reset mechanism']),
  problem(8, '08-nothing-to-reset-with', 'device/no-reset', ['Cannot reset device 0000:00:1f.3, no available reset mechanism'], ['reset_method'], 'the device has no way to be reset'),
  problem(8, '08-bus-reset-forbidden', 'device/no-reset', ['does not let its bus be reset: VFIO_DEVICE_PCI_HOT_RESET fails with ENODEV', 'wifi (0000:01:00.1)', 'no available reset mechanism'], ['does not come back from it, with ENODEV'], 'Linux resets no such bus'),
  problem(8, '08-flr-hangs-it', 'device/no-reset', ['function level reset hangs it', 'depends on device 0000:01:00.1 which is not owned'], ['FLReset+']),
  problem(9, '09-boot-framebuffer', 'device/boot-framebuffer', ["BAR 0: can't reserve"], ["BAR 0: can't reserve [mem 0xd0000000-0xdfffffff 64bit pref]"]),
  problem(10, '10-guest-window', 'memory/guest-window-too-small', ['Failed moving device BAR: failed allocating new MMIO range', "can't assign; no space", '64 GiB', '32 GiB'], ["can't assign; no space"]),
  problem(10, '10-guest-address-width', 'memory/guest-address-width', ["can't assign; no space", 'phys-bits too low (35)'], ['phys-bits too low']),
  problem(11, '11-sriov-no-room', 'device/sriov-no-room', ['0000:01:00.0: not enough MMIO resources for SR-IOV', 'ENOMEM', 'cannot allocate memory'], ['(-ENOMEM)']),
  problem(11, '11-sriov-no-bus', 'device/sriov-no-room', ["can't enable 2 VFs (bus 04 out of range of [bus 03])"], ['out of range of [bus 03]']),
  problem(12, '12-several-address-spaces', 'ownership/group-in-several-address-spaces', ['group 1 used in multiple address spaces', 'pcie-pci-bridge'], ['vfio 0000:01:00.1: group 1 used in multiple address spaces']),
  problem(12, '12-two-owners', 'ownership/group-shared-by-owners', ['cannot be used in several address spaces'], ['used in multiple address spaces'], 'somebody has to decide who gets the group'),
  problem(13, '13-partial-group', 'ownership/group-partly-assigned', ['takes the whole IOMMU group 1', 'audio (0000:01:00.1)'], ['others accept it without a word']),
  problem(14, '14-no-interrupt-remapping', 'iommu/no-interrupt-remapping', ['No interrupt remapping support.', 'allow_unsafe_interrupts'], ['allow_unsafe_interrupts']),
  problem(15, '15-set-iommu-not-permitted', 'iommu/no-interrupt-remapping', ['Failed to set iommu for container: Operation not permitted'], ['Failed to set iommu for container: Operation not permitted']),
  problem(16, '16-node-of-root', 'ownership/node-not-permitted', ['failed to open /dev/vfio/1: Permission denied', 'EACCES', 'runs as dpdk'], ['SUBSYSTEM=="vfio"']),
  problem(16, '16-device-cgroup', 'ownership/node-not-permitted', ['Operation not permitted', 'EPERM', 'device cgroup'], ['failed to open /dev/vfio/72: Operation not permitted']),
  problem(17, '17-driverless', 'ownership/device-has-host-driver', ['no driver is bound to it', 'fails with ENOENT', "Could not open '/dev/vfio/1': No such file or directory"], ['driver_override', 'new_id']),
  problem(17, '17-unmanaged', 'ownership/device-has-host-driver', ['the host driver nvidia has it', 'fails with ENOENT', 'libvirt says "Unmanaged PCI device 0000:01:00.0 must be manually detached from the host"'], ["managed='no'"]),
  problem(18, '18-ids-match-several', 'driver/ids-match-several', ['gpu2', 'lost to the host all the same'], ['driver_override']),
  problem(20, '20-boot-rom', 'device/rom-unreadable', ['Invalid PCI ROM header signature: expecting 0xaa55, got 0x0000', 'Device option ROM contents are probably invalid'], ['romfile=', 'rombar=0']),
  problem(20, '20-integrated-graphics', 'device/rom-unreadable', ['integrated graphics', 'Invalid PCI ROM header signature'], ['no ROM at all']),
  problem(21, '21-vfio-on-bridge', 'driver/vfio-on-bridge', ['bridges are never in the way'], ["Wrong driver devices: [('0000:04:00.0', 'pcieport')]"]),
  problem(22, '22-stolen-memory', 'reserved/firmware-range-unmapped', ['memory that firmware reserved for it'], ['fault addr 9c000000 [fault reason 06] PTE Read access is not set'], 'the DMA is the device\'s own'),
  problem(22, '22-stolen-memory', 'dma/faults', ['[fault reason 0x06] PTE Read access is not set'], ['the entry that refuses']),
  problem(22, '22-io-page-fault', 'dma/faults', ['IO_PAGE_FAULT'], ['the entry that refuses']),
  problem(23, '23-cloud-vm', 'iommu/none', ['no-IOMMU mode'], ['enable_unsafe_noiommu_mode']),
  problem(24, '24-too-many-mappings', 'memory/too-many-mappings', ['vfio_container_dma_map(…) = -28 (No space left on device)', 'ENOSPC'], ['65535', 'virtio-mem']),
  problem(25, '25-requester-alias', 'group/requester-alias', ['Present bit in context entry is clear', '03:00.1'], ['[03:00.1] … [fault reason 0x02] Present bit in context entry is clear'], 'Linux does what is needed'),
];

/** Problems that no description of one machine at one time can show. */
const NOT_STATIC: Readonly<Record<number, string>> = {
  19: 'a device of another number after a card was added: only two descriptions could show it, and the exports say that addresses move',
};

const text = (fixture: string): string => readFileSync(join(FOLDER, `${fixture}.iommu`), 'utf8');

describe.each(PROBLEMS.map((each) => [`problem ${each.number}, ${each.fixture}: ${each.code}`, each] as const))('%s', (_title, { fixture, code, message, page, noFix }) => {
  it('is said, in the words that people see', async () => {
    const found = (await analyseText(text(fixture))).presented.filter((each) => each.code === code);
    expect(found.length).toBeGreaterThan(0);
    const said = found.map((each) => each.message).join('\n');
    for (const words of message) expect(said).toContain(words);
  });

  it('has a page with them', () => {
    const shown = rulePage(ruleNamed.get(code)!).replace(/\s+/g, ' ');
    for (const words of page) expect(shown).toContain(words);
    expect(shown).toContain('**Fix.**');
  });

  it(noFix === undefined ? 'is gone after a fix' : `has no fix: ${noFix}`, async () => {
    const analysed = await analyseText(text(fixture));
    const fixes = analysed.presented.filter((each) => each.code === code).flatMap((each) => each.finding?.fixes ?? []);
    expect(fixes.length > 0).toBe(noFix === undefined);
    for (const fix of fixes.slice(0, 1)) expect(codesOf(await analyseText(applyFix(analysed, fix)))).not.toContain(code);
  });
});

it('VFG-10: where another device of the group has made the file, nobody says that it is missing', async () => {
  const beside = (driver: string) => text('17-driverless').replace('driver none }', `driver none }\n    function audio at 01:00.1 { class audio  driver ${driver} }`);
  const messageOf = async (driver: string): Promise<string> => (await analyseText(beside(driver))).presented.find((each) => each.code === 'ownership/device-has-host-driver')!.message;
  expect(await messageOf('none')).toContain("Could not open '/dev/vfio/1': No such file or directory");
  expect(await messageOf('vfio-pci')).not.toMatch(/Could not open|ENOENT/);
});

describe('the table', () => {
  it('has every problem, or the reason why none', () => {
    const numbers = new Set([...PROBLEMS.map((each) => each.number), ...Object.keys(NOT_STATIC).map(Number)]);
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });

  it('has every fixture', () => {
    const used = new Set(PROBLEMS.map((each) => `${each.fixture}.iommu`));
    expect(readdirSync(FOLDER).filter((name) => !used.has(name))).toEqual([]);
  });
});
