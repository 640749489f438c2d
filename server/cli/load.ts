/** Reads files from disk, with the files they use, and analyses them as the editor does. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseFiles, usedUris, type SourceFile } from '../../language/index.js';
import { analyse, type Analysis } from '../analysis/analysis.js';
import { present, type Presented } from '../analysis/present.js';
import type { Places } from '../analysis/views.js';
import { UsageError } from './exit-codes.js';

/** Larger files are refused: nobody writes them by hand, and the parser would need gigabytes. */
const MAX_BYTES = 32 * 1024 * 1024;

export interface Loaded {
  /** As the person named it. */
  readonly path: string;
  readonly uri: string;
  readonly analysis: Analysis;
  readonly places: Places;
  /** Of the named file only. */
  readonly presented: readonly Presented[];
}

/** @throws UsageError when the file cannot be read */
export function readText(path: string): string {
  try {
    const size = statSync(path).size;
    if (size > MAX_BYTES) throw new UsageError(`${path}: ${size} bytes are more than the ${MAX_BYTES} that can be read`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

/** The file and everything it uses, each once. Missing ones are left to the language, which underlines the `use`. */
function withUsedFiles(entry: SourceFile): SourceFile[] {
  const files = new Map<string, SourceFile>([[entry.uri, entry]]);
  for (const file of files.values()) {
    for (const uri of usedUris(file.uri, file.text)) {
      if (files.has(uri) || !uri.startsWith('file:') || !existsSync(fileURLToPath(uri))) continue;
      files.set(uri, { uri, text: readText(fileURLToPath(uri)) });
    }
  }
  return [...files.values()];
}

export async function load(path: string): Promise<Loaded> {
  const uri = pathToFileURL(resolve(path)).href;
  const files = withUsedFiles({ uri, text: readText(path) });
  const { lowered, problems } = await parseFiles(files, uri);
  const analysis = analyse(lowered.description, (what, error) => process.stderr.write(`${path}: ${what} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`));
  const presented = present(analysis.findings, problems, lowered.places, new Map(files.map((file) => [file.uri, file.text]))).filter((each) => each.uri === uri);
  return { path, uri, analysis, places: lowered.places, presented };
}
