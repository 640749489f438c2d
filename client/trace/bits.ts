/** Where the fields of a table entry lie in its words. */

/** Bits `low` to `high`, both included, of the 64-bit word `word`. */
export interface BitRange { readonly word: number; readonly high: number; readonly low: number }

/** Reads "63:12", "5", "q1 2:0"; null when it is none of these. */
export function parseBits(text: string): BitRange | null {
  const match = /^(?:q(\d+)\s+)?(\d+)(?::(\d+))?$/.exec(text.trim());
  if (!match) return null;
  const [first, second] = [Number(match[2]), Number(match[3] ?? match[2])];
  const [high, low] = first >= second ? [first, second] : [second, first];
  // A range beyond 63 counts on into the following words.
  const word = Number(match[1] ?? 0) + Math.floor(low / 64);
  return { word, high: Math.min(high - 64 * Math.floor(low / 64), 63), low: low % 64 };
}

/** The bits of a word, highest first. */
export function bitsOf(word: string): boolean[] {
  const value = BigInt.asUintN(64, BigInt(word));
  return Array.from({ length: 64 }, (_, index) => ((value >> BigInt(63 - index)) & 1n) === 1n);
}

/** `0x` and 16 digits, in groups of four. */
export function padWord(word: string): string {
  const digits = BigInt.asUintN(64, BigInt(word)).toString(16).padStart(16, '0');
  return `0x${digits.replace(/(.{4})(?!$)/g, '$1_')}`;
}
