/**
 * The machine as a graph between two actions: what programs hold, which driver, group and domain stand behind it, and how
 * these are linked (SRC-10). It only looks; equal machines give equal graphs.
 */
import type { Device, Group } from '../kernel/core.js';
import type { ObjectGraph } from '../object-graph.js';
import { isVfioDriver } from '../kernel/drivers.js';
import { IommufdContext } from '../uapi/iommufd/context.js';
import { VfioGroup } from '../uapi/vfio/registry.js';
import { GraphBuilder } from './graph-builder.js';
import type { Machine } from './machine.js';
import { drawIommufds } from './object-graph-iommufd.js';
import { drawPrograms } from './object-graph-vfio.js';
import { deviceId, groupId, iommufdId, programId, vfioGroupId } from './object-ids.js';

/** Devices that are shown when nobody uses any; a host may have hundreds. */
const MAX_IDLE_DEVICES = 32;

export function objectGraph(machine: Machine): ObjectGraph {
  const graph = new GraphBuilder();
  const devices = devicesOfInterest(machine);
  drawPrograms(graph, machine);
  drawIommufds(graph, machine);
  for (const device of devices) drawDevice(graph, machine, device);
  for (const group of new Set(devices.map((device) => device.group))) if (group !== null) drawGroup(graph, machine, group);
  drawKernelDomains(graph, machine);
  return graph.build();
}

/**
 * Devices that VFIO has, that somebody attached to a domain or that map something, with everybody else of their groups,
 * mediated devices, and their parents. Where there is none, the first functions of the host.
 */
function devicesOfInterest({ kernel, vfio }: Machine): readonly Device[] {
  const chosen = new Set<Device>();
  const add = (device: Device): void => {
    for (const member of device.group?.devices ?? [device]) chosen.add(member);
    chosen.add(device);
    if (device.kind === 'mdev') add(device.parent);
  };
  const registered = new Set(vfio.registry.registered().map(({ device }) => device));
  const { devices } = kernel;
  for (const device of devices) if (registered.has(device) || device.kind === 'mdev' || isVfioDriver(device.driver) || isInUse(device)) add(device);
  if (chosen.size === 0) for (const device of devices.filter(({ group }) => group !== null).slice(0, MAX_IDLE_DEVICES)) chosen.add(device);
  return devices.filter((device) => chosen.has(device));
}

function isInUse({ group }: Device): boolean {
  if (group === null) return false;
  const { domain } = group;
  return group.owner !== null || domain !== group.defaultDomain || group.pasids.size > 0 || (domain !== null && 'mappings' in domain && domain.mappings(0).total > 0);
}

// ------------------------------------------------------------------------------------------------ devices

function drawDevice(graph: GraphBuilder, machine: Machine, device: Device): void {
  const name = device.description.name;
  const id = graph.node({ id: deviceId(device), kind: device.kind === 'mdev' ? 'mdev' : 'device', label: name, subject: device.subject, facts: deviceFacts(device) });
  if (device.driver !== null || device.kind === 'mdev') {
    const driver = device.kind === 'mdev' ? mediatingDriver(device) : device.driver!;
    const node = graph.node({ id: `driver:${driver}`, kind: 'driver', label: driver, facts: isVfioDriver(driver) ? [['DMA', 'left to its user (OWN-10)']] : [] });
    graph.link(node, id, device.kind === 'mdev' ? 'mediates' : 'bound to');
  }
  if (device.kind === 'mdev') graph.link(id, deviceId(device.parent), 'part of');
  // MDV-05, VFG-25: a group that was made for VFIO's interface and says nothing of hardware.
  if (device.group !== null) graph.link(id, groupId(device.group), 'member of', isMadeUp(device.group));
  const held = machine.vfio.registry.deviceOf(device)?.mediating?.heldPages ?? 0;
  const group = machine.vfio.registry.groupOf(device);
  if (held > 0 && group?.container != null) graph.link(id, vfioGroupId(group), `pins ${held} ${held === 1 ? 'page' : 'pages'}`);
}

function deviceFacts(device: Device): [string, string][] {
  if (device.kind === 'mdev') return [['kind', device.description.kind], ['IOMMU', 'none of its own']];
  return [['address', device.name], ['IOMMU', device.unit?.description.name ?? 'none'], ['bus master', device.busMaster ? 'on' : 'off']];
}

/** The vendor's driver has the parent; where nobody says so, it goes by the mediated device's own. */
const mediatingDriver = (device: Device & { readonly kind: 'mdev' }): string => device.parent.driver ?? device.driver ?? 'vendor driver';

// ------------------------------------------------------------------------------------------------ groups

/** It stands for no isolation by hardware: made for one mediated device, or for one without IOMMU. */
const isMadeUp = (group: Group): boolean => group.devices.every((device) => device.kind === 'mdev' || device.unit === null);

function drawGroup(graph: GraphBuilder, machine: Machine, group: Group): void {
  const madeUp = isMadeUp(group);
  const id = graph.node({
    id: groupId(group), kind: 'group', label: `group ${group.id}`,
    facts: madeUp ? [['made for', 'a file in /dev/vfio; no IOMMU isolates it']] : [['default domain', group.defaultDomain?.type ?? 'none'], ['users', `${group.ownerCount}`]],
  });
  if (group.domain !== null) graph.link(id, graph.domain(group.domain), 'translates through');
  for (const { pasid, domain } of group.pasids.entries()) graph.link(id, graph.domain(domain), `PASID ${pasid} translates through`);
  const owner = ownerId(machine, group.owner);
  if (owner !== null) graph.link(id, owner, 'owned by');
}

/** DMA owners are a VFIO group, an iommufd, or a program that claimed (OWN-04, OWN-05). */
function ownerId({ programs }: Machine, owner: object | null): string | null {
  if (owner instanceof VfioGroup) return vfioGroupId(owner);
  if (owner instanceof IommufdContext) return iommufdId(owner);
  for (const [name, program] of programs.all) if (program === owner) return programId(name);
  return null;
}

/** Domains that drivers inside the kernel allocated, whether anything is attached to them or not. */
function drawKernelDomains(graph: GraphBuilder, { kernelDomains }: Machine): void {
  for (const [key, domain] of kernelDomains) {
    const [program = '', ...name] = key.split(' ');
    graph.link(graph.node({ id: programId(program), kind: 'program', label: program, facts: [] }), graph.domain(domain), `allocated ${name.join(' ')}`);
  }
}
