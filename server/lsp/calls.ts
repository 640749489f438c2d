/** "Show the calls" for the editor: the request of our client, and the code action of every other one. */
import { URI, UriUtils, type LangiumDocument } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import { CodeActionKind, type CodeAction, type Connection, type Range } from 'vscode-languageserver';
import { callsDocument, shownCalls } from '../analysis/calls.js';
import { CALLS_REQUEST, type CallsParams, type CallsResult } from '../protocol.js';
import type { OwnerDescription } from '../simulator/description.js';
import type { AnalysedDocument, AnalysisStore } from './analysis-store.js';
import { openedDocument } from './opened-document.js';

export function addCallsRequest(connection: Connection, shared: LangiumSharedServices, store: AnalysisStore): void {
  connection.onRequest(CALLS_REQUEST, async ({ uri, owner, line }: CallsParams): Promise<CallsResult | null> => {
    const parsed = URI.parse(uri);
    const document = await openedDocument(shared, parsed);
    if (document === undefined) return null;
    const analysed = store.of(document);
    const wanted = owner ?? (line === undefined ? undefined : ownerAt(document, analysed, line)?.id);
    const shown = shownCalls(analysed.analysis, wanted);
    return shown.length === 0 ? null : { document: callsDocument(UriUtils.basename(parsed), shown), scenarios: shown.map((each) => each.text).join('\n') };
  });
}

/** Inserts the scenario below the `vm` or `process` that the selection begins in. */
export function callsAction(document: LangiumDocument, analysed: AnalysedDocument, { start }: Range): CodeAction[] {
  const owner = ownerAt(document, analysed, start.line);
  const place = owner && analysed.places.get(owner.id);
  const [shown] = owner === undefined ? [] : shownCalls(analysed.analysis, owner.id);
  if (owner === undefined || place === undefined || shown === undefined) return [];
  const { end } = place.range;
  return [{
    title: `Show the calls of ${owner.name} as a scenario`, kind: CodeActionKind.RefactorRewrite,
    edit: { changes: { [document.uri.toString()]: [{ range: { start: end, end }, newText: `\n\n${shown.text.trimEnd()}` }] } },
  }];
}

function ownerAt(document: LangiumDocument, { analysis, places }: AnalysedDocument, line: number): OwnerDescription | undefined {
  const uri = document.uri.toString();
  return analysis.description.owners.find((owner) => {
    const place = places.get(owner.id);
    return place?.uri === uri && place.range.start.line <= line && line <= place.range.end.line;
  });
}
