/** "Expand selection": the nesting of the syntax tree around a position. Langium has no handler for it. */
import { CstUtils, URI, type CstNode } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import type { Connection, Position, SelectionRange } from 'vscode-languageserver';

export function addSelectionRanges(connection: Connection, shared: LangiumSharedServices): void {
  connection.onSelectionRanges(({ textDocument, positions }) => {
    const document = shared.workspace.LangiumDocuments.getDocument(URI.parse(textDocument.uri));
    const root = document?.parseResult.value.$cstNode;
    if (document === undefined || root === undefined) return null;
    return positions.map((position) => selectionAt(root, document.textDocument.offsetAt(position), position));
  });
}

function selectionAt(root: CstNode, offset: number, position: Position): SelectionRange {
  let selection: SelectionRange | undefined;
  const chain: CstNode[] = [];
  for (let node: CstNode | undefined = CstUtils.findLeafNodeAtOffset(root, offset); node !== undefined; node = node.container) chain.push(node);
  for (const node of chain.reverse()) {
    if (selection !== undefined && sameRange(selection.range, node.range)) continue;
    selection = { range: node.range, parent: selection };
  }
  return selection ?? { range: { start: position, end: position } };
}

const sameRange = (a: SelectionRange['range'], b: SelectionRange['range']): boolean =>
  a.start.line === b.start.line && a.start.character === b.start.character && a.end.line === b.end.line && a.end.character === b.end.character;
