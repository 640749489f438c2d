/** What our own client asks about exports. */
import { URI } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import { RequestType, type Connection } from 'vscode-languageserver';
import type { Analysis } from '../analysis/analysis.js';
import { exportOwner, isRefusal, problemOf } from '../analysis/export.js';
import { EXPORT_TARGETS } from '../interchange/export.js';
import { EXPORT_CHOICES_REQUEST, EXPORT_REQUEST, type ExportChoices, type ExportChoicesParams, type ExportParams, type ExportResult } from '../protocol.js';
import type { AnalysisStore } from './analysis-store.js';
import { openedDocument } from './opened-document.js';

export function addExportRequests(connection: Connection, shared: LangiumSharedServices, store: AnalysisStore): void {
  connection.onRequest(new RequestType<ExportChoicesParams, ExportChoices | null, void>(EXPORT_CHOICES_REQUEST), async ({ uri }) => {
    const analysis = await analysisOf(shared, store, uri);
    return analysis === null ? null : choices(analysis);
  });
  connection.onRequest(new RequestType<ExportParams, ExportResult, void>(EXPORT_REQUEST), async ({ uri, owner, target }) => {
    const analysis = await analysisOf(shared, store, uri);
    if (analysis === null) return { error: 'the file is not open' };
    const result = exportOwner(analysis, target, owner);
    return isRefusal(result) ? { error: result.error } : { text: result.annotated, language: result.target.language };
  });
}

async function analysisOf(shared: LangiumSharedServices, store: AnalysisStore, uri: string): Promise<Analysis | null> {
  const document = await openedDocument(shared, URI.parse(uri));
  return document === undefined ? null : store.of(document).analysis;
}

const choices = (analysis: Analysis): ExportChoices => ({
  owners: analysis.description.owners.map((owner) => ({
    name: owner.name, kind: owner.kind, host: analysis.facts.host(owner.host)?.name ?? '', problem: problemOf(analysis, owner)?.error,
  })),
  targets: EXPORT_TARGETS.map(({ name, title, forVms }) => ({ name, title, forVms })),
});
