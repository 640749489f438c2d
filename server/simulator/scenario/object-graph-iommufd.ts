/** iommufds and their objects, as an object graph: address spaces, page tables, accesses, and what is attached to which. */
import { Access } from '../uapi/iommufd/access.js';
import type { IommufdContext } from '../uapi/iommufd/context.js';
import { FaultQueue } from '../uapi/iommufd/fault-queue.js';
import { Hwpt } from '../uapi/iommufd/hwpt.js';
import { IommufdFile } from '../uapi/iommufd/index.js';
import { Ioas } from '../uapi/iommufd/ioas.js';
import type { IommufdObject } from '../uapi/iommufd/objects.js';
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

function drawObject(graph: GraphBuilder, context: IommufdContext, object: IommufdObject, name: string | undefined): void {
  const id = objectId(context, object);
  const has = (): void => graph.link(iommufdId(context), id, 'has');
  if (object instanceof Ioas) {
    const { areas, domains, alignment } = object.table;
    graph.node({
      id, kind: 'ioas', label: name ?? `IOAS ${object.id}`,
      facts: [['object', `${object.id}`], ['mappings', `${areas.size}`], ['domains that show it', `${domains.size}`], ['alignment', `${alignment}`], ...(context.compatIoas === object ? [['stands in for', 'a container (CMP-02)'] as const] : [])],
      mappings: listMappings(areas.entries(), (area) => mappingText(area, area.value.permission, `${context.ownerName}${domains.size === 0 ? ', recorded only' : ''}`)),
    });
    has();
  } else if (object instanceof Hwpt) {
    const { options } = object;
    const kind = options.automatic ? 'made by ATTACH (IFD-41)' : ['asked for by the program', options.nestParent ? 'nest parent' : '', options.pasid ? 'PASID' : '', options.dirtyTracking ? 'dirty tracking' : ''].filter((each) => each !== '').join(', ');
    graph.node({ id, kind: 'hwpt', label: name ?? `hwpt ${object.id}`, facts: [['object', `${object.id}`], ['made', kind]] });
    graph.link(id, objectId(context, object.ioas), 'shows');
    graph.link(id, graph.domain(object.domain), 'is');
    if (object.faultQueue !== null) graph.link(id, objectId(context, object.faultQueue), 'reports faults to');
  } else if (object instanceof Access) {
    graph.node({ id, kind: 'access', label: name ?? `access ${object.id}`, subject: object.device.subject, facts: [['object', `${object.id}`], ['pinned pages', `${object.pinnedPages}`], ['IOMMU domain', 'none: the driver reads the address space itself']] });
    has();
    graph.link(deviceId(object.device), id, 'uses');
    if (object.attachedTo !== null) graph.link(id, objectId(context, object.attachedTo), object.pinnedPages > 0 ? `pins ${object.pinnedPages} ${object.pinnedPages === 1 ? 'page' : 'pages'} of` : 'reads');
  } else if (object instanceof FaultQueue) {
    graph.node({ id, kind: 'fault-queue', label: name ?? `fault queue ${object.id}`, facts: [['object', `${object.id}`]] });
    has();
  }
}
