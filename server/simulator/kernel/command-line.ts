/**
 * The kernel's command line as options by name. A value that is a comma-separated list is taken apart, as the parsers of these
 * options do ("intel_iommu=on,sm_on" and "intel_iommu=on intel_iommu=sm_on" say the same); an option without value has no values.
 */
export type CommandLine = ReadonlyMap<string, readonly string[]>;

/** One word: anything but blanks, where a quoted part may hold blanks. */
const WORD = /(?:"[^"]*"|[^\s"])+/g;

/** Values in the order of the line. What follows a lone `--` is for init. */
export function parseCommandLine(text: string): CommandLine {
  const options = new Map<string, string[]>();
  for (const [word] of text.matchAll(WORD)) {
    if (word === '--') break;
    const plain = word.replaceAll('"', '');
    const equals = plain.indexOf('=');
    const name = equals < 0 ? plain : plain.slice(0, equals);
    let values = options.get(name);
    if (values === undefined) options.set(name, (values = []));
    if (equals >= 0) values.push(...plain.slice(equals + 1).split(','));
  }
  return options;
}

/** The option has `word` among its values. */
export const hasWord = (commandLine: CommandLine, option: string, word: string): boolean => commandLine.get(option)?.includes(word) ?? false;

/** The last of `words` that the option names; the later one wins. */
export const lastWord = <Word extends string>(commandLine: CommandLine, option: string, words: readonly Word[]): Word | undefined =>
  commandLine.get(option)?.findLast((value): value is Word => (words as readonly string[]).includes(value)) as Word | undefined;

/** What follows `prefix` in each value that begins with it: `pci=config_acs=…` → "…". */
export const valuesAfter = (commandLine: CommandLine, option: string, prefix: string): string[] =>
  (commandLine.get(option) ?? []).filter((value) => value.startsWith(prefix)).map((value) => value.slice(prefix.length));
