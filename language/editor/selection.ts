/** Growing selections: word, statement, block, and so on outwards. Langium has no service for it; the server calls this. */
import { CstUtils, type CstNode, type LangiumDocument } from 'langium';
import type { Position, Range, SelectionRange } from 'vscode-languageserver';

export function selectionRanges(document: LangiumDocument, positions: readonly Position[]): SelectionRange[] {
  return positions.map((position) => selectionAt(document, position));
}

function selectionAt(document: LangiumDocument, position: Position): SelectionRange {
  const root = document.parseResult.value.$cstNode;
  const offset = document.textDocument.offsetAt(position);
  const leaf = root === undefined ? undefined : CstUtils.findLeafNodeAtOffset(root, offset) ?? CstUtils.findLeafNodeBeforeOffset(root, offset);
  const inwards: Range[] = [];
  for (let at: CstNode | undefined = leaf; at !== undefined; at = at.container) {
    if (!same(at.range, inwards.at(-1)) && holds(at, offset)) inwards.push(at.range);
  }
  return inwards.reduceRight<SelectionRange | undefined>((parent, range) => ({ range, ...(parent === undefined ? {} : { parent }) }), undefined)
    ?? { range: { start: position, end: position } };
}

const holds = (node: CstNode, offset: number): boolean => node.offset <= offset && offset <= node.end;

const same = (a: Range, b: Range | undefined): boolean =>
  b !== undefined && a.start.line === b.start.line && a.start.character === b.start.character && a.end.line === b.end.line && a.end.character === b.end.character;
