/** Colours by meaning: what a name is, where it is introduced; which words are verbs, operands, flags and values. */
import type { AstNode } from 'langium';
import { AbstractSemanticTokenProvider, type SemanticTokenAcceptor } from 'langium/lsp';
import { SemanticTokenModifiers, SemanticTokenTypes } from 'vscode-languageserver';
import * as ast from '../generated/ast.js';
import { operandOf } from '../steps.js';

type Highlighter<N extends AstNode> = (node: N, accept: SemanticTokenAcceptor) => void;

/** The type of token that a named thing is. */
function tokenType(node: AstNode | undefined): string {
  if (node === undefined) return SemanticTokenTypes.variable;
  if (ast.isHost(node)) return SemanticTokenTypes.namespace;
  if (ast.isHandle(node)) return SemanticTokenTypes.parameter;
  if (ast.isOwner(node) || ast.isDomain(node) || ast.isGroupClaim(node)) return SemanticTokenTypes.class;
  return ast.isConstant(node) ? SemanticTokenTypes.enumMember : SemanticTokenTypes.variable;
}

const property = <N extends AstNode>(name: string, type: string): Highlighter<N> => (node, accept) =>
  accept({ node, property: name, type } as never);

const HIGHLIGHTERS: Readonly<Record<string, readonly Highlighter<never>[]>> = {
  SimpleProperty: [property('key', SemanticTokenTypes.property), property('values', SemanticTokenTypes.enumMember)],
  Step: [property('verb', SemanticTokenTypes.function), property('process', SemanticTokenTypes.parameter)],
  KeyAtom: [property('word', SemanticTokenTypes.keyword)],
  NameAtom: [atom as Highlighter<never>],
  DeviceRef: [property('device', SemanticTokenTypes.variable)],
  ConstantUse: [property('constant', SemanticTokenTypes.enumMember)],
  Literal: [property('value', SemanticTokenTypes.number)],
  NumberAtom: [property('value', SemanticTokenTypes.number)],
  Expectation: [property('kind', SemanticTokenTypes.enumMember), property('number', SemanticTokenTypes.number)],
  PciFunction: [property('type', SemanticTokenTypes.enumMember), property('address', SemanticTokenTypes.number)],
  Iommu: [property('architecture', SemanticTokenTypes.enumMember)],
  MediatedDevice: [property('kind', SemanticTokenTypes.enumMember)],
  Domain: [property('type', SemanticTokenTypes.enumMember)],
  ReservedRegion: [property('type', SemanticTokenTypes.enumMember)],
  MemoryKind: [property('kind', SemanticTokenTypes.enumMember)],
  Cpu: [property('vendor', SemanticTokenTypes.enumMember)],
  Grouping: [property('algorithm', SemanticTokenTypes.enumMember)],
  IoasidChoice: [property('model', SemanticTokenTypes.enumMember)],
  Kernel: [property('version', SemanticTokenTypes.number)],
  Binding: [property('driver', SemanticTokenTypes.enumMember)],
  Dma: [property('access', SemanticTokenTypes.keyword), property('words', SemanticTokenTypes.enumMember)],
};

function atom(node: ast.NameAtom, accept: SemanticTokenAcceptor): void {
  const role = operandOf(node.$container, node)?.spec.kind;
  const plain = role === undefined || role === 'word' || role === 'text';
  accept({ node, property: 'target', type: plain ? SemanticTokenTypes.enumMember : tokenType(node.target?.ref) });
}

export class IommuSemanticTokenProvider extends AbstractSemanticTokenProvider {
  protected override highlightElement(node: AstNode, accept: SemanticTokenAcceptor): void {
    if ('name' in node && node.name !== undefined) accept({ node, property: 'name', type: tokenType(node), modifier: SemanticTokenModifiers.declaration } as never);
    if ('host' in node && typeof node.host === 'object') accept({ node, property: 'host', type: SemanticTokenTypes.namespace } as never);
    for (const highlight of HIGHLIGHTERS[node.$type] ?? []) (highlight as Highlighter<AstNode>)(node, accept);
  }
}
