/** `// iommu-disable-next-line CODE[, CODE]: reason` */
import type { Range } from 'vscode-languageserver-types';

export interface Suppression {
  /** The line (counted from 0) whose diagnostics it turns off. */
  readonly line: number;
  readonly codes: readonly string[];
  /** Empty when none is given. */
  readonly reason: string;
  /** The comment. */
  readonly range: Range;
}

const COMMENT = /\/\/+\s*iommu-disable-next-line[ \t]+([\w/-]+(?:\s*,\s*[\w/-]+)*)\s*(?::(.*))?$/;

export function suppressionsIn(text: string): Suppression[] {
  if (!text.includes('iommu-disable-next-line')) return [];
  return text.split(/\r\n|\r|\n/).flatMap((line, number) => {
    const match = COMMENT.exec(line);
    if (match === null) return [];
    return [{
      line: number + 1, codes: match[1]!.split(',').map((code) => code.trim()), reason: (match[2] ?? '').trim(),
      range: { start: { line: number, character: match.index }, end: { line: number, character: line.length } },
    }];
  });
}
