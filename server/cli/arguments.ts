/** The command line of one sub-command, parsed and checked. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './exit-codes.js';

export interface Arguments {
  readonly files: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** @throws UsageError naming the argument that does not fit */
export function parseArguments(args: readonly string[], options: Options): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    return { files: positionals, values: values as Arguments['values'] };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

export type Format = 'text' | 'json';

export function formatOf({ values }: Arguments): Format {
  const format = values.format ?? 'text';
  if (format !== 'text' && format !== 'json') throw new UsageError(`--format takes text or json, not "${String(format)}"`);
  return format;
}

/** At least one file; a folder stands for the .iommu files in it and below, in order of their names. */
export function filesOf(parsed: Arguments): readonly string[] {
  if (parsed.files.length === 0) throw new UsageError('name at least one .iommu file');
  return parsed.files.flatMap(filesAt);
}

function filesAt(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  const found = [...sourcesBelow(path)].sort();
  if (found.length === 0) throw new UsageError(`${path}: there is no .iommu file in this folder`);
  return found;
}

/** Without what tools keep for themselves: hidden folders, node_modules, and whatever links lead to. */
function* sourcesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name.endsWith('.iommu')) yield path;
    else if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules') yield* sourcesBelow(path);
  }
}

export const FORMAT_OPTION = { format: { type: 'string' } } as const satisfies Options;
