/** The format of recorded kernel answers: results, and the lines of operations. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedTopology } from './topologies.js';

/** An operation and what the kernel answered. Outputs have names of their own. */
export interface RecordedOperation {
  readonly in: string | Readonly<Record<string, unknown>>;
  readonly op: string;
  readonly proc?: string;
  readonly ret?: number;
  readonly errno?: string;
  /** The operation was not issued: an earlier one did not give what it needs. */
  readonly error?: string;
  readonly blocked?: boolean;
  /** The process was killed by the kernel. */
  readonly died?: number;
  readonly dmesg?: readonly string[];
  readonly [output: string]: unknown;
}

/** A result: the machine, and the answers in order. */
export interface RecordedRun extends RecordedTopology {
  readonly iommu_opts: Readonly<Record<string, unknown>>;
  readonly dmesg_boot?: readonly string[];
  readonly sequences: readonly { readonly name: string; readonly ops: readonly RecordedOperation[] }[];
}

/** Results under a path: one file, a folder of them, or a folder that has them in `results`. */
export function resultFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const folder = existsSync(join(path, 'results')) ? join(path, 'results') : path;
  return readdirSync(folder).filter((name) => name.endsWith('.json')).sort().map((name) => join(folder, name));
}

/** Null for a file that is not a result. */
export function readResult(file: string): RecordedRun | null {
  const content = JSON.parse(readFileSync(file, 'utf8')) as Partial<RecordedRun>;
  return content.inventory !== undefined && content.sequences !== undefined ? (content as RecordedRun) : null;
}

/** `[@process] [~milliseconds] operation key=value ...`; values with blanks are quoted. */
export interface OperationLine {
  readonly process: string;
  readonly operation: string;
  readonly values: ReadonlyMap<string, string>;
}

export function parseOperation(recorded: RecordedOperation): OperationLine {
  if (typeof recorded.in !== 'string') {
    const { op, proc, timeout: _timeout, ...rest } = recorded.in;
    return { process: String(proc ?? 'p0'), operation: String(op), values: new Map(Object.entries(rest).map(([key, value]) => [key, String(value)])) };
  }
  const words = recorded.in.match(/[^\s"]*"[^"]*"|\S+/g) ?? [];
  const prefixes = words.findIndex((word) => !/^[@~]/.test(word));
  const process = words.slice(0, prefixes).find((word) => word.startsWith('@'))?.slice(1) ?? 'p0';
  const values = words.slice(prefixes + 1).map((word): [string, string] => {
    const [key = '', value] = word.split(/=(.*)/s);
    return [key, value === undefined ? '1' : value.replace(/^"(.*)"$/s, '$1')];
  });
  return { process, operation: words[prefixes] ?? '', values: new Map(values) };
}
