/** Queues of what happens to a vIOMMU, bounded in depth: what does not fit is lost, and that is told (IFD-84). */
import { Refusal } from '../../errno.js';
import type { OpenFile } from '../process.js';
import type { IommufdContext } from './context.js';
import { IommufdObject } from './objects.js';
import type { Viommu } from './viommu.js';

/** Bytes of `struct iommufd_vevent_header`, and of the data of a test event. */
const HEADER_SIZE = 8;
const DATA_SIZE = 4;

export interface VirtualEvent {
  /** Counts all events, also those that are lost. */
  readonly sequence: number;
  /** The device's number as the guest knows it; null for the record that events were lost. */
  readonly virtualId: bigint | null;
}

export class EventQueue extends IommufdObject {
  readonly kind = 'event-queue';
  private waiting: VirtualEvent[] = [];
  /** Events were lost since somebody read. */
  private overflowed = false;
  private sequence = 0;

  constructor(
    readonly viommu: Viommu,
    readonly type: number,
    readonly depth: number,
  ) {
    super();
    viommu.hold();
    viommu.eventQueues.set(type, this);
  }

  report(virtualId: bigint): void {
    const event = { sequence: this.sequence++, virtualId };
    if (this.waiting.length < this.depth) this.waiting.push(event);
    else this.overflowed = true;
  }

  /** `read()` with room for `bytes`. @throws Refusal EINVAL where `checksRoom` and the first event does not fit */
  read(bytes: number, checksRoom: boolean): readonly VirtualEvent[] {
    const events = this.overflowed ? [...this.waiting, { sequence: this.sequence - 1, virtualId: null }] : this.waiting;
    let room = bytes;
    const given: VirtualEvent[] = [];
    for (const event of events) {
      room -= HEADER_SIZE + (event.virtualId === null ? 0 : DATA_SIZE);
      if (room < 0) break;
      given.push(event);
    }
    if (checksRoom && given.length === 0 && events.length > 0) throw new Refusal('EINVAL', 'IFD-84', `the first event does not fit into ${bytes} bytes`);
    this.waiting = this.waiting.slice(given.length);
    if (given.some(({ virtualId }) => virtualId === null)) this.overflowed = false;
    return given;
  }

  destroy(): void {
    this.viommu.eventQueues.delete(this.type);
    this.viommu.drop();
  }
}

/** IFD-09: while it is open, the queue is in use and the context stays (IFD-07). */
export class EventQueueFile implements OpenFile {
  readonly kind = 'event';

  constructor(
    private readonly context: IommufdContext,
    readonly queue: EventQueue,
  ) {
    queue.hold();
    context.hold();
  }

  release(): void {
    this.queue.drop();
    this.context.drop();
  }
}
