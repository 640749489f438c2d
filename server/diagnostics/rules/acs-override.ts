import { neighbourhood, previewText } from '../../analysis/what-if.js';
import { hasOverride, withoutOverride } from '../../analysis/what-if-changes.js';
import { peerProof, type PeerProof } from '../../analysis/what-if-proof.js';
import { type Facts, isBridge, kernelStatement } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { HostDescription, SubjectId } from '../../simulator/description.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { parseCommandLine } from '../../simulator/kernel/command-line.js';
import { formGroups } from '../../simulator/kernel/groups.js';
import { profileFor } from '../../simulator/kernel/profile.js';

/** Split groups in which a way past the IOMMU is looked for. */
const MAX_PROOFS = 3;

/** Groups of the hardware that the override splits. */
function splitGroups(facts: Facts, real: HostDescription, topology: Topology): (readonly SubjectId[])[] {
  const { groups } = formGroups(real, topology, profileFor(real.kernel.version), parseCommandLine(real.kernel.commandLine));
  return groups.map(({ members }) => members).filter((members) => new Set(members.map((member) => facts.group(member)?.number)).size > 1);
}

/** One DMA between two devices of a group that are apart on paper. */
function proofIn(facts: Facts, host: HostDescription, topology: Topology, members: readonly SubjectId[]): PeerProof | null {
  const part = neighbourhood(host, topology, members.flatMap((member) => topology.byId(member) ?? []));
  const devices = members.filter((member) => {
    const fn = facts.fn(member);
    return fn !== undefined && !isBridge(fn);
  });
  const [first] = devices;
  const other = devices.find((device) => facts.group(device)?.number !== facts.group(first!)?.number);
  return first === undefined || other === undefined ? null : peerProof(part, first, other) ?? peerProof(part, other, first);
}

function proofText(facts: Facts, { device, peer, assumptions }: PeerProof): string {
  const condition = assumptions.length === 0 ? '' : ` (assuming that ${assumptions.join(', and that ')})`;
  return ` ${facts.name(device)} writes to ${facts.name(peer)} without meeting an IOMMU${condition}.`;
}

export const acsOverride: DiagnosticRule = {
  code: 'group/acs-override',
  severity: 'warning',
  title: 'Groups are split by the ACS override, not by hardware',
  documentation: `\`pcie_acs_override=\` (a patch that was never merged) makes the kernel believe that ports and functions without an ACS capability isolate. The groups look small, but nothing stops a device from reaching its neighbours directly,
past the IOMMU: a guest that owns one of them can attack the other.

The message shows the groups that the hardware gives, and a DMA that crosses the split; its hops are listed with the finding.

**Fix.** Remove the option and look at the real groups; move the device behind a port that has ACS (\`iommu what-if FILE --apart A,B\` says which).`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'), { kernel: '6.12 cmdline "intel_iommu=on pcie_acs_override=downstream,multifunction"' })}`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }\n  function audio at 01:00.1 { class audio  driver snd_hda_intel }'))}`,
  },
  *check(facts): Generator<Found> {
    for (const host of facts.description.hosts) {
      if (!hasOverride(host)) continue;
      const real = withoutOverride(host);
      const topology = new Topology(real);
      const split = splitGroups(facts, real, topology);
      const proof = split.slice(0, MAX_PROOFS).map((members) => proofIn(facts, real, topology, members)).find((each) => each !== null) ?? null;
      const preview = previewText(host, split);
      yield {
        subject: host.kernel.id,
        message: `pcie_acs_override= splits groups on paper only: peer-to-peer DMA between the devices still bypasses the IOMMU. This is not isolation.${preview === '' ? '' : ` Without it the groups are ${preview}.`}${proof === null ? '' : proofText(facts, proof)}`,
        related: (proof?.trace ?? []).flatMap((event) => (event.subject === undefined ? [] : [{ subject: event.subject, message: event.text }])),
        fixes: [{ title: 'Remove the ACS override', preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement(real.kernel) }] }],
      };
    }
  },
};
