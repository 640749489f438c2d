/** Short names that people would give: gpu, gpu_audio, nvme0, rp1, sw1_port0. Unique on the host, stable for the same input. */
import type { TreeNode } from './tree.js';
import { nameStem } from './pci-class.js';

const DISPLAY = 0x03;

/** Stems that get a number even when there is one only, as the kernel numbers them. */
const ALWAYS_NUMBERED = new Set(['nvme']);

/** Names in the order of `nodes`, which has bridges before what is below them. */
export function nameFunctions(nodes: readonly TreeNode[]): Map<TreeNode, string> {
  const first = firstFunctions(nodes);
  const counts = new Map<string, number>();
  for (const node of nodes) if (isNumbered(node, first)) counts.set(stemOf(node), (counts.get(stemOf(node)) ?? 0) + 1);
  const names = new Names(first, counts);
  for (const node of nodes) names.give(node);
  return names.given;
}

/** Function 0 of each device. */
function firstFunctions(nodes: readonly TreeNode[]): Map<string, TreeNode> {
  const first = new Map<string, TreeNode>();
  for (const node of nodes) if (!first.has(deviceKey(node))) first.set(deviceKey(node), node);
  return first;
}

const deviceKey = ({ facts: { address } }: TreeNode): string => `${address.segment}:${address.bus}:${address.device}`;
const isDisplay = (node: TreeNode): boolean => (node.facts.classCode ?? 0) >> 16 === DISPLAY;

/** The display function that `node` is another function of. */
function displayBeside(node: TreeNode, first: ReadonlyMap<string, TreeNode>): TreeNode | null {
  const function0 = first.get(deviceKey(node));
  return function0 !== undefined && function0 !== node && isDisplay(function0) ? function0 : null;
}

const isNumbered = (node: TreeNode, first: ReadonlyMap<string, TreeNode>): boolean =>
  node.virtualFunction === null && node.facts.type !== 'downstream-port' && displayBeside(node, first) === null;

function stemOf(node: TreeNode): string {
  const { type } = node.facts;
  if (type === 'root-port') return 'rp';
  if (type === 'upstream-port') return 'sw';
  if (node.facts.bridge === true) return 'br';
  if (isDisplay(node) && node.upstream === null && !node.unplaced) return 'igpu';
  return nameStem(node.facts.classCode);
}

/** Ports and bridges are counted from 1, as slots are; everything else from 0, as the kernel does. */
const firstNumber = (stem: string): number => (['rp', 'sw', 'br'].includes(stem) ? 1 : 0);

class Names {
  readonly given = new Map<TreeNode, string>();
  private readonly next = new Map<string, number>();
  private readonly taken = new Set<string>();

  constructor(private readonly first: ReadonlyMap<string, TreeNode>, private readonly counts: ReadonlyMap<string, number>) {}

  give(node: TreeNode): void {
    const name = this.unique(this.propose(node));
    this.taken.add(name);
    this.given.set(node, name);
  }

  private propose(node: TreeNode): string {
    if (node.virtualFunction !== null) return `${this.given.get(node.virtualFunction.of) ?? 'pf'}_vf${node.virtualFunction.index}`;
    const display = displayBeside(node, this.first);
    if (display !== null) return `${this.given.get(display)}_${stemOf(node)}`;
    if (node.facts.type === 'downstream-port') return this.numbered(`${node.upstream === null ? 'switch' : this.given.get(node.upstream)}_port`, 0);
    const stem = stemOf(node);
    const alone = this.counts.get(stem) === 1 && firstNumber(stem) === 0 && !ALWAYS_NUMBERED.has(stem);
    return alone ? stem : this.numbered(stem, firstNumber(stem));
  }

  private numbered(stem: string, from: number): string {
    const number = this.next.get(stem) ?? from;
    this.next.set(stem, number + 1);
    return `${stem}${number}`;
  }

  private unique(name: string): string {
    if (!this.taken.has(name)) return name;
    let candidate: string;
    do candidate = `${name}_${this.numbered('', 2)}`; while (this.taken.has(candidate));
    return candidate;
  }
}
