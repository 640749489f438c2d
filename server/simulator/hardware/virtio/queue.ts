/**
 * The request queue as its driver uses it. MAP and UNMAP requests wait there until somebody synchronises, which is all the invalidation that
 * this IOMMU has: as long as an UNMAP waits, the device translates as before.
 */
import type { IotlbControl } from '../architecture.js';
import type { VirtioIommuDevice } from './device.js';
import type { Status } from './protocol.js';

export type QueuedRequest =
  | { readonly type: 'map'; readonly domain: number; readonly start: bigint; readonly end: bigint; readonly physical: bigint; readonly flags: number }
  | { readonly type: 'unmap'; readonly domain: number; readonly start: bigint; readonly end: bigint };

/** Entries of the queue of QEMU's device. A driver that finds it full synchronises. */
const QUEUE_SIZE = 256;

export class RequestQueue implements IotlbControl {
  /** Nothing is remembered here that a question could change. */
  filling = true;
  /** Requests wait for a synchronisation; otherwise each is performed at once. */
  waits = false;
  private waiting: QueuedRequest[] = [];

  constructor(private readonly device: VirtioIommuDevice) {}

  /** Requests that the device does not know of yet. */
  get pending(): number {
    return this.waiting.length;
  }

  /** Puts a request in, and reads no status. */
  add(request: QueuedRequest): void {
    this.waiting.push(request);
    if (!this.waits || this.waiting.length >= QUEUE_SIZE) this.synchronise();
  }

  /** Puts a request in and waits for its answer, and for all before it. */
  send(request: QueuedRequest): Status {
    this.synchronise();
    return this.perform(request);
  }

  /** The device performs everything that waits, in order. */
  synchronise(): void {
    const requests = this.waiting;
    this.waiting = [];
    for (const request of requests) this.perform(request);
  }

  private perform(request: QueuedRequest): Status {
    if (request.type === 'unmap') return this.device.unmap(request.domain, request.start, request.end);
    return this.device.map(request.domain, request.start, request.end, request.physical, request.flags);
  }

  // `iotlb_sync`, `flush_iotlb_all` and `iotlb_sync_map` of the driver do the same: the queue has no order but its own.

  invalidate(): void {
    this.synchronise();
  }

  invalidateDomain(): void {
    this.synchronise();
  }

  mapped(): void {
    this.synchronise();
  }
}
