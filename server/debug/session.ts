/**
 * One debug session: a request of the protocol in, every message that it leads to out. Nothing happens in between, for the run was
 * simulated when the session was launched; an edit of the file shows after a restart.
 */
import { URI } from 'langium';
import type { Lowered, Problem } from '../../language/index.js';
import { messagesOf, resultOf, surpriseOf } from '../testing/surprise.js';
import { Arguments } from './arguments.js';
import { Breakpoints, type AskedBreakpoint } from './breakpoints.js';
import { logText } from './conditions.js';
import { ClientCounting } from './counting.js';
import { Debuggee } from './debuggee.js';
import { exceptionInfo, FILTERS, type FilterName } from './exceptions.js';
import { RequestError, type Breakpoint, type DapEvent, type DapRequest, type DapResponse } from './messages.js';
import { Stepper, type Outcome, type Stop } from './stepping.js';
import { sourceOf, StopView } from './view.js';

/** Reads a file for a session; undefined when there is none. */
export type LoadFile = (uri: string) => Promise<{ readonly lowered: Lowered; readonly problems: readonly Problem[] } | undefined>;

/** The only thread: a scenario does one thing after the other. */
const THREAD = 1;

const CAPABILITIES = {
  supportsConfigurationDoneRequest: true, supportsEvaluateForHovers: true, supportsStepBack: true, supportsExceptionInfoRequest: true,
  supportsBreakpointLocationsRequest: true, supportsConditionalBreakpoints: true, supportsHitConditionalBreakpoints: true, supportsLogPoints: true,
  supportsDelayedStackTraceLoading: true, supportsTerminateRequest: true, exceptionBreakpointFilters: FILTERS,
};

interface Launched {
  readonly debuggee: Debuggee;
  readonly breakpoints: Breakpoints;
  readonly stepper: Stepper;
  readonly firstAction: number;
  readonly stopOnEntry: boolean;
  readonly noDebug: boolean;
}

type Body = object | undefined;
type Handler = (args: Arguments) => Body | Promise<Body>;

export class DebugSession {
  private seq = 1;
  private counting = new ClientCounting({ linesStartAt1: true, columnsStartAt1: true });
  private launched: Launched | undefined;
  private stop: Stop | undefined;
  private view: StopView | undefined;
  /** Events that follow the response of the request that is being answered. */
  private events: Omit<DapEvent, 'seq'>[] = [];

  constructor(private readonly load: LoadFile) {}

  private readonly handlers: Readonly<Record<string, Handler>> = {
    initialize: (args) => this.initialize(args),
    launch: (args) => this.launch(args),
    setBreakpoints: (args) => this.setBreakpoints(args),
    setFunctionBreakpoints: () => ({ breakpoints: [] }),
    setExceptionBreakpoints: (args) => this.setExceptionBreakpoints(args),
    breakpointLocations: (args) => this.breakpointLocations(args),
    configurationDone: () => this.begin(),
    threads: () => ({ threads: [{ id: THREAD, name: this.program.debuggee.run.name }] }),
    stackTrace: (args) => this.stackTrace(args),
    scopes: (args) => ({ scopes: this.stopped.scopes(args.neededNumber('frameId')) }),
    variables: (args) => ({ variables: page(this.stopped.variables(args.neededNumber('variablesReference')), args) }),
    evaluate: (args) => this.evaluate(args),
    exceptionInfo: () => this.exceptionInfo(),
    continue: () => this.move((stepper, { position }) => stepper.resume(position), { allThreadsContinued: true }),
    next: () => this.move((stepper, { position }) => stepper.over(position)),
    stepIn: () => this.move((stepper, { position }) => stepper.into(position)),
    stepOut: () => this.move((stepper, { position }) => stepper.out(position)),
    stepBack: () => this.move((stepper, { position }) => stepper.back(position)),
    reverseContinue: () => this.move((stepper, { position }) => stepper.resumeBack(position)),
    terminate: () => this.end(),
    disconnect: () => undefined,
  };

  /** Never throws: what cannot be done is said in the response. */
  async handle(request: DapRequest): Promise<readonly (DapResponse | DapEvent)[]> {
    this.events = [];
    const response = await this.respond(request);
    return [response, ...this.events].map((message) => ({ ...message, seq: this.seq++ }));
  }

  private async respond({ seq, command, arguments: values }: DapRequest): Promise<Omit<DapResponse, 'seq'>> {
    const head = { type: 'response', request_seq: seq, command } as const;
    try {
      const handler = Object.hasOwn(this.handlers, command) ? this.handlers[command] : undefined;
      if (handler === undefined) throw new RequestError(`"${command}" is not supported.`);
      return { ...head, success: true, body: await handler(new Arguments(values)) };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return { ...head, success: false, message: error.message, body: { error: { id: 1, format: escapeFormat(error.message), showUser: command === 'launch' } } };
    }
  }

  private emit(event: string, body?: object): void {
    this.events.push({ type: 'event', event, body });
  }

  // ---------------------------------------------------------------------------------------------- beginning and end

  private initialize(args: Arguments): Body {
    this.counting = new ClientCounting({ linesStartAt1: args.flag('linesStartAt1', true), columnsStartAt1: args.flag('columnsStartAt1', true) });
    return CAPABILITIES;
  }

  private async launch(args: Arguments): Promise<Body> {
    const uri = uriOf(args.neededText('program'));
    const file = await this.load(uri);
    if (file === undefined) throw new RequestError(`${uri} cannot be read.`);
    const debuggee = Debuggee.of(file.lowered, file.problems, { scenario: args.text('scenario'), host: args.text('host') });
    const breakpoints = new Breakpoints(debuggee);
    const stepper = new Stepper(debuggee, breakpoints, { played: (action) => this.report(debuggee, action), reached: (action) => this.log(breakpoints.messagesAt(action), debuggee, action) });
    const from = args.text('from');
    this.launched = { debuggee, breakpoints, stepper, firstAction: from === undefined ? 0 : debuggee.firstOf(from), stopOnEntry: args.flag('stopOnEntry'), noDebug: args.flag('noDebug') };
    this.emit('initialized');
    return undefined;
  }

  private begin(): Body {
    const { debuggee, stepper, firstAction, stopOnEntry, noDebug } = this.program;
    if (noDebug) this.runThrough(debuggee);
    else this.arrive(stepper.begin(firstAction, stopOnEntry));
    return undefined;
  }

  private runThrough(debuggee: Debuggee): void {
    debuggee.run.actions.forEach((_, action) => this.report(debuggee, action));
    this.arrive('terminated');
  }

  private end(): Body {
    this.emit('terminated');
    return undefined;
  }

  // ---------------------------------------------------------------------------------------------- moving

  private move(go: (stepper: Stepper, from: Stop) => Outcome, body?: object): Body {
    const from = this.stop;
    if (from === undefined) throw new RequestError('The program is not stopped anywhere.');
    this.arrive(go(this.program.stepper, from));
    return body;
  }

  private arrive(outcome: Outcome): void {
    const { debuggee } = this.program;
    if (outcome === 'terminated') {
      this.stop = undefined;
      this.view = undefined;
      this.summarize(debuggee);
      this.emit('terminated');
      this.emit('exited', { exitCode: debuggee.run.actions.some((action) => surpriseOf(action) !== undefined) || debuggee.run.stopped !== undefined ? 1 : 0 });
      return;
    }
    const { position, reason, hit } = outcome;
    this.stop = outcome;
    this.view = new StopView(debuggee, position, this.counting);
    const text = reason === 'exception' ? exceptionInfo(debuggee.run.actions[position.action], debuggee.run.stopped) : undefined;
    this.emit('stopped', {
      reason, threadId: THREAD, allThreadsStopped: true, preserveFocusHint: false,
      ...(hit.length === 0 ? {} : { hitBreakpointIds: hit }), ...(text === undefined ? {} : { description: `Stopped on ${text.exceptionId}`, text: text.description }),
    });
  }

  /** What the kernel logs while an action is played, and what nobody expected. */
  private report(debuggee: Debuggee, action: number): void {
    const report = debuggee.run.actions[action]!;
    const surprise = surpriseOf(report);
    const at = this.sourceAt(debuggee, action);
    for (const line of messagesOf(report)) this.emit('output', { category: 'stdout', output: `${line}\n`, ...at });
    if (surprise !== undefined) this.emit('output', { category: 'stderr', output: `${report.text}: expected ${surprise.expected}, but ${surprise.actual}. ${surprise.why}`.trimEnd() + '\n', ...at });
  }

  /** What the breakpoints at an action say instead of stopping. */
  private log(messages: readonly string[], debuggee: Debuggee, action: number): void {
    if (messages.length === 0) return;
    const view = new StopView(debuggee, { at: 'before', action }, this.counting);
    const valueOf = (name: string): string | undefined => view.evaluate(name, true)?.value;
    for (const message of messages) this.emit('output', { category: 'console', output: `${logText(message, valueOf)}\n`, ...this.sourceAt(debuggee, action) });
  }

  private sourceAt(debuggee: Debuggee, action: number): object {
    const place = debuggee.placeAt(action);
    return place === undefined ? {} : { source: sourceOf(place.uri), ...this.counting.start(place.range) };
  }

  private summarize({ run }: Debuggee): void {
    const surprises = run.actions.filter((action) => surpriseOf(action) !== undefined).length;
    const last = run.actions.at(-1);
    if (run.stopped !== undefined) this.emit('output', { category: 'stderr', output: `The run stopped: ${run.stopped}\n` });
    const ending = last === undefined ? '' : `, the last: ${resultOf(last)}`;
    this.emit('output', { category: 'console', output: `${run.name}: ${run.actions.length} statements${ending}; ${surprises === 0 ? 'all as expected' : `${surprises} not as expected`}\n` });
  }

  // ---------------------------------------------------------------------------------------------- breakpoints

  private setBreakpoints(args: Arguments): Body {
    const uri = uriOf(args.inner('source').neededText('path'));
    const asked = args.list('breakpoints').map((each) => this.askedBreakpoint(new Arguments(each)));
    const placed = this.program.breakpoints.set(uri, asked).map(({ id, range, problem }): Breakpoint => ({
      id, verified: problem === undefined, ...(problem === undefined ? {} : { message: problem }), ...(range === undefined ? {} : { source: sourceOf(uri), ...this.counting.start(range) }),
    }));
    return { breakpoints: placed };
  }

  private askedBreakpoint(args: Arguments): AskedBreakpoint {
    return { line: this.counting.line(args.neededNumber('line')), condition: args.text('condition'), hitCondition: args.text('hitCondition'), logMessage: args.text('logMessage') };
  }

  private breakpointLocations(args: Arguments): Body {
    const uri = uriOf(args.inner('source').neededText('path'));
    const line = this.counting.line(args.neededNumber('line'));
    const last = args.number('endLine');
    const ranges = this.program.breakpoints.possible(uri, line, last === undefined ? line : this.counting.line(last));
    return { breakpoints: ranges.map((range) => this.counting.start(range)) };
  }

  private setExceptionBreakpoints(args: Arguments): Body {
    const asked = new Set(args.list('filters'));
    this.program.stepper.filters = new Set(FILTERS.map(({ filter }) => filter).filter((filter: FilterName) => asked.has(filter)));
    return undefined;
  }

  // ---------------------------------------------------------------------------------------------- looking

  private stackTrace(args: Arguments): Body {
    const frames = this.stopped.frames();
    const first = args.number('startFrame') ?? 0;
    const levels = args.number('levels') ?? 0;
    return { stackFrames: frames.slice(first, levels === 0 ? undefined : first + levels), totalFrames: frames.length };
  }

  private evaluate(args: Arguments): Body {
    const expression = args.neededText('expression').trim();
    const found = this.stopped.evaluate(expression);
    if (found === undefined) throw new RequestError(`Nothing is called “${expression}” at this point.`);
    const { value, type, variablesReference } = found;
    return { result: value, type, variablesReference };
  }

  private exceptionInfo(): Body {
    const { stop } = this;
    if (stop?.reason !== 'exception') throw new RequestError('The program did not stop at an exception.');
    const { run } = this.program.debuggee;
    return exceptionInfo(run.actions[stop.position.action], run.stopped);
  }

  private get program(): Launched {
    if (this.launched === undefined) throw new RequestError('Nothing was launched.');
    return this.launched;
  }

  private get stopped(): StopView {
    if (this.view === undefined) throw new RequestError('The program is not stopped anywhere.');
    return this.view;
  }
}

/** Clients name files by path or by URI; a letter with a colon is a drive. */
const uriOf = (path: string): string => (/^[A-Za-z][\w+.-]+:/.test(path) ? URI.parse(path) : URI.file(path)).toString();

/** Braces in a message are no placeholders. */
const escapeFormat = (text: string): string => text.replace(/[{}]/g, (brace) => (brace === '{' ? '(' : ')'));

/** The part that is asked for. */
function page<T>(all: readonly T[], args: Arguments): readonly T[] {
  const first = args.number('start') ?? 0;
  const count = args.number('count') ?? 0;
  return count === 0 ? all.slice(first) : all.slice(first, first + count);
}
