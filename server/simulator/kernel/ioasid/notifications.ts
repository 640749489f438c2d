/**
 * Who hears of a change, and in which order (IOX-07). Subscribers keep state for a PASID: KVM its translation for ENQCMD, the IOMMU driver its
 * table entry, the device driver its work queue. Handlers may not sleep; long work goes to one ordered work queue.
 */
import { Refusal } from '../../errno.js';
import { NOTIFIER_LEVELS, type IoasidSurroundings, type Notifier } from './calls.js';

/** ALLOC = 1, FREE, BIND, UNBIND. */
export type NotifierEvent = 'ALLOC' | 'FREE' | 'BIND' | 'UNBIND';

/** One chain: the processor's side hears first, then the IOMMU, then the device; among equals the first to register. */
export class NotifierChain {
  private readonly members: Notifier[] = [];

  add(notifier: Notifier): void {
    const rank = NOTIFIER_LEVELS.indexOf(notifier.level);
    const at = this.members.findIndex(({ level }) => NOTIFIER_LEVELS.indexOf(level) < rank);
    this.members.splice(at < 0 ? this.members.length : at, 0, notifier);
  }

  has(name: string): boolean {
    return this.members.some((notifier) => notifier.name === name);
  }

  get order(): readonly Notifier[] {
    return this.members;
  }
}

export class Notifications {
  /** The system chain: events with flag ALL. */
  readonly all = new NotifierChain();

  constructor(private readonly surroundings: IoasidSurroundings) {}

  /** @param chains in the order in which they are called */
  send(event: NotifierEvent, id: number, chains: readonly NotifierChain[]): void {
    const heard = chains.flatMap((chain) => chain.order).map(({ name, level }) => `${name} (${level})`);
    const text = heard.length === 0 ? `nobody listens to ${event} of IOASID ${id}` : `${event} of IOASID ${id} goes to ${heard.join(', then ')}`;
    this.surroundings.changed({ text: `${text.charAt(0).toUpperCase()}${text.slice(1)}`, rule: 'IOX-07' });
  }
}

/** Subscribers of address spaces whose set does not exist yet. */
export class PendingNotifiers {
  private readonly waiting = new Map<object, Notifier[]>();

  /** @throws Refusal EBUSY */
  add(token: object, notifier: Notifier): void {
    const known = this.waiting.get(token) ?? [];
    if (known.some(({ name }) => name === notifier.name)) throw duplicate(notifier);
    this.waiting.set(token, [...known, notifier]);
  }

  take(token: object): readonly Notifier[] {
    const known = this.waiting.get(token) ?? [];
    this.waiting.delete(token);
    return known;
  }
}

export const duplicate = (notifier: Notifier): Refusal => new Refusal('EBUSY', 'IOX-07', `${notifier.name} is registered for this address space already`);
