/** "Expand selection": Langium has a walk for it in the language, but no handler. */
import { URI } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import type { Connection } from 'vscode-languageserver';
import { selectionRanges } from '../../language/editor/index.js';

export function addSelectionRanges(connection: Connection, shared: LangiumSharedServices): void {
  connection.onSelectionRanges(({ textDocument, positions }) => {
    const document = shared.workspace.LangiumDocuments.getDocument(URI.parse(textDocument.uri));
    return document === undefined ? null : selectionRanges(document, positions);
  });
}
