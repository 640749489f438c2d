import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';

/** Names listed before "and N more". */
const MANY = 4;

export const unknownCapability: DiagnosticRule = {
  code: 'import/unknown-capability',
  severity: 'information',
  title: 'A fact is unknown and something depends on it',
  documentation: `The file says that a capability is unknown (an import could not see it, for lack of root or of a full dump). The simulator does not guess silently: it says what it assumed and which devices depend on that.

**Fix.** Run \`lspci -vvv\` as root on the machine and import again, or write the capability down.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet }', 'unknown'))}`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet }'))}`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    for (const host of report.hosts) {
      for (const unknown of host.unknowns) {
        const names = unknown.affects.slice(0, MANY).map((each) => facts.name(each)).join(', ');
        const more = unknown.affects.length > MANY ? ` and ${unknown.affects.length - MANY} more` : '';
        yield { subject: unknown.subject, message: `${unknown.text}${names === '' ? '' : ` The group of ${names}${more} depends on it.`}`, related: [], fixes: [] };
      }
    }
  },
};
