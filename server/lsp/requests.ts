/** What our own client asks beyond LSP: a simulation to draw, a host to import. */
import { DocumentState, URI, UriUtils } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import { RequestType, type Connection } from 'vscode-languageserver';
import { simulationView } from '../analysis/views.js';
import { ImportError } from '../interchange/import-error.js';
import { importHost } from '../interchange/import-host.js';
import { rulePage } from '../diagnostics/page.js';
import { ruleNamed } from '../diagnostics/registry.js';
import { IMPORT_REQUEST, PAGE_REQUEST, SIMULATED_NOTIFICATION, SIMULATE_REQUEST, type ImportParams, type ImportResult, type PageParams, type SimulateParams, type SimulatedParams, type SimulationView } from '../protocol.js';
import type { AnalysisStore } from './analysis-store.js';
import { addExportRequests } from './export-requests.js';
import { openedDocument } from './opened-document.js';

export function addRequests(connection: Connection, shared: LangiumSharedServices, store: AnalysisStore): void {
  connection.onRequest(SIMULATE_REQUEST, (params: SimulateParams) => simulation(shared, store, params));
  connection.onRequest(new RequestType<ImportParams, ImportResult, void>(IMPORT_REQUEST), imported);
  addExportRequests(connection, shared, store);
  connection.onRequest(PAGE_REQUEST, ({ code }: PageParams) => {
    const rule = ruleNamed.get(code);
    return rule === undefined ? null : rulePage(rule);
  });
  shared.workspace.DocumentBuilder.onDocumentPhase(DocumentState.Validated, async (document) => {
    const params: SimulatedParams = { uri: document.uri.toString(), version: document.textDocument.version };
    await connection.sendNotification(SIMULATED_NOTIFICATION, params);
  });
}

async function simulation(shared: LangiumSharedServices, store: AnalysisStore, { uri }: SimulateParams): Promise<SimulationView | null> {
  const parsed = URI.parse(uri);
  const document = await openedDocument(shared, parsed);
  if (document === undefined) return null;
  const { analysis, places } = store.of(document);
  return simulationView(analysis, places, { uri, version: document.textDocument.version, title: UriUtils.basename(parsed) });
}

function imported({ lspci, groups, dmesg, commandLine, name }: ImportParams): ImportResult {
  try {
    const { text, notes } = importHost({ lspci, groups, dmesg, commandLine, name });
    return { text, notes };
  } catch (error) {
    if (error instanceof ImportError) return { error: error.message };
    throw error;
  }
}
