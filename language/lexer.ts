/**
 * The lexer. It finds words in a table instead of trying one pattern for each, and has a bound on nesting: the parser calls itself
 * once per brace, and its stack is not endless.
 */
import type { IToken, TokenType } from 'chevrotain';
import { DefaultLexer, type LangiumCoreServices, type LexerResult, type TokenizeOptions } from 'langium';
import { isWord } from './tokens.js';

/** More than any fabric has: every level of bridges takes a bus, and hierarchies are a handful deep. */
export const MAX_NESTING = 64;

/** How deep the braces among `tokens` are nested at most. */
export function depthOf(tokens: readonly IToken[]): number {
  let depth = 0;
  let most = 0;
  for (const { image } of tokens) {
    if (image === '{') most = Math.max(most, ++depth);
    if (image === '}') depth = Math.max(0, depth - 1);
  }
  return most;
}

export class IommuLexer extends DefaultLexer {
  private readonly identifier: TokenType;
  private readonly words: ReadonlyMap<string, TokenType>;

  constructor(services: LangiumCoreServices) {
    super(services);
    this.identifier = this.definition['ID']!;
    this.words = new Map(Object.values(this.definition).filter(isWord).map((word) => [word.name, word]));
  }

  override tokenize(text: string, options?: TokenizeOptions): LexerResult {
    const result = super.tokenize(text, options);
    const kept: IToken[] = [];
    let first: IToken | undefined;
    let depth = 0;
    for (const token of result.tokens) {
      const word = token.tokenType === this.identifier ? this.words.get(token.image) : undefined;
      if (word !== undefined) Object.assign(token, { tokenType: word, tokenTypeIdx: word.tokenTypeIdx });
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
