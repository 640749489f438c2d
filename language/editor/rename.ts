/** Renaming, also inside qualified names (`nic.vf3`, `win11.memory`, `desk.gpu`) and where a step names its process. */
import { AstUtils, CstUtils, GrammarUtils, type AstNode, type CstNode, type LangiumDocument, type URI } from 'langium';
import type { LangiumServices, RenameProvider } from 'langium/lsp';
import { ErrorCodes, ResponseError, type Position, type Range, type RenameParams, type TextDocumentPositionParams, type TextEdit, type WorkspaceEdit } from 'vscode-languageserver';
import * as ast from '../generated/ast.js';
import { isReservedWord } from '../tokens.js';

const NAME = /^[A-Za-z_]\w*(-\w+)*$/;

interface Spot {
  readonly uri: URI;
  readonly node: CstNode;
}

export class IommuRenameProvider implements RenameProvider {
  constructor(private readonly services: LangiumServices) {}

  prepareRename(document: LangiumDocument, params: TextDocumentPositionParams): Range | undefined {
    return this.renamed(document, params.position)?.leaf.range;
  }

  rename(document: LangiumDocument, params: RenameParams): WorkspaceEdit | undefined {
    const renamed = this.renamed(document, params.position);
    if (renamed === undefined) return undefined;
    if (!NAME.test(params.newName)) throw new ResponseError(ErrorCodes.InvalidParams, `\`${params.newName}\` is no name: letters, digits, _ and single hyphens, beginning with a letter.`);
    if (isReservedWord(params.newName)) throw new ResponseError(ErrorCodes.InvalidParams, `\`${params.newName}\` is a word of the language and cannot be a name.`);
    const changes: Record<string, TextEdit[]> = {};
    for (const { uri, node } of this.spots(renamed.target, renamed.name)) (changes[uri.toString()] ??= []).push({ range: node.range, newText: params.newName });
    return { changes };
  }

  /** The thing whose name is under the cursor: of `nic.vf3` the function `nic`. */
  private renamed(document: LangiumDocument, position: Position): { target: AstNode; name: string; leaf: CstNode } | undefined {
    const root = document.parseResult.value.$cstNode;
    const leaf = root === undefined ? undefined : CstUtils.findDeclarationNodeAtOffset(root, document.textDocument.offsetAt(position), /[\w-]/);
    if (leaf === undefined) return undefined;
    const [declared] = this.services.references.References.findDeclarations(leaf);
    for (let at: AstNode | undefined = declared; at !== undefined; at = at.$container) {
      if ('name' in at && at.name === leaf.text) return { target: at, name: leaf.text, leaf };
    }
    return undefined;
  }

  private *spots(target: AstNode, name: string): Iterable<Spot> {
    const declaration = GrammarUtils.findNodeForProperty(target.$cstNode, 'name');
    if (declaration !== undefined) yield { uri: AstUtils.getDocument(target).uri, node: declaration };
    for (const thing of namedThrough(target)) yield* this.mentions(thing, name);
    if (ast.isOwner(target)) yield* this.processWords(name);
  }

  /** The segment `name` of every reference to `thing`. */
  private *mentions(thing: AstNode, name: string): Iterable<Spot> {
    for (const reference of this.services.references.References.findReferences(thing, { includeDeclaration: false })) {
      const document = this.services.shared.workspace.LangiumDocuments.getDocument(reference.sourceUri);
      const root = document?.parseResult.value.$cstNode;
      if (root === undefined) continue;
      for (let offset = reference.segment.offset; offset < reference.segment.end; ) {
        const leaf = CstUtils.findLeafNodeAtOffset(root, offset);
        if (leaf?.text === name) {
          yield { uri: reference.sourceUri, node: leaf };
          break;
        }
        offset = Math.max(offset + 1, leaf?.end ?? 0);
      }
    }
  }

  /** `by qemu` and `kill qemu` are words, not references: a process need not be described. */
  private *processWords(name: string): Iterable<Spot> {
    for (const document of this.services.shared.workspace.LangiumDocuments.all) {
      const file = document.parseResult.value;
      if (!ast.isFile(file)) continue;
      for (const step of file.statements.filter(ast.isScenario).flatMap((scenario) => scenario.items).filter(ast.isStep)) {
        const by = step.process === name ? GrammarUtils.findNodeForProperty(step.$cstNode, 'process') : undefined;
        if (by !== undefined) yield { uri: document.uri, node: by };
        const [atom] = step.atoms;
        if (step.verb === 'kill' && ast.isNameAtom(atom) && atom.target.$refText === name && atom.$cstNode !== undefined) yield { uri: document.uri, node: atom.$cstNode };
      }
    }
  }
}

/** What may be mentioned with the name of `target` in front. */
function* namedThrough(target: AstNode): Iterable<AstNode> {
  yield target;
  const prefixes = ast.isHost(target) ? ast.isDevice : ast.isPciFunction(target) ? ast.isSriov : ast.isOwner(target) ? ast.isOwnerMemory : undefined;
  if (prefixes === undefined) return;
  for (const node of AstUtils.streamAllContents(target)) {
    if (prefixes(node) && (!ast.isPciFunction(target) || node.$container === target)) yield node;
  }
}
