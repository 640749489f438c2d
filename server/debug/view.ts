/** What is to be seen at one stop: frames, scopes, variables. Made when the program stops, gone when it moves on. */
import { UriUtils, URI } from 'langium';
import type { PlaceView } from '../protocol.js';
import type { ActionReport } from '../simulator/report.js';
import type { TraceEvent } from '../simulator/trace/events.js';
import { traceOf } from '../testing/surprise.js';
import type { ClientCounting } from './counting.js';
import type { Debuggee } from './debuggee.js';
import { RequestError, type Scope, type Source, type StackFrame, type Variable } from './messages.js';
import { ObjectVariables } from './objects.js';
import { actionVariables, eventVariables, runVariables } from './statement-variables.js';
import type { Position } from './stepping.js';
import { VariableStore } from './variables.js';

/** Frame numbers: the run, its current action, then the events of the action in order. */
const RUN_FRAME = 1;
const ACTION_FRAME = 2;
const FIRST_EVENT_FRAME = 3;

export class StopView {
  private readonly store = new VariableStore();
  private readonly action: ActionReport | undefined;
  private readonly events: readonly TraceEvent[];
  private objectVariables: ObjectVariables | undefined;

  constructor(
    private readonly debuggee: Debuggee,
    private readonly position: Position,
    private readonly counting: ClientCounting,
  ) {
    this.action = debuggee.run.actions[position.action];
    this.events = this.action === undefined ? [] : traceOf(this.action).slice(0, position.at === 'event' ? position.event + 1 : 0);
  }

  /** The event at which it is, those before it, the statement, the run. */
  frames(): StackFrame[] {
    const events = this.events.map((event, index) => this.frame(FIRST_EVENT_FRAME + index, event.text, this.debuggee.placeOfSubject(event.subject) ?? this.debuggee.placeAt(this.position.action)));
    const { run } = this.debuggee;
    const here = this.debuggee.placeAt(this.position.action);
    const current = this.action === undefined ? [] : [this.frame(ACTION_FRAME, this.action.text, here)];
    const whole = this.action === undefined ? here : this.debuggee.placeOfSubject(run.subject);
    return [...events.reverse(), ...current, this.frame(RUN_FRAME, run.kind === 'scenario' ? `scenario "${run.name}"` : `host ${run.name}`, whole)];
  }

  private frame(id: number, name: string, place: PlaceView | undefined): StackFrame {
    if (place === undefined) return { id, name, line: 0, column: 0 };
    return { id, name, source: sourceOf(place.uri), ...this.counting.start(place.range) };
  }

  /** @throws RequestError for a frame that there is not */
  scopes(frame: number): Scope[] {
    const own = this.ownScope(frame);
    return [{ ...own, expensive: false }, ...this.objects.scopes()];
  }

  private ownScope(frame: number): Omit<Scope, 'expensive'> {
    const { run, host, kernel } = this.debuggee;
    const { action } = this;
    const event = this.events[frame - FIRST_EVENT_FRAME];
    if (event !== undefined) return this.scope('Event', `event ${frame}`, () => eventVariables(event, `${frame}`, this.store));
    if (frame === ACTION_FRAME && action !== undefined) return this.scope('Statement', 'statement', () => actionVariables(action, this.position.at === 'after', this.store));
    if (frame === RUN_FRAME) return this.scope('Run', 'run', () => runVariables(run, host.name, kernel, this.played));
    throw new RequestError(`There is no frame ${frame}.`);
  }

  private scope(name: string, key: string, contents: () => Variable[]): Omit<Scope, 'expensive'> {
    return { name, variablesReference: this.store.reference(`scope ${key}`, contents) };
  }

  /** @throws RequestError for a reference of another stop */
  variables(reference: number): readonly Variable[] {
    const variables = this.store.open(reference);
    if (variables === undefined) throw new RequestError('This belongs to a stop that is over.');
    return variables;
  }

  /** An object by its name, or a variable of the current statement. `answered`: its answer is given away. */
  evaluate(expression: string, answered = this.position.at === 'after'): Variable | undefined {
    const statement = this.action === undefined ? [] : actionVariables(this.action, answered, this.store);
    return this.objects.named(expression) ?? statement.find(({ name }) => name === expression);
  }

  /** Made when first asked for: the run is simulated again up to here. */
  private get objects(): ObjectVariables {
    return (this.objectVariables ??= new ObjectVariables(this.debuggee.objectsBefore(this.played), this.store));
  }

  /** Number of actions whose effects are there. */
  private get played(): number {
    return Math.min(this.position.at === 'after' ? this.position.action + 1 : this.position.action, this.debuggee.end);
  }
}

export const sourceOf = (uri: string): Source => ({ name: UriUtils.basename(URI.parse(uri)), path: uri });
