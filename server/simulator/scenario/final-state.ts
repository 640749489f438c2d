/** The machine after the last action, as hovers show it: who has which device, which domain maps what. */
import type { DeviceState, DomainState, FinalState } from '../report.js';
import type { Device, Domain, Group } from '../kernel/core.js';
import { managesDma } from '../kernel/drivers.js';
import { MAX_REPORTED_RUNS } from './limits.js';
import type { Machine } from './machine.js';

export function finalState(machine: Machine): FinalState {
  const domains: DomainState[] = [];
  const indices = new Map<Domain, number>();
  const indexOf = (domain: Domain): number => {
    let index = indices.get(domain);
    if (index === undefined) indices.set(domain, (index = domains.push(domainState(domain)) - 1));
    return index;
  };
  const users = usersByGroup(machine);
  const devices = machine.kernel.devices.map((device): DeviceState => ({
    device: device.subject,
    group: device.group?.id ?? null,
    driver: device.driver,
    owner: ownerOf(device, users),
    domain: device.unit === null || !device.group?.domain ? null : indexOf(device.group.domain),
  }));
  return { devices, domains };
}

/** A user that owns the group; else the driver, if it does DMA for the kernel. */
function ownerOf(device: Device, users: ReadonlyMap<Group, string>): string | null {
  const user = device.group === null ? undefined : users.get(device.group);
  if (user !== undefined) return user;
  return device.driver !== null && !managesDma(device.driver) ? device.driver : null;
}

/** Groups that a program has, by the files it holds: an open group without container and an unbound character device own nothing. */
function usersByGroup(machine: Machine): Map<Group, string> {
  const users = new Map<Group, string>();
  for (const [name, { handles }] of machine.programs.all) {
    for (const handle of handles.values()) {
      if (handle.kind !== 'file' || handle.device === undefined || handle.device.group === null) continue;
      const owns = handle.class === 'cdev' ? handle.bound !== undefined : machine.isContained(handle.device);
      if (owns) users.set(handle.device.group, name);
    }
  }
  return users;
}

function domainState(domain: Domain): DomainState {
  if (domain.type === 'identity' || domain.type === 'blocked') {
    return { name: domain.type, type: domain.type, unit: null, aperture: null, mappings: [], total: 0 };
  }
  const { runs, total } = domain.mappings(MAX_REPORTED_RUNS);
  return {
    name: domain.name, type: domain.type, unit: domain.unit.description.id, aperture: domain.aperture, total,
    mappings: runs.map(({ iova, physical, permission, pageSizes, origin }) => ({ iova, physical, ...permission, pageSizes, subject: origin })),
  };
}
