/**
 * Which documents a change concerns, which references lead to a node, and what a file exports. None needs an index: a document
 * knows its own references once it is linked, only files that use one another refer to one another, and exports are asked for
 * by workspace symbols alone. Keeping none saves walks over the whole file at every keystroke.
 */
import { DefaultIndexManager, isReference, stream, URI, type AstNode, type AstNodeDescription, type LangiumDocument, type LangiumDocuments, type LangiumSharedCoreServices, type ReferenceDescription, type Stream } from 'langium';
import * as ast from './generated/ast.js';
import type { IommuScopeComputation } from './exports.js';
import { filesOf, namesOfFile } from './names.js';
import { resolveUse } from './uses.js';

export class IommuIndexManager extends DefaultIndexManager {
  private readonly langiumDocuments: () => LangiumDocuments;

  constructor(services: LangiumSharedCoreServices) {
    super(services);
    this.langiumDocuments = () => services.workspace.LangiumDocuments;
  }

  override async updateContent(document: LangiumDocument): Promise<void> {
    this.symbolIndex.set(document.uri.toString(), []);
  }

  /** Worked out when asked for. */
  protected override getFileDescriptions(uri: string, nodeType?: string): AstNodeDescription[] {
    const document = this.langiumDocuments().getDocument(URI.parse(uri));
    if (document === undefined) return [];
    const scopes = this.serviceRegistry.getServices(document.uri).references.ScopeComputation as IommuScopeComputation;
    return scopes.exportsOf(document).filter(({ type }) => nodeType === undefined || this.astReflection.isSubtype(type, nodeType));
  }

  override async updateReferences(): Promise<void> {
    // Nothing is indexed.
  }

  override findAllReferences(target: AstNode, targetPath: string): Stream<ReferenceDescription> {
    const targetUri = documentOf(target)?.uri;
    if (targetUri === undefined) return stream([]);
    return this.langiumDocuments().all.flatMap((document) => this.referencesIn(document, target, targetUri, targetPath));
  }

  private referencesIn(document: LangiumDocument, target: AstNode, targetUri: URI, targetPath: string): ReferenceDescription[] {
    const { AstNodeLocator } = this.serviceRegistry.getServices(document.uri).workspace;
    return document.references.flatMap((reference): ReferenceDescription[] => {
      const node = reference.$refNode;
      if (node === undefined || !isReference(reference) || reference.ref !== target) return [];
      return [{
        sourceUri: document.uri, sourcePath: AstNodeLocator.getAstNodePath(node.astNode), targetUri, targetPath,
        segment: { offset: node.offset, length: node.length, end: node.end, range: node.range }, local: document.uri.toString() === targetUri.toString(),
      }];
    });
  }

  /** A used file need not exist (yet, or any more) to count. */
  override isAffected(document: LangiumDocument, changedUris: Set<string>): boolean {
    return filesOf(document, this.langiumDocuments()).some(({ uri, parseResult: { value: file } }) =>
      (uri.toString() !== document.uri.toString() && changedUris.has(uri.toString()))
      || (ast.isFile(file) && namesOfFile(file).uses.some((path) => changedUris.has(resolveUse(path, uri).toString()))));
  }
}

function documentOf(node: AstNode): LangiumDocument | undefined {
  let root: AstNode = node;
  while (root.$container !== undefined) root = root.$container;
  return root.$document;
}
