/** Which of a fault's lines a finding quotes. */
import { expect, test } from 'vitest';
import { analyse } from '../../server/analysis/analysis.js';
import { simulateText } from '../scenario/simulate-text.js';

const board = (kernel: string): string => `host board { kernel ${kernel}  cpu arm  memory 0x4000_0000 size 1GiB  iommu smmu : smmuv3 { covers rest }
  root-port rp at 00:01.0 { acs SV, RR, CR, UF  function nic at 01:00.0 { class ethernet  driver igb } } }
dma nic read 0x1000 size 64`;

test.each([['6.12', 'event 0x10 received:'], ['6.19', 'event: F_TRANSLATION client: 0000:01:00.0']])('of an SMMUv3 under Linux %s the one that names the event (LA-D8)', async (kernel, quoted) => {
  const { description } = await simulateText(board(kernel));
  const { findings } = analyse(description, (what, error) => { throw new Error(`${what}: ${String(error)}`); });
  expect(findings.find(({ code }) => code === 'dma/faults')?.message).toContain(`The kernel logs: "arm-smmu-v3 smmu: ${quoted}`);
});
