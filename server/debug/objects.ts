/** The objects of a machine as variables: by kind, each with its facts, its mappings and what it is linked to. */
import { groupBy } from '../simulator/fabric/multimap.js';
import type { ObjectGraph, ObjectKind, ObjectLink, ObjectNode } from '../simulator/object-graph.js';
import type { Scope, Variable } from './messages.js';
import { leaf, type VariableStore } from './variables.js';

/** From what a program holds down to what the hardware sees. */
const SECTIONS: readonly (readonly [name: string, kinds: readonly ObjectKind[]])[] = [
  ['Programs', ['program']],
  ['Containers', ['container', 'vfio-group', 'device-file']],
  ['iommufd', ['iommufd', 'access', 'fault-queue', 'viommu', 'vdevice', 'event-queue']],
  ['IOAS', ['ioas']],
  ['HWPT', ['hwpt', 'nested-hwpt']],
  ['Groups', ['group']],
  ['Domains', ['domain']],
  ['Devices', ['device', 'mdev']],
  ['Drivers', ['driver']],
];

export class ObjectVariables {
  private readonly nodes: ReadonlyMap<string, ObjectNode>;
  private readonly from: ReadonlyMap<string, readonly ObjectLink[]>;
  private readonly to: ReadonlyMap<string, readonly ObjectLink[]>;

  constructor(
    private readonly graph: ObjectGraph,
    private readonly store: VariableStore,
  ) {
    this.nodes = new Map(graph.nodes.map((node) => [node.id, node]));
    this.from = groupBy(graph.links, (link) => link.from);
    this.to = groupBy(graph.links, (link) => link.to);
  }

  /** What is mapped, then the kinds of which there is something. */
  scopes(): Scope[] {
    const sections = SECTIONS.flatMap(([name, kinds]): Scope[] => {
      const nodes = this.graph.nodes.filter(({ kind }) => kinds.includes(kind));
      return nodes.length === 0 ? [] : [this.scope(name, nodes.length, () => nodes.map((node) => this.variable(node)))];
    });
    const mapping = this.graph.nodes.filter(({ mappings }) => mappings !== undefined && mappings.length > 0);
    return mapping.length === 0 ? sections : [this.scope('Mappings', mapping.length, () => mapping.map((node) => this.mappings(node, node.label))), ...sections];
  }

  private scope(name: string, count: number, contents: () => Variable[]): Scope {
    return { name, variablesReference: this.store.reference(`section ${name}`, contents), namedVariables: count, expensive: false };
  }

  /** The object of a name: as the file or the kernel names it, or by one of its facts called "name". */
  named(name: string): Variable | undefined {
    const wanted = this.graph.nodes.find(({ label }) => label === name)
      ?? this.graph.nodes.find(({ label }) => label.split(/[\s/.]/).at(-1) === name)
      ?? this.graph.nodes.find(({ facts }) => facts.some(([fact, value]) => fact === 'name' && value === name));
    return wanted && this.variable(wanted);
  }

  private variable(node: ObjectNode, name = node.label, value = summary(node)): Variable {
    return { name, value, type: node.kind, variablesReference: this.store.reference(`object ${node.id}`, () => this.inside(node)) };
  }

  private inside(node: ObjectNode): Variable[] {
    const { id, facts, mappings = [] } = node;
    return [
      ...facts.map(([name, value]) => leaf(name, value)),
      ...(mappings.length === 0 ? [] : [this.mappings(node, 'mapped')]),
      ...(this.from.get(id) ?? []).flatMap((link) => this.link(link.to, link.fake === true ? `${link.label} (in name only)` : link.label)),
      ...(this.to.get(id) ?? []).flatMap((link) => this.link(link.from, `← ${link.label}`)),
    ];
  }

  private link(end: string, name: string): Variable[] {
    const node = this.nodes.get(end);
    return node === undefined ? [] : [this.variable(node, name, node.label)];
  }

  private mappings(node: ObjectNode, name: string): Variable {
    const mappings = node.mappings ?? [];
    const all = Number(node.facts.find(([fact]) => fact === 'mappings')?.[1] ?? mappings.length);
    const reference = this.store.reference(`mappings ${node.id}`, () => mappings.map((text, index) => leaf(`[${index}]`, text)));
    return { name, value: all > mappings.length ? `${mappings.length} of ${all} mappings` : `${all} ${all === 1 ? 'mapping' : 'mappings'}`, variablesReference: reference, indexedVariables: mappings.length };
  }
}

/** The first facts, as one reads them in a list. */
const summary = ({ facts, kind }: ObjectNode): string => (facts.length === 0 ? kind : facts.slice(0, 3).map(([name, value]) => `${name} ${value}`).join(', '));
