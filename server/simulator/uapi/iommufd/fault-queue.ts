/** Queues of I/O page faults: an object, and the file that reads faults and takes the answers (IFD-75). */
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import type { FaultHandling, PageRequest, PageResponse } from '../../kernel/io-page-faults.js';
import type { AttachHandle, PasidDomain } from '../../kernel/pasid.js';
import type { OpenFile } from '../process.js';
import type { IommufdContext } from './context.js';
import { IommufdObject } from './objects.js';

/** Bytes of `struct iommu_hwpt_pgfault` and of `struct iommu_hwpt_page_response`. */
export const FAULT_RECORD = { FAULT: 40, RESPONSE: 8 } as const;
/** IOMMUFD_PAGE_RESP_*. */
export const PAGE_RESPONSE = { SUCCESS: 0, INVALID: 1 } as const;

/** Requests that are answered together. */
interface FaultGroup {
  readonly handle: AttachHandle;
  readonly owner: { readonly id: number };
  readonly device: Device;
  readonly requests: readonly PageRequest[];
}

/** `struct iommu_hwpt_pgfault`, as far as it says something here. */
export interface FaultRecord {
  readonly device: number;
  readonly pasid: number | null;
  readonly address: bigint;
  readonly write: boolean;
  readonly cookie: number;
}

/** What a device was told. */
export interface Told {
  readonly device: Device;
  readonly response: PageResponse;
}

export class FaultQueue extends IommufdObject {
  readonly kind = 'fault-queue';
  private waiting: FaultGroup[] = [];
  /** Read and not answered yet, by cookie. */
  private readonly unanswered = new Map<number, FaultGroup>();
  /** Answers that the kernel gave itself, for people. */
  readonly told: Told[] = [];

  /** Whoever asks through the attachment is put into this queue. */
  handleFor(domain: PasidDomain, owner: { readonly id: number }): FaultHandling {
    const handle: FaultHandling = {
      domain,
      handleFaults: (device, requests) => {
        this.waiting.push({ handle, owner, device, requests });
        return null;
      },
    };
    return handle;
  }

  /** `read()` with room for `bytes`. @throws Refusal ESPIPE, and where `checksRoom` EINVAL */
  read(bytes: number, checksRoom: boolean): readonly FaultRecord[] {
    if (bytes % FAULT_RECORD.FAULT !== 0) throw new Refusal('ESPIPE', 'IFD-75', `${bytes} bytes are not a multiple of a fault record, ${FAULT_RECORD.FAULT}`);
    const first = this.waiting[0];
    if (checksRoom && first !== undefined && first.requests.length * FAULT_RECORD.FAULT > bytes) throw new Refusal('EINVAL', 'IFD-75', `the first group has ${first.requests.length} faults, which do not fit into ${bytes} bytes`);
    const records: FaultRecord[] = [];
    for (let group = this.waiting[0]; group !== undefined && (records.length + group.requests.length) * FAULT_RECORD.FAULT <= bytes; group = this.waiting[0]) {
      this.waiting.shift();
      records.push(...this.deliver(group));
    }
    return records;
  }

  private deliver(group: FaultGroup): FaultRecord[] {
    let cookie = 1;
    while (this.unanswered.has(cookie)) cookie++;
    this.unanswered.set(cookie, group);
    return group.requests.map(({ pasid, address, write }) => ({ device: group.owner.id, pasid: pasid ?? null, address, write, cookie }));
  }

  /** `write()` of one response. @throws Refusal ESPIPE, EINVAL */
  respond(bytes: number, cookie: number, code: number): Told {
    if (bytes % FAULT_RECORD.RESPONSE !== 0) throw new Refusal('ESPIPE', 'IFD-75', `${bytes} bytes are not a multiple of a response, ${FAULT_RECORD.RESPONSE}`);
    if (code !== PAGE_RESPONSE.SUCCESS && code !== PAGE_RESPONSE.INVALID) throw new Refusal('EINVAL', 'IFD-75', `${code} is no response`);
    const group = this.unanswered.get(cookie);
    if (group === undefined) throw new Refusal('EINVAL', 'IFD-75', `no fault waits for an answer under ${cookie}`);
    this.unanswered.delete(cookie);
    return { device: group.device, response: code === PAGE_RESPONSE.SUCCESS ? 'success' : 'invalid' };
  }

  /** IFD-51: the attachment is gone, so its devices hear "invalid". */
  forget(handle: AttachHandle): void {
    this.answerAll((group) => group.handle === handle);
  }

  destroy(): void {
    this.answerAll(() => true);
  }

  private answerAll(which: (group: FaultGroup) => boolean): void {
    const all = [...this.waiting, ...this.unanswered.values()].filter(which);
    this.waiting = this.waiting.filter((group) => !which(group));
    for (const [cookie, group] of this.unanswered) if (which(group)) this.unanswered.delete(cookie);
    this.told.push(...all.map(({ device }): Told => ({ device, response: 'invalid' })));
  }
}

/** IFD-09: while it is open, the queue is in use and the context stays (IFD-07). */
export class FaultQueueFile implements OpenFile {
  readonly kind = 'event';

  constructor(
    private readonly context: IommufdContext,
    readonly queue: FaultQueue,
  ) {
    queue.hold();
    context.hold();
  }

  release(): void {
    this.queue.drop();
    this.context.drop();
  }
}
