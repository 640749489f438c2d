/** What both entries of the language server have in common. */
import { startLanguageServer, type DefaultSharedModuleContext } from 'langium/lsp';
import type { Connection } from 'vscode-languageserver';
import { ruleNamed } from '../diagnostics/registry.js';
import { PAGE_SCHEME } from '../protocol.js';
import { addDebugger } from './debug.js';
import { addCallsRequest } from './calls.js';
import { addCompareRequest } from './compare.js';
import { addRequests } from './requests.js';
import { addSelectionRanges } from './selection-ranges.js';
import { createWorkbench } from './services.js';
import { addTests } from './tests.js';

/** Our client opens this scheme and asks for the page; other clients show the code alone. */
const pageUri = (code: string): string | undefined => (ruleNamed.has(code) ? `${PAGE_SCHEME}:/${code}.md` : undefined);

export function start(connection: Connection, fileSystem: Omit<DefaultSharedModuleContext, 'connection'>): void {
  const workbench = createWorkbench({ connection, ...fileSystem }, {
    log: (what, error) => connection.console.error(`${what} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    pageUri,
  });
  const { shared, store } = workbench;
  addRequests(connection, shared, store);
  addCallsRequest(connection, shared, store);
  addCompareRequest(connection, shared, store);
  addSelectionRanges(connection, shared);
  addTests(connection, workbench);
  addDebugger(connection, workbench);
  startLanguageServer(shared);
}
