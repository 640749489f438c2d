/** An object graph while it is collected: every object and link once, bounded, in the order of first mention. */
import type { AddressRange } from '../memory/address.js';
import { hex, sizeOf } from '../memory/address.js';
import { sizeWord } from '../memory/sizes.js';
import type { Domain } from '../kernel/core.js';
import type { PasidDomain } from '../kernel/pasid.js';
import type { ObjectGraph, ObjectLink, ObjectNode } from '../object-graph.js';

/** Objects that a graph shows; a machine with more is not drawn in full. */
export const MAX_OBJECTS = 600;
/** Mappings that an object lists; its fact "mappings" says how many there are. */
export const MAX_LISTED_MAPPINGS = 24;

export class GraphBuilder {
  private readonly nodes = new Map<string, ObjectNode>();
  private readonly links = new Map<string, ObjectLink>();

  /** @returns the node's id; a second node of the same id adds nothing */
  node(node: ObjectNode): string {
    if (!this.nodes.has(node.id) && this.nodes.size < MAX_OBJECTS) this.nodes.set(node.id, node);
    return node.id;
  }

  has(id: string): boolean {
    return this.nodes.has(id);
  }

  link(from: string, to: string, label: string, fake = false): void {
    const key = `${from}\n${to}\n${label}`;
    if (!this.links.has(key)) this.links.set(key, fake ? { from, to, label, fake } : { from, to, label });
  }

  /** Links whose ends were beyond the bound are left out. */
  build(): ObjectGraph {
    const links = [...this.links.values()].filter(({ from, to }) => this.nodes.has(from) && this.nodes.has(to));
    return { nodes: [...this.nodes.values()], links };
  }

  /** The two static domains are one object each in the whole machine; a domain with a table is one of its unit. */
  domain(domain: Domain | PasidDomain): string {
    if (domain.type === 'identity' || domain.type === 'blocked') {
      return this.node({ id: `domain:${domain.type}`, kind: 'domain', label: domain.type, facts: [['type', `${domain.type}, without a table`]] });
    }
    if (domain.type === 'sva') return this.node({ id: `domain:sva:${domain.name}`, kind: 'domain', label: domain.name, facts: [['type', 'SVA']] });
    const unit = domain.unit.description;
    const { runs, total } = domain.mappings(MAX_LISTED_MAPPINGS);
    const paging = domain.type === 'nested' ? domain.parent : domain;
    return this.node({
      id: `domain:${unit.id}:${domain.domainId}:${domain.name}`, kind: 'domain', label: `domain ${domain.domainId}`,
      facts: [
        ['name', domain.name], ['type', domain.type], ['unit', unit.name], ['aperture', rangeText(domain.aperture)], ['mappings', `${total}`],
        ['coherency', paging.enforcesCoherency ? 'enforced' : 'as the request says'], ...(paging.tracksDirty ? [['dirty tracking', 'yes'] as const] : []),
      ],
      mappings: runs.map(({ iova, physical, permission }) => mappingText(iova, permission, hex(physical))),
    });
  }
}

export const rangeText = ({ start, last }: AddressRange): string => `${hex(start)} .. ${hex(last)}`;

/** "0x100000 64KiB rw → 0x8000000". */
export const mappingText = (iova: AddressRange, permission: { readonly read: boolean; readonly write: boolean }, to: string): string =>
  `${hex(iova.start)} ${sizeWord(sizeOf(iova))} ${permission.read ? 'r' : ''}${permission.write ? 'w' : ''} → ${to}`;

/** The first ones, as text. */
export function listMappings<T>(mappings: Iterable<T>, text: (mapping: T) => string): string[] {
  const listed: string[] = [];
  for (const mapping of mappings) {
    if (listed.length === MAX_LISTED_MAPPINGS) break;
    listed.push(text(mapping));
  }
  return listed;
}
