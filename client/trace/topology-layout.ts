/** Where the devices of a host are drawn, and which of them and of the lines between them tell why a group is as it is. Units are pixels at scale 1. */
import type { GroupView, HostView, TopologyNodeView } from '../../server/protocol.js';

export const BOX = { width: 150, height: 34, gapX: 34, gapY: 8 } as const;
const MARGIN = 12;
/** A larger host is not drawn whole: only what has to do with the chosen group. */
export const MAX_WHOLE = 60;
/** Of a group larger than that, the first members are drawn. */
export const MAX_MEMBERS = 40;

export interface PlacedBox {
  /** Index into the topology; null: the root complex. */
  readonly index: number | null;
  readonly x: number;
  readonly y: number;
  readonly member: boolean;
  /** Numbers of the facts about it, from 1, as they are listed. */
  readonly facts: readonly number[];
  readonly onWay: boolean;
}

export interface PlacedLine { readonly from: PlacedBox; readonly to: PlacedBox; readonly onWay: boolean }

export interface TopologyLayout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedBox[];
  readonly lines: readonly PlacedLine[];
  /** Devices that are not drawn. */
  readonly hidden: number;
}

/** One fact about a group, with the members it is about. */
export interface Fact {
  readonly text: string;
  readonly rules: readonly string[];
  readonly node?: number;
  readonly members: readonly string[];
}

/** Facts in order of appearance; the same fact about several members is one. */
export function factsOf(group: GroupView): Fact[] {
  const facts = new Map<string, Fact & { readonly members: string[] }>();
  for (const { name, reasons } of group.members) {
    for (const { text, rules, node } of reasons) {
      const key = `${node} ${text}`;
      const fact = facts.get(key) ?? { text, rules, node, members: [] };
      fact.members.push(name);
      facts.set(key, fact);
    }
  }
  return [...facts.values()];
}

export function layOutTopology({ topology }: Pick<HostView, 'topology'>, group: GroupView | undefined): TopologyLayout {
  const members = (group?.members ?? []).flatMap(({ node }) => (node === undefined ? [] : [node])).slice(0, MAX_MEMBERS);
  const numbers = factNumbers(group);
  const way = wayOf(topology, members, [...numbers.keys()]);
  const drawn = topology.length <= MAX_WHOLE ? topology.map((_, index) => index) : withAncestors(topology, [...members, ...numbers.keys(), ...(group === undefined ? topology.slice(0, MAX_WHOLE).keys() : [])]);
  const { boxes, width, height } = place(topology, drawn, (index, x, y) => ({
    index, x, y, member: index !== null && members.includes(index), facts: (index !== null && numbers.get(index)) || [], onWay: way.has(index),
  }));
  const boxOf = new Map(boxes.map((box) => [box.index, box]));
  const lines = boxes.flatMap((to): PlacedLine[] => {
    if (to.index === null) return [];
    const from = boxOf.get(topology[to.index]!.parent)!;
    return [{ from, to, onWay: from.onWay && to.onWay }];
  });
  return { width, height, boxes, lines, hidden: topology.length - drawn.length };
}

/** Per node: the numbers of the facts about it. */
function factNumbers(group: GroupView | undefined): Map<number, number[]> {
  const numbers = new Map<number, number[]>();
  if (group === undefined) return numbers;
  factsOf(group).forEach(({ node }, index) => {
    if (node !== undefined) numbers.set(node, [...(numbers.get(node) ?? []), index + 1]);
  });
  return numbers;
}

/** From a node up to the root complex, which is null. */
function chain(topology: readonly TopologyNodeView[], node: number): (number | null)[] {
  const nodes: (number | null)[] = [];
  for (let at: number | null = node; at !== null; at = topology[at]!.parent) nodes.push(at);
  return [...nodes, null];
}

/**
 * What lies between the members and the nodes that facts are about: the ways up to where they meet. A single device's way is
 * that to the root complex, along which nothing joins it to others.
 */
function wayOf(topology: readonly TopologyNodeView[], members: readonly number[], blamed: readonly number[]): Set<number | null> {
  const ends = [...new Set([...members, ...blamed])];
  const chains = ends.map((node) => chain(topology, node));
  if (chains.length < 2) return new Set(chains[0]);
  const passes = new Map<number | null, number>();
  for (const each of chains) for (const node of each) passes.set(node, (passes.get(node) ?? 0) + 1);
  const meeting = chains[0]!.find((node) => passes.get(node) === chains.length) ?? null;
  return new Set(chains.flatMap((each) => each.slice(0, each.indexOf(meeting) + 1)));
}

/** The nodes and all above them, ascending: parents before children. */
function withAncestors(topology: readonly TopologyNodeView[], nodes: readonly number[]): number[] {
  const all = new Set(nodes.flatMap((node) => chain(topology, node)));
  all.delete(null);
  return [...(all as Set<number>)].sort((a, b) => a - b);
}

/** Parents left, children right; every leaf has a line of its own, and a parent stands beside its first child. */
function place(topology: readonly TopologyNodeView[], drawn: readonly number[], box: (index: number | null, x: number, y: number) => PlacedBox): { readonly boxes: PlacedBox[]; readonly width: number; readonly height: number } {
  const boxes = [box(null, MARGIN, MARGIN)];
  const depths = new Map<number | null, number>([[null, 0]]);
  let line = 0, deepest = 0;
  let before: number | null = null;
  for (const index of drawn) {
    const { parent } = topology[index]!;
    // Preorder: a node that is not the child of the one before begins a new line.
    if (parent !== before) line += 1;
    const depth = depths.get(parent)! + 1;
    depths.set(index, depth);
    deepest = Math.max(deepest, depth);
    boxes.push(box(index, MARGIN + depth * (BOX.width + BOX.gapX), MARGIN + line * (BOX.height + BOX.gapY)));
    before = index;
  }
  return { boxes, width: 2 * MARGIN + (deepest + 1) * BOX.width + deepest * BOX.gapX, height: 2 * MARGIN + (line + 1) * (BOX.height + BOX.gapY) - BOX.gapY };
}
