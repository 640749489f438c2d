/** What our own client asks beyond LSP: a simulation to draw, a host to import. */
import { DocumentState, URI, UriUtils } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import type { Connection } from 'vscode-languageserver';
import { simulationView } from '../analysis/views.js';
import { ImportError, importHost } from '../interchange/import-host.js';
import { IMPORT_REQUEST, SIMULATED_NOTIFICATION, SIMULATE_REQUEST, type ImportParams, type ImportResult, type SimulateParams, type SimulatedParams, type SimulationView } from '../protocol.js';
import type { AnalysisStore } from './analysis-store.js';

export function addRequests(connection: Connection, shared: LangiumSharedServices, store: AnalysisStore): void {
  connection.onRequest(SIMULATE_REQUEST, (params: SimulateParams) => simulation(shared, store, params));
  connection.onRequest(IMPORT_REQUEST, (params: ImportParams) => imported(params));
  shared.workspace.DocumentBuilder.onDocumentPhase(DocumentState.Validated, async (document) => {
    const params: SimulatedParams = { uri: document.uri.toString(), version: document.textDocument.version };
    await connection.sendNotification(SIMULATED_NOTIFICATION, params);
  });
}

async function simulation(shared: LangiumSharedServices, store: AnalysisStore, { uri }: SimulateParams): Promise<SimulationView | null> {
  const parsed = URI.parse(uri);
  const document = shared.workspace.LangiumDocuments.getDocument(parsed);
  if (document === undefined) return null;
  await shared.workspace.DocumentBuilder.waitUntil(DocumentState.Linked, parsed);
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
