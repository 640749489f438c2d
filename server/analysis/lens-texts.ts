/** What stands above a line to click on. */
import { groupsId } from '../protocol.js';
import type { SubjectId } from '../simulator/description.js';
import type { RunReport } from '../simulator/report.js';
import type { Analysis } from './analysis.js';

export interface LensText {
  readonly subject: SubjectId;
  readonly title: string;
  readonly command: 'iommu.simulate' | 'iommu.traceDma' | 'iommu.showCalls';
  /** What the view that opens selects. */
  readonly action?: string;
}

export function lensTexts({ description, report, facts }: Analysis): LensText[] {
  const hosts = report.hosts.map((host): LensText => ({ subject: host.host, title: `$(circuit-board) ${host.groups.length} IOMMU groups`, command: 'iommu.simulate', action: groupsId(facts.host(host.host)?.name ?? host.host) }));
  const owners = description.owners.map((owner): LensText => {
    const failed = [owner, ...owner.assigned, ...owner.memory].some((each) => facts.failureAt(each.id) !== undefined);
    return { subject: owner.id, title: `${failed ? '$(error) cannot start' : '$(play) starts'}: show the calls`, command: 'iommu.showCalls', action: owner.id };
  });
  const scenarios = report.runs.filter((run) => run.kind === 'scenario').map((run): LensText => ({ subject: run.subject, title: scenarioTitle(run), command: 'iommu.simulate' }));
  const dma = report.runs.flatMap((run) => run.actions).filter((action) => action.kind === 'dma').map((action): LensText => ({ subject: action.id, title: '$(debug-step-into) trace', command: 'iommu.traceDma', action: action.id }));
  return [...hosts, ...owners, ...scenarios, ...dma];
}

function scenarioTitle(run: RunReport): string {
  const expected = run.actions.filter((action) => action.kind !== 'never' && action.expectation !== undefined);
  const met = expected.filter((action) => action.kind !== 'never' && action.expectation?.met === true);
  const result = expected.length === 0 ? `${run.actions.length} steps` : `${met.length} of ${expected.length} expectations met`;
  return `$(${met.length === expected.length ? 'pass' : 'error'}) ${result}: simulate`;
}
