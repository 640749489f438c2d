import type { HostDescription } from '../../simulator/description.js';
import { profileFor } from '../../simulator/kernel/profile.js';
import { hex } from '../../simulator/memory/address.js';
import { kernelStatementWith, type Facts } from '../facts.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { RunReport } from '../../simulator/report.js';

const LAZY_WORDS = /^iommu\.strict=/;

const EXAMPLE = (commandLine: string, expected: string): string => `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver e1000e }'), { kernel: `6.12 cmdline "${commandLine}"` })}scenario "a packet after its buffer was given back" on h {
  dma-map nic size 4KiB rw
  dma nic write 0xffff_f000 size 64
  dma-unmap nic
  dma nic write 0xffff_f000 size 64${expected}
}
`;

export const dmaStaleTranslation: DiagnosticRule = {
  code: 'dma/stale-translation',
  severity: 'warning',
  title: 'The DMA succeeds through a mapping that is already gone',
  documentation: `With lazy invalidation (domain type \`DMA-FQ\`, the default on x86) \`dma_unmap\` clears the page-table entry at once but tells the IOTLB later: when 255 ranges wait, or after 10 ms. Until then a device that used the page before still reaches the memory, which the driver may have given to somebody else. A device or firmware that misbehaves can read or change foreign memory in this window. VFIO and iommufd always invalidate before an unmap returns.

**Fix.** \`iommu.strict=1\` on the kernel command line (before 5.15: \`intel_iommu=strict\`, \`amd_iommu=fullflush\`) invalidates on every unmap, which costs throughput. Devices below an external-facing port are treated strictly anyway. To close the window in a scenario, let the timer fire: \`wait 10 ms\`. If the window is what you want to show, write \`expect ok\`.`,
  example: {
    bad: EXAMPLE('intel_iommu=on', ''),
    good: EXAMPLE('intel_iommu=on iommu.strict=1', ' expect fault'),
  },
  *check(facts): Generator<Found> {
    for (const run of facts.report.runs) {
      for (const action of run.actions) {
        if (action.kind !== 'dma' || action.stale === undefined || action.expectation?.met === true) continue;
        yield {
          subject: action.id,
          message: `${facts.name(action.device)} reaches ${action.address === undefined ? 'memory' : hex(action.address)} although nothing maps ${hex(action.stale.start)} .. ${hex(action.stale.last)} to it any more: the IOTLB has the old entry and nothing has invalidated it yet.`,
          related: [],
          fixes: strictFix(facts, run),
        };
      }
    }
  },
};

/** The host's command line, unless the scenario has one of its own. */
function strictFix({ description }: Facts, run: RunReport): Fix[] {
  const host = description.hosts.find((each) => each.id === run.host);
  const scenario = description.scenarios.find((each) => each.id === run.subject);
  if (host === undefined || scenario?.commandLine !== undefined || scenario?.kernelVersion !== undefined) return [];
  const word = strictWord(host);
  const commandLine = host.kernel.commandLine.split(' ').filter((each) => !LAZY_WORDS.test(each)).join(' ');
  const text = kernelStatementWith({ ...host.kernel, commandLine }, word);
  return [{ title: `Invalidate on every unmap: ${word}`, preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text }] }];
}

/** DOM-02, DOM-04 */
function strictWord(host: HostDescription): string {
  if (profileFor(host.kernel.version).lazyType) return 'iommu.strict=1';
  return host.iommus.some((unit) => unit.architecture === 'vtd') ? 'intel_iommu=strict' : 'amd_iommu=fullflush';
}
