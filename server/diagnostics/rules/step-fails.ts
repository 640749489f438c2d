import { driversInTheWay, failedSteps, isVfioDriver, kernelSays, refusal, type Facts } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import { CAUSES } from '../causes.js';
import { groupsWantedTwice } from './group-shared-by-owners.js';
import { allowsUnprotected } from './iommu-none.js';
import type { SubjectId } from '../../simulator/description.js';
import type { StepReport } from '../../simulator/report.js';

/** The check that refused, as the simulator recorded it. */
function because(step: StepReport): string {
  const text = step.trace.findLast((event) => event.verdict === 'fault' || event.verdict === 'blocked')?.text ?? '';
  return text.replace(`${step.result}: `, '').replace(/\.$/, '');
}

/** Findings of their own say more: the device has its host driver, its group is not viable, its host has no IOMMU or does not use it. */
function isSaidElsewhere(facts: Facts, device: SubjectId): boolean {
  const host = facts.hostOf(device);
  const groupless = facts.group(device) === undefined && host !== undefined && !(host.iommus.length === 0 && allowsUnprotected(host));
  return groupless || !isVfioDriver(facts.driverAtStart(device)) || driversInTheWay(facts, device).length > 0;
}

export const stepFails: DiagnosticRule = {
  code: 'step/fails',
  severity: 'error',
  title: 'A call fails and nothing says that it should',
  documentation: `The kernel refuses the call with the errno that is shown; the message says which of its checks failed, in the order in which the kernel makes them.

**Fix.** Mend the cause, or, when the failure is what you want to show, write \`expect\` and the errno after the step.`,
  example: {
    bad: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}scenario "no group yet" on h {
  open-container c
  set-iommu c type1v2
}
`,
    good: `${sampleHost(onRootPort('function nic at 01:00.0 { class ethernet  driver vfio-pci }'))}scenario "no group yet" on h {
  open-container c
  set-iommu c type1v2 expect EINVAL
}
`,
  },
  *check(facts): Generator<Found> {
    const { report } = facts;
    const wantedTwice = new Set([...groupsWantedTwice(facts)].map(({ entry }) => entry));
    for (const { step } of failedSteps(report)) {
      if (wantedTwice.has(step.origin)) continue;
      if (CAUSES.some((cause) => cause.explains(step))) continue;
      const owner = facts.ownerOf(step);
      const entry = owner?.assigned.find((each) => each.id === step.origin);
      if (entry !== undefined && isSaidElsewhere(facts, entry.device)) continue;
      const reason = because(step);
      yield {
        subject: step.origin,
        message: `${owner === undefined ? '' : `Starting ${owner.name}: `}${refusal(step)}${reason === '' ? '' : `: ${reason}`}.${kernelSays(step)}`,
        related: step.offenders.map((offender) => ({ subject: offender, message: `${facts.name(offender)} is the reason` })),
        fixes: owner !== undefined ? [] : [{ title: `Expect ${step.result}`, preferred: false, edits: [{ kind: 'replace', subject: step.id, text: `${step.text} expect ${step.result}` }] }],
      };
    }
  },
};
