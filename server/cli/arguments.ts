/** The command line of one sub-command, parsed and checked. */
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

/** At least one file, no stray options. */
export function filesOf(parsed: Arguments): readonly string[] {
  if (parsed.files.length === 0) throw new UsageError('name at least one .iommu file');
  return parsed.files;
}

export const FORMAT_OPTION = { format: { type: 'string' } } as const satisfies Options;
