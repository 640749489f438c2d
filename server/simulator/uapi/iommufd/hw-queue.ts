/** Queues of a guest that hardware reads itself, by physical address: their memory is pinned and cannot be unmapped (IFD-86). */
import { Refusal } from '../../errno.js';
import { ADDRESS_MAX, hex, PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';
import { Access } from './access.js';
import type { IommufdContext } from './context.js';
import type { Envelope } from './dispatch.js';
import { IommufdObject } from './objects.js';
import { Viommu } from './viommu.js';

export interface HwQueueCall extends Envelope {
  readonly viommu: number;
  readonly type: number;
  readonly index: number;
  /** Of the IOAS under the vIOMMU's parent. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: bigint;
}

/** Whole pages of an IOAS. */
interface Span {
  readonly start: bigint;
  readonly pages: number;
}

export class HwQueue extends IommufdObject {
  readonly kind = 'hw-queue';

  /** @param before the queue of the index below, which may not go before this one */
  constructor(
    private readonly viommu: Viommu,
    private readonly index: number,
    private readonly before: HwQueue | undefined,
    private readonly access: Access,
    private readonly span: Span,
  ) {
    super();
    viommu.hold();
    viommu.hwQueues[index] = this;
    before?.hold();
  }

  destroy(): void {
    this.viommu.hwQueues[this.index] = undefined;
    this.before?.drop();
    unpin(this.access, this.span);
    this.viommu.drop();
  }
}

/** IFD-86. @throws Refusal EOPNOTSUPP, EINVAL, EOVERFLOW, ENOENT, ERANGE, EPERM, EFAULT, EEXIST, EIO, in the order of the kernel */
export function allocateHwQueue(context: IommufdContext, call: HwQueueCall): number {
  const { iova, length } = call;
  if (call.type === 0) throw new Refusal('EOPNOTSUPP', 'IFD-86', 'no type is asked for');
  if (length === 0n) throw new Refusal('EINVAL', 'IFD-86', 'the length is 0');
  if (iova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-86', `IOVA ${hex(iova)} size ${hex(length)} is beyond 64 bits`);
  const viommu = context.objects.get(call.viommu, Viommu, 'a vIOMMU');
  if (call.type !== viommu.driver.hwQueueType) throw new Refusal('EOPNOTSUPP', 'IFD-86', `the driver knows no queues of type ${call.type}`);
  const offset = iova % PAGE_SIZE;
  if (offset + length + PAGE_SIZE - 1n > ADDRESS_MAX) throw new Refusal('ERANGE', 'IFD-86', `${hex(length)} bytes cannot be counted in pages`);
  const span = { start: iova - offset, pages: Number((offset + length + PAGE_SIZE - 1n) / PAGE_SIZE) };
  const access = new Access(context, { name: `a queue of the vIOMMU ${viommu.id}`, subject: '' }, () => undefined);
  try {
    pin(access, viommu, span);
    return context.objects.add(new HwQueue(viommu, call.index, checkIndex(viommu, call.index), access, span)).id;
  } catch (refusal) {
    unpin(access, span);
    throw refusal;
  }
}

function pin(access: Access, viommu: Viommu, { start, pages }: Span): void {
  access.attachTo(viommu.parent.ioas.id);
  const found = access.pinPages(start, pages, { read: true, write: false });
  const gap = found.findIndex((page, i) => i > 0 && page !== ((found[i - 1]! + PAGE_SIZE) as PhysicalAddress));
  if (gap !== -1) throw new Refusal('EFAULT', 'IFD-86', `the memory behind IOVA ${hex(start + BigInt(gap) * PAGE_SIZE)} does not follow on what is before it`);
  access.lockAreas(start, pages, 1);
}

function unpin(access: Access, { start, pages }: Span): void {
  if (access.areasLocked) access.lockAreas(start, pages, -1);
  access.unpinPages(start, pages);
  access.discard();
}

/** CNF-04: queues are made in order. @returns the queue before it. @throws Refusal EINVAL, EEXIST, EIO */
function checkIndex({ hwQueues, driver }: Viommu, index: number): HwQueue | undefined {
  if (index >= driver.hwQueues) throw new Refusal('EINVAL', 'IFD-86', `queues are numbered below ${driver.hwQueues}`);
  if (hwQueues[index] !== undefined) throw new Refusal('EEXIST', 'IFD-86', `the queue ${index} is there already`);
  const before = index === 0 ? undefined : hwQueues[index - 1];
  if (index > 0 && before === undefined) throw new Refusal('EIO', 'IFD-86', `the queue ${index - 1} has to come first`);
  return before;
}
