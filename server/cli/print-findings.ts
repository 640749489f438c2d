/** Findings in the terminal: `file:line:column: severity: message [code]`, which editors and `$iommu` recognise. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Presented } from '../analysis/present.js';
import type { Loaded } from './load.js';
import { style } from './style.js';

const COLOURS = { error: 'red', warning: 'yellow', information: 'cyan', hint: 'dim' } as const;

export function printFindings(loaded: Loaded): string {
  return loaded.presented.map((each) => findingText(loaded.path, each)).join('\n');
}

/** As a person in the current folder would name the file. */
const shortPath = (uri: string): string => relative('', fileURLToPath(uri));

function findingText(path: string, { uri, range, severity, message, code, related }: Presented): string {
  const head = `${path}:${range.start.line + 1}:${range.start.character + 1}: ${style(COLOURS[severity], severity)}: ${message} ${style('dim', `[${code}]`)}`;
  return [head, ...related.map((each) => `    ${each.uri === uri ? path : shortPath(each.uri)}:${each.range.start.line + 1}: ${each.message}`)].join('\n');
}

export const findingJson = ({ uri, range, severity, message, code, related }: Presented): object => ({ code, severity, message, uri, range, line: range.start.line + 1, related });

/** Errors and warnings count; information and hints do not. */
export const counts = (presented: readonly Presented[]): boolean => presented.some((each) => each.severity === 'error' || each.severity === 'warning');
