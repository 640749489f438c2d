/** An owner's settings for other programs: only of what works in the simulation. */
import { failedSteps, kernelSays, refusal } from '../diagnostics/facts.js';
import type { Finding } from '../diagnostics/rule.js';
import { exportTarget, exportTo, EXPORT_TARGETS, withNotes, type Exported, type ExportTarget } from '../interchange/export.js';
import type { OwnerDescription } from '../simulator/description.js';
import type { Analysis } from './analysis.js';

export interface ExportedOwner extends Exported {
  readonly target: ExportTarget;
  /** The text with the notes as comments in it. */
  readonly annotated: string;
}

/** Why there is no export, in words; with the findings that say more. */
export interface ExportRefusal {
  readonly error: string;
  readonly findings: readonly Finding[];
}

export const isRefusal = (result: ExportedOwner | ExportRefusal): result is ExportRefusal => 'error' in result;

const refuse = (error: string, findings: readonly Finding[] = []): ExportRefusal => ({ error, findings });

/** @param owner by name; undefined: the only one there is */
export function exportOwner(analysis: Analysis, targetName: string, ownerName?: string): ExportedOwner | ExportRefusal {
  const target = exportTarget(targetName);
  if (target === undefined) return refuse(`nothing is exported to "${targetName}", but to ${EXPORT_TARGETS.map(({ name }) => name).join(', ')}`);
  const owner = ownerNamed(analysis.description.owners, ownerName);
  if ('error' in owner) return owner;
  if (target.forVms && owner.kind !== 'vm') return refuse(`${owner.name} is a process: ${target.title} is for a vm`);
  const host = analysis.facts.host(owner.host);
  if (host === undefined) return refuse(`the host of ${owner.name} is not described`);
  const why = problemOf(analysis, owner);
  if (why !== null) return why;
  const exported = exportTo(target, { host, owner, groups: analysis.report.hosts.find((report) => report.host === host.id)?.groups ?? [] });
  return { ...exported, target, annotated: withNotes(target, exported) };
}

function ownerNamed(owners: readonly OwnerDescription[], name: string | undefined): OwnerDescription | ExportRefusal {
  const names = owners.map((owner) => owner.name).join(', ');
  if (owners.length === 0) return refuse('the file describes no vm and no process');
  if (name === undefined && owners.length > 1) return refuse(`which owner? There are ${names}`);
  return owners.find((owner) => name === undefined || owner.name === name) ?? refuse(`no owner is called "${name}"; there are ${names}`);
}

/** The first reason why the owner does not start, and every finding about it that is an error; null when it starts. */
export function problemOf({ findings, report, facts, description }: Analysis, owner: OwnerDescription): ExportRefusal | null {
  const own = new Set([owner.id, ...[...owner.assigned, ...owner.memory].map(({ id }) => id)]);
  const bindings = new Set(description.hosts.find((host) => host.id === owner.host)?.bindings.map(({ id }) => id));
  const errors = findings.filter((finding) => finding.severity === 'error' && (own.has(finding.subject) || bindings.has(finding.subject)));
  const failed = [...failedSteps(report)].find(({ step }) => facts.ownerOf(step) === owner)?.step;
  const stopped = report.runs.find((run) => run.kind === 'host' && run.host === owner.host)?.stopped;
  const reason = errors[0]?.message ?? (failed === undefined ? stopped : `${refusal(failed)}.${kernelSays(failed)}`);
  return reason === undefined ? null : refuse(`${owner.name} does not start in the simulation, so there are no settings to write: ${reason}`, errors);
}
