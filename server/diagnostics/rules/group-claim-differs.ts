import { type Facts, isBridge } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { SubjectId } from '../../simulator/description.js';

/** Ports may be in the group without being claimed: they come with what is below them. */
function isPort(facts: Facts, device: SubjectId): boolean {
  const fn = facts.fn(device);
  return fn !== undefined && isBridge(fn);
}

export const groupClaimDiffers: DiagnosticRule = {
  code: 'group/claim-differs',
  severity: 'error',
  title: 'The kernel forms another group than the file claims',
  documentation: `\`group NAME { … }\` claims which functions share an IOMMU group. The kernel decides by requester-ID aliases, by ACS on every port up to the root, and by the multi-function rule; hover a device to read its chain of reasons.

**Fix.** Correct the claim, or change what the reasons name (a slot behind a port with ACS, a kernel that knows the quirk).`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'))}group alone { gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'))}group both { gpu, audio }
`,
  },
  *check(facts): Generator<Found> {
    const { description } = facts;
    for (const claim of description.groupClaims) {
      const first = claim.members[0];
      const group = first === undefined ? undefined : facts.group(first.device);
      if (first === undefined) continue;
      if (group === undefined) {
        yield { subject: claim.id, message: `${facts.name(first.device)} has no IOMMU group at all.`, related: [], fixes: [] };
        continue;
      }
      const claimed = new Set<SubjectId>(claim.members.map((member) => member.device));
      const real = group.members.filter((member) => claimed.has(member) || !isPort(facts, member));
      const missing = real.filter((member) => !claimed.has(member));
      const extra = claim.members.filter((member) => !group.members.includes(member.device));
      if (missing.length === 0 && extra.length === 0) continue;
      const parts = [
        ...(missing.length > 0 ? [`${missing.map((each) => facts.name(each)).join(', ')} ${missing.length === 1 ? 'is' : 'are'} in it too`] : []),
        ...(extra.length > 0 ? [`${extra.map((each) => facts.name(each.device)).join(', ')} ${extra.length === 1 ? 'is' : 'are'} in another group`] : []),
      ];
      const reasons = group.why.filter((why) => missing.includes(why.device)).flatMap((why) => why.reasons.map((reason) => ({ subject: reason.subject ?? why.device, message: reason.text })));
      yield {
        subject: claim.id,
        message: `The kernel forms another group than ${claim.name} claims: ${parts.join('; ')}.`,
        related: reasons,
        fixes: [{ title: 'Claim the group that the kernel forms', preferred: true, edits: [{ kind: 'replace', subject: claim.id, text: `group ${claim.name} { ${real.map((each) => facts.fn(each)?.name ?? each).join(', ')} }` }] }],
      };
    }
  },
};
