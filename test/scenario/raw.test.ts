/** Tables and registers written by hand. */
import { expect, test } from 'vitest';
import { filesIn, runFixtures } from './fixture-runner.js';
import { simulateText } from './simulate-text.js';

runFixtures(filesIn('test/fixtures/raw'));

test('what a person writes lies where nobody else gets memory', async () => {
  const { report } = await simulateText(`host lab { kernel 6.12 cmdline "intel_iommu=on"  memory 0x100_0000 size 16MiB
    iommu u : vtd { covers rest }  root-port rp at 00:01.0 { acs SV, RR, CR, UF  function nic at 01:00.0 { driver vfio-pci } }
    words 0x1ff_f000 = 1, 2, 3 }
  scenario "s" on lab { memory ram size 64KiB backing 4KiB  dma-map nic size 4KiB }`);
  const mapped = report.runs.at(-1)!.actions[0]!;
  expect(mapped).toMatchObject({ kind: 'step', result: 'ok' });
  expect(JSON.stringify(mapped, (_key, value: unknown) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))).not.toContain('0x1fff000');
});

test('`never` does not claim to know what tables by hand map', async () => {
  const { report } = await simulateText(`host lab { kernel 6.12 cmdline "intel_iommu=on"  iommu u : vtd { covers rest  register RTADDR = 0x10_0000 }
    root-port rp at 00:01.0 { acs SV, RR, CR, UF  function nic at 01:00.0 { driver vfio-pci } } }
  never nic reaches memory of host`);
  const [never] = report.runs[0]!.actions;
  expect(never).toMatchObject({ kind: 'never', holds: false });
  expect(never).toHaveProperty('why', expect.stringContaining('written by hand'));
});
