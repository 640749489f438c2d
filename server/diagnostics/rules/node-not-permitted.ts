import { NODE_ACCESS } from '../causes.js';
import { failedSteps, type Facts, refusal } from '../facts.js';
import { errorText } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { OwnerDescription } from '../../simulator/description.js';
import type { StepReport } from '../../simulator/report.js';

/** The node that was to be opened: a group's by its number. */
function pathOf(facts: Facts, step: StepReport, owner: OwnerDescription): string {
  const path = /"(.+)"/.exec(step.call)?.[1] ?? 'the node';
  const device = owner.assigned.find((entry) => entry.id === step.origin)?.device;
  const group = device === undefined ? undefined : facts.group(device)?.number;
  return group === undefined ? path : path.replace('GROUP', String(group));
}

function why(step: StepReport, owner: OwnerDescription): string {
  return step.result === 'EPERM'
    ? 'The device cgroup of its container does not list the node: the container has to be started with it (--device), whoever runs inside.'
    : `The kernel makes the node for root alone (mode 0600), and ${owner.name} runs as ${owner.user ?? 'another user'}: an udev rule, chown or the VM manager has to give it away.`;
}

const owned = (words: string): string => `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}process app on h { memory 16MiB  through type1  ${words}  assign nic }
`;

export const nodeNotPermitted: DiagnosticRule = {
  code: 'ownership/node-not-permitted',
  severity: 'error',
  title: 'The program may not open the node of its device',
  documentation: `\`/dev/vfio/N\` and \`/dev/vfio/devices/vfioX\` belong to root (mode 0600), \`/dev/iommu\` to root and its group (0660); only \`/dev/vfio/vfio\` is for everybody, because it does nothing without a group. A program of another user therefore fails at its
first \`open\`: "failed to open /dev/vfio/72: Permission denied" (EACCES). libvirt gives the nodes to the user that runs QEMU; DPDK, SPDK and scripts have to care for themselves.

In a container the device cgroup asks first, whatever the mode says and whoever runs inside, root too: "failed to open /dev/vfio/72: Operation not permitted" (EPERM).

Who gets the nodes usually also needs the right to lock memory: RLIMIT_MEMLOCK or CAP_IPC_LOCK (see \`memory/memlock-exceeded\`). No capability is needed for VFIO itself, except CAP_SYS_RAWIO for devices without IOMMU.

**Fix.** A udev rule such as \`SUBSYSTEM=="vfio", OWNER="dpdk"\` (\`nodes granted\` in the file says that there is one), or \`--device /dev/vfio/vfio --device /dev/vfio/N\` for the container. The whole group has one node: who has it has all of the group's devices.`,
  example: { bad: owned('user dpdk'), good: owned('user dpdk  nodes granted') },
  *check(facts): Generator<Found> {
    const said = new Set<string>();
    for (const { step } of failedSteps(facts.report)) {
      const owner = facts.ownerOf(step);
      if (owner === undefined || said.has(owner.id) || !NODE_ACCESS.explains(step)) continue;
      said.add(owner.id);
      yield {
        subject: step.origin,
        message: `Starting ${owner.name}: ${refusal(step)}: "failed to open ${pathOf(facts, step, owner)}: ${errorText(step.result)}". ${why(step, owner)}`,
        related: [],
        fixes: [{ title: `Say that ${owner.user ?? owner.name} may open the nodes`, preferred: true, edits: [{ kind: 'set-property', subject: owner.id, property: 'nodes', text: 'nodes granted' }] }],
      };
    }
  },
};
