import { MAPPING_COUNT } from '../causes.js';
import { failedSteps, kernelStatement, refusal } from '../facts.js';
import { mapRefused } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { HostDescription } from '../../simulator/description.js';

const PARAMETER = 'vfio_iommu_type1.dma_entry_limit';
/** What the module allows unless told. */
const DEFAULT_LIMIT = 65535;
const HIGHER_LIMIT = 1 << 20;

function limitOf(host: HostDescription | undefined): number {
  const given = host?.kernel.moduleParameters.findLast((parameter) => parameter.startsWith(`${PARAMETER}=`));
  return given === undefined ? DEFAULT_LIMIT : Number(given.slice(PARAMETER.length + 1));
}

function raise(host: HostDescription | undefined): Fix[] {
  if (host === undefined) return [];
  const others = host.kernel.moduleParameters.filter((parameter) => !parameter.startsWith(`${PARAMETER}=`));
  const kernel = { ...host.kernel, moduleParameters: [...others, `${PARAMETER}=${HIGHER_LIMIT}`] };
  return [{ title: `Allow ${HIGHER_LIMIT} mappings`, preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement(kernel) }] }];
}

export const tooManyMappings: DiagnosticRule = {
  code: 'memory/too-many-mappings',
  severity: 'error',
  title: 'A container has no mapping left',
  documentation: `A VFIO container takes at most ${DEFAULT_LIMIT} mappings (module parameter \`dma_entry_limit\` of \`vfio_iommu_type1\`); \`VFIO_IOMMU_MAP_DMA\` then fails with ENOSPC. Guests whose memory comes in many small pieces get there: virtio-mem with a small
block size, discarded RAM, or a guest with a virtual IOMMU that maps page by page. QEMU says "vfio_container_dma_map(…) = -28 (No space left on device)", and with virtio-mem beforehand "possibly running out of DMA mappings".

**Fix.** Map in larger pieces (a larger virtio-mem block size), raise \`dma_entry_limit\`, or use iommufd, which has no such limit.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { kernel: '6.12 cmdline "intel_iommu=on" { parameters "vfio_iommu_type1.dma_entry_limit=1" }', iommu: 'interrupt-remapping  coherent  covers rest' })}vm guest on h { memory 6GiB  through type1  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { iommu: 'interrupt-remapping  coherent  covers rest' })}vm guest on h { memory 6GiB  through type1  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const said = new Set<string>();
    for (const { run, step } of failedSteps(facts.report)) {
      if (!MAPPING_COUNT.explains(step)) continue;
      const subject = facts.ownerOf(step)?.id ?? step.origin;
      if (said.has(subject)) continue;
      said.add(subject);
      const host = facts.host(run.host);
      yield { subject, message: `${refusal(step)}: the container may have ${limitOf(host)} mappings and has no more left.${mapRefused(facts.ownerOf(step), step.result)}`, related: [], fixes: raise(host) };
    }
  },
};
