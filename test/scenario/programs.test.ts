/** The calls of QEMU, libvirt, DPDK and SPDK in their order (docs/programs.md). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { RunReport } from '../../server/simulator/report.js';
import { dmasOf, runOf, simulateText, stepsOf } from './simulate-text.js';

interface Options { readonly kernel?: string; readonly commandLine?: string; readonly more?: string; readonly iommu?: string; readonly drivers?: readonly [string, string, string] }

const desk = ({ kernel = '6.12', commandLine = 'intel_iommu=on', more = '', iommu = '', drivers = ['vfio-pci', 'vfio-pci', 'vfio-pci'] }: Options = {}): string => `host desk {
  kernel ${kernel} cmdline "${commandLine}"${more}
  cpu intel
  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff, 4GiB size 60GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  ${iommu}  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function gpu at 01:00.0 { class vga  driver ${drivers[0]} }
    function audio at 01:00.1 { class audio  driver ${drivers[1]} }
  }
  root-port slot2 at 00:02.0 { acs SV, RR, CR, UF  function nic at 02:00.0 { class ethernet  driver ${drivers[2]} } }
}
`;

async function run(options: Options, owners: string): Promise<RunReport> {
  const { report, problems } = await simulateText(desk(options) + owners);
  expect(problems).toEqual([]);
  return runOf(report, 'desk');
}

/** "open-container", or "gpu:unbind ENOENT" for what is not the owner's own or not ok. */
const calls = (of: RunReport): string[] => stepsOf(of).map((step) => {
  const [, by, verb] = step.text.split(' ');
  return `${by === 'app' ? '' : `${by} `}${verb}${step.result === 'ok' ? '' : ` ${step.result}`}`;
});
const texts = (of: RunReport): string[] => stepsOf(of).map((step) => step.text.replace(/^by app /, ''));

describe('QEMU', () => {
  test('type1: groups one after the other, the second in the container of the first', async () => {
    expect(texts(await run({}, 'vm app on desk { memory 1GiB  assign gpu, audio, nic }\n'))).toEqual([
      'open-group g0 of gpu', 'group-status g0', 'open-container c', 'check-extension c 3', 'set-container g0 to c', 'set-iommu c type1v2', 'iommu-info c',
      'map c iova 0x0 size 1GiB from app.memory rw', 'get-device d_gpu of gpu in g0', 'get-device d_audio of audio in g0',
      'open-group g1 of nic', 'group-status g1', 'set-container g1 to c', 'get-device d_nic of nic in g1',
    ]);
  });

  test('VFG-13: a group that the container refuses is tried in a container of its own', async () => {
    const held = await run({ drivers: ['vfio-pci', 'snd_hda_intel', 'vfio-pci'] }, 'vm app on desk { memory 1GiB  assign nic, gpu }\n');
    expect(calls(held).slice(9)).toEqual(['open-group', 'group-status', 'set-container EPERM', 'open-container', 'check-extension', 'set-container EPERM']);
    const [first, second] = stepsOf(held).filter((step) => step.result === 'EPERM');
    expect([first?.expectation?.met, second?.expectation]).toEqual([true, undefined]);
  });

  test('iommufd: one page table for what fits it, with dirty tracking where the hardware has it', async () => {
    const of = await run({ iommu: 'scalable-mode  dirty-tracking', commandLine: 'intel_iommu=on,sm_on' }, 'vm app on desk { memory 1GiB  through iommufd  assign gpu, nic }\n');
    expect(texts(of)).toEqual([
      'open-cdev d_gpu of gpu', 'open-iommufd fd', 'bind-iommufd d_gpu to fd', 'ioas-alloc A in fd', 'get-hw-info d_gpu', 'hwpt-alloc H on A for d_gpu dirty-tracking', 'attach d_gpu to H',
      'ioas-ranges A', 'map A iova 0x0 size 1GiB from app.memory rw', 'open-cdev d_nic of nic', 'bind-iommufd d_nic to fd', 'attach d_nic to H',
    ]);
  });

  test('where IOMMU_HWPT_ALLOC has no flags yet, the page table has none', async () => {
    const of = await run({ kernel: '6.6' }, 'vm app on desk { memory 1GiB  through iommufd  assign gpu }\n');
    expect(calls(of)).toEqual(['open-cdev', 'open-iommufd', 'bind-iommufd', 'ioas-alloc', 'get-hw-info', 'hwpt-alloc', 'attach', 'ioas-ranges', 'map']);
    expect(texts(of).find((text) => text.startsWith('hwpt-alloc'))).toBe('hwpt-alloc H on A for d_gpu');
  });

  test('for a mediated device, the IOAS itself', async () => {
    const { report } = await simulateText(desk().replace(/\n\}\n$/, '\n  mdev vgpu0 on gpu : software\n}\n') + 'vm app on desk { memory 1GiB  through iommufd  assign vgpu0 }\n');
    expect(calls(runOf(report, 'desk'))).toEqual(['open-cdev', 'open-iommufd', 'bind-iommufd', 'ioas-alloc', 'attach', 'ioas-ranges', 'map']);
  });

  test('a virtual IOMMU: every slot has its own container, and all memory is locked once for each', async () => {
    const of = await run({}, 'vm app on desk { memory 1GiB  memlock 3GiB  virtual-iommu  assign gpu, nic }\n');
    expect(calls(of).filter((call) => /container|map/.test(call))).toEqual(['open-container', 'set-container', 'map', 'open-container', 'set-container', 'map']);
    const short = await run({}, 'vm app on desk { memory 1GiB  memlock 1536MiB  virtual-iommu  assign gpu, nic }\n');
    expect(calls(short).filter((call) => call.startsWith('map'))).toEqual(['map', 'map ENOMEM']);
    const iommufd = await run({}, 'vm app on desk { memory 1GiB  through iommufd  virtual-iommu  assign gpu, nic }\n');
    expect(calls(iommufd).filter((call) => /ioas-alloc|map/.test(call))).toEqual(['ioas-alloc', 'map', 'ioas-alloc', 'map']);
  });

  test('read-only memory is mapped for reading alone', async () => {
    const of = await run({}, 'vm app on desk { memory 1GiB  memory bios size 128KiB at 0xfffe_0000 read-only  assign gpu }\n');
    expect(texts(of)).toContain('map c iova 0xfffe0000 size 128KiB from app.bios r');
  });

  test('memory where the host has a reserved region is the kernel\'s EINVAL', async () => {
    const of = await run({}, 'vm app on desk { memory low size 1MiB at 0xfee0_0000  assign gpu }\n');
    expect(calls(of)).toContain('map EINVAL');
  });
});

describe('libvirt', () => {
  const owner = (through: string, more = ''): string => `vm app on desk { memory 1GiB  program libvirt  through ${through} ${more}  assign gpu, audio }\ndma gpu read 0x1000 size 64 expect ok\n`;
  const DETACH = ['driver-override', 'unbind', 'drivers-probe'].map((verb) => `libvirtd ${verb}`);

  test('detaches what the host has, raises the limit, then QEMU', async () => {
    const of = await run({ drivers: ['nvidia', 'snd_hda_intel', 'igb'] }, owner('type1'));
    expect(calls(of).slice(0, 10)).toEqual([...DETACH, ...DETACH, 'libvirtd set-memlock', 'open-group', 'group-status', 'open-container']);
    expect(texts(of)).toContain('by libvirtd set-memlock app to 2GiB');
    expect(dmasOf(of)[0]?.expectation?.met).toBe(true);
  });

  test('leaves what vfio-pci has, and does not unbind what nobody has', async () => {
    expect(calls(await run({ drivers: ['vfio-pci', 'none', 'none'] }, owner('type1'))).slice(0, 3)).toEqual(['libvirtd driver-override', 'libvirtd drivers-probe', 'libvirtd set-memlock']);
  });

  test("managed='no': the devices are bound already, and libvirt touches no driver", async () => {
    const of = await run({ drivers: ['vfio-pci', 'vfio-pci', 'igb'] }, owner('type1', 'managed no'));
    expect(calls(of).slice(0, 4)).toEqual(['libvirtd set-memlock', 'open-group', 'group-status', 'open-container']);
    expect(dmasOf(of)[0]?.expectation?.met).toBe(true);
  });

  test("VFG-10: managed='no' of devices that the host has ends where their file is not there", async () => {
    const of = await run({ drivers: ['nvidia', 'snd_hda_intel', 'igb'] }, owner('type1', 'managed no').replace(/dma.*\n/, ''));
    expect(calls(of)).toContain('open-group ENOENT');
    expect(calls(of)).not.toContain('libvirtd unbind');
  });

  test('IFD-12: through iommufd it opens the files, and locked memory counts for the process', async () => {
    const of = await run({}, owner('iommufd'));
    expect(calls(of)).toEqual([
      'libvirtd set-memlock', 'libvirtd open-iommufd', 'libvirtd iommufd-option', 'libvirtd open-cdev', 'libvirtd open-cdev', 'inherit-iommufd', 'inherit-cdev', 'inherit-cdev',
      'bind-iommufd', 'ioas-alloc', 'get-hw-info', 'hwpt-alloc', 'attach', 'ioas-ranges', 'map', 'bind-iommufd', 'attach',
    ]);
    expect(of.final.devices.filter((device) => device.owner === 'app')).toHaveLength(2);
    expect(dmasOf(of)[0]?.expectation?.met).toBe(true);
  });

  test('a hard limit below the memory is refused by the kernel', async () => {
    expect(calls(await run({}, owner('type1', 'memlock 512MiB').replace(/dma.*\n/, '')))).toContain('map ENOMEM');
  });

  test('VFG-13: what is not open cannot be inherited', async () => {
    const { report } = await simulateText(`${desk()}scenario "nothing" on desk {\n  by app inherit-iommufd fd from libvirtd expect EBADF\n  by libvirtd open-iommufd fd\n  by app inherit-iommufd fd from libvirtd expect ok\n  by libvirtd ioas-alloc A in fd expect EBADF\n  by app ioas-alloc A in fd expect ok\n}\n`);
    expect(stepsOf(runOf(report, 'nothing')).map((step) => step.expectation?.met)).toEqual([true, undefined, true, true, true]);
  });
});

describe('DPDK', () => {
  test('type1: the container first, the back end with the first group', async () => {
    expect(texts(await run({}, 'process app on desk { memory 64MiB vaddr 0x10_0000_0000  assign gpu, nic }\n'))).toEqual([
      'open-container c', 'check-extension c 1', 'check-extension c 7', 'check-extension c 8',
      'open-group g0 of gpu', 'group-status g0', 'set-container g0 to c', 'set-iommu c type1', 'map c iova 0x1000000000 size 64MiB from app.memory rw', 'get-device d_gpu of gpu in g0',
      'open-group g1 of nic', 'group-status g1', 'set-container g1 to c', 'get-device d_nic of nic in g1',
    ]);
  });

  test('iommufd: one IOAS, memory before the first device', async () => {
    expect(calls(await run({}, 'process app on desk { memory 64MiB  through iommufd  assign gpu, nic }\n'))).toEqual(['open-iommufd', 'ioas-alloc', 'map', 'open-cdev', 'bind-iommufd', 'attach', 'open-cdev', 'bind-iommufd', 'attach']);
  });

  const withoutIommu: Options = { commandLine: 'intel_iommu=off', more: ' { options VFIO_NOIOMMU  parameters "vfio.enable_unsafe_noiommu_mode=1" }' };

  test('VFG-04: without an IOMMU type 1 and sPAPR are tried first, and nothing is mapped', async () => {
    const of = await run(withoutIommu, 'process app on desk { memory 64MiB  capabilities SYS_RAWIO  assign gpu }\n');
    const setIommu = stepsOf(of).filter((step) => step.text.includes('set-iommu'));
    expect(setIommu.map((step) => `${step.text.split(' ').at(-1)} ${step.result === 'ok'} ${step.expectation?.met ?? ''}`)).toEqual(['type1 false true', '7 false true', 'noiommu true ']);
    expect(calls(of).at(-1)).toBe('get-device');
  });

  test('SPDK maps nothing there either', async () => {
    expect(calls(await run(withoutIommu, 'process app on desk { memory 64MiB  program spdk  capabilities SYS_RAWIO  assign gpu }\n')).at(-1)).toBe('get-device');
  });
});

describe('SPDK', () => {
  test.each(['type1', 'iommufd'])('%s: makes the calls of DPDK, which maps all its memory', async (through) => {
    const owner = (program: string): string => `process app on desk { memory 64MiB  program ${program}  through ${through}  assign gpu, nic }\ndma gpu read 0x7f00_0000_0000 size 64\n`;
    const of = await run({}, owner('spdk'));
    expect(texts(of)).toEqual(texts(await run({}, owner('dpdk'))));
    expect(calls(of).filter((call) => call.startsWith('map'))).toEqual(['map']);
    expect(of.final.devices.filter((device) => device.owner === 'app')).not.toEqual([]);
  });
});

test('the example of docs/programs.md is understood, and both owners start', async () => {
  const page = readFileSync(new URL('../../docs/programs.md', import.meta.url), 'utf8');
  const { report, problems } = await simulateText(/^```iommu\n([\s\S]*?)^```$/m.exec(page)![1]!);
  expect(problems).toEqual([]);
  expect(stepsOf(runOf(report, 'desk')).filter((step) => step.result !== 'ok')).toEqual([]);
});
