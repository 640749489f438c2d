/** Who may open the nodes of devices: asked before VFIO and iommufd are (VFG-01, VFG-10, CDV-01, IFD-06). */
import { expect, test } from 'vitest';
import type { StepReport } from '../../server/simulator/report.js';
import { simulateText } from '../scenario/simulate-text.js';

const HOST = `host h {
  kernel 6.12 cmdline "intel_iommu=on"
  memory 0 size 16GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  covers rest }
  root-port rp at 00:01.0 { acs SV, RR, CR, UF  function nic at 01:00.0 { class ethernet  driver vfio-pci } }
}
`;

async function opens(through: string, words: string): Promise<string[]> {
  const { report } = await simulateText(`${HOST}process app on h { memory 16MiB  through ${through}  ${words}  assign nic }`);
  const steps = report.runs[0]!.actions.filter((action): action is StepReport => action.kind === 'step' && action.call.startsWith('open('));
  return steps.map((step) => `${step.call} ${step.result}`);
}

test.each([
  ['type1', '', ['open("/dev/vfio/vfio") ok', 'open("/dev/vfio/GROUP") ok']],
  ['type1', 'user root', ['open("/dev/vfio/vfio") ok', 'open("/dev/vfio/GROUP") ok']],
  ['type1', 'user root  nodes root-only', ['open("/dev/vfio/vfio") ok', 'open("/dev/vfio/GROUP") ok']],
  ['type1', 'user app', ['open("/dev/vfio/vfio") ok', 'open("/dev/vfio/GROUP") EACCES']],
  ['type1', 'user app  nodes granted', ['open("/dev/vfio/vfio") ok', 'open("/dev/vfio/GROUP") ok']],
  ['type1', 'nodes cgroup-denied', ['open("/dev/vfio/vfio") EPERM']],
  ['iommufd', 'user app', ['open("/dev/iommu") EACCES']],
  ['iommufd', 'user app  nodes granted', ['open("/dev/iommu") ok', 'open("/dev/vfio/devices/vfioX") ok']],
  ['iommufd', 'nodes cgroup-denied', ['open("/dev/iommu") EPERM']],
])('%s %s', async (through, words, expected) => {
  expect(await opens(through, words)).toEqual(expected);
});
