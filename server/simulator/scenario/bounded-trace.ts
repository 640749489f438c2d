/** The trace of one DMA: as many events as a person can look at. */
import type { TraceEvent, TraceSink } from '../trace/events.js';
import { MAX_TRACE_EVENTS } from './limits.js';

export class BoundedTrace implements TraceSink {
  readonly events: TraceEvent[] = [];
  private lost = 0;

  push(event: TraceEvent): void {
    if (this.events.length < MAX_TRACE_EVENTS) this.events.push(event);
    else this.sayLost();
  }

  /** The unit knows no devices: their names in the fault's lines come with `messages`. */
  completeFault(messages: readonly string[]): void {
    const index = this.events.findLastIndex((event) => event.kind === 'fault');
    const fault = this.events[index];
    if (fault?.kind === 'fault') this.events[index] = { ...fault, messages };
  }

  private sayLost(): void {
    this.lost++;
    this.events[MAX_TRACE_EVENTS] = { kind: 'note', floor: 'fabric', text: `${this.lost} more events are not shown.`, verdict: 'note', rules: [] };
  }
}
