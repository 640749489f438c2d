import { MEMORY_LOCK } from '../causes.js';
import { failedSteps, type Facts, kernelSays, refusal } from '../facts.js';
import { mapRefused } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { OwnerDescription } from '../../simulator/description.js';
import { sizeText, sizeWord } from '../../simulator/memory/sizes.js';

/** What VM managers add to the guest's memory for its own needs: 1 GiB. */
const MARGIN = 0x4000_0000n;

const memoryOf = (owner: OwnerDescription): bigint => owner.memory.reduce((sum, each) => sum + each.size, 0n);

/** How often the memory is mapped: slots of a guest with an IOMMU are an address space each; devices of one group can only be in one together. */
const addressSpaces = (facts: Facts, owner: OwnerDescription): number =>
  (owner.virtualIommu === true ? new Set(owner.assigned.map(({ device }) => facts.group(device)?.number ?? device)).size : 1);

export const memlockExceeded: DiagnosticRule = {
  code: 'memory/memlock-exceeded',
  severity: 'error',
  title: 'More memory is pinned than RLIMIT_MEMLOCK allows',
  documentation: `Mapping memory for DMA pins it, and pinned memory counts against RLIMIT_MEMLOCK of the process (type1) or of the user (iommufd), unless the process has CAP_IPC_LOCK. When the limit does not suffice
\`VFIO_IOMMU_MAP_DMA\` or \`IOMMU_IOAS_MAP\` fails with ENOMEM, and QEMU says "vfio_container_dma_map(…) = -12 (Cannot allocate memory)", older versions also "VFIO_MAP_DMA failed: Cannot allocate memory". The same memory counts once for each container that maps it: a VM with a virtual IOMMU has one for each of its address spaces.

**Fix.** Allow at least the guest's memory and some more (libvirt: \`<hard_limit>\`; systemd: \`LimitMEMLOCK=\`; shell: \`ulimit -l\`).`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'))}vm guest on h { memory 4GiB  memlock 64KiB  through type1  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'))}vm guest on h { memory 4GiB  memlock 5GiB  through type1  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const said = new Set<string>();
    for (const { step } of failedSteps(facts.report)) {
      if (!MEMORY_LOCK.explains(step)) continue;
      const owner = facts.ownerOf(step);
      if (owner !== undefined && said.has(owner.id)) continue;
      if (owner !== undefined) said.add(owner.id);
      const count = owner === undefined ? 1 : addressSpaces(facts, owner);
      const total = owner === undefined ? 0n : memoryOf(owner) * BigInt(count);
      const limit = owner?.memlock === undefined ? '' : ` ${owner.name} may lock ${sizeText(owner.memlock)} and wants to map ${sizeText(total)}${count === 1 ? '' : `, which is its memory in ${count} address spaces of its virtual IOMMU`}.`;
      yield {
        subject: owner?.id ?? step.origin,
        message: `${refusal(step)}: RLIMIT_MEMLOCK is exceeded.${limit}${kernelSays(step)}${mapRefused(owner, step.result)}`,
        related: [],
        fixes: owner === undefined ? [] : [{ title: `Allow ${sizeText(total + MARGIN)} of locked memory`, preferred: true, edits: [{ kind: 'set-property', subject: owner.id, property: 'memlock', text: `memlock ${sizeWord(total + MARGIN)}` }] },
          { title: 'Run it with CAP_IPC_LOCK, which no limit binds', preferred: false, edits: [{ kind: 'set-property', subject: owner.id, property: 'capabilities', text: `capabilities ${[...owner.capabilities, 'IPC_LOCK'].join(', ')}` }] }],
      };
    }
  },
};
