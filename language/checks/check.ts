/** The frame of a check: one statement in, problems out. A check reads the tree and nothing else. */
import type { AstNode } from 'langium';
import type { LanguageCode } from '../codes.js';

export interface Where {
  /** Underline only this property of the node ... */
  readonly property?: string;
  /** ... and of a list, only this entry. */
  readonly index?: number;
  readonly severity?: 'error' | 'warning' | 'information' | 'hint';
}

export type Report = (code: LanguageCode, node: AstNode, message: string, where?: Where) => void;
export type Check<N extends AstNode> = (node: N, report: Report) => void;

/** "`a`, `b` or `c`" */
export function listed(words: readonly string[]): string {
  const quoted = words.map((word) => `\`${word}\``);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
