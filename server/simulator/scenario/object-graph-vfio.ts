/** Programs, the files that they hold, and VFIO's own containers and groups, as an object graph. */
import type { Device } from '../kernel/core.js';
import { sizeWord } from '../memory/sizes.js';
import { CdevFile, IommufdFile } from '../uapi/iommufd/index.js';
import type { OpenFile, Process } from '../uapi/process.js';
import { DeviceFile, GroupFile, Type1, VfioContainer, type VfioGroup } from '../uapi/vfio/index.js';
import { AuxAttachment, ParentAttachment } from '../uapi/vfio/type1/attachment.js';
import type { Type1State } from '../uapi/vfio/type1/state.js';
import { GraphBuilder, listMappings, mappingText } from './graph-builder.js';
import type { Machine } from './machine.js';
import { drawIommufd } from './object-graph-iommufd.js';
import { containerId, deviceId, groupId, programId, vfioGroupId } from './object-ids.js';
import type { Program } from './processes.js';

/** Programs with at least one file of VFIO or iommufd open, or that locked memory; groups of VFIO and their containers. */
export function drawPrograms(graph: GraphBuilder, machine: Machine): void {
  for (const [name, program] of machine.programs.all) drawProgram(graph, machine, name, program);
  for (const { group } of machine.vfio.registry.registered()) drawGroupNode(graph, machine, group);
}

function drawProgram(graph: GraphBuilder, machine: Machine, name: string, { process, handles }: Program): void {
  const id = graph.node({ id: programId(name), kind: 'program', label: name, facts: programFacts(process) });
  const nameOfFile = new Map([...handles].flatMap(([handle, held]) => (held.kind === 'file' ? [[held.fd, handle] as const] : [])));
  for (const [fd, file] of process.files) {
    const node = drawFile(graph, machine, file, `file:${name}:${fd}`, nameOfFile.get(fd) ?? `fd ${fd}`);
    if (node !== null) graph.link(id, node, 'holds');
  }
}

function programFacts(process: Process): [string, string][] {
  const limit = process.memlock === null ? 'no limit' : sizeWord(process.memlock);
  return [['locked memory', `${process.lockedPages} pages of ${limit}`], ...(process.pinnedPages > 0 ? [['pinned', `${process.pinnedPages} pages`] as [string, string]] : [])];
}

/** @returns the node, null for a file that is none of VFIO's or iommufd's */
function drawFile(graph: GraphBuilder, machine: Machine, file: OpenFile, id: string, name: string): string | null {
  if (file instanceof VfioContainer) return drawContainer(graph, machine, file);
  if (file instanceof IommufdFile) return drawIommufd(graph, machine, file.context);
  if (file instanceof GroupFile) return drawGroupNode(graph, machine, file.group);
  if (file instanceof DeviceFile) return drawDeviceFile(graph, file.vfioDevice.device, id, name, 'its group (VFG-16)');
  if (file instanceof CdevFile) {
    const node = drawDeviceFile(graph, file.registered.device, id, name, 'its character device (CDV-01)');
    if (file.object !== null) graph.link(node, drawIommufd(graph, machine, file.object.context), `bound as object ${file.object.id}`);
    return node;
  }
  return null;
}

function drawDeviceFile(graph: GraphBuilder, device: Device, id: string, name: string, through: string): string {
  const node = graph.node({ id, kind: 'device-file', label: `${name} (${device.description.name})`, subject: device.subject, facts: [['opened through', through]] });
  graph.link(node, deviceId(device), 'opens');
  return node;
}

// ------------------------------------------------------------------------------------------------ groups and containers

/** `/dev/vfio/N` while it is open or in a container. */
function drawGroupNode(graph: GraphBuilder, machine: Machine, group: VfioGroup): string {
  const id = vfioGroupId(group);
  if (graph.has(id) || (!group.opened && group.container === null)) return id;
  graph.node({ id, kind: 'vfio-group', label: `/dev/vfio/${group.nodeName}`, facts: [['registered as', group.kind], ['container users', `${group.users}`]] });
  graph.link(id, groupId(group.iommuGroup), 'stands for');
  if (group.container instanceof VfioContainer) graph.link(id, drawContainer(graph, machine, group.container), 'member of');
  else if (group.container instanceof IommufdFile) graph.link(id, drawIommufd(graph, machine, group.container.context), 'linked to');
  return id;
}

function drawContainer(graph: GraphBuilder, machine: Machine, container: VfioContainer): string {
  const id = containerId(container);
  if (graph.has(id)) return id;
  const { backend } = container;
  const state = backend instanceof Type1 ? backend.state : null;
  graph.node({
    id, kind: 'container', label: container.name, facts: state === null ? [['back end', backend === null ? 'none yet' : 'no IOMMU']] : type1Facts(state),
    ...(state === null ? {} : { mappings: listMappings(state.mappings.entries(), (value) => mappingText(value.range, value.permission, `${value.process.name}${value.iommuMapped ? '' : ', recorded only'}`)) }),
  });
  if (state !== null) drawType1(graph, machine, id, state);
  return id;
}

function type1Facts(state: Type1State): [string, string][] {
  let locked = 0;
  for (const value of state.mappings.entries()) locked += value.lockedPages;
  return [['back end', `type1${state.version === 2 ? 'v2' : ''}${state.nesting ? ', nesting' : ''}`], ['domains', `${state.domains.length}`], ['mappings', `${state.mappings.size}`], ['locked pages', `${locked}`]];
}

function drawType1(graph: GraphBuilder, machine: Machine, id: string, state: Type1State): void {
  for (const { domain, attachments } of state.domains) {
    const node = graph.domain(domain);
    graph.link(id, node, 'allocated');
    for (const attachment of attachments) {
      if (attachment instanceof ParentAttachment) graph.link(vfioGroupId(attachment.group), deviceId(attachment.device), 'attached by its hint to');
      if (!(attachment instanceof AuxAttachment)) continue;
      const aux = machine.vfio.auxDomains.of(domain, attachment.device);
      graph.link(vfioGroupId(attachment.group), deviceId(attachment.device), 'attached by its hint to');
      if (aux !== null) graph.link(deviceId(attachment.device), node, `PASID ${aux.pasid} translates through`);
    }
  }
  if (state.softwareGroups.size > 0) drawSoftwareGroups(graph, machine, id, state);
}

/** VFT-11: in 2021 a `vfio_domain` without an `iommu_domain` in it. VFT-15: since then only a list of groups. */
function drawSoftwareGroups(graph: GraphBuilder, { kernel }: Machine, container: string, state: Type1State): void {
  if (kernel.profile.mediated === 'emulated-group') {
    for (const group of state.softwareGroups) graph.link(container, vfioGroupId(group), 'lists as emulated');
    return;
  }
  const external = graph.node({ id: `${container}/external`, kind: 'domain', label: 'external domain', facts: [['iommu_domain', 'none'], ['page table', 'none: the driver reads the mappings of the container'], ['checks', 'none']] });
  graph.link(container, external, 'allocated', true);
  for (const { iommuGroup } of state.softwareGroups) graph.link(groupId(iommuGroup), external, 'is said to be in', true);
}
