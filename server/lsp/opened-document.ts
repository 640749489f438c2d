/** The document that a request is about, as its asker has it now. */
import { DocumentState, type LangiumDocument, type URI } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';

/**
 * Linked, with every change in it that was made before the request: opening and typing are worked off in a queue, and who asks at once
 * must not be told about the text of before, or that there is none.
 * @returns undefined for a file that is not open and in no opened folder
 */
export async function openedDocument({ workspace }: LangiumSharedServices, uri: URI): Promise<LangiumDocument | undefined> {
  const { LangiumDocuments, DocumentBuilder, WorkspaceLock, WorkspaceManager } = workspace;
  await WorkspaceManager.ready;
  await WorkspaceLock.read(() => undefined);
  if (!LangiumDocuments.hasDocument(uri)) return undefined;
  await DocumentBuilder.waitUntil(DocumentState.Linked, uri);
  return LangiumDocuments.getDocument(uri);
}
