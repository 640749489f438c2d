/** A host as the views draw it: its functions as a tree, its groups, and why each member is where it is. */
import { addressText } from '../diagnostics/facts.js';
import type { GroupMemberView, GroupView, HostView, PlaceView, TopologyNodeView } from '../protocol.js';
import type { FunctionDescription, FunctionType, HostDescription, SubjectId } from '../simulator/description.js';
import { groupBy } from '../simulator/fabric/multimap.js';
import type { GroupReport, HostReport } from '../simulator/report.js';

type PlaceOf = (subject: SubjectId | undefined) => PlaceView | undefined;

export function hostView(report: HostReport, host: HostDescription | undefined, placeOf: PlaceOf): HostView {
  const tree = host === undefined ? [] : treeOf(host);
  const indexOf = new Map(tree.map(({ subject }, index) => [subject, index]));
  const groupOf = new Map(report.groups.flatMap((group) => group.members.map((member) => [member, group.number] as const)));
  const topology = tree.map(({ subject, parent, ...node }): TopologyNodeView => ({
    ...node, parent: parent === null ? null : indexOf.get(parent) ?? null, group: groupOf.get(subject) ?? null, place: placeOf(subject),
  }));
  const nodes = { topology, indexOf };
  return { name: host?.name ?? report.host, kernel: report.kernel.asked, topology, groups: report.groups.map((group) => groupView(group, nodes, placeOf)) };
}

interface Nodes {
  readonly topology: readonly TopologyNodeView[];
  readonly indexOf: ReadonlyMap<SubjectId, number>;
}

function groupView({ number, defaultDomain, uncertain, members, why }: GroupReport, { topology, indexOf }: Nodes, placeOf: PlaceOf): GroupView {
  const reasons = new Map(why.map((each) => [each.device, each.reasons]));
  return {
    number, domain: defaultDomain, uncertain,
    members: members.map((member): GroupMemberView => {
      const node = indexOf.get(member);
      return {
        name: node === undefined ? member : topology[node]!.name, address: node === undefined ? '' : topology[node]!.address, place: placeOf(member), node,
        reasons: (reasons.get(member) ?? []).map(({ text, rules, subject }) => ({ text, rules, node: subject === undefined ? undefined : indexOf.get(subject) })),
      };
    }),
  };
}

/** A node that still knows its subject and that of its parent. */
interface TreeNode extends Omit<TopologyNodeView, 'parent' | 'group' | 'place'> {
  readonly subject: SubjectId;
  readonly parent: SubjectId | null;
}

/** A parent stands before its children; siblings as the kernel enumerates them. */
function treeOf(host: HostDescription): TreeNode[] {
  const children = groupBy(host.functions, ({ upstream }) => upstream);
  const mediated = groupBy(host.mediatedDevices, ({ parent }) => parent);
  const tree: TreeNode[] = [];
  // A stack instead of recursion: nothing bounds how deep a file nests bridges.
  const open = [...(children.get(null) ?? [])].reverse();
  for (let fn = open.pop(); fn !== undefined; fn = open.pop()) {
    tree.push({ subject: fn.id, parent: fn.upstream, name: fn.name, address: addressText(fn.address), kind: kindOf(fn) });
    for (const { id, name } of mediated.get(fn.id) ?? []) tree.push({ subject: id, parent: fn.id, name, address: '', kind: 'mediated' });
    open.push(...(children.get(fn.id) ?? []).toReversed());
  }
  for (const { id, name } of host.platformDevices) tree.push({ subject: id, parent: null, name, address: '', kind: 'platform' });
  return tree;
}

const BRIDGE_KINDS: Readonly<Partial<Record<FunctionType, TopologyNodeView['kind']>>> = {
  'root-port': 'port', 'upstream-port': 'port', 'downstream-port': 'port', 'pcie-to-pci-bridge': 'bridge', 'pci-to-pcie-bridge': 'bridge', 'pci-bridge': 'bridge',
};

const kindOf = (fn: FunctionDescription): TopologyNodeView['kind'] => BRIDGE_KINDS[fn.type] ?? (fn.virtualFunction === undefined ? 'function' : 'virtual');
