import { MEMORY_LOCK } from '../causes.js';
import { failedSteps, kernelSays, refusal } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import { sizeText, sizeWord } from '../../simulator/memory/sizes.js';

/** What VM managers add to the guest's memory for its own needs: 1 GiB. */
const MARGIN = 0x4000_0000n;

export const memlockExceeded: DiagnosticRule = {
  code: 'memory/memlock-exceeded',
  severity: 'error',
  title: 'More memory is pinned than RLIMIT_MEMLOCK allows',
  documentation: `Mapping memory for DMA pins it, and pinned memory counts against RLIMIT_MEMLOCK of the process (type1) or of the user (iommufd), unless the process has CAP_IPC_LOCK. When the limit does not suffice
\`VFIO_IOMMU_MAP_DMA\` or \`IOMMU_IOAS_MAP\` fails with ENOMEM, and QEMU says "VFIO_MAP_DMA failed: Cannot allocate memory". The same memory counts once for each container that maps it.

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
      const total = owner?.memory.reduce((sum, each) => sum + each.size, 0n) ?? 0n;
      const limit = owner?.memlock === undefined ? '' : ` ${owner.name} may lock ${sizeText(owner.memlock)} and wants to map ${sizeText(total)}.`;
      yield {
        subject: owner?.id ?? step.origin,
        message: `${refusal(step)}: RLIMIT_MEMLOCK is exceeded.${limit}${kernelSays(step)}`,
        related: [],
        fixes: owner === undefined ? [] : [{ title: `Allow ${sizeText(total + MARGIN)} of locked memory`, preferred: true, edits: [{ kind: 'set-property', subject: owner.id, property: 'memlock', text: `memlock ${sizeWord(total + MARGIN)}` }] }],
      };
    }
  },
};
