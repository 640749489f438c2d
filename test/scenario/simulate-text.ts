/** From the text of a file to its report. */
import { parseFiles } from '../../language/index.js';
import type { MachineDescription } from '../../server/simulator/description.js';
import { simulate } from '../../server/simulator/index.js';
import type { ActionReport, DmaReport, Report, RunReport, StepReport } from '../../server/simulator/report.js';

export interface Simulated {
  readonly description: MachineDescription;
  readonly report: Report;
  /** What the language says against the text. */
  readonly problems: readonly string[];
}

const URI = 'file:///test.iommu';

export async function simulateText(text: string): Promise<Simulated> {
  const { lowered, problems } = await parseFiles([{ uri: URI, text }], URI);
  return { description: lowered.description, report: simulate(lowered.description), problems: problems.map((problem) => `${problem.range.start.line + 1}: ${problem.message}`) };
}

/** The only run of a host, or the scenario of that name. */
export function runOf(report: Report, name: string): RunReport {
  const run = report.runs.find((each) => each.name === name);
  if (run === undefined) throw new Error(`no run is called ${name}`);
  return run;
}

export const stepsOf = (run: RunReport): StepReport[] => run.actions.filter((action: ActionReport) => action.kind === 'step');
export const dmasOf = (run: RunReport): DmaReport[] => run.actions.filter((action: ActionReport) => action.kind === 'dma');
