/** iommufds and their objects, as an object graph: address spaces, page tables, accesses, and what is attached to which. */
import { Access } from '../uapi/iommufd/access.js';
import type { IommufdContext } from '../uapi/iommufd/context.js';
import { EventQueue } from '../uapi/iommufd/event-queue.js';
import { FaultQueue } from '../uapi/iommufd/fault-queue.js';
import { Hwpt } from '../uapi/iommufd/hwpt.js';
import { IommufdFile } from '../uapi/iommufd/index.js';
import { Ioas } from '../uapi/iommufd/ioas.js';
import { NestedHwpt } from '../uapi/iommufd/nested-hwpt.js';
import type { IommufdObject } from '../uapi/iommufd/objects.js';
import { Vdevice, Viommu } from '../uapi/iommufd/viommu.js';
import { GraphBuilder, listMappings, mappingText } from './graph-builder.js';
import type { Machine } from './machine.js';
import { deviceId, iommufdId, objectId } from './object-ids.js';

/** Also those whose file is closed, while a bound device or a linked group keeps them (IFD-07). */
export function drawIommufds(graph: GraphBuilder, machine: Machine): void {
  for (const { group } of machine.vfio.registry.registered()) if (group.container instanceof IommufdFile) drawIommufd(graph, machine, group.container.context);
}

export function drawIommufd(graph: GraphBuilder, machine: Machine, context: IommufdContext): string {
  const id = iommufdId(context);
  if (graph.has(id)) return id;
  const names = namesOf(machine, context);
  graph.node({ id, kind: 'iommufd', label: names.file ?? 'iommufd', facts: [['opened by', context.ownerName], ['objects', `${context.objects.size}`], ['locked memory counts for', context.accountMode === 'user' ? 'the user' : 'the process']] });
  for (const object of context.objects.all()) drawObject(graph, context, object, names.objects.get(object.id));
  for (const { hwpt, attached, pasids } of context.groups.values()) {
    if (hwpt !== null) for (const { device } of attached) graph.link(deviceId(device), objectId(context, hwpt), 'attached to');
    for (const each of pasids.entries()) graph.link(deviceId(each.device), objectId(context, each.hwpt), `PASID ${each.pasid} attached to`);
  }
  return id;
}

/** What programs call it and its objects. */
function namesOf({ programs }: Machine, context: IommufdContext): { readonly file?: string; readonly objects: ReadonlyMap<number, string> } {
  const objects = new Map<number, string>();
  let file: string | undefined;
  for (const [, { process, handles }] of programs.all) {
    for (const [name, handle] of handles) {
      const open = process.files.get(handle.fd);
      if (!(open instanceof IommufdFile) || open.context !== context) continue;
      if (handle.kind === 'file') file ??= name;
      else objects.set(handle.id, name);
    }
  }
  return { file, objects };
}

/** One object while it is drawn. */
interface Drawing {
  readonly graph: GraphBuilder;
  readonly context: IommufdContext;
  readonly id: string;
  readonly label: string;
  /** Identity of another object of the same iommufd. */
  readonly other: (object: IommufdObject) => string;
}

function drawObject(graph: GraphBuilder, context: IommufdContext, object: IommufdObject, name: string | undefined): void {
  const drawing: Drawing = { graph, context, id: objectId(context, object), label: name ?? `${WORDS[object.kind] ?? object.kind} ${object.id}`, other: (each) => objectId(context, each) };
  if (object instanceof Ioas) drawIoas(drawing, object);
  else if (object instanceof Hwpt) drawHwpt(drawing, object);
  else if (object instanceof NestedHwpt) drawNestedHwpt(drawing, object);
  else if (object instanceof Access) drawAccess(drawing, object);
  else if (object instanceof Viommu) drawViommu(drawing, object);
  else if (object instanceof Vdevice) drawVdevice(drawing, object);
  else if (object instanceof FaultQueue || object instanceof EventQueue) drawQueue(drawing, object);
  if (!(object instanceof Hwpt || object instanceof NestedHwpt)) graph.link(iommufdId(context), drawing.id, 'has');
}

const WORDS: Readonly<Partial<Record<IommufdObject['kind'], string>>> = { ioas: 'IOAS', 'nested-hwpt': 'nested hwpt', 'fault-queue': 'fault queue', 'event-queue': 'event queue', viommu: 'vIOMMU', vdevice: 'vDEVICE' };

function drawIoas({ graph, context, id, label }: Drawing, ioas: Ioas): void {
  const { areas, domains, alignment } = ioas.table;
  graph.node({
    id, kind: 'ioas', label,
    facts: [['object', `${ioas.id}`], ['mappings', `${areas.size}`], ['domains that show it', `${domains.size}`], ['alignment', `${alignment}`], ...(context.compatIoas === ioas ? [['stands in for', 'a container (CMP-02)'] as const] : [])],
    mappings: listMappings(areas.entries(), (area) => mappingText(area, area.value.permission, `${context.ownerName}${domains.size === 0 ? ', recorded only' : ''}`)),
  });
}

function drawHwpt({ graph, id, label, other }: Drawing, hwpt: Hwpt): void {
  const { automatic, nestParent, pasid, dirtyTracking } = hwpt.options;
  const asked = ['asked for by the program', nestParent ? 'nest parent' : '', pasid ? 'PASID' : '', dirtyTracking ? 'dirty tracking' : ''].filter((each) => each !== '').join(', ');
  graph.node({ id, kind: 'hwpt', label, facts: [['object', `${hwpt.id}`], ['made', automatic ? 'made by ATTACH (IFD-41)' : asked]] });
  graph.link(id, other(hwpt.ioas), 'shows');
  graph.link(id, graph.domain(hwpt.domain), 'is');
  if (hwpt.faultQueue !== null) graph.link(id, other(hwpt.faultQueue), 'reports faults to');
}

/** IFD-62, IFD-63: the guest's own table over one that the kernel fills. */
function drawNestedHwpt({ graph, id, label, other }: Drawing, hwpt: NestedHwpt): void {
  graph.node({ id, kind: 'nested-hwpt', label, facts: [['object', `${hwpt.id}`], ['made', 'with the tables of a guest']] });
  graph.link(id, other(hwpt.parent), 'over');
  if (hwpt.viommu !== null) graph.link(id, other(hwpt.viommu), 'made on');
  graph.link(id, graph.domain(hwpt.domain), 'is');
  if (hwpt.faultQueue !== null) graph.link(id, other(hwpt.faultQueue), 'reports faults to');
}

function drawAccess({ graph, id, label, other }: Drawing, access: Access): void {
  const { device, pinnedPages, attachedTo } = access;
  graph.node({ id, kind: 'access', label, subject: device.subject, facts: [['object', `${access.id}`], ['pinned pages', `${pinnedPages}`], ['IOMMU domain', 'none: the driver reads the address space itself']] });
  graph.link(deviceId(device), id, 'uses');
  if (attachedTo !== null) graph.link(id, other(attachedTo), pinnedPages > 0 ? `pins ${pinnedPages} ${pinnedPages === 1 ? 'page' : 'pages'} of` : 'reads');
}

/** IFD-80: the slice of a physical IOMMU that a guest has. */
function drawViommu({ graph, id, label, other }: Drawing, viommu: Viommu): void {
  graph.node({ id, kind: 'viommu', label, facts: [['object', `${viommu.id}`], ['unit', viommu.unit.description.name], ['devices', `${viommu.devices.size}`]] });
  graph.link(id, other(viommu.parent), 'translates through');
}

/** IFD-82. */
function drawVdevice({ graph, id, label, other }: Drawing, vdevice: Vdevice): void {
  const { device } = vdevice.bound;
  graph.node({ id, kind: 'vdevice', label, subject: device.subject, facts: [['object', `${vdevice.id}`], ['number in the guest', `0x${vdevice.virtualId.toString(16)}`]] });
  graph.link(id, other(vdevice.viommu), 'on');
  graph.link(id, deviceId(device), 'is');
}

/** IFD-75, IFD-84. */
function drawQueue({ graph, id, label, other }: Drawing, queue: FaultQueue | EventQueue): void {
  graph.node({ id, kind: queue.kind, label, facts: [['object', `${queue.id}`], ...(queue instanceof EventQueue ? [['depth', `${queue.depth}`] as const] : [])] });
  if (queue instanceof EventQueue) graph.link(other(queue.viommu), id, 'reports to');
}
