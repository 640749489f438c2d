/** Breakpoints on statements of a run. One beside a statement moves to the next of its block; elsewhere it cannot stop anything. */
import type { PlaceView, RangeView } from '../protocol.js';
import { conditionOf, hitConditionOf } from './conditions.js';
import type { Debuggee } from './debuggee.js';
import { RequestError } from './messages.js';

export interface AskedBreakpoint {
  /** From 0. */
  readonly line: number;
  /** An outcome: the calls of the statement that end so are hits, instead of its beginning. */
  readonly condition?: string;
  /** Which of the hits count. */
  readonly hitCondition?: string;
  /** Instead of stopping. */
  readonly logMessage?: string;
}

export interface PlacedBreakpoint {
  readonly id: number;
  /** Zero-based lines of the statement; undefined when there is none to stop at. */
  readonly range?: RangeView;
  /** Why it never stops. */
  readonly problem?: string;
}

/** A statement at which it can stop, and where it stands. An owner makes many calls of one line, and may come back to it. */
interface Target {
  readonly place: PlaceView;
  readonly actions: number[];
  /** Those of its actions before which something else was done. */
  readonly begins: number[];
}

/** What one breakpoint does, worked out when it is set: a run is known before anybody steps through it. */
interface Effect {
  readonly id: number;
  readonly hits: readonly number[];
  readonly logMessage?: string;
}

export class Breakpoints {
  /** By file, then by first line. */
  private readonly targets = new Map<string, Map<number, Target>>();
  private readonly stops = new Map<number, number[]>();
  private readonly logs = new Map<number, string[]>();
  private readonly ofFile = new Map<string, readonly Effect[]>();
  private nextId = 1;

  constructor(private readonly debuggee: Debuggee) {
    for (let action = 0; action <= debuggee.end; action++) this.addAction(action, debuggee.placeAt(action));
  }

  private addAction(action: number, place: PlaceView | undefined): void {
    const begins = this.debuggee.beginsStatement(action);
    if (place === undefined) return;
    const lines = this.targets.get(place.uri) ?? new Map<number, Target>();
    const target = lines.get(place.range.start.line) ?? { place, actions: [], begins: [] };
    this.targets.set(place.uri, lines.set(place.range.start.line, target));
    target.actions.push(action);
    if (begins) target.begins.push(action);
  }

  /** Replaces those of one file. */
  set(uri: string, asked: readonly AskedBreakpoint[]): PlacedBreakpoint[] {
    const placed = asked.map((each) => this.place(uri, each));
    this.ofFile.set(uri, placed.map(({ effect }) => effect));
    this.stops.clear();
    this.logs.clear();
    for (const { id, hits, logMessage } of [...this.ofFile.values()].flat()) {
      for (const action of hits) {
        if (logMessage === undefined) this.stops.set(action, [...(this.stops.get(action) ?? []), id]);
        else this.logs.set(action, [...(this.logs.get(action) ?? []), logMessage]);
      }
    }
    return placed.map(({ view }) => view);
  }

  private place(uri: string, asked: AskedBreakpoint): { readonly view: PlacedBreakpoint; readonly effect: Effect } {
    const id = this.nextId++;
    const target = this.targetAt(uri, asked.line);
    if (target === undefined) return { view: { id, problem: `Nothing of “${this.debuggee.run.name}” is played here.` }, effect: { id, hits: [] } };
    try {
      return { view: { id, range: target.place.range }, effect: { id, hits: this.hitsOf(target, asked), logMessage: asked.logMessage } };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return { view: { id, range: target.place.range, problem: error.message }, effect: { id, hits: [] } };
    }
  }

  /** Hits are counted where the condition is met. @throws RequestError for what is not understood */
  private hitsOf(target: Target, { condition, hitCondition }: AskedBreakpoint): readonly number[] {
    const met = condition === undefined ? target.begins : this.meeting(target, condition);
    if (hitCondition === undefined) return met;
    const counts = hitConditionOf(hitCondition);
    return met.filter((_, index) => counts(index + 1));
  }

  private meeting({ actions }: Target, text: string): readonly number[] {
    const { run, host } = this.debuggee;
    const condition = conditionOf(text, (name) => host.functions.find((fn) => fn.name === name)?.id);
    return actions.filter((action) => run.actions[action] !== undefined && condition(run.actions[action]));
  }

  /** Identities of those that stop before an action. */
  at(action: number): readonly number[] {
    return this.stops.get(action) ?? [];
  }

  /** What is to be said before an action. */
  messagesAt(action: number): readonly string[] {
    return this.logs.get(action) ?? [];
  }

  /** First lines of statements within lines, ascending. */
  possible(uri: string, from: number, to: number): readonly RangeView[] {
    return this.targetsOf(uri).map(({ place }) => place.range).filter(({ start }) => from <= start.line && start.line <= to);
  }

  private targetsOf(uri: string): Target[] {
    return [...(this.targets.get(uri)?.values() ?? [])].sort((a, b) => a.place.range.start.line - b.place.range.start.line);
  }

  /** The innermost statement on the line, else the next one of the same block. */
  private targetAt(uri: string, line: number): Target | undefined {
    const targets = this.targetsOf(uri);
    const on = targets.findLast(({ place: { range } }) => range.start.line <= line && line <= range.end.line);
    if (on !== undefined) return on;
    const block = this.debuggee.blocks.find(({ uri: file, range }) => file === uri && range.start.line <= line && line <= range.end.line);
    return block && targets.find(({ place: { range } }) => line < range.start.line && range.start.line <= block.range.end.line);
  }
}
