/**
 * The red-black tree in which kernels before 6.18 keep the mappings of a container. Its shape shows in two ways that no sorted list has: a
 * search may meet any of several overlapping mappings first, the one nearest the root, and it compares with the address behind a mapping,
 * which is 0 for one that ends at the last address: such a mapping is never found.
 */
import { ADDRESS_MAX, type AddressRange } from '../../../memory/address.js';
import type { Mapping } from './mapping.js';
import type { MappingRecords } from './records.js';

class Node {
  left: Node | null = null;
  right: Node | null = null;
  parent: Node | null = null;
  red = true;
  /** The address behind the mapping, which wraps to 0. */
  readonly end: bigint;

  constructor(readonly mapping: Mapping) {
    this.end = behind(mapping.range);
  }
}

const behind = ({ last }: AddressRange): bigint => (last === ADDRESS_MAX ? 0n : last + 1n);
const isRed = (node: Node | null): boolean => node?.red === true;

export class SearchTree implements MappingRecords {
  private root: Node | null = null;
  private readonly nodes = new Map<Mapping, Node>();

  get size(): number {
    return this.nodes.size;
  }

  overlap(range: AddressRange): Mapping | undefined {
    const end = behind(range);
    let node = this.root;
    while (node !== null) {
      if (end <= node.mapping.iova) node = node.left;
      else if (range.start >= node.end) node = node.right;
      else return node.mapping;
    }
    return undefined;
  }

  *overlapping(range: AddressRange): Generator<Mapping> {
    const end = behind(range);
    for (let node = this.lowest(range.start); node !== null && node.mapping.iova < end; ) {
      const next: Node | null = following(node);
      yield node.mapping;
      node = next;
    }
  }

  at(address: bigint): Mapping | undefined {
    return this.overlap({ start: address, last: address });
  }

  *entries(): Generator<Mapping> {
    for (let node = this.root === null ? null : leftmost(this.root); node !== null; ) {
      const next: Node | null = following(node);
      yield node.mapping;
      node = next;
    }
  }

  insert(mapping: Mapping): void {
    const node = new Node(mapping);
    this.nodes.set(mapping, node);
    let parent: Node | null = null;
    for (let at = this.root; at !== null; at = mapping.iova <= at.mapping.iova ? at.left : at.right) parent = at;
    node.parent = parent;
    if (parent === null) this.root = node;
    else if (mapping.iova <= parent.mapping.iova) parent.left = node;
    else parent.right = node;
    this.balanceInserted(node);
  }

  remove(mapping: Mapping): void {
    const node = this.nodes.get(mapping);
    if (node === undefined) return;
    this.nodes.delete(mapping);
    if (node.left === null) this.cut(node, node.right);
    else if (node.right === null) this.cut(node, node.left);
    else this.cutBetween(node, node.left, node.right);
  }

  /** The lowest mapping that ends behind an address. */
  private lowest(start: bigint): Node | null {
    let found: Node | null = null;
    for (let node = this.root; node !== null; ) {
      if (start >= node.end) node = node.right;
      else {
        found = node;
        if (start >= node.mapping.iova) break;
        node = node.left;
      }
    }
    return found;
  }

  // ---------------------------------------------------------------------------------------------- balance

  private balanceInserted(inserted: Node): void {
    let node = inserted;
    while (isRed(node.parent)) {
      const parent = node.parent!;
      const grandparent = parent.parent!;
      const side = parent === grandparent.left ? 'left' : 'right';
      const uncle = grandparent[other(side)];
      if (isRed(uncle)) {
        parent.red = uncle!.red = false;
        grandparent.red = true;
        node = grandparent;
        continue;
      }
      if (node === parent[other(side)]) {
        this.rotate(parent, side);
        node = parent;
      }
      node.parent!.red = false;
      grandparent.red = true;
      this.rotate(grandparent, other(side));
    }
    this.root!.red = false;
  }

  /** Takes out a node with at most one child. */
  private cut(node: Node, child: Node | null): void {
    const { parent } = node;
    this.replace(node, child);
    if (!node.red) this.balanceRemoved(child, parent);
  }

  /** The following node takes the place of one with two children. */
  private cutBetween(node: Node, left: Node, right: Node): void {
    const next = leftmost(right);
    const { red: gone, right: child } = next;
    const parent = next.parent === node ? next : next.parent;
    if (next.parent !== node) {
      this.replace(next, child);
      adopt(next, 'right', right);
    }
    this.replace(node, next);
    adopt(next, 'left', left);
    next.red = node.red;
    if (!gone) this.balanceRemoved(child, parent);
  }

  /** @param lacking whose paths have one black node too few; null is black as well */
  private balanceRemoved(lacking: Node | null, above: Node | null): void {
    let node = lacking;
    let parent = above;
    while (parent !== null && !isRed(node)) {
      const side = node === parent.left ? 'left' : 'right';
      let sibling = parent[other(side)]!;
      if (sibling.red) {
        sibling.red = false;
        parent.red = true;
        this.rotate(parent, side);
        sibling = parent[other(side)]!;
      }
      if (!isRed(sibling.left) && !isRed(sibling.right)) {
        sibling.red = true;
        node = parent;
        parent = node.parent;
        continue;
      }
      if (!isRed(sibling[other(side)])) {
        sibling[side]!.red = false;
        sibling.red = true;
        this.rotate(sibling, other(side));
        sibling = parent[other(side)]!;
      }
      sibling.red = parent.red;
      parent.red = false;
      sibling[other(side)]!.red = false;
      this.rotate(parent, side);
      return;
    }
    if (node !== null) node.red = false;
  }

  /** The child on the other side comes up, the node goes down to `side`. */
  private rotate(node: Node, side: Side): void {
    const up = node[other(side)]!;
    adopt(node, other(side), up[side]);
    this.replace(node, up);
    adopt(up, side, node);
  }

  private replace(node: Node, by: Node | null): void {
    const { parent } = node;
    if (parent === null) this.root = by;
    else if (parent.left === node) parent.left = by;
    else parent.right = by;
    if (by !== null) by.parent = parent;
  }
}

type Side = 'left' | 'right';
const other = (side: Side): Side => (side === 'left' ? 'right' : 'left');

function adopt(parent: Node, side: Side, child: Node | null): void {
  parent[side] = child;
  if (child !== null) child.parent = parent;
}

function leftmost(node: Node): Node {
  let at = node;
  while (at.left !== null) at = at.left;
  return at;
}

function following(node: Node): Node | null {
  if (node.right !== null) return leftmost(node.right);
  let at = node;
  while (at.parent !== null && at === at.parent.right) at = at.parent;
  return at.parent;
}
