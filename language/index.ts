/** The language as other rooms see it; what only editors ask is in `editor/index.ts`. */
import { EmptyFileSystem, URI, type LangiumDocument } from 'langium';
import type { Range } from 'vscode-languageserver-types';
import { codeOfDiagnostic } from './codes.js';
import { createCore } from './core.js';
import { lowerDocument } from './lower.js';
import type { Lowered } from './places.js';

export { createCore, type Core, type IommuCoreServices } from './core.js';
export { codeOfDiagnostic, LANGUAGE_CODES, type LanguageCode } from './codes.js';
export { lower, lowerDocument } from './lower.js';
export { parseInteger, printAddress, printSize } from './numbers.js';
export { parsePciAddress, printPciAddress } from './pci.js';
export type { Lowered, Place } from './places.js';
export { FileValidator } from './checks/validator.js';
export { formatText } from './editor/format.js';
export { usedUris } from './uses.js';
export { suppressionsIn, type Suppression } from './suppressions.js';
export { isReservedWord } from './tokens.js';

export interface SourceFile {
  readonly uri: string;
  readonly text: string;
}

export interface Problem {
  readonly uri: string;
  readonly range: Range;
  readonly message: string;
  /** "language/..." */
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'information' | 'hint';
}

const SEVERITIES = ['error', 'warning', 'information', 'hint'] as const;

/**
 * Parses and checks `files`, and lowers the one at `entryUri` with those that it uses. Nothing is read from anywhere else.
 * @throws Error when `entryUri` is not among them.
 */
export async function parseFiles(files: readonly SourceFile[], entryUri: string): Promise<{ lowered: Lowered; problems: Problem[] }> {
  const services = createCore(EmptyFileSystem);
  const { LangiumDocumentFactory, LangiumDocuments, DocumentBuilder } = services.shared.workspace;
  const documents = files.map((file) => LangiumDocumentFactory.fromString(file.text, URI.parse(file.uri)));
  for (const document of documents) LangiumDocuments.addDocument(document);
  await DocumentBuilder.build(documents, { validation: true });
  const entry = LangiumDocuments.getDocument(URI.parse(entryUri));
  if (entry === undefined) throw new Error(`${entryUri} is not among the given files`);
  return { lowered: lowerDocument(entry, services), problems: documents.flatMap(problemsIn) };
}

/** What the validation of a document found. */
export function problemsIn(document: LangiumDocument): Problem[] {
  return (document.diagnostics ?? []).map((diagnostic) => ({
    uri: document.uri.toString(), range: diagnostic.range, message: typeof diagnostic.message === 'string' ? diagnostic.message : diagnostic.message.value,
    code: codeOfDiagnostic(diagnostic), severity: SEVERITIES[(diagnostic.severity ?? 1) - 1]!,
  }));
}
