/** The lexer, with a bound on nesting: the parser calls itself once per brace, and its stack is not endless. */
import type { IToken } from 'chevrotain';
import { DefaultLexer, type LexerResult, type TokenizeOptions } from 'langium';

/** More than any fabric has: every level of bridges takes a bus, and hierarchies are a handful deep. */
export const MAX_NESTING = 64;

export class IommuLexer extends DefaultLexer {
  override tokenize(text: string, options?: TokenizeOptions): LexerResult {
    const result = super.tokenize(text, options);
    const kept: IToken[] = [];
    let first: IToken | undefined;
    let depth = 0;
    for (const token of result.tokens) {
      if (token.image === '{') depth++;
      if (depth <= MAX_NESTING) kept.push(token);
      else first ??= token;
      if (token.image === '}') depth = Math.max(0, depth - 1);
    }
    if (first === undefined) return result;
    const error = { offset: first.startOffset, line: first.startLine, column: first.startColumn, length: 1, message: `Braces are nested more than ${MAX_NESTING} deep; what is inside is left out.` };
    return { ...result, tokens: kept, errors: [...result.errors, error] };
  }
}
