import type { ActionReport, DmaReport, StepReport } from '../simulator/report.js';
import { faultCodeText } from '../simulator/trace/events.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { FORMAT_OPTION, filesOf, formatOf, parseArguments } from './arguments.js';
import { toJson } from './json.js';
import { load, type Loaded } from './load.js';
import { counts, findingJson, printFindings } from './print-findings.js';
import { traceText } from './print-trace.js';
import { style } from './style.js';

/** `iommu simulate FILE...`: every step and DMA in order, then the findings. */
export async function simulateCommand(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { ...FORMAT_OPTION, trace: { type: 'boolean' } });
  const format = formatOf(parsed);
  const all = [];
  for (const path of filesOf(parsed)) all.push(await load(path));
  if (format === 'json') console.log(toJson(all.length === 1 ? simulationJson(all[0]!) : { files: all.map((each) => ({ path: each.path, ...simulationJson(each) })) }));
  else for (const each of all) console.log(simulationText(each, parsed.values.trace === true));
  return all.some((each) => counts(each.presented)) ? EXIT.findings : EXIT.clean;
}

const actionsOf = ({ analysis }: Loaded): readonly ActionReport[] => analysis.report.runs.flatMap((run) => run.actions);

/** The outside contract: steps and DMA in order, findings; addresses as `0x…` strings. */
function simulationJson(loaded: Loaded): object {
  const line = (id: string, origin: string): number | undefined => {
    const place = loaded.places.get(id) ?? loaded.places.get(origin);
    return place === undefined ? undefined : place.range.start.line + 1;
  };
  const actions = actionsOf(loaded);
  return {
    steps: actions.filter((action): action is StepReport => action.kind === 'step').map((step) => ({
      id: step.id, text: step.text, line: line(step.id, step.origin), call: step.call, result: step.result, value: step.value, messages: step.messages, expectation: step.expectation, rules: step.rules,
    })),
    dma: actions.filter((action): action is DmaReport => action.kind === 'dma').map((dma) => ({
      id: dma.id, text: dma.text, line: line(dma.id, dma.id), outcome: dma.outcome, address: dma.address, peer: dma.peer, bypassedIommu: dma.bypassedIommu,
      fault: dma.fault === undefined ? undefined : { code: faultCodeText(dma.fault), name: dma.fault.name, messages: dma.fault.messages }, expectation: dma.expectation, trace: dma.trace,
    })),
    properties: actions.filter((action) => action.kind === 'never').map((never) => ({ id: never.id, text: never.text, line: line(never.id, never.id), holds: never.holds, why: never.why })),
    findings: loaded.presented.map(findingJson),
  };
}

function simulationText(loaded: Loaded, withTrace: boolean): string {
  const { analysis } = loaded;
  const blocks = analysis.report.runs.flatMap((run) => {
    if (run.actions.length === 0 && run.stopped === undefined) return [];
    const lines = run.actions.map((action) => `  ${actionLine(action)}${withTrace && action.kind === 'dma' ? `\n${traceText(action)}` : ''}`);
    return [[style('bold', `${run.kind === 'host' ? 'host' : 'scenario'} ${run.name}`), ...lines, ...(run.stopped === undefined ? [] : [`  stopped: ${run.stopped}`])].join('\n')];
  });
  const findings = printFindings(loaded);
  if (blocks.length === 0 && findings === '') return `${loaded.path}: nothing to simulate`;
  return [...blocks, ...(findings === '' ? [] : [style('bold', 'findings'), findings])].join('\n\n');
}

const good = (text: string): string => style('green', text);
const bad = (text: string): string => style('red', text);

/** One line for a step, a DMA or a property. */
export function actionLine(action: ActionReport): string {
  switch (action.kind) {
    case 'step': return `${action.result === 'ok' ? good('ok') : (action.expectation?.met ? good : bad)(action.result)}  ${action.text}${expectationText(action)}`;
    case 'dma': return `${dmaResult(action)}  ${action.text}${expectationText(action)}`;
    case 'never': return `${action.holds ? good('holds') : bad('refuted')}  ${action.text}  (${action.why})`;
  }
}

function dmaResult(dma: DmaReport): string {
  const where = dma.address === undefined ? '' : ` 0x${dma.address.toString(16)}`;
  const fault = dma.fault === undefined ? '' : ` ${faultCodeText(dma.fault)}`;
  const text = `${dma.outcome}${where}${fault}${dma.bypassedIommu ? ' (IOMMU bypassed)' : ''}`;
  return (dma.expectation?.met ?? (dma.outcome !== 'fault' && dma.outcome !== 'blocked' && !dma.bypassedIommu)) ? good(text) : bad(text);
}

const expectationText = (action: Exclude<ActionReport, { kind: 'never' }>): string =>
  action.expectation === undefined || action.expectation.met ? '' : bad(`  expected ${action.expectation.expected}`);
