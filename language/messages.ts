/** Syntax errors in the words of the language. */
import type { IToken, TokenType } from 'chevrotain';
import { DefaultLexerErrorMessageProvider, LangiumParserErrorMessageProvider } from 'langium';
import { closest } from './suggestions.js';
import { allWords } from './tokens.js';

/** What is expected, for people. */
const EXPECTED: Readonly<Record<string, string>> = {
  NAME: 'a name', ID: 'a word', STRING: 'a text in quotes', NUMBER: 'a number', PCI_ADDRESS: 'a PCI address', VERB: 'a step', MAKING_VERB: 'a step', KEY: 'a word', PROPERTY: 'a property', EOF: 'the end of the file',
};

let words: readonly string[] | undefined;

export class IommuMessages extends LangiumParserErrorMessageProvider {
  override buildMismatchTokenMessage({ expected, actual, previous, ruleName }: { expected: TokenType; actual: IToken; previous: IToken; ruleName: string }): string {
    if (expected.name === 'NAME' && /^[a-z]/.test(actual.image) && ruleName !== '') {
      return `Here comes a name, but \`${actual.image}\` is a word of the language${previous.image === '' ? '' : ` (after \`${previous.image}\`)`}.`;
    }
    if (expected.name === '}' && actual.image === '') return 'The file ends inside braces: a `}` is missing.';
    if (expected.name === '}') return `${capital(found(actual))} cannot begin a statement here.${meant(actual)}`;
    return `Here comes ${EXPECTED[expected.name] ?? `\`${expected.name}\``}, not ${found(actual)}.${meant(actual)}`;
  }

  override buildNotAllInputParsedMessage({ firstRedundant }: { firstRedundant: IToken }): string {
    return `A statement cannot begin with ${found(firstRedundant)}.${meant(firstRedundant)}`;
  }

  override buildNoViableAltMessage({ actual }: { actual: IToken[] }): string {
    const [token] = actual;
    return token === undefined ? 'Something is missing here.' : `${capital(found(token))} is not understood here.${meant(token)}`;
  }

  override buildEarlyExitMessage({ actual }: { actual: IToken[] }): string {
    const [token] = actual;
    return token === undefined ? 'Something is missing here.' : `Something is missing before ${found(token)}.`;
  }
}

const found = (token: IToken): string => (token.image === '' ? 'the end of the file' : `\`${token.image}\``);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function meant(token: IToken): string {
  if (token.tokenType.name !== 'ID') return '';
  words ??= allWords().map((word) => word.name);
  const near = closest(token.image, words);
  return near === undefined ? '' : ` Did you mean \`${near}\`?`;
}

export class IommuLexerMessages extends DefaultLexerErrorMessageProvider {
  override buildUnexpectedCharactersMessage(text: string, offset: number, length: number): string {
    const unexpected = text.slice(offset, offset + length);
    return unexpected.startsWith('"') ? 'The text in quotes does not end in its line.' : `\`${unexpected}\` belongs to no word of the language.`;
  }
}
