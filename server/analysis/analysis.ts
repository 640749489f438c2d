/**
 * One file (with the files it uses) analysed: what the editor, the terminal and CI all show. Pure data in, pure data out.
 */
import { Facts } from '../diagnostics/facts.js';
import { RULES } from '../diagnostics/registry.js';
import { finding, type Finding } from '../diagnostics/rule.js';
import type { MachineDescription } from '../simulator/description.js';
import { simulate } from '../simulator/index.js';
import type { Report } from '../simulator/report.js';

export interface Analysis {
  readonly description: MachineDescription;
  readonly report: Report;
  readonly facts: Facts;
  /** In the order of the rules, then of the report. */
  readonly findings: readonly Finding[];
}

const EMPTY_REPORT: Report = { hosts: [], runs: [] };

/** Told of a crash in one analysis; the others go on. */
export type CrashLog = (what: string, error: unknown) => void;

/**
 * Never throws: whatever breaks becomes one finding on the first host or scenario, and a line in the log.
 * @param run how to simulate; the editor remembers runs from one keystroke to the next
 */
export function analyse(description: MachineDescription, log: CrashLog, run: (description: MachineDescription) => Report = simulate): Analysis {
  const findings: Finding[] = [];
  const guard = <T>(what: string, work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch (error) {
      log(what, error);
      const subject = description.scenarios[0]?.id ?? description.hosts[0]?.id;
      if (subject !== undefined) findings.push(finding('internal/analysis-failed', 'warning', { subject, message: `${what} failed: ${messageOf(error)}. The other analyses went on; please report this file.` }));
      return otherwise;
    }
  };
  const report = guard('The simulation', () => run(description), EMPTY_REPORT);
  const facts = new Facts(description, report);
  for (const rule of RULES) {
    guard(`The check ${rule.code}`, () => {
      for (const found of rule.check(facts)) findings.push({ ...found, code: rule.code, severity: found.severity ?? rule.severity });
    }, undefined);
  }
  return { description, report, facts, findings };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
