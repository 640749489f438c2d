/** Which documents a change concerns: those that refer into the changed file, and those that use it, directly or through others. */
import { DefaultIndexManager, type LangiumDocument, type LangiumDocuments, type LangiumSharedCoreServices } from 'langium';
import * as ast from './generated/ast.js';
import { filesOf, namesOfFile } from './names.js';
import { resolveUse } from './uses.js';

export class IommuIndexManager extends DefaultIndexManager {
  private readonly langiumDocuments: () => LangiumDocuments;

  constructor(services: LangiumSharedCoreServices) {
    super(services);
    this.langiumDocuments = () => services.workspace.LangiumDocuments;
  }

  /** A used file need not exist (yet, or any more) to count. */
  override isAffected(document: LangiumDocument, changedUris: Set<string>): boolean {
    if (super.isAffected(document, changedUris)) return true;
    return filesOf(document, this.langiumDocuments()).some(({ uri, parseResult: { value: file } }) =>
      ast.isFile(file) && namesOfFile(file).uses.some((path) => changedUris.has(resolveUse(path, uri).toString())));
  }
}
