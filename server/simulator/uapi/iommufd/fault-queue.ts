/** Queues of I/O page faults: an object and the file that reads it (IFD-75). */
import type { OpenFile } from '../process.js';
import type { IommufdContext } from './context.js';
import { IommufdObject } from './objects.js';

export class FaultQueue extends IommufdObject {
  readonly kind = 'fault-queue';

  destroy(): void {
    // Faults that nobody answered would go with it; no modelled unit reports any.
  }
}

/** IFD-09: while it is open, the queue is in use and the context stays (IFD-07). */
export class FaultQueueFile implements OpenFile {
  readonly kind = 'event';

  constructor(
    private readonly context: IommufdContext,
    private readonly queue: FaultQueue,
  ) {
    queue.hold();
    context.hold();
  }

  release(): void {
    this.queue.drop();
    this.context.drop();
  }
}
