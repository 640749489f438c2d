/** A small LSP client for tests and benchmarks: the bundled server as a process, over stdio, as other editors run it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { StreamMessageReader, StreamMessageWriter, createMessageConnection, type MessageConnection } from 'vscode-languageserver/node';
import type { CodeAction, Diagnostic, InitializeResult, PublishDiagnosticsParams, Range } from 'vscode-languageserver';

export const SERVER = join(import.meta.dirname, '../../dist/server.cjs');

export class Client {
  private readonly waiting = new Map<string, ((params: PublishDiagnosticsParams) => boolean)[]>();
  private version = 0;
  readonly latest = new Map<string, readonly Diagnostic[]>();
  readonly log: string[] = [];

  private constructor(
    private readonly process: ChildProcess,
    readonly connection: MessageConnection,
    readonly initialized: InitializeResult,
  ) {
    connection.onNotification('textDocument/publishDiagnostics', (params: PublishDiagnosticsParams) => {
      this.latest.set(params.uri, params.diagnostics);
      this.waiting.set(params.uri, (this.waiting.get(params.uri) ?? []).filter((waiter) => !waiter(params)));
    });
    connection.onNotification('window/logMessage', ({ message }: { message: string }) => {
      this.log.push(message);
    });
  }

  /** @param root a folder that is opened */
  static async start(server = SERVER, node = process.execPath, root: string | null = null): Promise<Client> {
    const child = spawn(node, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] as const });
    const connection = createMessageConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
    connection.onRequest('workspace/configuration', ({ items }: { items: readonly unknown[] }) => items.map(() => null));
    connection.onRequest('client/registerCapability', () => null);
    connection.listen();
    const initialized = await connection.sendRequest<InitializeResult>('initialize', { processId: process.pid, rootUri: root, workspaceFolders: root === null ? null : [{ uri: root, name: 'root' }], capabilities: { textDocument: { publishDiagnostics: { relatedInformation: true, codeDescriptionSupport: true } } } });
    await connection.sendNotification('initialized', {});
    return new Client(child, connection, initialized);
  }

  /** Opens a document; resolves to its first diagnostics. */
  async open(uri: string, text: string): Promise<readonly Diagnostic[]> {
    const answer = this.next(uri);
    this.version++;
    await this.connection.sendNotification('textDocument/didOpen', { textDocument: { uri, languageId: 'iommu', version: this.version, text } });
    return answer;
  }

  /** Replaces a range (or everything); resolves to the diagnostics after it. */
  async change(uri: string, text: string, range?: Range): Promise<readonly Diagnostic[]> {
    const answer = this.next(uri);
    this.version++;
    await this.connection.sendNotification('textDocument/didChange', { textDocument: { uri, version: this.version }, contentChanges: [range === undefined ? { text } : { range, text }] });
    return answer;
  }

  request<T>(method: string, params: object): Promise<T> {
    return this.connection.sendRequest<T>(method, params);
  }

  quickFixes(uri: string, diagnostic: Diagnostic): Promise<CodeAction[]> {
    return this.request('textDocument/codeAction', { textDocument: { uri }, range: diagnostic.range, context: { diagnostics: [diagnostic] } });
  }

  async stop(): Promise<void> {
    await this.connection.sendRequest('shutdown');
    await this.connection.sendNotification('exit');
    this.connection.dispose();
    this.process.kill();
  }

  private next(uri: string): Promise<readonly Diagnostic[]> {
    return new Promise((resolve) => {
      const waiter = (params: PublishDiagnosticsParams): boolean => {
        resolve(params.diagnostics);
        return true;
      };
      this.waiting.set(uri, [...(this.waiting.get(uri) ?? []), waiter]);
    });
  }
}
