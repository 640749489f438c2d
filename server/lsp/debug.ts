/** Debug sessions: each message of the editor's debugger goes to its session, the answers go back together. */
import { RequestType, type Connection } from 'vscode-languageserver';
import { DEBUG_REQUEST, type DebugMessage, type DebugParams } from '../protocol-debug.js';
import type { DapRequest } from '../debug/messages.js';
import { DebugSession } from '../debug/session.js';
import { lowerFile } from './lowered-file.js';
import type { Workbench } from './services.js';

interface Running {
  readonly session: DebugSession;
  /** Resolves when the requests before have been answered: they are answered one after the other. */
  last: Promise<unknown>;
}

export function addDebugger(connection: Connection, workbench: Workbench): void {
  const sessions = new Map<string, Running>();
  connection.onRequest(new RequestType<DebugParams, readonly DebugMessage[], void>(DEBUG_REQUEST), ({ session: id, message }) => {
    if (!isRequest(message)) return [];
    const running = sessions.get(id) ?? { session: new DebugSession((uri) => lowerFile(workbench, uri)), last: Promise.resolve() };
    if (message.command === 'disconnect') sessions.delete(id);
    else sessions.set(id, running);
    const answer = running.last.then(() => running.session.handle(message));
    running.last = answer.catch(() => undefined);
    return answer;
  });
}

const isRequest = (message: DebugMessage): message is DapRequest => message.type === 'request' && 'command' in message && typeof message.command === 'string';
