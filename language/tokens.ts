/**
 * Words as tokens. The grammar speaks of VERB, MAKING_VERB, KEY, PROPERTY and NAME; each is a *category*: every word of the verb table
 * and of the property table becomes one token that belongs to the categories it may stand for. So a new verb in the table is
 * a new verb of the language, and a word such as `pasid` can be a property in one place and an operand's key in another.
 */
import { Lexer, type TokenType, type TokenVocabulary } from 'chevrotain';
import { DefaultTokenBuilder, type Grammar, type GrammarAST, type TokenBuilderOptions } from 'langium';
import { VERBS, type VerbSpec } from '../server/simulator/scenario/verbs.js';
import { IommuLanguageGrammar } from './generated/grammar.js';
import { NEGATED_KEYS, PROPERTY_KEYS } from './properties.js';

/** The operand that the verb introduces a name with: its first, when it is `new CLASS`. */
export const makesHandle = (verb: VerbSpec): boolean => verb.operands[0]?.kind.startsWith('new ') ?? false;

const CATEGORY_WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  VERB: new Set(VERBS.filter((verb) => !makesHandle(verb)).map((verb) => verb.verb)),
  MAKING_VERB: new Set(VERBS.filter(makesHandle).map((verb) => verb.verb)),
  KEY: new Set(VERBS.flatMap((verb) => verb.operands.flatMap((operand) => operand.key ?? []))),
  PROPERTY: new Set([...PROPERTY_KEYS, ...NEGATED_KEYS]),
};

export class WordTokenBuilder extends DefaultTokenBuilder {
  override buildTokens(grammar: Grammar | GrammarAST.Grammar, options?: TokenBuilderOptions): TokenVocabulary {
    const terminals = super.buildTokens(grammar, options) as TokenType[];
    const known = new Map(terminals.map((token) => [token.name, token]));
    const identifier = known.get('ID')!;
    const words: TokenType[] = [];
    for (const [category, members] of Object.entries(CATEGORY_WORDS)) {
      const abstract = known.get(category)!;
      abstract.PATTERN = Lexer.NA;
      for (const word of members) words.push(addTo(abstract, wordToken(word, known)));
    }
    const name = known.get('NAME')!;
    name.PATTERN = Lexer.NA;
    addTo(name, identifier);
    const keywords = new Set(grammarKeywords(terminals));
    for (const word of new Set(words)) if (mayBeName(word.name, keywords)) addTo(name, word);
    for (const token of known.values()) if (isWord(token)) token.PATTERN = Lexer.NA;
    return inLexingOrder([...known.values()]);
  }

  /** Which patterns match more than a keyword does: asked for tokens that are matched by pattern, which words are not. */
  protected override findLongerAlt(): TokenType[] {
    return [];
  }
}

function wordToken(word: string, known: Map<string, TokenType>): TokenType {
  const token = known.get(word) ?? { name: word };
  known.set(word, token);
  return token;
}

function addTo(category: TokenType, token: TokenType): TokenType {
  token.CATEGORIES = [...new Set([token.CATEGORIES ?? []].flat()), category];
  return token;
}

/** A word with a token of its own: an identifier by its letters. The lexer matches it as one, and then looks it up. */
export const isWord = (token: TokenType): boolean => /^[a-z]/.test(token.name);
const grammarKeywords = (tokens: readonly TokenType[]): string[] => tokens.filter(isWord).map((token) => token.name);

/** A property's word begins nothing where a name is due, so it may be a name; verbs, keys and the grammar's own words may not. */
function mayBeName(word: string, keywords: ReadonlySet<string>): boolean {
  return !keywords.has(word) && ['VERB', 'MAKING_VERB', 'KEY'].every((category) => !CATEGORY_WORDS[category]!.has(word));
}

/** What is matched letter by letter first, the longest first (`..` before `.`), then the patterns in the order of the grammar. */
function inLexingOrder(tokens: readonly TokenType[]): TokenType[] {
  const literal = tokens.filter((token) => typeof token.PATTERN === 'string');
  const rest = tokens.filter((token) => !literal.includes(token));
  return [...literal.sort((a, b) => b.name.length - a.name.length), ...rest];
}

let reservedWords: ReadonlySet<string> | undefined;

/** Words that cannot be names: the grammar's own, verbs and the words before operands. */
export function isReservedWord(word: string): boolean {
  reservedWords ??= new Set(allWords().filter((token) => !token.CATEGORIES || ![token.CATEGORIES].flat().some((it) => it.name === 'NAME')).map((token) => token.name));
  return reservedWords.has(word);
}

/** Every word of the language that has a token of its own. */
export function allWords(): TokenType[] {
  return (new WordTokenBuilder().buildTokens(IommuLanguageGrammar()) as TokenType[]).filter(isWord);
}
