/** Words are matched as identifiers and then looked up: as if each word had a pattern of its own, tried before all others. */
import { EmptyFileSystem } from 'langium';
import { describe, expect, it } from 'vitest';
import { createIommuServices } from '../../language/editor/index.js';
import { allWords } from '../../language/tokens.js';

const lexer = createIommuServices(EmptyFileSystem).iommu.parser.Lexer;
const words = allWords().map((word) => word.name);
const typesOf = (text: string): string[] => lexer.tokenize(text).tokens.map((token) => token.tokenType.name);

describe('words of the language', () => {
  it('have tokens of their own, alone and beside punctuation', () => {
    for (const word of words) {
      expect(typesOf(word)).toEqual([word]);
      expect(typesOf(`{${word},${word}.${word}}`)).toEqual(['{', word, ',', word, '.', word, '}']);
    }
  });

  it('are no part of longer names', () => {
    for (const word of words) for (const longer of [`${word}x`, `${word}0`, `x${word}`, `${word}_`, `${word}-q`, word.toUpperCase()]) expect(typesOf(longer)).toEqual([words.includes(longer) ? longer : 'ID']);
  });

  it('are not mistaken for hexadecimal digits: none could begin an address or an ID', () => {
    expect(words.filter((word) => /^[a-f]{1,8}$/.test(word))).toEqual([]);
    expect(typesOf('fa:00.0 dead:beef 0000:fe:1f.7')).toEqual(['PCI_ADDRESS', 'ID_PAIR', 'PCI_ADDRESS']);
  });

  it('may begin with a digit where the grammar says so', () => {
    expect(typesOf('2025-rework 2025')).toEqual(['2025-rework', 'NUMBER']);
  });
});
