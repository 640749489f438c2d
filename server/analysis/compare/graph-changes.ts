/** What one action made and took away among the objects of a machine. */
import type { ObjectGraph, ObjectLink, ObjectNode } from '../../simulator/object-graph.js';

export interface GraphChange {
  readonly newNodes: readonly ObjectNode[];
  readonly newLinks: readonly ObjectLink[];
  readonly goneNodes: readonly ObjectNode[];
  readonly goneLinks: readonly ObjectLink[];
}

export const linkKey = ({ from, to, label }: ObjectLink): string => `${from}\n${to}\n${label}`;

export function changeBetween(before: ObjectGraph, after: ObjectGraph): GraphChange {
  const without = <T>(all: readonly T[], others: readonly T[], key: (each: T) => string): T[] => {
    const known = new Set(others.map(key));
    return all.filter((each) => !known.has(key(each)));
  };
  const id = (node: ObjectNode): string => node.id;
  return {
    newNodes: without(after.nodes, before.nodes, id), goneNodes: without(before.nodes, after.nodes, id),
    newLinks: without(after.links, before.links, linkKey), goneLinks: without(before.links, after.links, linkKey),
  };
}

/**
 * The objects that a run is about: those that a program reaches over links in either direction. Drivers and the domains without
 * tables are shared by the whole machine, so nothing is reached through them.
 */
export function concerned(graphs: readonly ObjectGraph[]): ReadonlySet<string> {
  const neighbours = new Map<string, Set<string>>();
  const kinds = new Map<string, ObjectNode>();
  const know = (from: string, to: string): void => void (neighbours.get(from) ?? neighbours.set(from, new Set()).get(from)!).add(to);
  for (const { nodes, links } of graphs) {
    for (const node of nodes) kinds.set(node.id, node);
    for (const { from, to } of links) {
      know(from, to);
      know(to, from);
    }
  }
  const reached = new Set([...kinds.values()].filter(({ kind, id }) => kind === 'program' && neighbours.has(id)).map(({ id }) => id));
  for (const id of reached) {
    if (isShared(id)) continue;
    for (const next of neighbours.get(id) ?? []) reached.add(next);
  }
  return reached.size > 0 ? reached : new Set(kinds.keys());
}

const isShared = (id: string): boolean => id.startsWith('driver:') || id === 'domain:identity' || id === 'domain:blocked';

export const restrictedTo = ({ nodes, links }: ObjectGraph, ids: ReadonlySet<string>): ObjectGraph =>
  ({ nodes: nodes.filter(({ id }) => ids.has(id)), links: links.filter(({ from, to }) => ids.has(from) && ids.has(to)) });
