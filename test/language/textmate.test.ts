/** The colours before any server runs: the grammar as VS Code's own engine reads it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERBS } from '../../server/simulator/scenario/verbs.js';
import { PROPERTY_KEYS } from '../../language/properties.js';
import { allWords } from '../../language/tokens.js';
import type { IGrammar } from 'vscode-textmate';

const require = createRequire(import.meta.url);
const { Registry, parseRawGrammar } = require('vscode-textmate') as typeof import('vscode-textmate');
const { loadWASM, OnigScanner, OnigString } = require('vscode-oniguruma') as typeof import('vscode-oniguruma');

let grammar: IGrammar;

beforeAll(async () => {
  await loadWASM(readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')));
  const path = new URL('../../syntaxes/iommu.tmLanguage.json', import.meta.url);
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner: (sources: string[]) => new OnigScanner(sources), createOnigString: (text: string) => new OnigString(text) }),
    loadGrammar: async () => parseRawGrammar(readFileSync(path, 'utf8'), 'iommu.tmLanguage.json'),
  });
  grammar = (await registry.loadGrammar('source.iommu'))!;
});

/** Text and innermost scope of each token that is not white space. */
function tokens(...lines: string[]): [string, string][] {
  let stack = null as Parameters<IGrammar['tokenizeLine']>[1];
  return lines.flatMap((line) => {
    const result = grammar.tokenizeLine(line, stack);
    stack = result.ruleStack;
    return result.tokens.map((token): [string, string] => [line.slice(token.startIndex, token.endIndex), token.scopes.at(-1)!]).filter(([text]) => text.trim() !== '');
  });
}

describe('the TextMate grammar', () => {
  it('tells keywords, names, addresses and numbers apart', () => {
    expect(tokens('function gpu at 01:00.0 { id 10de:2484  bar 0 at 0xfc00_0000 size 16MiB }')).toEqual([
      ['function', 'keyword.control.iommu'], ['gpu', 'variable.other.iommu'], ['at', 'keyword.control.iommu'], ['01:00.0', 'constant.numeric.pci-address.iommu'],
      ['{', 'punctuation.section.block.iommu'], ['id', 'support.type.property-name.iommu'], ['10de:2484', 'constant.numeric.pci-id.iommu'],
      ['bar', 'keyword.control.iommu'], ['0', 'constant.numeric.decimal.iommu'], ['at', 'keyword.control.iommu'], ['0xfc00_0000', 'constant.numeric.hex.iommu'],
      ['size', 'keyword.control.iommu'], ['16', 'constant.numeric.decimal.iommu'], ['MiB', 'keyword.other.unit.iommu'], ['}', 'punctuation.section.block.iommu'],
    ]);
  });

  it('does not cut words at hyphens', () => {
    expect(tokens('dma-map nic', 'dma-mapper')).toEqual([['dma-map', 'entity.name.function.verb.iommu'], ['nic', 'variable.other.iommu'], ['dma-mapper', 'variable.other.iommu']]);
  });

  it('knows errnos and expectations', () => {
    expect(tokens('close c expect EINVAL', 'expect interrupt').map(([, scope]) => scope)).toEqual([
      'entity.name.function.verb.iommu', 'variable.other.iommu', 'keyword.control.iommu', 'constant.language.errno.iommu', 'keyword.control.iommu', 'constant.language.iommu']);
  });

  it('keeps comments and strings whole, and ends them where they end', () => {
    expect(tokens('/// doc host', 'use "a.iommu" // x', '/* host', 'host */ host').map(([text, scope]) => `${text}|${scope}`)).toEqual([
      '/// doc host|comment.line.documentation.iommu', 'use|keyword.control.iommu', '"|string.quoted.double.iommu', 'a.iommu|string.quoted.double.iommu', '"|string.quoted.double.iommu',
      '// x|comment.line.double-slash.iommu', '/*|comment.block.iommu', ' host|comment.block.iommu', 'host |comment.block.iommu', '*/|comment.block.iommu', 'host|keyword.control.iommu']);
  });

  it('colours every word of the language', () => {
    const plain = allWords().map((word) => word.name).filter((word) => tokens(word)[0]![1] === 'variable.other.iommu');
    expect(plain).toEqual([]);
    expect(VERBS.every((verb) => tokens(verb.verb)[0]![1] === 'entity.name.function.verb.iommu')).toBe(true);
    expect([...PROPERTY_KEYS].every((key) => tokens(key).length === 1)).toBe(true);
  });
});

describe('language-configuration.json', () => {
  const configuration = JSON.parse(readFileSync(new URL('../../language-configuration.json', import.meta.url), 'utf8')) as { wordPattern: string; indentationRules: Record<string, string> };

  it('takes names with hyphens as one word', () => expect('open-container snd_card 0xfee0_0000'.match(new RegExp(configuration.wordPattern, 'g'))).toEqual(['open-container', 'snd_card', '0xfee0_0000']));

  it('indents after an open brace only', () => {
    const indents = new RegExp(configuration.indentationRules['increaseIndentPattern']!);
    expect(['host h {', 'host h { }', '// {', 'cpu amd'].map((line) => indents.test(line))).toEqual([true, false, false, false]);
  });
});
