import { addressText, type Facts, isBridge, isVfioDriver } from '../facts.js';
import { bind } from '../fixes.js';
import { hasBrokenFlr, lacksOwnReset } from '../reset.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Fix, Found } from '../rule.js';
import type { FunctionDescription, HostDescription, OwnerDescription, SubjectId } from '../../simulator/description.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { forbidsBusReset } from '../../simulator/kernel/bus-reset-quirks.js';

const MAX_NAMED = 4;

/** All that a reset of the bus of a function resets besides it: its siblings, and what is below them. */
function* resetAlong(topology: Topology, fn: FunctionDescription): Generator<FunctionDescription> {
  const waiting = topology.bus(fn).functions.filter((sibling) => sibling !== fn);
  for (const each of waiting) {
    yield each;
    waiting.push(...topology.children(each));
  }
}

/**
 * What makes VFIO_DEVICE_PCI_HOT_RESET refuse: whatever is not bound to a VFIO driver, or in a group that the owner does not have. Members of
 * its groups with a host driver are left out, because the owner does not start with them.
 */
function inTheWay(facts: Facts, topology: Topology, fn: FunctionDescription, owner: OwnerDescription): FunctionDescription[] {
  const groups = new Set(owner.assigned.map(({ device }) => facts.group(device)?.number));
  return [...resetAlong(topology, fn)].filter((other) => {
    const driver = facts.driverAtStart(other.id);
    if (isBridge(other)) return true;
    return groups.has(facts.group(other.id)?.number) ? driver === null || driver === 'pci-stub' : true;
  });
}

const state = (facts: Facts, fn: FunctionDescription): string => `${facts.name(fn.id)}, ${isBridge(fn) ? 'a bridge' : facts.driverAtStart(fn.id) === null ? 'without driver' : `driver ${facts.driverAtStart(fn.id)}`}`;

/** QEMU's line: with iommufd it names the device, else the group. */
function qemuSays(facts: Facts, fn: FunctionDescription, owner: OwnerDescription, other: FunctionDescription | undefined): string {
  const group = other === undefined ? undefined : facts.group(other.id)?.number;
  const reason = other === undefined ? 'no available reset mechanism.'
    : owner.through === 'iommufd' || group === undefined ? `depends on device ${addressText(other.address)} which is not owned.` : `depends on group ${group} which is not owned.`;
  return `"vfio: Cannot reset device ${addressText(fn.address)}, ${reason}"`;
}

function assignFix(facts: Facts, host: HostDescription, owner: OwnerDescription, others: readonly FunctionDescription[]): Fix[] {
  const taken = new Set(facts.description.owners.flatMap((each) => each.assigned.map(({ device }) => device)));
  if (others.some((other) => isBridge(other) || taken.has(other.id) || facts.group(other.id) === undefined)) return [];
  const names = [...owner.assigned.map(({ device }) => facts.fn(device)?.name ?? device), ...others.map((other) => other.name)];
  const unbound = others.filter((other) => !isVfioDriver(facts.driverAtStart(other.id))).map((other) => other.name);
  const assign = { kind: 'set-property', subject: owner.id, property: 'assign', text: `assign ${names.join(', ')}` } as const;
  return [{ title: `Assign ${others.map((other) => other.name).join(', ')} to ${owner.name} too`, preferred: false, edits: unbound.length === 0 ? [assign] : [assign, bind(owner.id, unbound, host.name)] }];
}

const because = (fn: FunctionDescription): string =>
  (fn.resetMethods === undefined && hasBrokenFlr(fn) ? 'its function level reset hangs it, so that Linux does not use it' : fn.resetMethods === undefined ? 'it has no function level reset' : 'nothing resets it alone (reset_method is empty)');

/** Why Linux does not reset the bus of a function; null when it does. */
function whyNoBusReset(facts: Facts, topology: Topology, fn: FunctionDescription): string | null {
  const bridge = topology.upstream(fn);
  if (bridge === null) return 'a root bus cannot be reset';
  if (forbidsBusReset(fn)) return 'it does not survive a reset of its bus';
  const other = [bridge, ...resetAlong(topology, fn)].find(forbidsBusReset);
  return other === undefined ? null : `${facts.name(other.id)} does not let its bus be reset`;
}

function describe(facts: Facts, host: HostDescription, topology: Topology, fn: FunctionDescription, owner: OwnerDescription): Omit<Found, 'subject'> | null {
  const noBus = whyNoBusReset(facts, topology, fn);
  const hasBus = noBus === null;
  const others = hasBus ? inTheWay(facts, topology, fn, owner) : [];
  if (hasBus && others.length === 0) return null;
  const list = others.slice(0, MAX_NAMED).map((other) => state(facts, other)).join('; ');
  const more = others.length > MAX_NAMED ? ` and ${others.length - MAX_NAMED} more` : '';
  const bus = hasBus ? `a reset of its bus would also reset ${list}${more}, which ${owner.name} does not have: VFIO_DEVICE_PCI_HOT_RESET fails with EINVAL` : `${noBus}: VFIO_DEVICE_PCI_HOT_RESET fails with ENODEV`;
  return {
    message: `${facts.name(fn.id)} cannot be reset: ${because(fn)}, and ${bus}.${owner.kind === 'vm' ? ` QEMU says ${qemuSays(facts, fn, owner, others[0])}.` : ''} The next user finds the device as the last one left it.`,
    related: others.map((other) => ({ subject: other.id, message: 'on the same bus' })),
    fixes: others.length === 0 ? [] : assignFix(facts, host, owner, others),
  };
}

const example = (assigned: string): string => `${sampleHost(`root-port rp at 00:01.0 { acs SV, RR, CR, UF
  function sound at 01:00.0 { class audio  driver vfio-pci  flr no  acs SV, RR, CR, UF }
  function nic at 01:00.1 { class ethernet  driver vfio-pci  acs SV, RR, CR, UF }
}`)}vm guest on h { memory 1GiB  through type1  assign ${assigned} }
`;

export const noReset: DiagnosticRule = {
  code: 'device/no-reset',
  severity: 'warning',
  title: 'Nothing resets the device',
  documentation: `A device has to be reset between two users, and when a VM reboots. The kernel tries, in this order: what it knows of the device, ACPI, function level reset (\`FLReset+\` in \`lspci -vv\`), PM (D3hot and back, unless \`NoSoftRst+\`), and a reset of the bus
when the device is alone on it. \`/sys/bus/pci/devices/…/reset_method\` lists what is left.

A device that shares its bus can be reset together with all that is there: \`VFIO_DEVICE_PCI_HOT_RESET\`. That works only when every one of them is bound to a VFIO driver and in a group of the caller; else it fails with EINVAL, and on a root bus, or where Linux knows that a device on the bus (or the bridge above) does not come back from it, with ENODEV. QEMU says "vfio: Cannot reset device
0000:01:00.0, depends on group 14 which is not owned." or "no available reset mechanism". The VM starts all the same, with the device in the state in which the last user left it: guests whose driver does not expect that hang, and secrets stay in its memory.

The finding is made where the file says \`flr no\` or \`reset-method none\`, and for devices whose function level reset Linux avoids because it hangs them.

**Fix.** Give the other functions to the same owner, put the card where it is alone on its bus, or write down which other way there is: \`reset-method pm\`.`,
  example: { bad: example('sound'), good: example('sound, nic') },
  *check(facts): Generator<Found> {
    const topologies = new Map<SubjectId, Topology>();
    const said = new Set<string>();
    for (const owner of facts.description.owners) {
      const host = facts.host(owner.host);
      for (const { id, device } of owner.assigned) {
        const fn = facts.fn(device);
        if (host === undefined || fn === undefined || facts.hostOf(device) !== host || !lacksOwnReset(fn)) continue;
        let topology = topologies.get(host.id);
        if (topology === undefined) topologies.set(host.id, (topology = new Topology(host)));
        const key = `${owner.id} ${fn.upstream ?? fn.id}`;
        const found = said.has(key) ? null : describe(facts, host, topology, fn, owner);
        if (found === null) continue;
        said.add(key);
        yield { subject: id, ...found };
      }
    }
  },
};
