/** Words of the `.iommu` language: which ones cannot be names, and how strings, numbers and lists are written. */
import { VERBS } from '../simulator/scenario/verbs.js';

const GRAMMAR_WORDS = `use let host kernel cmdline options parameters cpu memory iommu covers rest register at of index function integrated port switch
  bridge buses bar rom size window sriov vfs offset stride behind platform resource mdev on reserved for bind to group vm process assign vaddr backing
  domain map attach iova pasid dma read write atomic execute expect never reaches value scenario by id class label driver type acs ats pri ari msi flr
  segment levels coherent nested alias streams through memlock capabilities multifunction subsystem except`;

const RESERVED: ReadonlySet<string> = new Set([
  ...GRAMMAR_WORDS.split(/\s+/), ...VERBS.map((verb) => verb.verb), ...VERBS.flatMap((verb) => verb.operands.flatMap((operand) => operand.key ?? [])),
]);

/** True for a word that means something already, where a name is due. */
export const isReserved = (word: string): boolean => RESERVED.has(word);

const PLAIN_WORD = /^[A-Za-z_]\w*(?:-\w+)*$/;

/** In double quotes; backslash and quote are escaped. `text` has no control characters. */
export const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** A word as it is where that can be read back, else in quotes. */
export const wordOrQuoted = (text: string): string => (PLAIN_WORD.test(text) && !RESERVED.has(text) ? text : quoted(text));

/** `0xfee0_0000`: lower-case hexadecimal, digits in groups of four; small numbers without grouping. */
export function addressText(value: bigint): string {
  const grouped = value.toString(16).replace(/\B(?=(?:[0-9a-f]{4})+$)/g, '_');
  return value === 0n ? '0' : `0x${grouped}`;
}

const UNITS: readonly (readonly [string, bigint])[] = [['TiB', 1n << 40n], ['GiB', 1n << 30n], ['MiB', 1n << 20n], ['KiB', 1n << 10n]];

/** `16MiB`: the greatest unit that divides it; bytes below 1 KiB, hexadecimal for odd sizes. */
export function sizeText(bytes: bigint): string {
  const unit = UNITS.find(([, size]) => bytes >= size && bytes % size === 0n);
  if (unit !== undefined) return `${bytes / unit[1]}${unit[0]}`;
  return bytes < 1024n ? bytes.toString() : addressText(bytes);
}

/** `words` in lines of at most `width` columns, joined by `separator`; lines after the first are indented. */
export function wrapped(words: readonly string[], separator: string, indent: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const longer = line === '' ? word : `${line}${separator}${word}`;
    if (line !== '' && longer.length + indent.length > width) {
      lines.push(`${line}${separator.trimEnd()}`);
      line = word;
    } else line = longer;
  }
  return [...lines, line].join(`\n${indent}`);
}
