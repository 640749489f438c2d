/** A file lowered for a request that names it, whether an editor has it open or not. */
import { URI, type LangiumDocument } from 'langium';
import { codeOfDiagnostic, FileValidator, lowerDocument, type Lowered, type Problem } from '../../language/index.js';
import { openedDocument } from './opened-document.js';
import type { Workbench } from './services.js';

export interface LoweredFile {
  /** As the server spells it. */
  readonly uri: string;
  readonly lowered: Lowered;
  /** What is wrong with the text; the simulation has no part in it. */
  readonly problems: readonly Problem[];
}

/** @returns undefined when there is no such file, or none that may be read */
export async function lowerFile(workbench: Workbench, uri: string): Promise<LoweredFile | undefined> {
  const document = await documentAt(workbench, URI.parse(uri));
  if (document === undefined) return undefined;
  const diagnostics = await new FileValidator(workbench.iommu).validateDocument(document);
  const problems = diagnostics.map((diagnostic): Problem => ({
    uri: document.uri.toString(), range: diagnostic.range, code: codeOfDiagnostic(diagnostic), severity: diagnostic.severity === 1 ? 'error' : 'warning',
    message: typeof diagnostic.message === 'string' ? diagnostic.message : diagnostic.message.value,
  }));
  return { uri: document.uri.toString(), lowered: lowerDocument(document, workbench.iommu), problems };
}

/** Files outside of the opened folders are read when they are first asked for. */
async function documentAt({ shared }: Workbench, uri: URI): Promise<LangiumDocument | undefined> {
  const opened = await openedDocument(shared, uri);
  if (opened !== undefined) return opened;
  const { LangiumDocuments, DocumentBuilder, WorkspaceLock } = shared.workspace;
  const found = await LangiumDocuments.getOrCreateDocument(uri).catch(() => undefined);
  if (found === undefined) return undefined;
  await WorkspaceLock.write(() => DocumentBuilder.build([found]));
  return openedDocument(shared, uri);
}
