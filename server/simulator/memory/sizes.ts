/** Sizes as people write them. */
const UNITS = [[1n << 40n, 'TiB'], [1n << 30n, 'GiB'], [1n << 20n, 'MiB'], [1n << 10n, 'KiB']] as const;

/** The largest unit that divides `bytes` exactly: "4KiB", "1536MiB", "100". What the language reads back. */
export function sizeWord(bytes: bigint): string {
  for (const [unit, name] of UNITS) if (bytes >= unit && bytes % unit === 0n) return `${bytes / unit}${name}`;
  return bytes.toString();
}

/** For messages: "4 KiB", "100 bytes". */
export function sizeText(bytes: bigint): string {
  const word = sizeWord(bytes);
  const match = /^(\d+)([A-Z]\w+)$/.exec(word);
  return match ? `${match[1]} ${match[2]}` : `${word} bytes`;
}
