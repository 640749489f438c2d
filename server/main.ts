/** The language server as a Node process: desktop and remote editors by IPC, any other by --stdio. */
import { NodeFileSystem } from 'langium/node';
import { ProposedFeatures, createConnection } from 'vscode-languageserver/node';
import { start } from './lsp/start.js';

export const serve = (): void => start(createConnection(ProposedFeatures.all), NodeFileSystem);
