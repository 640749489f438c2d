/** The language server in a worker: the web extension host. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { ClientFileSystem } from './lsp/client-file-system.js';
import { start } from './lsp/start.js';

/** The worker's own scope; the library's type of it comes from a DOM library that Node's half must not see. */
const scope = globalThis as unknown as ConstructorParameters<typeof BrowserMessageReader>[0];

const connection = createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope));

start(connection, { fileSystemProvider: () => new ClientFileSystem(connection) });
