import type { Facts } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { FunctionDescription } from '../../simulator/description.js';

interface Clash {
  readonly fn: FunctionDescription;
  readonly other: FunctionDescription;
  readonly text: string;
}

/** Compares partitions, not numbers: the first function of each recorded and of each simulated group speaks for it. */
function* clashes(facts: Facts, functions: readonly FunctionDescription[]): Generator<Clash> {
  const firstRecorded = new Map<number, FunctionDescription>();
  const firstSimulated = new Map<number, FunctionDescription>();
  for (const fn of functions) {
    const simulated = facts.group(fn.id)?.number;
    if (fn.recordedGroup === undefined || simulated === undefined) continue;
    const recordedWith = firstRecorded.get(fn.recordedGroup);
    const simulatedWith = firstSimulated.get(simulated);
    firstRecorded.set(fn.recordedGroup, recordedWith ?? fn);
    firstSimulated.set(simulated, simulatedWith ?? fn);
    if (recordedWith !== undefined && facts.group(recordedWith.id)?.number !== simulated) {
      yield { fn, other: recordedWith, text: `Recorded in one group with ${facts.name(recordedWith.id)}, but the simulated kernel separates them.` };
    } else if (simulatedWith !== undefined && simulatedWith.recordedGroup !== fn.recordedGroup) {
      yield { fn, other: simulatedWith, text: `Recorded apart from ${facts.name(simulatedWith.id)}, but the simulated kernel puts both into one group.` };
    }
  }
}

export const recordedGroupDiffers: DiagnosticRule = {
  code: 'import/recorded-group-differs',
  severity: 'warning',
  title: 'The recorded groups differ from the simulated ones',
  documentation: `The file records (\`group N\`) which IOMMU group the running host put a function into. The simulated kernel forms another partition from the described facts: a fact is missing or wrong (a capability that was not visible, another kernel version, a quirk),
or the kernel ran with options that the file does not have.

**Fix.** Compare kernel version and command line; import again from a full dump.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  group 1 }\n  function audio at 01:00.1 { class audio  group 2 }'))}`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  group 1 }\n  function audio at 01:00.1 { class audio  group 1 }'))}`,
  },
  *check(facts): Generator<Found> {
    const { description, report } = facts;
    for (const host of description.hosts) {
      if (!report.hosts.some((each) => each.host === host.id && each.groups.length > 0)) continue;
      for (const clash of clashes(facts, host.functions)) {
        yield { subject: clash.fn.id, message: clash.text, related: [{ subject: clash.other.id, message: `recorded in group ${clash.other.recordedGroup}` }], fixes: [] };
      }
    }
  },
};
