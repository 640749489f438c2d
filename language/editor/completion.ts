/** Completion: what the cursor's statement may go on with, and the statements of its block. */
import { AstUtils, CstUtils, type AstNode, type LangiumDocument, type Lexer } from 'langium';
import type { CompletionProvider, LangiumServices } from 'langium/lsp';
import { CompletionItemKind, InsertTextFormat, MarkupKind, type CompletionItem, type CompletionList, type CompletionParams, type Range } from 'vscode-languageserver';
import { verbNamed } from '../../server/simulator/scenario/verbs.js';
import { classOfHandle } from '../checks/steps.js';
import * as ast from '../generated/ast.js';
import { KEYWORD_DOCS } from '../keywords.js';
import { DEFAULT_PROCESS, handlesOf, type Names } from '../names.js';
import { propertyOf } from '../properties.js';
import { namesFrom } from '../scopes.js';
import { cursorAfter, HOLDER_OF, startsOf, type Block } from './cursor.js';
import { expectedAt, type NameKind } from './expected.js';
import { declarationText, propertyText, verbText } from './hover.js';
import { SNIPPETS } from './snippets.js';

/** An editor shows a few; more only cost time. */
const MAX_NAMES = 200;

export class IommuCompletionProvider implements CompletionProvider {
  private readonly lexer: () => Lexer;

  constructor(private readonly services: LangiumServices) {
    this.lexer = () => services.parser.Lexer;
  }

  getCompletion(document: LangiumDocument, params: CompletionParams): CompletionList | undefined {
    const text = document.textDocument.getText();
    const offset = document.textDocument.offsetAt(params.position);
    if (inCommentOrString(text, offset)) return undefined;
    const start = offset - (/[A-Za-z_][\w-]*$/.exec(text.slice(Math.max(0, offset - 200), offset))?.[0].length ?? 0);
    const range = { start: document.textDocument.positionAt(start), end: params.position };
    const words = this.lexer().tokenize(text.slice(0, start)).tokens.map((token) => token.image);
    const cursor = cursorAfter(words);
    const expected = expectedAt(cursor);
    const items = [
      ...this.nameItems(document, start, expected.names, processIn(cursor.statement, words)),
      ...expected.words.map((word) => wordItem(word)),
      ...(expected.statements ? statementItems(cursor.block, cursor.statement[0] === 'by') : []),
    ];
    return { isIncomplete: false, items: unique(items).map((item) => withEdit(item, range)) };
  }

  private nameItems(document: LangiumDocument, offset: number, kinds: readonly NameKind[], process: string): CompletionItem[] {
    if (kinds.length === 0) return [];
    const root = document.parseResult.value;
    const leaf = root.$cstNode === undefined ? undefined : CstUtils.findLeafNodeBeforeOffset(root.$cstNode, offset);
    const at = leaf?.astNode ?? root;
    const names = namesFrom(document, this.services.shared.workspace.LangiumDocuments);
    const items: CompletionItem[] = [];
    for (const [name, node] of candidates(names, at, offset, process)) {
      if (items.length >= MAX_NAMES) break;
      if (kinds.some((kind) => isOfKind(node, kind))) items.push(nameItem(name, node));
    }
    return items;
  }
}

function* candidates(names: Names, at: AstNode, offset: number, process: string): Iterable<readonly [string, AstNode]> {
  const scenario = AstUtils.getContainerOfType(at, ast.isScenario);
  if (scenario !== undefined) for (const handle of handlesOf(scenario, process)) if ((handle.$cstNode?.offset ?? 0) < offset) yield [handle.name, handle];
  for (const entry of names.visible(at)) if (!ast.isHandle(entry[1])) yield entry;
}

/** Who makes the call that is being written. */
function processIn(statement: readonly string[], words: readonly string[]): string {
  const before = words.length - statement.length;
  return words[before - 2] === 'by' ? words[before - 1]! : DEFAULT_PROCESS;
}

function isOfKind(node: AstNode, kind: NameKind): boolean {
  switch (kind) {
    case 'device': return ast.isDevice(node);
    case 'host': return ast.isHost(node);
    case 'owner': return ast.isOwner(node);
    case 'memory': return ast.isOwnerMemory(node);
    case 'domain': return ast.isDomain(node);
    case 'constant': return ast.isConstant(node);
    case 'handle': return ast.isHandle(node);
    case 'pasid-set': return ast.isPasidSet(node);
    case 'number': return ast.isConstant(node);
    default: return ast.isHandle(node) && classOfHandle(node) === kind;
  }
}

function nameItem(name: string, node: AstNode): CompletionItem {
  return { label: name, kind: CompletionItemKind.Variable, detail: detailOf(node), documentation: { kind: MarkupKind.Markdown, value: declarationText(node) }, sortText: `0${name}` };
}

const detailOf = (node: AstNode): string => (ast.isHandle(node) ? classOfHandle(node) : ast.isPciFunction(node) ? `${node.kind}${node.address === undefined ? '' : ` ${node.address}`}` : node.$type);

const wordItem = (word: string): CompletionItem => ({ label: word, kind: CompletionItemKind.EnumMember, sortText: `1${word}` });

function statementItems(block: Block, verbsOnly: boolean): CompletionItem[] {
  return [...startsOf(block)].filter((word) => !verbsOnly || verbNamed.has(word)).flatMap((word) => {
    const snippets = (SNIPPETS[word] ?? []).map((snippet): CompletionItem => ({
      label: snippet.label, kind: CompletionItemKind.Snippet, filterText: word, documentation: snippet.doc, insertText: snippet.text,
      insertTextFormat: InsertTextFormat.Snippet, sortText: `2${word}1`,
    }));
    return [{ ...keywordItem(block, word), sortText: `2${word}0` }, ...(block === 'file' || block === 'host' ? snippets : [])];
  });
}

function keywordItem(block: Block, word: string): CompletionItem {
  const verb = block === 'scenario' ? verbNamed.get(word) : undefined;
  if (verb !== undefined) return { label: word, kind: CompletionItemKind.Function, detail: verb.call, documentation: { kind: MarkupKind.Markdown, value: verbText(verb) } };
  const holder = HOLDER_OF[block];
  const property = holder === undefined ? undefined : propertyOf(holder, word);
  if (property !== undefined) return { label: word, kind: CompletionItemKind.Property, documentation: { kind: MarkupKind.Markdown, value: propertyText(property) } };
  const doc = KEYWORD_DOCS[word];
  return { label: word, kind: CompletionItemKind.Keyword, ...(doc === undefined ? {} : { documentation: { kind: MarkupKind.Markdown, value: doc } }) };
}

const withEdit = (item: CompletionItem, range: Range): CompletionItem => ({ ...item, textEdit: { range, newText: item.insertText ?? item.label } });

function unique(items: readonly CompletionItem[]): CompletionItem[] {
  return [...new Map(items.map((item) => [item.label, item] as const).toReversed()).values()].toReversed();
}

/** Only the cursor's line decides: neither strings nor line comments go over its end. */
function inCommentOrString(text: string, offset: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  const rest = line.replace(/"(?:\\.|[^"\\])*"/g, '');
  return rest.includes('//') || rest.includes('"');
}
