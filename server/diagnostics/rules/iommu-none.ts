import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { HostDescription } from '../../simulator/description.js';

/** The unit that a machine with this processor would have. */
const UNIT_OF_VENDOR: Readonly<Partial<Record<HostDescription['kernel']['cpuVendor'], string>>> = { amd: 'amd-vi', arm: 'smmuv3' };

const NO_IOMMU_MODE = /^vfio\.enable_unsafe_noiommu_mode=(1|y|on)/i;

/** VFIO was told to hand devices out without protection: what then works or not, the calls say. */
export const allowsUnprotected = ({ kernel }: HostDescription): boolean =>
  kernel.buildOptions.includes('VFIO_NOIOMMU') && [...kernel.moduleParameters, ...kernel.commandLine.split(' ')].some((each) => NO_IOMMU_MODE.test(each));

const GUEST_CPU = `host h {
  kernel 6.12 cmdline "intel_iommu=on"
  memory 0 size 16GiB
  ${onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }').replaceAll('\n', '\n  ')}
}
`;

export const iommuNone: DiagnosticRule = {
  code: 'iommu/none',
  severity: 'error',
  title: 'Devices are assigned on a host without IOMMU',
  documentation: `Without an IOMMU there are no IOMMU groups, and VFIO has nothing to hand out: QEMU says "no iommu_group found: No such file or directory", Proxmox "No IOMMU detected, please activate it". On a real machine VT-d or AMD-Vi is then
switched off in the firmware's set-up. In a virtual machine, most clouds' among them, the guest simply has none.

**Fix.** Switch the IOMMU on in the firmware's set-up, or give the virtual machine one (QEMU: \`-device intel-iommu,intremap=on\` or \`-device virtio-iommu-pci\`), and describe it here. Where that is impossible, programs such as DPDK can use VFIO's
no-IOMMU mode: a kernel with CONFIG_VFIO_NOIOMMU and \`vfio.enable_unsafe_noiommu_mode=1\`. It taints the kernel, wants CAP_SYS_RAWIO, works for no virtual machine, and the device can then reach all memory.`,
  example: {
    bad: `${GUEST_CPU}vm guest on h { memory 1GiB  through type1  assign nic }
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'), { iommu: 'interrupt-remapping  coherent  covers rest' })}vm guest on h { memory 1GiB  through type1  assign nic }
`,
  },
  *check({ description }): Generator<Found> {
    for (const host of description.hosts) {
      const owner = description.owners.find((each) => each.host === host.id && each.assigned.length > 0);
      if (owner === undefined || host.iommus.length > 0 || allowsUnprotected(host)) continue;
      const architecture = UNIT_OF_VENDOR[host.kernel.cpuVendor] ?? 'vtd';
      yield {
        subject: owner.id,
        message: `${host.name} has no IOMMU, so no IOMMU groups: ${owner.name} finds "no iommu_group" and cannot have ${owner.assigned.length === 1 ? 'its device' : 'its devices'}.${owner.kind === 'process' ? ' A program may use VFIO\'s no-IOMMU mode instead, without any protection.' : ''}`,
        related: [{ subject: host.id, message: 'no `iommu` is described here' }],
        fixes: [{ title: 'Describe an IOMMU', preferred: true, edits: [{ kind: 'insert-inside', subject: host.id, text: `iommu iommu0 : ${architecture} { interrupt-remapping  coherent  covers rest }` }] }],
      };
    }
  },
};
