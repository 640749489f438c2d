import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

export const runStopped: DiagnosticRule = {
  code: 'limits/run-stopped',
  severity: 'warning',
  title: 'The simulation of a run was stopped',
  documentation: `A run has bounds (number of steps, simulated memory, bytes of one DMA) so that no file can hang the editor. This one hit a bound; what came before it is shown, the rest was not simulated.

**Fix.** Make the numbers smaller, or use larger pages.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}scenario "absurd" on h {
  dma nic read 0 size 0x4000_0000_0000_0000
}
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}scenario "sane" on h {
  dma nic read 0 size 64 expect fault
}
`,
  },
  *check({ report }): Generator<Found> {
    for (const run of report.runs) {
      if (run.stopped !== undefined) yield { subject: run.actions.at(-1)?.id ?? run.subject, message: `The simulation stopped here: ${run.stopped}`, related: [], fixes: [] };
    }
  },
};
