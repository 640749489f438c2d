/** The services that read a file: for the terminal, tests and, with what an editor asks for on top of them, the language server. */
import { createDefaultCoreModule, createDefaultSharedCoreModule, inject, type DeepPartial, type DefaultSharedCoreModuleContext, type IndexManager, type LangiumCoreServices, type LangiumDocumentFactory, type LangiumSharedCoreServices, type Module, type PartialLangiumCoreServices } from 'langium';
import { validateFile } from './checks/run.js';
import { FileValidator } from './checks/validator.js';
import { IommuValueConverter } from './converters.js';
import { IommuDocumentFactory } from './document-factory.js';
import { IommuScopeComputation } from './exports.js';
import type { IommuAstType } from './generated/ast.js';
import { IommuGeneratedSharedModule, IommuLanguageGeneratedModule } from './generated/module.js';
import { IommuIndexManager } from './index-manager.js';
import { IommuLexer } from './lexer.js';
import { IommuLinker } from './linker.js';
import { IommuLexerMessages, IommuMessages } from './messages.js';
import { IommuNameProvider } from './name-provider.js';
import { createIommuParser } from './parser.js';
import { IommuScopeProvider } from './scopes.js';
import { WordTokenBuilder } from './tokens.js';

export type IommuCoreServices = LangiumCoreServices & { references: { ScopeProvider: IommuScopeProvider } };

export const coreModule: Module<IommuCoreServices, PartialLangiumCoreServices & DeepPartial<IommuCoreServices>> = {
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
};

export const sharedCoreModule: Module<LangiumSharedCoreServices, { workspace: { IndexManager: IndexManager; LangiumDocumentFactory: LangiumDocumentFactory } }> = {
  workspace: { IndexManager: (services) => new IommuIndexManager(services), LangiumDocumentFactory: (services) => new IommuDocumentFactory(services) },
};

export interface Core {
  readonly shared: LangiumSharedCoreServices;
  readonly iommu: IommuCoreServices;
}

/** @param context `EmptyFileSystem`, `NodeFileSystem` of `langium/node`. */
export function createCore(context: DefaultSharedCoreModuleContext): Core {
  const shared = inject(createDefaultSharedCoreModule(context), IommuGeneratedSharedModule, sharedCoreModule);
  const iommu = inject(createDefaultCoreModule({ shared }), IommuLanguageGeneratedModule, coreModule) as IommuCoreServices;
  register({ shared, iommu });
  return { shared, iommu };
}

/** Makes the language known, with its checks. */
export function register({ shared, iommu }: Core): void {
  shared.ServiceRegistry.register(iommu);
  iommu.validation.ValidationRegistry.register<IommuAstType>({ File: validateFile(() => shared.workspace.LangiumDocuments) });
}
