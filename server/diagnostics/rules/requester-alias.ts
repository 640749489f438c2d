import { type Facts, isVfioDriver } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { FunctionDescription, HostDescription, SubjectId } from '../../simulator/description.js';
import { requesterId, requesterIdText } from '../../simulator/fabric/pci-address.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { KernelAliases } from '../../simulator/kernel/alias-quirks.js';

const MAX_IDS = 4;

function* aliased(facts: Facts, host: HostDescription, wanted: readonly FunctionDescription[]): Generator<Found> {
  const topology = new Topology(host);
  const aliases = new KernelAliases(topology);
  for (const fn of wanted) {
    const devfns = aliases.devfns(fn);
    if (devfns.length === 0) continue;
    const own = topology.bus(fn).functions.filter((other) => other !== fn && facts.group(other.id) !== undefined && facts.group(other.id) === facts.group(fn.id));
    const ids = devfns.map((devfn) => requesterIdText(requesterId(fn.address.bus, devfn)));
    const shown = ids.length > MAX_IDS ? `any of ${ids.length} requester IDs of its bus` : ids.join(', ');
    const known = aliases.message(fn) === null ? 'The file says so (alias); a kernel that does not know it lets these requests fault' : 'Linux knows this device by its id and programs the IOMMU for these requester IDs too; where somebody does not know it, these requests fault';
    yield {
      subject: fn.id,
      message: `DMA of ${facts.name(fn.id)} also arrives as ${shown}. ${known} ("Present bit in context entry is clear", reason 0x02).${own.length === 0 ? '' : ` ${own.map((other) => facts.name(other.id)).join(', ')} ${own.length === 1 ? 'shares' : 'share'} its group.`}`,
      related: own.map((other) => ({ subject: other.id, message: 'in the same group' })),
      fixes: [],
    };
  }
}

/** Functions that somebody owns or is to own. */
function wantedOf(facts: Facts, host: HostDescription, assigned: ReadonlySet<SubjectId>): FunctionDescription[] {
  return host.functions.filter((fn) => assigned.has(fn.id) || isVfioDriver(facts.driverAtStart(fn.id)));
}

const example = (id: string): string => `${sampleHost(onRootPort(`function sata at 01:00.0 { id ${id}  class ahci  driver vfio-pci }`))}vm guest on h { memory 1GiB  through iommufd  assign sata }
`;

export const requesterAlias: DiagnosticRule = {
  code: 'group/requester-alias',
  severity: 'information',
  title: 'The device uses requester IDs that are not its own',
  documentation: `Some devices send DMA under the requester ID of another function: Marvell 88SE91xx controllers as function 1 that does not exist, Ricoh and Glenfly functions as function 0, non-transparent bridges as whoever asked them. An IOMMU looks translations up by requester ID and
finds nothing there: \`DMAR: [DMA Write] Request device [03:00.1] … [fault reason 0x02] Present bit in context entry is clear\`.

Linux has a table of such devices and programs each requester ID. A function that stands at such an ID shares the group, whatever ACS says.

**Fix.** None is needed for a device that Linux knows. For another one, \`alias 01.1\` in its braces describes what it does; a kernel needs a quirk for it.`,
  example: { bad: example('1b4b:9230'), good: example('1b21:0612') },
  *check(facts): Generator<Found> {
    const assigned = new Set(facts.description.owners.flatMap((owner) => owner.assigned.map(({ device }) => device)));
    for (const host of facts.description.hosts) {
      const wanted = wantedOf(facts, host, assigned);
      if (wanted.length > 0) yield* aliased(facts, host, wanted);
    }
  },
};
