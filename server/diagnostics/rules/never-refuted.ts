import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const neverRefuted: DiagnosticRule = {
  code: 'property/refuted',
  severity: 'error',
  title: 'A `never` property does not hold',
  documentation: `\`never A reaches B\` claims that no DMA of A can arrive at B. The simulator found one that does; the message names it, and the trace shows its path.

**Fix.** Close the way: detach or unmap, give the port its ACS controls, or move the device to another slot.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver e1000e }'), { kernel: '6.12 cmdline "intel_iommu=on iommu=pt"' })}never nic reaches memory of host
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver e1000e }'))}never nic reaches memory of host
`,
  },
  *check({ report }): Generator<Found> {
    for (const run of report.runs) {
      for (const action of run.actions) {
        if (action.kind !== 'never' || action.holds) continue;
        yield { subject: action.id, message: `This does not hold: ${action.why}`, related: [], fixes: [] };
      }
    }
  },
};
