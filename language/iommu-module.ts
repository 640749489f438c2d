/**
 * The services of the language, for the language server, the terminal and tests alike: what differs is only the context (file
 * system, connection).
 */
import { inject, type DeepPartial, type IndexManager, type LangiumDocumentFactory, type Module } from 'langium';
import { createDefaultModule, createDefaultSharedModule, type DefaultSharedModuleContext, type HoverProvider, type LangiumServices, type LangiumSharedServices, type NodeKindProvider, type PartialLangiumServices } from 'langium/lsp';
import { FileValidator } from './checks/validator.js';
import { validateFile } from './checks/run.js';
import type { IommuAstType } from './generated/ast.js';
import { IommuGeneratedSharedModule, IommuLanguageGeneratedModule } from './generated/module.js';
import { IommuCompletionProvider } from './editor/completion.js';
import { IommuFormatter } from './editor/formatter.js';
import { IommuHoverProvider } from './editor/hover.js';
import { IommuDocumentLinkProvider } from './editor/links.js';
import { IommuRenameProvider } from './editor/rename.js';
import { IommuSemanticTokenProvider } from './editor/semantic-tokens.js';
import { IommuDocumentSymbolProvider, IommuNameProvider, IommuNodeKindProvider } from './editor/symbols.js';
import { IommuLexer } from './lexer.js';
import { IommuLexerMessages, IommuMessages } from './messages.js';
import { IommuLinker } from './linker.js';
import { IommuDocumentFactory } from './document-factory.js';
import { IommuIndexManager } from './index-manager.js';
import { createIommuParser } from './parser.js';
import { IommuScopeComputation } from './exports.js';
import { IommuScopeProvider } from './scopes.js';
import { IommuValueConverter } from './converters.js';
import { WordTokenBuilder } from './tokens.js';

export type IommuServices = LangiumServices & { references: { ScopeProvider: IommuScopeProvider } };

/** Services that somebody adds to the language's, or puts in their place. */
export type IommuModule = Module<IommuServices, PartialLangiumServices & DeepPartial<IommuServices>>;

const iommuModule: IommuModule = {
  parser: {
    TokenBuilder: () => new WordTokenBuilder(),
    LangiumParser: (services) => createIommuParser(services),
    ValueConverter: () => new IommuValueConverter(),
    ParserErrorMessageProvider: () => new IommuMessages(),
    Lexer: (services) => new IommuLexer(services),
    LexerErrorMessageProvider: () => new IommuLexerMessages(),
  },
  references: {
    NameProvider: () => new IommuNameProvider(),
    Linker: (services) => new IommuLinker(services),
    ScopeProvider: (services) => new IommuScopeProvider(services),
    ScopeComputation: (services) => new IommuScopeComputation(services),
  },
  validation: {
    DocumentValidator: (services) => new FileValidator(services),
  },
  lsp: {
    CompletionProvider: (services) => new IommuCompletionProvider(services),
    DocumentLinkProvider: () => new IommuDocumentLinkProvider(),
    DocumentSymbolProvider: (services) => new IommuDocumentSymbolProvider(services),
    Formatter: () => new IommuFormatter(),
    RenameProvider: (services) => new IommuRenameProvider(services),
    SemanticTokenProvider: (services) => new IommuSemanticTokenProvider(services),
  },
};

const sharedModule: Module<LangiumSharedServices, { lsp: { NodeKindProvider: NodeKindProvider }; workspace: { IndexManager: IndexManager; LangiumDocumentFactory: LangiumDocumentFactory } }> = {
  lsp: { NodeKindProvider: () => new IommuNodeKindProvider() },
  workspace: { IndexManager: (services) => new IommuIndexManager(services), LangiumDocumentFactory: (services) => new IommuDocumentFactory(services) },
};

/** Makes the hover that the editor sees from the language's own. */
export type HoverWrapper = (services: IommuServices, own: HoverProvider) => HoverProvider;

/**
 * @param context `EmptyFileSystem`, `NodeFileSystem` of `langium/node`, with a connection when there is an editor.
 * @param extra services in place of, or beside, those of the language.
 */
export function createIommuServices(context: DefaultSharedModuleContext, extra: IommuModule = {}, hover: HoverWrapper = (_, own) => own): { shared: LangiumSharedServices; iommu: IommuServices } {
  const shared = inject(createDefaultSharedModule(context), IommuGeneratedSharedModule, sharedModule);
  const hovers: IommuModule = { lsp: { HoverProvider: (services) => hover(services, new IommuHoverProvider(services)) } };
  const iommu = inject(createDefaultModule({ shared }), IommuLanguageGeneratedModule, iommuModule, hovers, extra) as IommuServices;
  shared.ServiceRegistry.register(iommu);
  iommu.validation.ValidationRegistry.register<IommuAstType>({ File: validateFile(() => shared.workspace.LangiumDocuments) });
  return { shared, iommu };
}
