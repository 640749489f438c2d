/** All services of the language, as the language server has them; what differs by editor is only the context (file system, connection). */
import { inject, type DeepPartial, type Module } from 'langium';
import { createDefaultModule, createDefaultSharedModule, type DefaultSharedModuleContext, type HoverProvider, type LangiumServices, type LangiumSharedServices, type NodeKindProvider, type PartialLangiumServices } from 'langium/lsp';
import { coreModule, register, sharedCoreModule, type IommuCoreServices } from '../core.js';
import { IommuGeneratedSharedModule, IommuLanguageGeneratedModule } from '../generated/module.js';
import { IommuCompletionProvider } from './completion.js';
import { IommuFormatter } from './formatter.js';
import { IommuHoverProvider } from './hover.js';
import { IommuDocumentLinkProvider } from './links.js';
import { IommuRenameProvider } from './rename.js';
import { IommuSemanticTokenProvider } from './semantic-tokens.js';
import { IommuDocumentSymbolProvider, IommuNodeKindProvider } from './symbols.js';

export type IommuServices = LangiumServices & IommuCoreServices;

/** Services that somebody adds to the language's, or puts in their place. */
export type IommuModule = Module<IommuServices, PartialLangiumServices & DeepPartial<IommuServices>>;

const editorModule: IommuModule = {
  lsp: {
    CompletionProvider: (services) => new IommuCompletionProvider(services),
    DocumentLinkProvider: () => new IommuDocumentLinkProvider(),
    DocumentSymbolProvider: (services) => new IommuDocumentSymbolProvider(services),
    Formatter: () => new IommuFormatter(),
    RenameProvider: (services) => new IommuRenameProvider(services),
    SemanticTokenProvider: (services) => new IommuSemanticTokenProvider(services),
  },
};

const sharedEditorModule: Module<LangiumSharedServices, { lsp: { NodeKindProvider: NodeKindProvider } }> = {
  lsp: { NodeKindProvider: () => new IommuNodeKindProvider() },
};

/** Makes the hover that the editor sees from the language's own. */
export type HoverWrapper = (services: IommuServices, own: HoverProvider) => HoverProvider;

/**
 * @param context `EmptyFileSystem`, `NodeFileSystem` of `langium/node`, with a connection when there is an editor.
 * @param extra services in place of, or beside, those of the language.
 */
export function createIommuServices(context: DefaultSharedModuleContext, extra: IommuModule = {}, hover: HoverWrapper = (_, own) => own): { shared: LangiumSharedServices; iommu: IommuServices } {
  const shared = inject(createDefaultSharedModule(context), IommuGeneratedSharedModule, sharedCoreModule, sharedEditorModule);
  const hovers: IommuModule = { lsp: { HoverProvider: (services) => hover(services, new IommuHoverProvider(services)) } };
  const iommu = inject(createDefaultModule({ shared }), IommuLanguageGeneratedModule, coreModule, editorModule, hovers, extra) as IommuServices;
  register({ shared, iommu });
  return { shared, iommu };
}
