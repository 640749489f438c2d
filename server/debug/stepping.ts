/**
 * Movement through a run. A run is simulated once, so going back is going forward with another sign; what a person sees as
 * "executing" is the position passing an action.
 */
import { traceOf } from '../testing/surprise.js';
import type { Breakpoints } from './breakpoints.js';
import type { Debuggee } from './debuggee.js';
import { raised, type FilterName } from './exceptions.js';

/** Before an action is played, inside of it at one of its events, or after one that an exception filter stopped at. */
export type Position =
  | Boundary
  | { readonly at: 'event'; readonly action: number; readonly event: number };

interface Boundary {
  readonly at: 'before' | 'after';
  readonly action: number;
}

export type StopReason = 'entry' | 'step' | 'breakpoint' | 'exception';

export interface Stop {
  readonly position: Position;
  readonly reason: StopReason;
  /** Breakpoints that were hit. */
  readonly hit: readonly number[];
}

/** Where the program is over. */
export type Outcome = Stop | 'terminated';

/** Told of what happens on the way forward. */
export interface Listener {
  /** An action was played. */
  played(action: number): void;
  /** The next one is to be played. */
  reached(action: number): void;
}

export class Stepper {
  filters: ReadonlySet<FilterName> = new Set();

  constructor(
    private readonly debuggee: Debuggee,
    private readonly breakpoints: Breakpoints,
    private readonly listener: Listener,
  ) {}

  /** The first stop: at once, or at the first breakpoint. */
  begin(action: number, stopOnEntry: boolean): Outcome {
    const position = { at: 'before', action } as const;
    const { run, end } = this.debuggee;
    if (end === 0 && run.stopped !== undefined && this.filters.has('unexpected')) return { position: { at: 'after', action: 0 }, reason: 'exception', hit: [] };
    this.listener.reached(action);
    const hit = this.breakpoints.at(action);
    if (stopOnEntry) return { position, reason: 'entry', hit };
    return hit.length > 0 ? { position, reason: 'breakpoint', hit } : this.resume(position);
  }

  /** To the next breakpoint or exception, else to the end of the program. */
  resume(from: Position): Outcome {
    for (let at: Position = from; ;) {
      const next = this.complete(at);
      if (next === 'terminated') return next;
      if (next.at === 'after') return { position: next, reason: 'exception', hit: [] };
      const hit = this.breakpoints.at(next.action);
      if (hit.length > 0) return { position: next, reason: 'breakpoint', hit };
      at = next;
    }
  }

  /** To the next statement; inside of an action to its next event. */
  over(from: Position): Outcome {
    if (from.at === 'event' && from.event + 1 < this.events(from.action)) return stepped({ ...from, event: from.event + 1 });
    return this.finish(from);
  }

  /** Into the events of a DMA or a call. */
  into(from: Position): Outcome {
    if (from.at === 'before' && this.events(from.action) > 0) return stepped({ at: 'event', action: from.action, event: 0 });
    return this.over(from);
  }

  /** Out of an action; out of the run, which stops at its end. */
  out(from: Position): Outcome {
    if (from.at === 'event') return this.finish(from);
    const { end } = this.debuggee;
    for (let at: Position = from; ;) {
      const next = this.complete(at);
      if (next === 'terminated' || next.at === 'after' || next.action === end) return this.arrive(next);
      const hit = this.breakpoints.at(next.action);
      if (hit.length > 0) return { position: next, reason: 'breakpoint', hit };
      at = next;
    }
  }

  back(from: Position): Stop {
    if (from.at === 'event' && from.event > 0) return stepped({ ...from, event: from.event - 1 });
    if (from.at !== 'before') return stepped({ at: 'before', action: from.action });
    return from.action === 0 ? { position: from, reason: 'entry', hit: [] } : stepped({ at: 'before', action: from.action - 1 });
  }

  /** To the breakpoint before, else to the beginning. */
  resumeBack(from: Position): Stop {
    for (let action = from.at === 'before' ? from.action - 1 : from.action; action > 0; action--) {
      const hit = this.breakpoints.at(action);
      if (hit.length > 0) return { position: { at: 'before', action }, reason: 'breakpoint', hit };
    }
    const hit = from.action > 0 || from.at !== 'before' ? this.breakpoints.at(0) : [];
    return { position: { at: 'before', action: 0 }, reason: hit.length > 0 ? 'breakpoint' : 'entry', hit };
  }

  private events(action: number): number {
    const report = this.debuggee.run.actions[action];
    return report === undefined ? 0 : traceOf(report).length;
  }

  private finish(from: Position): Outcome {
    return this.arrive(this.complete(from));
  }

  private arrive(at: Position | 'terminated'): Outcome {
    if (at === 'terminated') return at;
    return at.at === 'after' ? { position: at, reason: 'exception', hit: [] } : { position: at, reason: 'step', hit: this.breakpoints.at(at.action) };
  }

  /** Plays the action at a position to its end. At the end of the run: what stopped it, if a filter asks for that. */
  private complete({ at, action }: Position): Boundary | 'terminated' {
    const { run, end } = this.debuggee;
    if (action === end) return 'terminated';
    const next = { at: 'before', action: action + 1 } as const;
    if (at !== 'after') {
      this.listener.played(action);
      if (raised(run.actions[action]!, this.filters)) return { at: 'after', action };
    }
    if (next.action === end && run.stopped !== undefined && this.filters.has('unexpected')) return { at: 'after', action: end };
    this.listener.reached(next.action);
    return next;
  }
}

const stepped = (position: Position): Stop => ({ position, reason: 'step', hit: [] });

