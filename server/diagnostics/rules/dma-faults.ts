import { faultSays } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const dmaFaults: DiagnosticRule = {
  code: 'dma/faults',
  severity: 'warning',
  title: 'The DMA faults and nothing says that it should',
  documentation: `The IOMMU refuses the request; the device sees an abort (reads) or nothing at all (writes), and the kernel logs the line that is shown. The trace view shows the walk up to the entry that refuses.

**Fix.** Map the address for the device (in the domain that it is attached to), or write \`expect fault\`.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}dma nic read 0x1000 size 64
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}dma nic read 0x1000 size 64 expect fault
`,
  },
  *check({ report }): Generator<Found> {
    for (const run of report.runs) {
      for (const action of run.actions) {
        if (action.kind !== 'dma' || action.expectation !== undefined || (action.outcome !== 'fault' && action.outcome !== 'blocked')) continue;
        yield {
          subject: action.id,
          message: `${action.trace.findLast((event) => event.verdict === 'fault' || event.verdict === 'blocked')?.text ?? 'The request is refused'}.${faultSays(action)}`,
          related: [],
          fixes: [{ title: 'Expect the fault', preferred: false, edits: [{ kind: 'replace', subject: action.id, text: `${action.text} expect ${action.outcome === 'fault' ? 'fault' : 'blocked'}` }] }],
        };
      }
    }
  },
};
