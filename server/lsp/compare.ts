/** The request behind "Compare Models". */
import { URI, UriUtils, type LangiumDocument } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import { RequestType, type Connection } from 'vscode-languageserver';
import { compare } from '../analysis/compare/compare.js';
import { DEFAULT_MODELS, MODEL_SYNTAX, modelNamed } from '../analysis/compare/models.js';
import { PlayedModels } from '../analysis/compare/remembered-play.js';
import { COMPARE_REQUEST, isModelPair, type CompareParams, type CompareResult } from '../protocol-compare.js';
import type { AnalysisStore } from './analysis-store.js';
import { openedDocument } from './opened-document.js';

export function addCompareRequest(connection: Connection, shared: LangiumSharedServices, store: AnalysisStore): void {
  connection.onRequest(new RequestType<CompareParams, CompareResult, void>(COMPARE_REQUEST), (params) => compared(shared, store, params));
}

/** Goes with the document. */
const played = new WeakMap<LangiumDocument, PlayedModels>();

function playedOf(document: LangiumDocument): PlayedModels {
  const known = played.get(document) ?? new PlayedModels();
  played.set(document, known);
  return known;
}

async function compared(shared: LangiumSharedServices, store: AnalysisStore, { uri, models = DEFAULT_MODELS }: CompareParams): Promise<CompareResult> {
  const [left, right] = isModelPair(models) ? models.map(modelNamed) : [];
  if (!left || !right) return { error: `A model is ${MODEL_SYNTAX}.` };
  const parsed = URI.parse(uri);
  const document = await openedDocument(shared, parsed);
  if (document === undefined) return { error: 'The file is not open.' };
  const { analysis, places } = store.of(document);
  const file = { uri, version: document.textDocument.version, title: UriUtils.basename(parsed) };
  return { comparison: compare({ ...file, description: analysis.description, hosts: analysis.report.hosts, places }, [left, right], playedOf(document)) };
}
