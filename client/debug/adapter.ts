/** A debug adapter inside of the editor that only passes messages on: the sessions are in the language server. */
import { EventEmitter, type DebugAdapter, type DebugProtocolMessage, type Event } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { DEBUG_REQUEST, type DebugMessage, type DebugParams } from '../../server/protocol-debug.js';

interface Request extends DebugMessage {
  readonly command: string;
}

export class ForwardingAdapter implements DebugAdapter {
  readonly #sent = new EventEmitter<DebugProtocolMessage>();
  readonly onDidSendMessage: Event<DebugProtocolMessage> = this.#sent.event;
  #ended = false;

  constructor(private readonly client: BaseLanguageClient, private readonly session: string) {}

  handleMessage(message: DebugProtocolMessage): void {
    const request = message as Request;
    if (request.command === 'disconnect') this.#ended = true;
    void this.#forward(request).then((answers) => answers.forEach((answer) => this.#sent.fire(answer)));
  }

  /** A server that is gone, or was started anew, ends the session. */
  async #forward(message: Request): Promise<readonly object[]> {
    const params: DebugParams = { session: this.session, message };
    try {
      return await this.client.sendRequest<readonly DebugMessage[]>(DEBUG_REQUEST, params);
    } catch (error) {
      const failure = { seq: 0, type: 'response', request_seq: message.seq, command: message.command, success: false, message: `The debugger failed: ${String(error)}` };
      return [failure, { seq: 0, type: 'event', event: 'terminated' }];
    }
  }

  dispose(): void {
    if (!this.#ended) void this.#forward({ seq: 0, type: 'request', command: 'disconnect' });
    this.#ended = true;
    this.#sent.dispose();
  }
}
