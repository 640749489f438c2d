/** Documents whose text changes keep the statements that the change does not touch. */
import { DefaultLangiumDocumentFactory, type AstNode, type Cancellation, type LangiumDocument, type LangiumDocuments, type LangiumSharedCoreServices, type ParseResult, type URI } from 'langium';
import { IommuParser } from './parser.js';
import { reparse } from './reparse.js';

export class IommuDocumentFactory extends DefaultLangiumDocumentFactory {
  private readonly documents: () => LangiumDocuments;
  /** The last tree without a syntax error, which the text mostly returns to: broken is what is being typed. */
  private readonly good = new WeakMap<LangiumDocument, ParseResult>();

  constructor(services: LangiumSharedCoreServices) {
    super(services);
    this.documents = () => services.workspace.LangiumDocuments;
  }

  protected override async parseAsync<T extends AstNode>(uri: URI, text: string, cancel: Cancellation.CancellationToken): Promise<ParseResult<T>> {
    const document = this.documents().getDocument(uri);
    const result = (document === undefined ? undefined : this.reparse(document, text)) as ParseResult<T> | undefined ?? await super.parseAsync<T>(uri, text, cancel);
    if (document !== undefined && result.parserErrors.length + result.lexerErrors.length === 0) this.good.set(document, result);
    return result;
  }

  private reparse(document: LangiumDocument, text: string): ParseResult | undefined {
    const { LangiumParser: parser, Lexer: lexer } = this.serviceRegistry.getServices(document.uri).parser;
    return parser instanceof IommuParser ? reparse(parser, lexer, this.good.get(document) ?? document.parseResult, text) : undefined;
  }
}
