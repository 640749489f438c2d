/** Words and lines of a POSIX shell. */

/** As it is where the shell takes it literally, else in single quotes. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** One command over several lines. */
export const continued = (words: readonly string[]): string => words.join(' \\\n  ');

/** Commands with a comment each, in a column of their own. */
export function aligned(lines: readonly (readonly [command: string, comment: string])[]): string[] {
  const width = Math.max(0, ...lines.map(([command]) => command.length));
  return lines.map(([command, comment]) => `${command.padEnd(width)}  # ${comment}`);
}
