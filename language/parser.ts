/** The parser, with one rule more for its recovery from errors, and a record of how far ahead it looked. */
import type { IToken } from 'chevrotain';
import { createParser, LangiumParser, type AstNode, type LangiumCoreServices, type LexerResult, type ParseResult, type ParserOptions } from 'langium';
import { startsOf } from './editor/cursor.js';

const BEGINNINGS: ReadonlySet<string> = new Set([...startsOf('file'), ...startsOf('host'), ...startsOf('scenario'), '{', '}']);

/** A decision that saw more than the token before it: made at the token that begins at `from`, by tokens that end at `to`. */
export interface Look {
  readonly from: number;
  readonly to: number;
}

export class IommuParser extends LangiumParser {
  private looks: Look[] = [];
  private readonly looksOfRoots = new WeakMap<AstNode, readonly Look[]>();
  /** What stands in for the lexer's answer while `parseTokens` runs. */
  private prepared: LexerResult | undefined;

  constructor(services: LangiumCoreServices) {
    super(services);
    const lexer = this.lexer;
    Object.assign(this, { lexer: { definition: lexer.definition, tokenize: (text: string) => this.prepared ?? lexer.tokenize(text) } });
  }

  /** What is put into the wrapper before its analysis of itself, the analysis may take away. */
  override finalize(): void {
    super.finalize();
    const { wrapper } = this;
    const lookAhead = wrapper['LA'].bind(wrapper);
    Object.assign(wrapper, {
      // When a token is missing, the generated parser may skip the one it found to get at the one it wants. It must never skip what
      // begins a statement or closes a block: the next statement would go with the broken one.
      canTokenTypeBeDeletedInRecovery: () => !BEGINNINGS.has(lookAhead(1).image),
      LA: (distance: number): IToken => {
        const token = lookAhead(distance);
        if (distance > 1) this.looks.push({ from: lookAhead(1).startOffset, to: Number.isNaN(token.startOffset) ? Infinity : token.startOffset + token.image.length });
        return token;
      },
    });
  }

  override parse<T extends AstNode = AstNode>(input: string, options?: ParserOptions): ParseResult<T> {
    this.looks = [];
    const result = super.parse<T>(input, options);
    this.looksOfRoots.set(result.value, this.looks);
    return result;
  }

  /** Parses `lexed`, whose tokens stand in `text`, as if they were all there is. */
  parseTokens<T extends AstNode = AstNode>(text: string, lexed: LexerResult): ParseResult<T> {
    this.prepared = lexed;
    try {
      return this.parse<T>(text);
    } finally {
      this.prepared = undefined;
    }
  }

  /** The far looks of the parse that made `root`. */
  looksOf(root: AstNode): readonly Look[] {
    return this.looksOfRoots.get(root) ?? [];
  }

  setLooks(root: AstNode, looks: readonly Look[]): void {
    this.looksOfRoots.set(root, looks);
  }
}

export function createIommuParser(services: LangiumCoreServices): IommuParser {
  const parser = createParser(services.Grammar, new IommuParser(services), services.parser.Lexer.definition);
  parser.finalize();
  return parser;
}
