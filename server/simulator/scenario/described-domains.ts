/** `domain` statements: a domain written down directly, its mappings made and its devices attached by the core alone. */
import type { DomainDescription, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { Device, Group, PagingDomain } from '../kernel/core.js';
import { hex, iova, sizeOf } from '../memory/address.js';
import { sizeWord } from '../memory/sizes.js';
import type { StepReport } from '../report.js';
import { note } from './call.js';
import type { Machine } from './machine.js';
import { NOT_MODELLED } from './step.js';

/** Types that a group has by default, in the kernel's words. */
const DEFAULT_TYPES: Readonly<Partial<Record<DomainDescription['type'], 'identity' | 'DMA' | 'DMA-FQ'>>> = { identity: 'identity', dma: 'DMA', 'dma-fq': 'DMA-FQ' };

/** One report per mapping and attachment that the core refuses; nothing for what succeeds. */
export function setUpDomain(machine: Machine, description: DomainDescription): StepReport[] {
  const setUp = new SetUp(machine, description);
  const defaultType = DEFAULT_TYPES[description.type];
  if (defaultType !== undefined) setUp.asDefault(defaultType);
  else if (description.type === 'unmanaged') setUp.asUnmanaged();
  else if (description.type === 'blocked') setUp.asBlocked();
  else setUp.report(description.id, `domain ${description.name}`, 'iommu_domain_alloc()', NOT_MODELLED, `This version does not simulate ${description.type} domains.`);
  return setUp.reports;
}

class SetUp {
  readonly reports: StepReport[] = [];

  constructor(
    private readonly machine: Machine,
    private readonly description: DomainDescription,
  ) {}

  /** The domain that boot would have given the groups. */
  asDefault(type: 'identity' | 'DMA' | 'DMA-FQ'): void {
    for (const { id, device, group } of this.attachments()) {
      this.attempt(id, `attach ${this.machine.nameOf(device.subject)}`, 'iommu_setup_default_domain()', () => this.machine.kernel.setDefaultType(group, type));
      if (group.defaultDomain !== null && 'map' in group.defaultDomain) this.mapAll(group.defaultDomain);
    }
  }

  asUnmanaged(): void {
    const attachments = this.attachments();
    const first = attachments[0];
    if (first === undefined) return;
    const { name, id } = this.description;
    const domain = this.attempt(id, `domain ${name}`, 'iommu_paging_domain_alloc()', () => this.machine.kernel.allocateDomain(first.device, name));
    if (domain === null) return;
    this.mapAll(domain);
    for (const { id: at, device, group } of attachments) {
      this.attempt(at, `attach ${this.machine.nameOf(device.subject)}`, 'iommu_attach_group()', () => group.attach(domain));
    }
  }

  asBlocked(): void {
    for (const { id, device, group } of this.attachments()) {
      this.attempt(id, `attach ${this.machine.nameOf(device.subject)}`, 'iommu_attach_group()', () => this.machine.kernel.block(group));
    }
  }

  /** Each group once, by the first of its devices that is listed. */
  private attachments(): { readonly id: SubjectId; readonly device: Device; readonly group: Group }[] {
    const seen = new Set<Group>();
    return this.description.attachments.flatMap(({ id, device: subject }) => {
      const device = this.machine.kernel.device(subject);
      const group = device?.group ?? null;
      if (device === undefined || group === null || seen.has(group)) return [];
      seen.add(group);
      return [{ id, device, group }];
    });
  }

  private mapAll(domain: PagingDomain): void {
    for (const { id, iova: range, to, permission } of this.description.maps) {
      const text = `map iova ${hex(range.start)} size ${sizeWord(sizeOf(range))} to ${hex(to)}`;
      this.attempt(id, text, 'iommu_map()', () => domain.map(iova(range.start), to, sizeOf(range), permission, id));
    }
  }

  /** What `work` gives; null when the core refused it, which is then reported. */
  private attempt<T>(id: SubjectId, text: string, call: string, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.report(id, text, call, error.errno, `${error.errno}: ${error.reason}.`, error);
      return null;
    }
  }

  report(id: SubjectId, text: string, call: string, result: string, why: string, refusal?: Refusal): void {
    const rules = refusal === undefined ? [] : [refusal.rule];
    this.reports.push({
      kind: 'step', id, origin: id, text, call, result, messages: [], rules, offenders: refusal?.offenders ?? [],
      trace: [note(why, rules, refusal === undefined ? 'note' : 'fault')],
    });
  }
}
