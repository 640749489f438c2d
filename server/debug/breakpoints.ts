/** Breakpoints on statements of a run. One beside a statement moves to the next of its block; elsewhere it cannot stop anything. */
import type { PlaceView, RangeView } from '../protocol.js';
import type { Debuggee } from './debuggee.js';

export interface PlacedBreakpoint {
  readonly id: number;
  /** Zero-based lines of the statement; undefined when there is none to stop at. */
  readonly range?: RangeView;
}

/** A statement at which it can stop: the first of its actions that begins it, and where it stands. */
interface Target {
  readonly place: PlaceView;
  readonly actions: number[];
}

export class Breakpoints {
  /** By file, then by first line. */
  private readonly targets = new Map<string, Map<number, Target>>();
  private readonly byAction = new Map<number, number[]>();
  private readonly ofFile = new Map<string, readonly { readonly id: number; readonly target?: Target }[]>();
  private nextId = 1;

  constructor(private readonly debuggee: Debuggee) {
    for (let action = 0; action <= debuggee.end; action++) if (debuggee.beginsStatement(action)) this.addTarget(action, debuggee.placeAt(action));
  }

  private addTarget(action: number, place: PlaceView | undefined): void {
    if (place === undefined) return;
    const lines = this.targets.get(place.uri) ?? new Map<number, Target>();
    this.targets.set(place.uri, lines);
    const target = lines.get(place.range.start.line) ?? { place, actions: [] };
    target.actions.push(action);
    lines.set(place.range.start.line, target);
  }

  /** Replaces those of one file. Lines count from 0. */
  set(uri: string, lines: readonly number[]): PlacedBreakpoint[] {
    const placed = lines.map((line) => ({ id: this.nextId++, target: this.targetAt(uri, line) }));
    this.ofFile.set(uri, placed);
    this.byAction.clear();
    for (const { id, target } of [...this.ofFile.values()].flat()) {
      for (const action of target?.actions ?? []) this.byAction.set(action, [...(this.byAction.get(action) ?? []), id]);
    }
    return placed.map(({ id, target }) => ({ id, ...(target === undefined ? {} : { range: target.place.range }) }));
  }

  /** Identities of those that stop before an action. */
  at(action: number): readonly number[] {
    return this.byAction.get(action) ?? [];
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
