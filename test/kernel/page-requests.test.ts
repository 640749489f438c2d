/** A device with page requests (PRI) and whoever answers them, as seen from a DMA (IOPF-01). */
import { expect, test } from 'vitest';
import { parseFiles } from '../../language/index.js';
import { planBoot } from '../../server/simulator/kernel/boot.js';
import type { Device } from '../../server/simulator/kernel/core.js';
import type { FaultHandling, PageRequest, PageResponse } from '../../server/simulator/kernel/io-page-faults.js';
import { iova, physical } from '../../server/simulator/memory/address.js';
import { tracedDma } from '../../server/simulator/scenario/dma.js';
import { Machine } from '../../server/simulator/scenario/machine.js';

const HOST = `host lab {
  kernel 6.19 cmdline "intel_iommu=on,sm_on"
  cpu intel
  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff
  iommu dmar0 : vtd { address-width 48  scalable-mode  first-stage  ats  pri  pasid 20  covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
    function dsa at 01:00.0 { driver none  pasid 20  ats  pri }
  }
}`;

/** A domain on PASID 5 whose owner answers as told; "success" after it has mapped the page, unless it forgets. */
async function machineWith(answer: PageResponse | null, maps = true) {
  const uri = 'file:///lab.iommu';
  const { lowered, problems } = await parseFiles([{ uri, text: HOST }], uri);
  expect(problems).toEqual([]);
  const machine = new Machine(lowered.description, planBoot(lowered.description.hosts[0]!));
  const dsa = machine.kernel.deviceByName('0000:01:00.0')!;
  const domain = machine.kernel.allocateDomain(dsa, 'answered');
  const asked: PageRequest[] = [];
  const handle: FaultHandling = {
    domain,
    handleFaults: (_: Device, requests: readonly PageRequest[]) => {
      asked.push(...requests);
      if (answer === 'success' && maps) domain.map(iova(requests[0]!.address), physical(0x20_0000n), 4096n, { read: true, write: true });
      return answer;
    },
  };
  dsa.group!.pasids.attach(dsa, domain, 5, handle);
  const dma = { kind: 'dma', id: 'dma', host: 'lab', text: 'dma', device: dsa.subject, access: 'write', address: 0x1234_5678n, size: 4n, pasid: 5, privileged: false, execute: false, addressType: 'translation-request' } as const;
  return { machine, asked, report: () => tracedDma(machine, dma) };
}

test('IOPF-01: the page is brought in, and the device asks for the translation again', async () => {
  const { asked, report } = await machineWith('success');
  expect(report()).toMatchObject({ outcome: 'memory', address: 0x20_0678n });
  expect(asked).toEqual([{ pasid: 5, address: 0x1234_5000n, write: true, last: true }]);
  expect(report()).toMatchObject({ outcome: 'memory' });
  expect(asked).toHaveLength(1);
});

test('IOPF-01: it asks once; a page that is still not there is given up', async () => {
  const { asked, report } = await machineWith('success', false);
  expect(report()).toMatchObject({ outcome: 'blocked' });
  expect(asked).toHaveLength(1);
});

test.each([
  ['failure', 'has failed'], ['invalid', 'is invalid'], [null, 'the device waits'],
] as const)('IOPF-01: the answer %s is in the trace', async (answer, words) => {
  const { machine, report } = await machineWith(answer);
  const { outcome, trace } = report();
  expect(outcome).toBe('blocked');
  expect(trace.map((event) => event.text).join('\n')).toContain(words);
  expect(machine.kernel.log.some((line) => line.includes('iopf with pasid 5 aborted'))).toBe(answer === 'failure');
});
