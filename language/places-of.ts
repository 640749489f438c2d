/** Places of described things, worked out only when somebody asks: most are never shown. */
import { AstUtils, CstUtils, GrammarUtils, isLeafCstNode, isCompositeCstNode, type AstNode, type CstNode } from 'langium';
import type { Range } from 'vscode-languageserver-types';
import type { SubjectId } from '../server/simulator/description.js';
import type { Place } from './places.js';
import * as ast from './generated/ast.js';

const NOWHERE: Range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };

/** Places by identity. Each is worked out when first asked for. */
class Places implements ReadonlyMap<SubjectId, Place> {
  private readonly made = new Map<SubjectId, Place>();

  constructor(private readonly nodes: ReadonlyMap<SubjectId, AstNode>) {}

  get size(): number {
    return this.nodes.size;
  }

  get(id: SubjectId): Place | undefined {
    const known = this.made.get(id);
    const node = this.nodes.get(id);
    if (known !== undefined || node === undefined) return known;
    const place = placeOf(node);
    this.made.set(id, place);
    return place;
  }

  has(id: SubjectId): boolean {
    return this.nodes.has(id);
  }

  keys(): MapIterator<SubjectId> {
    return this.nodes.keys();
  }

  *values(): MapIterator<Place> {
    for (const id of this.nodes.keys()) yield this.get(id)!;
    return undefined;
  }

  *entries(): MapIterator<[SubjectId, Place]> {
    for (const id of this.nodes.keys()) yield [id, this.get(id)!];
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[SubjectId, Place]> {
    return this.entries();
  }

  forEach(visit: (place: Place, id: SubjectId, map: ReadonlyMap<SubjectId, Place>) => void): void {
    for (const [id, place] of this) visit(place, id, this);
  }
}

/** Collects places while ids are given out; an id that is taken gets a number. */
export class PlaceBook {
  private readonly nodes = new Map<SubjectId, AstNode>();
  private readonly repeats = new Map<string, number>();
  readonly places: ReadonlyMap<SubjectId, Place> = new Places(this.nodes);

  /** Gives `node` the identity `wanted`, or `wanted#2` ... when that is taken. */
  add(wanted: string, node: AstNode): SubjectId {
    let id = wanted;
    while (this.nodes.has(id)) id = this.numbered(wanted);
    this.nodes.set(id, node);
    return id;
  }

  private numbered(wanted: string): SubjectId {
    const count = (this.repeats.get(wanted) ?? 1) + 1;
    this.repeats.set(wanted, count);
    return `${wanted}#${count}`;
  }
}

export function placeOf(node: AstNode): Place {
  const range = node.$cstNode?.range ?? NOWHERE;
  const bodyRange = bodyOf(node);
  return {
    uri: AstUtils.getDocument(node).uri.toString(), range,
    nameRange: (nameNode(node) ?? firstLeaf(node.$cstNode))?.range ?? range,
    ...(bodyRange === undefined ? {} : { bodyRange }),
    properties: propertiesOf(node),
  };
}

function propertiesOf(node: AstNode): Record<string, Range> {
  const properties: Record<string, Range> = {};
  for (const child of AstUtils.streamContents(node)) {
    const keyword = isPropertyStatement(child) ? firstLeaf(child.$cstNode)?.text : undefined;
    if (keyword !== undefined) properties[keyword] ??= child.$cstNode!.range;
  }
  return properties;
}

/** The node of the name, of a step its verb, of a DMA its device. */
export function nameNode(node: AstNode): CstNode | undefined {
  const property = ast.isScenario(node) ? 'title' : ast.isStep(node) ? 'verb' : 'name';
  return GrammarUtils.findNodeForProperty(node.$cstNode, property);
}

const isPropertyStatement = (node: AstNode): boolean =>
  ast.isSimpleProperty(node) || (!('name' in node) && (ast.isFunctionItem(node) || ast.isIommuProperty(node) || ast.isPlatformProperty(node) ||
  ast.isKernelClause(node) || ast.isOwnerItem(node) || ast.isMemoryDetail(node) || ast.isDomainItem(node) || ast.isHostItem(node)));

function firstLeaf(node: CstNode | undefined): CstNode | undefined {
  if (node === undefined) return undefined;
  return CstUtils.flattenCst(node).find((leaf) => !leaf.hidden);
}

/** Between the outermost braces of the node itself. */
export function bodyOf(node: AstNode): Range | undefined {
  let open: CstNode | undefined;
  let close: CstNode | undefined;
  for (const leaf of ownLeaves(node.$cstNode, node)) {
    if (leaf.text === '{') open ??= leaf;
    if (leaf.text === '}') close = leaf;
  }
  return open === undefined ? undefined : { start: open.range.end, end: close?.range.start ?? node.$cstNode!.range.end };
}

function* ownLeaves(cst: CstNode | undefined, owner: AstNode): Iterable<CstNode> {
  if (cst === undefined) return;
  if (isLeafCstNode(cst)) yield cst;
  else if (isCompositeCstNode(cst)) for (const child of cst.content) if (child.astNode === owner) yield* ownLeaves(child, owner);
}
