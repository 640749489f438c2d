import type { DmaReport } from '../simulator/report.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { FORMAT_OPTION, filesOf, formatOf, parseArguments } from './arguments.js';
import { toJson } from './json.js';
import { load, type Loaded } from './load.js';
import { traceText } from './print-trace.js';
import { actionLine } from './simulate.js';

/** `iommu trace FILE... [--line N]`: each DMA step by step, or the one on a line. */
export async function trace(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { ...FORMAT_OPTION, line: { type: 'string' } });
  const format = formatOf(parsed);
  const line = lineOf(parsed.values.line);
  const all = [];
  for (const path of filesOf(parsed)) all.push(...dmaOf(await load(path), line));
  if (line !== undefined && all.length === 0) throw new UsageError(`no dma statement is on line ${line}`);
  if (format === 'json') console.log(toJson({ dma: all }));
  else for (const dma of all) console.log(`${actionLine(dma)}\n${traceText(dma)}\n`);
  return all.some((dma) => dma.expectation?.met === false) ? EXIT.findings : EXIT.clean;
}

function lineOf(value: string | boolean | undefined): number | undefined {
  if (value === undefined) return undefined;
  const line = Number(value);
  if (!Number.isInteger(line) || line < 1) throw new UsageError(`--line takes a line number, not "${String(value)}"`);
  return line;
}

const dmaOf = ({ analysis, places }: Loaded, line: number | undefined): DmaReport[] =>
  analysis.report.runs.flatMap((run) => run.actions).filter((action): action is DmaReport => {
    if (action.kind !== 'dma') return false;
    const place = places.get(action.id)?.range;
    return line === undefined || (place !== undefined && place.start.line + 1 <= line && line <= place.end.line + 1);
  });
