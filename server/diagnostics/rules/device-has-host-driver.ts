import { type Facts, addressText, driversInTheWay, isVfioDriver, kernelSays, refusal } from '../facts.js';
import { bind } from '../fixes.js';
import { errorText, programSays, usesGroups } from '../program-says.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { FunctionDescription, OwnerDescription, SubjectId } from '../../simulator/description.js';
import type { StepReport } from '../../simulator/report.js';

function bindFixes(facts: Facts, owner: SubjectId, device: SubjectId): Fix[] {
  const host = facts.hostOf(device);
  const fn = facts.fn(device);
  if (host === undefined || fn === undefined) return [];
  const others = driversInTheWay(facts, device).map((each) => each.fn.name);
  const all = [fn.name, ...others];
  const fixes: Fix[] = [{
    title: `Bind ${all.join(', ')} to vfio-pci`,
    preferred: true,
    edits: [bind(owner, all, host.name)],
  }];
  if (others.length > 0) fixes.push({ title: `Bind only ${fn.name} to vfio-pci`, preferred: false, edits: [bind(owner, [fn.name], host.name)] });
  return fixes;
}

/** What people see of a node that is not there (VFG-10). Another device of the group may have made it: then it opens, and a later call is refused. */
const qemuLine = (facts: Facts, owner: OwnerDescription, device: SubjectId, step: StepReport | undefined): string =>
  (usesGroups(owner) && facts.group(device) !== undefined && step?.result === 'ENOENT' ? programSays(owner, { qemu: `Could not open '/dev/vfio/${facts.group(device)!.number}': ${errorText(step.result)}` }) : '');

/** What libvirt does not take from the host itself must have been taken before: it asks for that before it starts QEMU. */
const libvirtLine = ({ address }: FunctionDescription): string => ` libvirt says "Unmanaged PCI device ${addressText(address)} must be manually detached from the host".`;

export const deviceHasHostDriver: DiagnosticRule = {
  code: 'ownership/device-has-host-driver',
  severity: 'error',
  title: 'An assigned device is not bound to a VFIO driver',
  documentation: `A device can be given to a VM or to a user-space program only while a VFIO driver (\`vfio-pci\` or a variant of it) is bound to it: that driver makes \`/dev/vfio/N\` and
\`/dev/vfio/devices/vfioX\`. While the host's own driver has the device, neither node exists for it, and opening one fails with ENOENT ("No such file or directory"). Where another device of its group is
bound already, \`/dev/vfio/N\` is there, and the refusal comes later: see \`ownership/group-not-viable\`.

**Fix.** Bind the device to \`vfio-pci\`, at boot (\`driver_override\`, \`vfio-pci.ids=\`, driverctl) or by the VM manager. Write \`driver_override\`, not \`new_id\`: a second write of the same id to
\`new_id\` fails, scripts that unbind the device first then leave it without driver, and the second start says "Could not open '/dev/vfio/N'". libvirt binds the device itself, unless it is
\`managed='no'\`: then it says "Unmanaged PCI device … must be manually detached from the host". Bind the other functions of its group as well: see \`ownership/group-not-viable\`.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver nvidia }'))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
    good: `${sampleHost(`${onRootPort('function gpu at 01:00.0 { class vga  driver nvidia }')}\nbind gpu to vfio-pci`)}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    const { description } = facts;
    for (const owner of description.owners) {
      for (const entry of owner.assigned) {
        const driver = facts.driverAtStart(entry.device);
        const fn = facts.fn(entry.device);
        if (fn === undefined || isVfioDriver(driver)) continue;
        const step = facts.failureAt(entry.id);
        const state = driver === null ? 'no driver is bound to it' : `the host driver ${driver} has it`;
        yield {
          subject: entry.id,
          message: `${facts.name(entry.device)} cannot be assigned to ${owner.name}: ${state}, not vfio-pci.${step === undefined ? '' : ` ${refusal(step)}.${kernelSays(step)}`}${owner.program === 'libvirt' && driver !== 'pci-stub' ? libvirtLine(fn) : qemuLine(facts, owner, entry.device, step)}`,
          related: [{ subject: entry.device, message: `${addressText(fn.address)} ${driver === null ? 'has no driver' : `is bound to ${driver}`}` }],
          fixes: bindFixes(facts, owner.id, entry.device),
        };
      }
    }
  },
};
