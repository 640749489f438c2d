import { existsSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ImportError } from '../interchange/import-error.js';
import { importHost } from '../interchange/import-host.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { parseArguments } from './arguments.js';
import { readText } from './load.js';

/** `iommu import LSPCI.txt [--groups LISTING] [--dmesg FILE] [--cmdline FILE] [--name NAME] [--out FILE]`. */
export function importCommand(args: readonly string[]): ExitCode {
  const { files, values } = parseArguments(args, {
    groups: { type: 'string' }, dmesg: { type: 'string' }, cmdline: { type: 'string' }, name: { type: 'string' }, out: { type: 'string' }, force: { type: 'boolean' },
  });
  const source = files[0];
  if (source === undefined || files.length > 1) throw new UsageError('name one file: the output of lspci -vvv, or a host facts file');
  const optional = (name: string): string | undefined => (typeof values[name] === 'string' ? readText(values[name]) : undefined);
  const out = typeof values.out === 'string' ? values.out : undefined;
  try {
    const { text, notes } = importHost({
      lspci: readText(source), groups: optional('groups'), dmesg: optional('dmesg'), commandLine: optional('cmdline'),
      name: typeof values.name === 'string' ? values.name : nameFrom(source),
    });
    for (const note of notes) process.stderr.write(`${source}: ${note}\n`);
    if (out === undefined) process.stdout.write(text);
    else write(out, text, values.force === true);
    return EXIT.clean;
  } catch (error) {
    if (error instanceof ImportError) throw new UsageError(`${source}: ${error.message}`);
    throw error;
  }
}

/** A name that the language accepts, from the file's. */
function nameFrom(path: string): string {
  const word = basename(path).replace(/\.[^.]*$/, '').replace(/[^A-Za-z0-9_-]/g, '_');
  return /^[A-Za-z_]/.test(word) ? word : `host_${word}`;
}

/** Never writes over a file that somebody may have edited. */
function write(path: string, text: string, force: boolean): void {
  if (existsSync(path) && !force && statSync(path).isFile() && statSync(path).size > 0) throw new UsageError(`${path} exists; --force writes over it`);
  writeFileSync(path, text);
}
