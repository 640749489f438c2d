import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { compare } from '../analysis/compare/compare.js';
import { DEFAULT_MODELS, MODEL_SYNTAX, modelNamed, type Model } from '../analysis/compare/models.js';
import type { ComparedRowView, ComparedRunView, ComparisonView } from '../protocol-compare.js';
import { comparisonSvg } from '../protocol-compare-svg.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { filesOf, parseArguments, type Arguments } from './arguments.js';
import { toJson } from './json.js';
import { load } from './load.js';
import { style } from './style.js';

/** `iommu compare FILE [--models A,B] [--run NAME] [--step N] [--format text|json|svg] [--out FILE]`: one file under two models. Ends with 1 when they differ. */
export async function compareCommand(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { format: { type: 'string' }, models: { type: 'string' }, run: { type: 'string' }, step: { type: 'string' }, out: { type: 'string' } });
  const [path, ...more] = filesOf(parsed);
  if (more.length > 0) throw new UsageError('compare takes one file');
  const format = formatOf(parsed);
  const models = modelsOf(String(parsed.values.models ?? DEFAULT_MODELS.join(',')));
  const { analysis, places, uri } = await load(path!);
  const whole = compare({ description: analysis.description, hosts: analysis.report.hosts, places, uri, version: 0, title: basename(path!) }, models);
  const comparison = { ...whole, runs: chosenRuns(whole, parsed.values.run) };
  write(format === 'json' ? toJson(comparison) : format === 'svg' ? svg(comparison, parsed.values.step) : comparisonText(comparison), parsed.values.out);
  return comparison.runs.some(({ rows }) => rows.some(({ differences }) => differences.length > 0)) ? EXIT.findings : EXIT.clean;
}

function formatOf({ values }: Arguments): 'text' | 'json' | 'svg' {
  const format = values.format ?? 'text';
  if (format !== 'text' && format !== 'json' && format !== 'svg') throw new UsageError(`--format takes text, json or svg, not "${String(format)}"`);
  return format;
}

function modelsOf(text: string): readonly [Model, Model] {
  const models = text.split(',').map((name) => {
    const model = modelNamed(name);
    if (model === null) throw new UsageError(`"${name}" is no model; a model is ${MODEL_SYNTAX}`);
    return model;
  });
  if (models.length !== 2) throw new UsageError(`--models takes two: ${DEFAULT_MODELS.join(',')}`);
  return [models[0]!, models[1]!];
}

function chosenRuns({ runs }: ComparisonView, name: string | boolean | undefined): readonly ComparedRunView[] {
  if (name === undefined) return runs;
  const chosen = runs.filter((run) => run.name === name);
  if (chosen.length === 0) throw new UsageError(`no host or scenario that does anything is called "${String(name)}"; there are ${runs.map((run) => `"${run.name}"`).join(', ')}`);
  return chosen;
}

/** One run after one step: a drawing has room for no more. */
function svg(comparison: ComparisonView, step: string | boolean | undefined): string {
  const [run, ...more] = comparison.runs;
  if (run === undefined) throw new UsageError('there is nothing to draw: the file runs nothing');
  if (more.length > 0) throw new UsageError(`--run says which run is drawn: ${comparison.runs.map(({ name }) => `"${name}"`).join(', ')}`);
  if (step === undefined) return comparisonSvg(comparison, run, run.rows.length - 1);
  const number = Number(step);
  if (!Number.isInteger(number) || number < 1 || number > run.rows.length) throw new UsageError(`--step takes 1 to ${run.rows.length}, not "${String(step)}"`);
  return comparisonSvg(comparison, run, number - 1);
}

function write(text: string, out: string | boolean | undefined): void {
  if (typeof out !== 'string') return console.log(text);
  try {
    writeFileSync(out, text);
  } catch (error) {
    throw new UsageError(`${out}: cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

// ------------------------------------------------------------------------------------------------ text

function comparisonText(comparison: ComparisonView): string {
  const { models, runs } = comparison;
  if (runs.length === 0) return `${comparison.title}: nothing to run`;
  return runs.map((run) => [
    style('bold', `${run.kind} ${run.name}: ${models[0].title} | ${models[1].title}`), ...run.rows.flatMap((row, index) => rowText(row, index, comparison)), ...devicesText(run, comparison), ...run.notes.map((note) => `  note: ${note}`),
  ].join('\n')).join('\n\n');
}

function rowText(row: ComparedRowView, index: number, { models }: ComparisonView): string[] {
  const line = row.place === undefined ? '' : `line ${row.place.range.start.line + 1}: `;
  return [
    `  ${String(index + 1).padStart(2)}  ${line}${row.text}`,
    ...row.sides.flatMap(({ calls, checks }, side) => [
      `      ${models[side]!.name.padEnd(18)} ${calls.length === 0 ? '(no call)' : calls.map((call) => `${call.call ?? call.text} → ${call.good ? call.result : style('red', call.result)}`).join(', ')}`,
      ...(checks.length === 0 ? [] : [`      ${''.padEnd(18)}   asks whether ${checks.map(({ what, errno, refused }) => `${what} (${errno}${refused ? ', here it says no' : ''})`).join('; ')}`]),
    ]),
    ...row.differences.flatMap(({ text, reason, rules }) => [`      ${style('yellow', `≠ ${text}`)}`, `        ${reason} [${rules.join(', ')}]`]),
  ];
}

function devicesText({ devices }: ComparedRunView, { models }: ComparisonView): string[] {
  return devices.flatMap(({ device, kind, sides }) => [
    `  how ${device} got its domain (${kind})`,
    ...sides.flatMap(({ domain, moments }, side) => [`      ${models[side]!.name.padEnd(18)} ${style('bold', domain)}`, ...moments.map(({ row, text, rules }) => `        step ${row + 1}: ${text} [${rules.join(', ')}]`)]),
  ]);
}
