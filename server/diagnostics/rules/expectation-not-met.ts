import { faultSays } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { ActionReport } from '../../simulator/report.js';
import { faultCodeText } from '../../simulator/trace/events.js';

const EXPECTATION = /\s+expect\s+.*$/s;

/** The expectation that would be met, in the language's words; null where nobody knows what really happens. */
function observed(action: Exclude<ActionReport, { kind: 'never' }>): string | null {
  if (action.kind === 'step') return action.result === 'not-modelled' ? null : action.result;
  switch (action.outcome) {
    case 'fault': return action.fault === undefined ? 'fault' : `fault ${faultCodeText(action.fault)}`;
    case 'memory': return action.address === undefined ? 'ok' : `address 0x${action.address.toString(16)}`;
    case 'peer': return 'peer';
    case 'interrupt': return 'interrupt';
    case 'blocked': case 'dropped': return 'blocked';
    case 'not-modelled': return null;
  }
}

export const expectationNotMet: DiagnosticRule = {
  code: 'expectation/not-met',
  severity: 'error',
  title: 'What happens is not what is expected',
  documentation: `\`expect\` states what the kernel or the hardware answers. The simulation answered otherwise.

**Fix.** Either the file or the expectation is wrong; the quick fix writes down what really happens.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}dma nic read 0x1000 size 64 expect ok
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}dma nic read 0x1000 size 64 expect fault
`,
  },
  *check({ report }): Generator<Found> {
    for (const run of report.runs) {
      for (const action of run.actions) {
        if (action.kind === 'never' || action.expectation === undefined || action.expectation.met) continue;
        const { expected, actual } = action.expectation;
        const real = observed(action);
        yield {
          subject: action.id,
          message: `Expected ${expected}, but ${actual}.${action.kind === 'dma' ? faultSays(action) : ''}`,
          related: [],
          fixes: real === null ? [] : [{ title: `Expect ${real}`, preferred: false, edits: [{ kind: 'replace', subject: action.id, text: `${action.text.replace(EXPECTATION, '')} expect ${real}` }] }],
        };
      }
    }
  },
};
