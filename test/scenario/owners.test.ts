import { describe, expect, test } from 'vitest';
import type { RunReport } from '../../server/simulator/report.js';
import { dmasOf, runOf, simulateText, stepsOf } from './simulate-text.js';

const desk = (gpu: string, audio: string, kernel = '6.12', more = '') => `host desk {
  kernel ${kernel} cmdline "intel_iommu=on"
  cpu intel
  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff, 4GiB size 60GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function gpu at 01:00.0 { class vga  driver ${gpu} }
    function audio at 01:00.1 { class audio  driver ${audio} }
  }
  ${more}
}
`;
const vm = (through: string, details = '') => `vm win11 on desk { memory 4GiB ${details} through ${through}  assign gpu, audio }\n`;
const questions = 'dma gpu read 0x1000 size 64 expect ok\ndma audio write 0x1_2000_0000 size 64 expect ok\ndma gpu read 0x9000_0000 size 64 expect fault\nnever gpu reaches memory of host\nnever gpu reaches memory of win11\n';

const verbs = (run: RunReport): string[] => stepsOf(run).map((step) => `${step.text.split(' ')[2]} ${step.result}`);

describe('an owner becomes the calls of its program', () => {
  test.each([
    ['type1', ['open-group ok', 'group-status ok', 'open-container ok', 'check-extension ok', 'set-container ok', 'set-iommu ok', 'iommu-info ok', 'map ok', 'map ok', 'get-device ok', 'get-device ok']],
    ['iommufd', ['open-cdev ok', 'open-iommufd ok', 'bind-iommufd ok', 'ioas-alloc ok', 'get-hw-info ok', 'hwpt-alloc ok', 'attach ok', 'ioas-ranges ok', 'map ok', 'map ok', 'open-cdev ok', 'bind-iommufd ok', 'attach ok']],
    ['iommufd-container', ['open-group ok', 'group-status ok', 'open-iommufd ok', 'check-extension ok', 'set-container ok', 'set-iommu ok', 'iommu-info ok', 'map ok', 'map ok', 'get-device ok', 'get-device ok']],
  ])('through %s', async (through, calls) => {
    const { report, problems } = await simulateText(desk('vfio-pci', 'vfio-pci') + vm(through) + questions);
    const run = runOf(report, 'desk');
    expect(problems).toEqual([]);
    expect(verbs(run)).toEqual(calls);
    expect(dmasOf(run).map((dma) => dma.expectation?.met)).toEqual([true, true, true]);
    expect(run.actions.filter((action) => action.kind === 'never').map((never) => never.holds)).toEqual([true, false]);
    expect(run.final.devices.map(({ driver, owner }) => `${driver} ${owner}`)).toEqual(['null null', 'vfio-pci win11', 'vfio-pci win11']);
  });

  test('the steps can be copied into a scenario and answer the same', async () => {
    for (const through of ['type1', 'iommufd', 'iommufd-container']) {
      const host = desk('vfio-pci', 'vfio-pci') + vm(through);
      const run = runOf((await simulateText(host)).report, 'desk');
      const scenario = `scenario "copied" on desk {\n${stepsOf(run).map((step) => `  ${step.text} expect ${step.result}`).join('\n')}\n}\n`;
      const copied = await simulateText(host + scenario);
      expect(copied.problems).toEqual([]);
      expect(stepsOf(runOf(copied.report, 'copied')).map((step) => step.result)).toEqual(stepsOf(run).map((step) => step.result));
    }
  });

  test('a process maps its memory at its own addresses', async () => {
    const { report } = await simulateText(`${desk('vfio-pci', 'vfio-pci')}process dpdk on desk { memory 64MiB vaddr 0x10_0000_0000 backing 2MiB  through type1  assign gpu }
dma gpu write 0x10_0000_0040 size 64 expect ok\n`);
    const run = runOf(report, 'desk');
    expect(stepsOf(run).find((step) => step.call === 'VFIO_SET_IOMMU')?.text).toBe('by dpdk set-iommu c type1');
    expect(dmasOf(run)[0]?.expectation?.met).toBe(true);
    expect(run.final.domains.find((domain) => domain.type === 'unmanaged')?.mappings).toMatchObject([{ iova: { start: 0x10_0000_0000n }, pageSizes: [0x20_0000n] }]);
  });

  test('a large AMD guest has its memory above the HyperTransport range', async () => {
    const text = `host big { kernel 6.12  cpu amd  memory 4GiB size 3TiB  iommu ivhd0 : amd-vi { interrupt-remapping }
  function nic at 01:00.0 { driver vfio-pci } }
vm huge on big { memory 1200GiB backing 1GiB  through type1  assign nic }\n`;
    const maps = stepsOf(runOf((await simulateText(text)).report, 'big')).filter((step) => step.text.includes(' map '));
    expect(maps.map((step) => `${/iova (\S+)/.exec(step.text)?.[1]} ${step.result}`)).toEqual(['0x0 ok', '0x10000000000 ok']);
  });
});

describe('an owner that cannot start', () => {
  test('every device that fails is told, with the statement it belongs to, and the program ends', async () => {
    const { report, description } = await simulateText(desk('nvidia', 'snd_hda_intel') + vm('iommufd'));
    const run = runOf(report, 'desk');
    const failed = stepsOf(run).filter((step) => step.result !== 'ok');
    expect(failed.map((step) => step.origin)).toEqual(description.owners[0]!.assigned.map((entry) => entry.id));
    expect(run.final.devices.map((device) => device.owner)).toEqual([null, 'nvidia', 'snd_hda_intel']);
  });

  test.each([
    ['6.12', 'type1', 'set-container EPERM'],
    ['6.12', 'iommufd', 'bind-iommufd EPERM'],
    ['5.13', 'type1', 'get-device EINVAL'],
  ])('VFG-12, OWN-22: a host driver on a companion, %s through %s', async (kernel, through, call) => {
    const run = runOf((await simulateText(desk('vfio-pci', 'snd_hda_intel', kernel) + `vm win11 on desk { memory 1GiB  through ${through}  assign gpu }\n`)).report, 'desk');
    expect(verbs(run).find((each) => !each.endsWith(' ok'))).toBe(call);
    if (kernel !== '5.13') expect(stepsOf(run).at(-1)?.offenders).toEqual(['desk/audio']);
  });

  test('VFT-60: more memory than memlock allows', async () => {
    const run = runOf((await simulateText(desk('vfio-pci', 'vfio-pci') + vm('type1', 'memlock 1GiB'))).report, 'desk');
    const failed = stepsOf(run).find((step) => step.result !== 'ok');
    expect(failed).toMatchObject({ result: 'ENOMEM', call: 'VFIO_IOMMU_MAP_DMA' });
    expect(failed?.messages.join()).toContain('RLIMIT_MEMLOCK');
  });

  test('the administrator\'s bindings come first; only what fails of them is shown', async () => {
    const bound = desk('nvidia', 'snd_hda_intel', '6.12', 'bind gpu, audio to vfio-pci');
    const run = runOf((await simulateText(bound + vm('iommufd'))).report, 'desk');
    expect(stepsOf(run).every((step) => step.result === 'ok' && step.text.startsWith('by win11'))).toBe(true);
    const hopeless = runOf((await simulateText(desk('nvidia', 'snd_hda_intel', '6.12', 'bind slot1 to vfio-pci'))).report, 'desk');
    expect(stepsOf(hopeless)).toMatchObject([{ text: 'bind slot1 to vfio-pci', result: 'EINVAL', messages: ['vfio-pci 0000:00:01.0: probe with driver vfio-pci failed with error -22'] }]);
  });

  test('VFG-22: without an IOMMU the driver of the description does not take the device', async () => {
    const { report } = await simulateText(desk('vfio-pci', 'vfio-pci').replace('intel_iommu=on', 'intel_iommu=off') + vm('type1'));
    expect(runOf(report, 'desk').final.devices.map((device) => device.driver)).toEqual([null, null, null]);
    expect(report.hosts[0]?.ungrouped).toHaveLength(3);
    expect(report.hosts[0]?.messages).toContain('vfio-pci 0000:01:00.0: probe with driver vfio-pci failed with error -22');
  });
});
