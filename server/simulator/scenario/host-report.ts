/** What the kernel makes of a host at boot, before anybody binds or owns anything. */
import type { GroupReport, HostReport } from '../report.js';
import { regionLine } from '../kernel/reserved-regions.js';
import type { Group } from '../kernel/core.js';
import type { FormedGroup } from '../kernel/groups.js';
import type { Machine } from './machine.js';

/** To be asked of a machine that has just booted. */
export function hostReport(machine: Machine): HostReport {
  const { host, booted } = machine;
  const { kernel, formed } = booted;
  return {
    host: host.id,
    kernel: { asked: host.kernel.version, profile: kernel.profile.name },
    groups: formed.groups.map((group) => groupReport(group, kernel.groups[group.number]!)),
    ungrouped: formed.ungrouped,
    unknowns: [...formed.unknowns, ...booted.notModelled.map(({ unit, reason }) => ({ subject: unit, text: `${reason}, so groups and domains of the devices behind it are known, but not where their DMA ends.`, affects: devicesBehind(machine, unit) }))],
    messages: [...kernel.log],
  };
}

function groupReport(formed: FormedGroup, group: Group): GroupReport {
  return {
    number: formed.number,
    members: formed.members,
    get why() {
      return formed.why();
    },
    defaultDomain: group.defaultDomain?.type ?? 'unknown',
    reserved: group.reservedRegions().map((region) => ({ range: region.range, type: region.type, line: regionLine(region), subject: region.subject })),
    uncertain: formed.uncertain,
  };
}

const devicesBehind = (machine: Machine, unit: string): string[] =>
  [...machine.booted.formed.units].filter(([, description]) => description.id === unit).map(([device]) => device);
