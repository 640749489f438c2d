/** What stands at the end of a line in grey: the group of a function, the result of a DMA, what a map used. */
import { groupsId } from '../protocol.js';
import type { SubjectId } from '../simulator/description.js';
import { hex } from '../simulator/memory/address.js';
import { sizeWord } from '../simulator/memory/sizes.js';
import type { ActionReport } from '../simulator/report.js';
import { faultCodeText } from '../simulator/trace/events.js';
import type { Analysis } from './analysis.js';

export interface InlayText {
  readonly subject: SubjectId;
  readonly text: string;
  /** After the name, or at the end of the statement. */
  readonly where: 'name' | 'end';
  /** What the view selects when somebody clicks on it. */
  readonly shows?: string;
}

export function inlayTexts({ report, facts }: Analysis): InlayText[] {
  const groups = report.hosts.flatMap((host) => host.groups.flatMap((group) => {
    const shows = groupsId(facts.host(host.host)?.name ?? host.host, group.number);
    return group.members.map((subject): InlayText => ({ subject, text: `group ${group.number}${group.uncertain ? '?' : ''}`, where: 'name', shows }));
  }));
  const pages = pageSizesByOrigin(report.runs.flatMap((run) => run.final.domains));
  const actions = report.runs.flatMap((run) => run.actions.flatMap((action) => {
    const text = actionText(action, pages);
    return text === '' ? [] : [{ subject: action.id, text, where: 'end' as const }];
  }));
  return [...groups, ...actions];
}

function pageSizesByOrigin(domains: readonly { readonly mappings: readonly { readonly subject?: SubjectId; readonly pageSizes: readonly bigint[] }[] }[]): Map<SubjectId, Set<bigint>> {
  const sizes = new Map<SubjectId, Set<bigint>>();
  for (const { subject, pageSizes } of domains.flatMap((domain) => domain.mappings)) {
    if (subject === undefined) continue;
    const known = sizes.get(subject) ?? new Set();
    for (const size of pageSizes) known.add(size);
    sizes.set(subject, known);
  }
  return sizes;
}

function actionText(action: ActionReport, pages: ReadonlyMap<SubjectId, ReadonlySet<bigint>>): string {
  switch (action.kind) {
    case 'never': return action.holds ? '✓ holds' : '✗ refuted';
    case 'step': {
      const used = [...(pages.get(action.id) ?? [])].sort((a, b) => (a < b ? -1 : 1)).map(sizeWord).join(', ');
      return action.result === 'ok' ? (used === '' ? '' : `${used} pages`) : `→ ${action.result}`;
    }
    case 'dma': {
      const fault = action.fault === undefined ? '' : ` ${faultCodeText(action.fault)}`;
      const where = action.outcome === 'memory' || action.outcome === 'peer' ? action.address : undefined;
      return `→ ${where === undefined ? action.outcome : hex(where)}${fault}${action.bypassedIommu ? ' past the IOMMU' : ''}`;
    }
  }
}
