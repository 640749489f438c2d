/** How each device got what translates its DMA, under each model (MDV-20). */
import type { PlaceView } from '../../protocol.js';
import type { DeviceSideView, DeviceStoryView } from '../../protocol-compare.js';
import type { SubjectId } from '../../simulator/description.js';
import type { ObjectGraph, ObjectNode } from '../../simulator/object-graph.js';
import type { Side, Sides } from './differences.js';
import { wordsOf } from './moments.js';

/** Kinds of MDV-20 by how a mediated device is described. */
const MEDIATED: Readonly<Record<string, string>> = {
  'software': 'K3, mediated by software', 'software-no-dma': 'K4, mediated by software, without DMA', 'parent-rid': 'K5, mediated, borrows the whole parent', 'parent-aux': 'K6, mediated, a PASID of the parent',
};

/** One story for each device that had a moment on either side, in the order of the first. */
export function storiesOf(sides: Sides, graphs: readonly [readonly ObjectGraph[], readonly ObjectGraph[]], placeOf: (id: SubjectId | undefined) => PlaceView | undefined): DeviceStoryView[] {
  const last = [graphs[0].at(-1), graphs[1].at(-1)] as const;
  const nodes = new Map([...(last[1]?.nodes ?? []), ...(last[0]?.nodes ?? [])].map((node) => [node.id, node]));
  const ids = new Set(sides.flatMap(({ rows }) => rows.flatMap(({ moments }) => moments.flatMap(({ devices }) => devices))));
  return [...ids].flatMap((id): DeviceStoryView[] => {
    const node = nodes.get(id);
    if (node === undefined) return [];
    return [{ device: node.label, place: placeOf(node.subject), kind: kindOf(node, sides), sides: [sideOf(id, sides[0], last[0]), sideOf(id, sides[1], last[1])] }];
  });
}

function kindOf({ id, kind, facts }: ObjectNode, sides: Sides): string {
  const fact = (name: string): string => facts.find(([known]) => known === name)?.[1] ?? '';
  if (kind === 'mdev') return MEDIATED[fact('kind')] ?? fact('kind');
  const pasids = sides.some(({ rows }) => rows.some(({ moments }) => moments.some((moment) => moment.kind === 'pasid' && moment.devices.includes(id))));
  if (fact('IOMMU') === 'none') return 'K9, without IOMMU';
  return pasids ? 'K7, a PASID of a physical device' : 'K1, physical';
}

function sideOf(device: string, { model, profile, rows }: Side, last: ObjectGraph | undefined): DeviceSideView {
  const moments = rows.flatMap(({ moments: all }, row) => all.filter(({ devices }) => devices.includes(device)).map(({ kind, object }) => {
    const { says, rules } = wordsOf(kind, model, profile);
    return { row, text: `${says} (${object})`, rules };
  }));
  return { domain: last === undefined ? 'not drawn' : endOf(device, last), moments };
}

/** What the device translates through at the end. */
function endOf(device: string, { nodes, links }: ObjectGraph): string {
  const label = (id: string): string => nodes.find((node) => node.id === id)?.label ?? id;
  const group = links.find(({ from, label: what }) => from === device && what === 'member of');
  const through = links.filter(({ from, label: what }) => (from === group?.to || from === device) && /(^| )translates through$/.test(what));
  const access = links.find(({ from, label: what }) => from === device && what === 'uses');
  const parts = through.map(({ to, label: what }) => (what === 'translates through' ? label(to) : `${what.replace(' translates through', '')}: ${label(to)}`));
  if (parts.length > 0) return parts.join(', ');
  if (access !== undefined) return `none: ${label(access.to)} reads the address space`;
  const borrowed = links.find(({ from, label: what }) => what === 'attached by its hint to' && links.some((link) => link.from === from && link.label === 'stands for' && link.to === group?.to));
  if (borrowed !== undefined) return `that of ${label(borrowed.to)}, which it borrows`;
  const pretended = links.find(({ from, fake }) => from === group?.to && fake === true);
  if (pretended !== undefined) return `none: ${label(pretended.to)} only pretends`;
  return group?.fake === true ? 'none: its group is made up' : 'none';
}
