import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitsOf, padWord, parseBits } from '../../../client/trace/bits.js';

describe('bits of table entries', () => {
  it.each([
    ['63:12', { word: 0, high: 63, low: 12 }],
    ['5', { word: 0, high: 5, low: 5 }],
    ['q1 2:0', { word: 1, high: 2, low: 0 }],
    ['127:64', { word: 1, high: 63, low: 0 }],
    ['somewhere', null],
  ])('%s', (text, range) => expect(parseBits(text)).toEqual(range));

  it('are those of the word, highest first, for every 64-bit value', () => {
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
      const word = `0x${value.toString(16)}`;
      expect(bitsOf(word).reduce((sum, bit) => sum * 2n + (bit ? 1n : 0n), 0n)).toBe(value);
      expect(BigInt(padWord(word).replaceAll('_', ''))).toBe(value);
      expect(padWord(word)).toHaveLength(21);
    }));
  });
});
