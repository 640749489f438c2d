import { ADDRESS_WIDTH } from '../causes.js';
import { failedSteps, type Facts, refusal } from '../facts.js';
import { mapRefused } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import { versionNumber } from '../../simulator/kernel/profile.js';
import type { HostDescription, IommuDescription } from '../../simulator/description.js';
import { hex } from '../../simulator/memory/address.js';
import { sizeWord } from '../../simulator/memory/sizes.js';
import type { StepReport } from '../../simulator/report.js';

const DEFAULT_WIDTH = 48;
/** QEMU's virtio-iommu on a PC (PGS-07). */
const VIRTIO_WIDTH = 39;

/** Bits that a unit translates. */
const widthOf = ({ addressWidth, architecture }: IommuDescription): number => addressWidth ?? (architecture === 'virtio-iommu' ? VIRTIO_WIDTH : DEFAULT_WIDTH);

/** Release (major * 1000 + minor) before which VFIO left the test to the VT-d driver, which had words for it. */
const VFIO_CHECKS_SINCE = 5004;

/** First and last I/O virtual address of a step as it is written; null when it names none. */
function rangeOf(step: StepReport): { readonly start: bigint; readonly last: bigint } | null {
  const start = /\biova (\w+)/.exec(step.text)?.[1];
  return start === undefined ? null : { start: BigInt(start.replaceAll('_', '')), last: BigInt(start.replaceAll('_', '')) };
}

function narrowest(host: HostDescription | undefined): number {
  return Math.min(...(host?.iommus ?? []).map(widthOf), 64);
}

/** What QEMU's users see of it, and what older VT-d drivers logged. */
function words(facts: Facts, step: StepReport, host: HostDescription | undefined): string {
  const range = rangeOf(step);
  if (host === undefined || range === null) return '';
  const width = narrowest(host);
  const isOld = (versionNumber(host.kernel.version) ?? Infinity) < VFIO_CHECKS_SINCE;
  const owner = facts.ownerOf(step);
  return ` The IOMMU of ${host.name} translates ${width} bits, so addresses below ${hex(1n << BigInt(width))}.${isOld ? ` The kernel logs: "intel_iommu_map: iommu width (${width}) is not sufficient for the mapped address (${range.last.toString(16)})".` : ''}${mapRefused(owner, 'EINVAL')}`;
}

const USUAL_BACKING = 2n << 20n;

/** A memory that the file puts too high goes where QEMU puts it, unless more is said of it than a statement of one line can repeat. */
function placeFreely(facts: Facts, step: StepReport): Fix[] {
  const memory = facts.ownerOf(step)?.memory.find((each) => each.id === step.origin);
  if (memory?.at === undefined || memory.kind !== 'anonymous' || memory.virtual !== undefined || memory.backing !== USUAL_BACKING) return [];
  const size = sizeWord(memory.size);
  return [{ title: 'Put the memory where the program puts it', preferred: false, edits: [{ kind: 'replace', subject: memory.id, text: memory.name === 'memory' ? `memory ${size}` : `memory ${memory.name} size ${size}` }] }];
}

export const addressWidth: DiagnosticRule = {
  code: 'memory/beyond-address-width',
  severity: 'error',
  title: 'An address is beyond what the IOMMU translates',
  documentation: `Every IOMMU has a width of input addresses (VT-d: MGAW; QEMU's virtual VT-d: \`aw-bits\`, 39 unless said). VFIO and iommufd refuse what does not fit: \`VFIO_IOMMU_MAP_DMA\` or \`IOMMU_IOAS_MAP\` fails with EINVAL, and attaching a narrower
unit to an address space that has such mappings with EINVAL or EADDRINUSE. Kernels before 5.4 left it to the VT-d driver: "iommu width (39) is not sufficient for the mapped address (8800001000)".

Mostly it is a guest whose memory or PCI window lies too high: guests place 64-bit BARs near the top of the address width that their processor shows.

**Fix.** Lower the guest's physical address width (QEMU: \`-cpu host,guest-phys-bits=39\` or \`host-phys-bits-limit=39\`), or widen the unit: \`address-width 48\` (QEMU: \`aw-bits=48\`), where the hardware has it.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { iommu: 'interrupt-remapping  coherent  address-width 39  covers rest' })}vm guest on h { memory 1GiB at 0x88_0000_0000  through type1  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }'), { iommu: 'interrupt-remapping  coherent  address-width 48  covers rest' })}vm guest on h { memory 1GiB at 0x88_0000_0000  through type1  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    for (const { run, step } of failedSteps(facts.report)) {
      if (!ADDRESS_WIDTH.explains(step)) continue;
      const host = facts.host(run.host);
      yield {
        subject: step.origin,
        message: `${refusal(step)}: the address is beyond the IOMMU's width.${words(facts, step, host)}`,
        related: (host?.iommus ?? []).map((unit) => ({ subject: unit.id, message: `translates ${widthOf(unit)} bits` })),
        fixes: placeFreely(facts, step),
      };
    }
  },
};
