import { editedWords } from '../../analysis/what-if-changes.js';
import { type Facts, isVfioDriver, kernelStatement } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Edit, Found } from '../rule.js';
import type { FunctionDescription, HostDescription, SubjectId } from '../../simulator/description.js';

const OPTION = 'vfio-pci.ids=';

/** The ids on the command line, as they are written. */
const idsOf = (commandLine: string): string[] => commandLine.split(/\s+/).flatMap((word) => (word.startsWith(OPTION) ? word.slice(OPTION.length).split(',') : [])).filter((id) => id !== '');

/** `vendor:device[:subvendor:subdevice[:class[:mask]]]`, hexadecimal; ffffffff in the middle is "any". */
function matches(entry: string, { ids, classCode }: FunctionDescription): boolean {
  const [vendor = NaN, device = NaN, subVendor = ANY, subDevice = ANY, wanted = 0, mask = wanted === 0 ? 0 : ANY] = entry.split(':').map((part) => Number.parseInt(part, 16));
  if (ids === undefined || ids.vendor !== vendor || ids.device !== device) return false;
  const fits = (asked: number, own: number | undefined): boolean => asked === ANY || asked === own;
  return fits(subVendor, ids.subsystemVendor) && fits(subDevice, ids.subsystemDevice) && (((classCode ?? 0) ^ wanted) & mask) === 0;
}

const ANY = 0xffff_ffff;

/** The option without this id, and the devices that somebody wants bound by name. */
function repair(host: HostDescription, entry: string, kept: readonly FunctionDescription[]): Edit[] {
  const commandLine = editedWords(host.kernel.commandLine, (word) => {
    if (!word.startsWith(OPTION)) return word;
    const rest = word.slice(OPTION.length).split(',').filter((each) => each !== entry);
    return rest.length === 0 ? null : `${OPTION}${rest.join(',')}`;
  });
  const kernel: Edit = { kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement({ ...host.kernel, commandLine }) };
  return kept.length === 0 ? [kernel] : [kernel, { kind: 'insert-inside', subject: host.id, text: `bind ${kept.map((fn) => fn.name).join(', ')} to vfio-pci` }];
}

function* severalFor(facts: Facts, host: HostDescription, assigned: ReadonlySet<SubjectId>): Generator<Found> {
  for (const entry of new Set(idsOf(host.kernel.commandLine))) {
    const matching = host.functions.filter((fn) => fn.virtualFunction === undefined && matches(entry, fn));
    const unwanted = matching.filter((fn) => !assigned.has(fn.id));
    if (matching.length < 2 || unwanted.length === 0) continue;
    const kept = matching.filter((fn) => assigned.has(fn.id));
    const bound = kept.filter((fn) => !isVfioDriver(facts.driverAtStart(fn.id)));
    yield {
      subject: host.kernel.id,
      message: `vfio-pci.ids=${entry} takes every device with that id: ${matching.map((fn) => facts.name(fn.id)).join(', ')}. ${unwanted.map((fn) => fn.name).join(', ')} ${unwanted.length === 1 ? 'is' : 'are'} assigned to nobody and ${unwanted.length === 1 ? 'is' : 'are'} lost to the host all the same.`,
      related: matching.map((fn) => ({ subject: fn.id, message: `has the id ${entry}` })),
      fixes: [{ title: kept.length === 0 ? `Remove ${entry} from vfio-pci.ids=` : `Bind ${kept.map((fn) => fn.name).join(', ')} by name instead of by id`, preferred: true, edits: repair(host, entry, bound) }],
    };
  }
}

const example = (kernel: string, second: string): string => `${sampleHost(`root-port slot1 at 00:01.0 { acs SV, RR, CR, UF
  function gpu at 01:00.0 { id 10de:2484  class vga  driver vfio-pci }
}
root-port slot2 at 00:02.0 { acs SV, RR, CR, UF
  function gpu2 at 02:00.0 { id 10de:${second}  class vga  driver nvidia }
}`, { kernel })}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`;

export const idsMatchSeveral: DiagnosticRule = {
  code: 'driver/ids-match-several',
  severity: 'warning',
  title: 'vfio-pci.ids= on the command line takes more devices than are assigned',
  documentation: `\`vfio-pci.ids=VENDOR:DEVICE\` names a kind of device, not a device. Of two identical cards both are bound to vfio-pci at boot, also the one that the host needs for its screen or its disks.

**Fix.** Bind the one device by its address: \`driverctl set-override 0000:01:00.0 vfio-pci\`, or \`driver_override\` in sysfs before its driver loads. In the file that is \`bind gpu to vfio-pci\`. Cards of one kind whose subsystem ids differ can be told
apart by \`vfio-pci.ids=VENDOR:DEVICE:SUBVENDOR:SUBDEVICE\`.`,
  example: {
    bad: example('6.12 cmdline "intel_iommu=on vfio-pci.ids=10de:2484"', '2484'),
    good: example('6.12 cmdline "intel_iommu=on vfio-pci.ids=10de:2484"', '2204'),
  },
  *check(facts): Generator<Found> {
    const assigned = new Set(facts.description.owners.flatMap((owner) => owner.assigned.map(({ device }) => device)));
    for (const host of facts.description.hosts) yield* severalFor(facts, host, assigned);
  },
};
