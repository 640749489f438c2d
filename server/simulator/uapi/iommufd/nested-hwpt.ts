/** Nested page tables: a stage that user space keeps, over a paging hwpt that the kernel fills (IFD-62, IFD-63, NST-01). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal } from '../../errno.js';
import type { UserTable } from '../../hardware/architecture.js';
import type { Device, NestedDomain } from '../../kernel/core.js';
import type { IommufdContext } from './context.js';
import { Hwpt, HWPT_FLAGS, PageTableObject, takesFlags, type HwptOptions } from './hwpt.js';
import type { Ioas } from './ioas.js';
import { MOCK_IOTLB_ENTRIES } from './mock-constants.js';
import { copyUserData, NESTED_DATA, type UserData } from './user-data.js';
import type { Viommu } from './viommu.js';

/** IOMMU_VTD_S1_*. */
export const VTD_S1 = { SRE: 1n, WPE: 4n } as const;
/** Widths of a VT-d first stage, and the levels that give them. */
const LEVELS_BY_WIDTH: ReadonlyMap<bigint, number> = new Map([[48n, 4], [57n, 5]]);

export class NestedHwpt extends PageTableObject {
  readonly kind = 'nested-hwpt';
  readonly domain: NestedDomain;
  /** CNF-04: what the mock's driver keeps beside it. */
  readonly mockEntries: number[];

  /** @param viommu the vIOMMU that it was made on; null = directly on its parent */
  constructor(
    context: IommufdContext,
    readonly parent: Hwpt,
    readonly viommu: Viommu | null,
    readonly options: HwptOptions,
    stage: NestedStage,
  ) {
    super();
    const base = viommu ?? parent;
    base.hold();
    this.domain = context.kernel.nestDomain(parent.domain, `nested on hwpt ${parent.id} of ${context.ownerName}`, stage.table, (device) => this.accept(device, stage));
    this.mockEntries = Array<number>(MOCK_IOTLB_ENTRIES).fill(stage.mockValue);
  }

  get ioas(): Ioas {
    return this.parent.ioas;
  }

  /** What its driver asks when a device is attached (IFD-83). @throws Refusal ENOENT, EINVAL */
  private accept(device: Device, stage: NestedStage): void {
    if (this.viommu !== null && this.viommu.virtualIdOf(device) === undefined) {
      throw new Refusal('ENOENT', 'IFD-83', `${device.name} has no virtual device on the vIOMMU ${this.viommu.id}`, [device.subject]);
    }
    if (stage.table !== null) checkStage(device, stage);
  }

  destroy(): void {
    this.domain.free();
    (this.viommu ?? this.parent).drop();
    this.faultQueue?.drop();
  }
}

/** What a driver makes of the data. */
interface NestedStage {
  readonly table: UserTable | null;
  /** Bits of address that the user asked for; only of VT-d. */
  readonly width: bigint;
  readonly mockValue: number;
}

type Fields = Readonly<Record<string, bigint>>;

const STAGES: Readonly<Partial<Record<IommuArchitectureName, (fields: Fields) => NestedStage>>> = {
  vtd: ({ root = 0n, width = 48n, flags = 0n }) => ({
    width, mockValue: 0,
    table: { root, levels: LEVELS_BY_WIDTH.get(width) ?? 4, writeProtect: (flags & VTD_S1.WPE) !== 0n, supervisor: (flags & VTD_S1.SRE) !== 0n },
  }),
  mock: ({ value = 0n }) => ({ table: null, width: 0n, mockValue: Number(value) }),
};

/** VT-d looks at the table's shape when a device is attached, not before. @throws Refusal EINVAL */
function checkStage({ unit, name, subject }: Device, { table, width }: NestedStage): void {
  const levels = LEVELS_BY_WIDTH.get(width);
  const most = unit?.capabilities().userTableLevels ?? 4;
  if (levels !== undefined && levels <= most) return;
  throw new Refusal('EINVAL', 'IFD-62', `a first stage of ${width} bits cannot be walked for ${name}${table === null ? '' : `, whose unit has ${most} levels`}`, [subject]);
}

/**
 * IFD-62 on a parent, IFD-63 on a vIOMMU. @throws Refusal EOPNOTSUPP, EINVAL, EFAULT
 */
export function allocateNested(context: IommufdContext, base: Hwpt | Viommu, device: Device, flags: number, data: UserData): NestedHwpt {
  const viommu = base instanceof Hwpt ? null : base;
  const parent = base instanceof Hwpt ? base : base.parent;
  const rule = viommu === null ? 'IFD-62' : 'IFD-63';
  const architecture = device.unit?.description.architecture;
  if (viommu !== null && viommu.unit.description !== device.unit?.description) throw new Refusal('EINVAL', 'IFD-63', `${device.name} is behind another IOMMU than the vIOMMU ${viommu.id}`, [device.subject]);
  const layout = architecture === undefined || !takesFlags(architecture) ? undefined : NESTED_DATA[architecture];
  const known = HWPT_FLAGS.FAULT_ID_VALID | (context.kernel.profile.iommufdSince613 ? HWPT_FLAGS.PASID : 0);
  if ((flags & ~known) !== 0 || data.length === 0 || architecture === undefined || !takesFlags(architecture)) {
    throw new Refusal('EOPNOTSUPP', rule, 'a nested page table takes data of its driver and no flags but faults and PASID', [device.subject]);
  }
  if (viommu === null && (parent.options.automatic || !parent.options.nestParent || parent.domain.unit.description.architecture !== architecture)) {
    throw new Refusal('EINVAL', 'IFD-62', `the hwpt ${parent.id} was not allocated as a parent of nested page tables`, [device.subject]);
  }
  const make = STAGES[architecture];
  if (layout === undefined || make === undefined || data.type !== layout.type) throw new Refusal('EOPNOTSUPP', rule, `the driver of ${parent.domain.unit.description.name} knows no nested page tables of type ${data.type}`, [device.subject]);
  const stage = make(copyUserData(data, layout, rule, [device.subject]));
  const options = { nestParent: false, dirtyTracking: false, pasid: (flags & HWPT_FLAGS.PASID) !== 0, automatic: false };
  return context.objects.add(new NestedHwpt(context, parent, viommu, options, stage));
}
