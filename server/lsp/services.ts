/** The language's services with the simulation's beside them. */
import type { DefaultSharedModuleContext, LangiumSharedServices } from 'langium/lsp';
import { createIommuServices, type IommuModule, type IommuServices } from '../../language/editor/index.js';
import type { CrashLog } from '../analysis/analysis.js';
import { AnalysisStore } from './analysis-store.js';
import { SimulationCodeActions } from './code-actions.js';
import { SimulationCodeLenses } from './code-lenses.js';
import { SimulationHover } from './hover.js';
import { SimulationInlayHints } from './inlay-hints.js';
import { SimulatingDocumentValidator, type PageUri } from './validator.js';

export interface Workbench {
  readonly shared: LangiumSharedServices;
  readonly iommu: IommuServices;
  readonly store: AnalysisStore;
}

export function createWorkbench(context: DefaultSharedModuleContext, options: { readonly log: CrashLog; readonly pageUri: PageUri }): Workbench {
  // Services are made when first asked for, after both of these are set.
  let store: AnalysisStore | undefined;
  const theStore = (): AnalysisStore => (store ??= new AnalysisStore(shared, () => iommu, options.log));
  const simulation: IommuModule = {
    validation: { DocumentValidator: (services) => new SimulatingDocumentValidator(services, theStore, options.pageUri) },
    lsp: {
      InlayHintProvider: () => new SimulationInlayHints(theStore),
      CodeLensProvider: () => new SimulationCodeLenses(theStore),
      CodeActionProvider: (services) => new SimulationCodeActions(theStore, services.shared.workspace.LangiumDocuments),
    },
  };
  const { shared, iommu } = createIommuServices(context, simulation, (services, own) => new SimulationHover(services, own, theStore));
  return { shared, iommu, store: theStore() };
}
