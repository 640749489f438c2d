/** Doc comments: the lines beginning with `///` directly before a statement. */
import { AstUtils, type AstNode } from 'langium';

export function docCommentOf(node: AstNode): string | undefined {
  const offset = node.$cstNode?.offset;
  if (offset === undefined) return undefined;
  const before = AstUtils.getDocument(node).textDocument.getText().slice(0, offset);
  const lines: string[] = [];
  let end = before.lastIndexOf('\n');
  if (before.slice(end + 1).trim() !== '') return undefined;
  while (end > 0) {
    const start = before.lastIndexOf('\n', end - 1) + 1;
    const line = before.slice(start, end).trim();
    if (!line.startsWith('///')) break;
    lines.unshift(line.slice(3).trim());
    end = start - 1;
  }
  return lines.length === 0 ? undefined : lines.join('\n');
}
