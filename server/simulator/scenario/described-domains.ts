/** `domain` statements: a domain written down directly, its mappings made and its devices attached by the core alone. */
import type { DomainDescription } from '../description.js';
import { Refusal } from '../errno.js';
import type { Device, Group, PagingDomain } from '../kernel/core.js';
import { hex, iova, sizeOf } from '../memory/address.js';
import { sizeWord } from '../memory/sizes.js';
import type { StepReport } from '../report.js';
import { note } from './call.js';
import type { Machine } from './machine.js';

/** One report per mapping and attachment that the core refuses; nothing for what succeeds. */
export function setUpDomain(machine: Machine, description: DomainDescription): StepReport[] {
  const first = description.attachments.map(({ device }) => machine.kernel.device(device)).find((device) => device?.group != null);
  if (first === undefined) return [];
  if (description.type !== 'unmanaged') {
    return description.type === 'nested' || description.type === 'sva'
      ? [refused(description.id, `domain ${description.name}`, 'iommu_domain_alloc()', 'not-modelled', note(`This version does not simulate ${description.type} domains.`, []))]
      : changeDefaults(machine, description);
  }
  const reports: StepReport[] = [];
  const attempt = (id: string, text: string, call: string, work: () => void): void => {
    const refusal = refusalOf(work);
    if (refusal !== null) reports.push(refused(id, text, call, refusal.errno, note(`${refusal.errno}: ${refusal.reason}.`, [refusal.rule], 'fault'), refusal));
  };
  let domain: PagingDomain | null = null;
  attempt(description.id, `domain ${description.name}`, 'iommu_paging_domain_alloc()', () => (domain = machine.kernel.allocateDomain(first, description.name)));
  if (domain === null) return reports;
  const made: PagingDomain = domain;
  for (const { id, iova: range, to, permission } of description.maps) {
    const text = `map iova ${hex(range.start)} size ${sizeWord(sizeOf(range))} to ${hex(to)}`;
    attempt(id, text, 'iommu_map()', () => made.map(iova(range.start), to, sizeOf(range), permission, id));
  }
  const attached = new Set<Group>();
  for (const { id, device } of description.attachments) {
    const found = machine.kernel.device(device);
    if (found?.group == null || attached.has(found.group)) continue;
    attached.add(found.group);
    attempt(id, `attach ${machine.nameOf(device)}`, 'iommu_attach_group()', () => found.group!.attach(made));
  }
  return reports;
}

/** `identity`, `blocked`, `dma`, `dma-fq`: types that a group has by default, so they are set as sysfs would set them. */
function changeDefaults(machine: Machine, description: DomainDescription): StepReport[] {
  const words = { identity: 'identity', dma: 'DMA', 'dma-fq': 'DMA-FQ', blocked: 'blocked' } as const;
  const word = words[description.type as keyof typeof words];
  return description.attachments.flatMap(({ id, device }) => {
    const found: Device | undefined = machine.kernel.device(device);
    if (found === undefined) return [];
    const refusal = refusalOf(() => machine.kernel.writeGroupType(found, word, { has: () => true }));
    return refusal === null ? [] : [refused(id, `attach ${machine.nameOf(device)}`, 'echo TYPE > /sys/kernel/iommu_groups/N/type', refusal.errno, note(`${refusal.errno}: ${refusal.reason}.`, [refusal.rule], 'fault'), refusal)];
  });
}

function refusalOf(work: () => void): Refusal | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

const refused = (id: string, text: string, call: string, result: string, event: StepReport['trace'][number], refusal?: Refusal): StepReport => ({
  kind: 'step', id, origin: id, text, call, result, messages: [], trace: [event], rules: refusal === undefined ? [] : [refusal.rule], offenders: refusal?.offenders ?? [],
});
