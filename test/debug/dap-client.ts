/** An editor's side of the Debug Adapter Protocol, without an editor. */
import { parseFiles } from '../../language/index.js';
import type { Breakpoint, DapEvent, DapRequest, DapResponse, Scope, StackFrame, Variable } from '../../server/debug/messages.js';
import { DebugSession } from '../../server/debug/session.js';

export const FILE = 'file:///work.iommu';

interface StartOptions {
  readonly lines?: readonly number[];
  /** As the protocol has them, where a line alone does not say all. */
  readonly breakpoints?: readonly SourceBreakpoint[];
  readonly filters?: readonly string[];
}

export interface SourceBreakpoint {
  readonly line: number;
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

export class DapClient {
  private seq = 1;
  readonly responses: DapResponse[] = [];
  /** Events of the last request. */
  events: DapEvent[] = [];
  /** All output so far. */
  output = '';
  private readonly session: DebugSession;

  constructor(text: string) {
    this.session = new DebugSession(async (uri) => {
      if (uri !== FILE) return undefined;
      return parseFiles([{ uri: FILE, text }], FILE);
    });
  }

  async send(command: string, values?: object): Promise<DapResponse> {
    const request: DapRequest = { seq: this.seq++, type: 'request', command, arguments: values };
    const [response, ...events] = await this.session.handle(request);
    if (response?.type !== 'response') throw new Error(`${command} was not answered first`);
    this.events = events as DapEvent[];
    for (const { event, body } of this.events) if (event === 'output') this.output += (body as { output: string }).output;
    this.responses.push(response);
    return response;
  }

  /** The body of a request that succeeds. */
  async ask<Body>(command: string, values?: object): Promise<Body> {
    const { success, message, body } = await this.send(command, values);
    if (!success) throw new Error(`${command}: ${message ?? ''}`);
    return body as Body;
  }

  event(name: string): Record<string, unknown> | undefined {
    return this.events.find(({ event }) => event === name)?.body as Record<string, unknown> | undefined;
  }

  /** Begins a session as VS Code does. Lines count from 1. */
  async start(launch: object, { lines = [], breakpoints: asked = lines.map((line) => ({ line })), filters = ['unexpected'] }: StartOptions = {}): Promise<Breakpoint[]> {
    await this.ask('initialize', { adapterID: 'iommu', linesStartAt1: true, columnsStartAt1: true, pathFormat: 'path' });
    await this.ask('launch', { program: FILE, ...launch });
    const { breakpoints } = await this.ask<{ breakpoints: Breakpoint[] }>('setBreakpoints', { source: { path: '/work.iommu' }, breakpoints: asked });
    await this.ask('setExceptionBreakpoints', { filters });
    await this.ask('configurationDone');
    return breakpoints;
  }

  async frames(): Promise<StackFrame[]> {
    return (await this.ask<{ stackFrames: StackFrame[] }>('stackTrace', { threadId: 1 })).stackFrames;
  }

  /** Why it stopped, where, and at what: "step 12 open-container c"; "terminated" when it is over. */
  async where(): Promise<string> {
    const stopped = this.event('stopped');
    if (stopped === undefined) return this.event('terminated') === undefined && !this.events.some(({ event }) => event === 'terminated') ? 'running' : 'terminated';
    const [top] = await this.frames();
    return `${String(stopped.reason)} ${top!.line} ${top!.name}`;
  }

  /** Moves and says where it is then. */
  async go(command: string): Promise<string> {
    await this.ask(command, { threadId: 1 });
    const events = this.events;
    const moved = { stopped: this.event('stopped'), over: events.some(({ event }) => event === 'terminated') };
    if (moved.stopped === undefined) return moved.over ? 'terminated' : 'running';
    const [top] = await this.frames();
    this.events = events;
    return `${String(moved.stopped.reason)} ${top!.line} ${top!.name}`;
  }

  async scopes(frameId: number): Promise<Scope[]> {
    return (await this.ask<{ scopes: Scope[] }>('scopes', { frameId })).scopes;
  }

  async variables(variablesReference: number, paging: object = {}): Promise<Variable[]> {
    return (await this.ask<{ variables: Variable[] }>('variables', { variablesReference, ...paging })).variables;
  }

  /** What is in a scope of the top frame, by name. */
  async inScope(name: string): Promise<Variable[]> {
    const [top] = await this.frames();
    const scope = (await this.scopes(top!.id)).find((each) => each.name === name);
    return scope === undefined ? [] : this.variables(scope.variablesReference);
  }
}
