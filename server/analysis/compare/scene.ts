/** One side of a compared run as a drawing: every object of the run at one place, and for each row which of them there are. */
import type { PlaceView } from '../../protocol.js';
import type { BoxDetailsView, FrameView, SideView } from '../../protocol-compare.js';
import type { SubjectId } from '../../simulator/description.js';
import type { ObjectGraph, ObjectKind, ObjectLink, ObjectNode } from '../../simulator/object-graph.js';
import { changeBetween, concerned, linkKey, restrictedTo, type GraphChange } from './graph-changes.js';
import { BOX } from './box.js';
import { layOut } from './layered-layout.js';

/** From what a program holds at the top down to what the hardware sees. */
const LAYERS: Readonly<Record<ObjectKind, number>> = {
  program: 0, container: 1, iommufd: 1, 'vfio-group': 2, 'device-file': 2, ioas: 2, access: 3, hwpt: 3, 'nested-hwpt': 3, 'fault-queue': 3, viommu: 3, vdevice: 3, 'event-queue': 3,
  domain: 4, group: 5, driver: 5, mdev: 6, device: 7,
};

/** What the small line of a box says. */
export const KIND_WORDS: Readonly<Record<ObjectKind, string>> = {
  program: 'program', container: 'container', 'vfio-group': 'VFIO group file', 'device-file': 'device file', iommufd: 'iommufd', ioas: 'address space', access: 'access', hwpt: 'page table (hwpt)', 'nested-hwpt': 'nested page table',
  'fault-queue': 'fault queue', viommu: 'vIOMMU', vdevice: 'vDEVICE', 'event-queue': 'event queue', driver: 'driver', group: 'IOMMU group', domain: 'IOMMU domain', device: 'device', mdev: 'mediated device',
};

/** The fact that the box itself shows, by kind. */
const SUMMARY: Readonly<Partial<Record<ObjectKind, readonly string[]>>> = {
  container: ['back end'], ioas: ['mappings'], hwpt: ['made'], access: ['pinned pages'], group: ['made for', 'default domain'], domain: ['iommu_domain', 'type'], device: ['address'], mdev: ['kind'], 'vfio-group': ['registered as'],
};

export type PlaceOf = (subject: SubjectId | undefined) => PlaceView | undefined;

/** @param graphs the objects after each row */
export function sideView(initial: ObjectGraph, graphs: readonly ObjectGraph[], placeOf: PlaceOf): SideView {
  const ids = concerned(graphs);
  const shown = graphs.map((graph) => restrictedTo(graph, ids));
  const nodes = unique(shown.flatMap((graph) => graph.nodes), ({ id }) => id);
  const links = unique(shown.flatMap((graph) => graph.links), linkKey);
  const layout = layOut(nodes.map(({ id, kind }) => ({ id, layer: LAYERS[kind] })), links);
  const boxOf = new Map(nodes.map(({ id }, index) => [id, index]));
  const edgeOf = new Map(links.map((link, index) => [linkKey(link), index]));
  const fakes = new Set(links.filter(({ fake }) => fake).map(({ to }) => to));
  return {
    width: layout.width, height: layout.height,
    boxes: nodes.map((node, index) => ({ kind: KIND_WORDS[node.kind], label: node.label, ...layout.places[index]!, ...BOX, place: placeOf(node.subject), fake: fakes.has(node.id) })),
    edges: links.map((link, index) => ({ from: boxOf.get(link.from)!, to: boxOf.get(link.to)!, label: link.label, fake: link.fake === true, ...layout.links[index]! })),
    frames: framesOf(restrictedTo(initial, ids), shown, boxOf, edgeOf),
  };
}

function unique<T>(all: readonly T[], key: (each: T) => string): T[] {
  const known = new Map<string, T>();
  for (const each of all) if (!known.has(key(each))) known.set(key(each), each);
  return [...known.values()];
}

function framesOf(initial: ObjectGraph, graphs: readonly ObjectGraph[], boxOf: ReadonlyMap<string, number>, edgeOf: ReadonlyMap<string, number>): FrameView[] {
  const boxes = (nodes: readonly ObjectNode[]): number[] => nodes.flatMap(({ id }) => boxOf.get(id) ?? []);
  const edges = (links: readonly ObjectLink[]): number[] => links.flatMap((link) => edgeOf.get(linkKey(link)) ?? []);
  const told = new Map<number, string>();
  let before = initial;
  return graphs.map((graph): FrameView => {
    const change = changeBetween(before, graph);
    before = graph;
    return {
      boxes: boxes(graph.nodes), edges: edges(graph.links), newBoxes: boxes(change.newNodes), newEdges: edges(change.newLinks), goneBoxes: boxes(change.goneNodes), goneEdges: edges(withoutSuccessor(change)),
      details: graph.nodes.flatMap((node) => newDetails(node, boxOf, told)),
    };
  });
}

/** Links that are gone; not those whose words alone have changed ("pins 1 page", "pins 2 pages"). */
function withoutSuccessor({ goneLinks, newLinks }: GraphChange): ObjectLink[] {
  const ends = new Set(newLinks.map(({ from, to }) => `${from}\n${to}`));
  return goneLinks.filter(({ from, to }) => !ends.has(`${from}\n${to}`));
}

/** Details of a box, when they are other than what was told last. */
function newDetails(node: ObjectNode, boxOf: ReadonlyMap<string, number>, told: Map<number, string>): BoxDetailsView[] {
  const box = boxOf.get(node.id);
  if (box === undefined) return [];
  const details = { box, summary: summaryOf(node), facts: node.facts, mappings: node.mappings ?? [] };
  const text = JSON.stringify(details);
  if (told.get(box) === text) return [];
  told.set(box, text);
  return [details];
}

function summaryOf({ kind, facts }: ObjectNode): string {
  for (const wanted of SUMMARY[kind] ?? []) {
    const fact = facts.find(([name]) => name === wanted);
    if (fact !== undefined) return NAMED.has(wanted) ? `${wanted}: ${fact[1]}` : fact[1];
  }
  return '';
}

/** Facts that say nothing without their name. */
const NAMED: ReadonlySet<string> = new Set(['mappings', 'pinned pages', 'default domain', 'iommu_domain', 'made for']);
