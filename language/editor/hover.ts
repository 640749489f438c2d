/** Hovers that need no simulation: doc comments, and what a verb, an operand or a property is. */
import { AstUtils, CstUtils, GrammarUtils, type AstNode, type LangiumDocument, type LeafCstNode } from 'langium';
import type { HoverProvider, LangiumServices } from 'langium/lsp';
import type { Hover, HoverParams } from 'vscode-languageserver';
import { registerNamed } from '../../server/simulator/hardware/register-map.js';
import { ioctlCommand, ioctlText, UAPI_CALLS, uapiCallsOf } from '../../server/simulator/scenario/verbs-uapi.js';
import { verbNamed, type VerbSpec } from '../../server/simulator/scenario/verbs.js';
import { docCommentOf } from '../comments.js';
import * as ast from '../generated/ast.js';
import { KEYWORD_DOCS } from '../keywords.js';
import { ARCHITECTURES } from '../lowering/host.js';
import { positive, propertyOf, type PropertySpec } from '../properties.js';
import { holderOf } from '../holders.js';
import { describeOperand, readStep } from '../steps.js';

export class IommuHoverProvider implements HoverProvider {
  constructor(private readonly services: LangiumServices) {}

  getHoverContent(document: LangiumDocument, params: HoverParams): Hover | undefined {
    const root = document.parseResult.value.$cstNode;
    const leaf = root === undefined ? undefined : CstUtils.findLeafNodeAtOffset(root, document.textDocument.offsetAt(params.position));
    if (leaf === undefined || leaf.hidden) return undefined;
    const value = wordHover(leaf) ?? this.declarationHover(leaf) ?? KEYWORD_DOCS[leaf.text];
    return value === undefined ? undefined : { contents: { kind: 'markdown', value }, range: leaf.range };
  }

  private declarationHover(leaf: LeafCstNode): string | undefined {
    const [declared] = this.services.references.References.findDeclarations(leaf);
    return declared === undefined ? undefined : declarationText(declared);
  }
}

/** Of a word from the tables: what the verb calls, what the operand or property means. */
function wordHover(leaf: LeafCstNode): string | undefined {
  const node = leaf.astNode;
  if (ast.isStep(node) && isProperty(node, 'verb', leaf)) {
    const verb = verbNamed.get(node.verb);
    return verb === undefined ? undefined : verbText(verb);
  }
  if (ast.isKeyAtom(node)) {
    const operand = readStep(node.$container).spec?.operands.find((it) => it.key === node.word);
    return operand === undefined ? undefined : `\`${node.word}\`: ${operand.doc}`;
  }
  if (ast.isRegister(node) && isProperty(node, 'register', leaf)) {
    const spec = registerNamed(ARCHITECTURES[node.$container.architecture ?? ''] ?? 'vtd', node.register);
    return spec === undefined ? undefined : `**${spec.name}**, offset 0x${spec.offset.toString(16)}, ${spec.bits} bits: ${spec.doc}`;
  }
  if (ast.isSimpleProperty(node) && isProperty(node, 'key', leaf)) {
    const property = propertyOf(holderOf(node), node.key);
    return property === undefined ? undefined : propertyText(property);
  }
  return undefined;
}

const isProperty = (node: AstNode, property: string, leaf: LeafCstNode): boolean => GrammarUtils.findNodeForProperty(node.$cstNode, property)?.offset === leaf.offset;

const code = (text: string): string => `\`\`\`iommu\n${text}\n\`\`\``;

/** Call, operands and flags of a verb, as markdown. */
export function verbText(verb: VerbSpec): string {
  const operands = verb.operands.map((operand) => `- ${describeOperand(operand)}${operand.optional ? ', optional' : ''}`);
  const flags = verb.flags.length === 0 ? [] : [`- flags: ${verb.flags.map((flag) => `\`${flag}\``).join(', ')}`];
  const rules = verb.rules.length === 0 ? [] : [`Rules: ${verb.rules.join(', ')}`];
  return [`**${verb.verb}**: \`${verb.call}\``, verb.doc, uapiCallsOf(verb.call).map(uapiText).join('\n'), [...operands, ...flags].join('\n'), code(verb.example), ...rules].filter((part) => part !== '').join('\n\n');
}

/** Command, structure and flags of an ioctl. */
function uapiText(name: string): string {
  const { ioctl, argument, members, flags } = UAPI_CALLS[name]!;
  const parts = [`\`${ioctlText(ioctl)}\` = 0x${ioctlCommand(ioctl).toString(16)}, \`${argument}\``, ...(members === undefined ? [] : [members]), ...(flags === undefined ? [] : [`flags ${flags}`])];
  return `- \`${name}\`: ${parts.join('; ')}`;
}

export function propertyText(property: PropertySpec): string {
  const words = property.words === undefined ? [] : [[...property.words, ...(property.alone ?? [])].map((word) => `\`${word}\``).join(', ')];
  return [`**${positive(property.key)}**: ${property.doc}`, ...words, code(property.example)].join('\n\n');
}

/** The head of a statement (up to its brace) and its doc comment. */
export function declarationText(node: AstNode): string {
  const statement = ast.isHandle(node) ? node.$container : node;
  const head = (statement.$cstNode?.text ?? '').split('{', 1)[0]!.replace(/\s+/g, ' ').trim();
  const host = AstUtils.getContainerOfType(node.$container, ast.isHost);
  const inside = host?.name === undefined ? '' : `\n\nof host \`${host.name}\``;
  return [code(head) + inside, docCommentOf(statement)].filter((part) => part !== undefined).join('\n\n');
}
