/** Diagnostics of a document: problems of the text and findings of the simulation, as one list. */
import type { LangiumCoreServices, LangiumDocument, ValidationOptions } from 'langium';
import { DiagnosticSeverity, DiagnosticTag, type CancellationToken, type Diagnostic } from 'vscode-languageserver';
import { FileValidator, codeOfDiagnostic } from '../../language/index.js';
import { present, type Presented, type TextProblem } from '../analysis/present.js';
import type { Severity } from '../diagnostics/rule.js';
import type { AnalysisStore } from './analysis-store.js';

const SEVERITIES: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error, warning: DiagnosticSeverity.Warning, information: DiagnosticSeverity.Information, hint: DiagnosticSeverity.Hint,
};
const NAMES: readonly Severity[] = ['error', 'error', 'warning', 'information', 'hint'];

/** Where the pages are for whoever reads the diagnostic outside the workbench. */
export type PageUri = (code: string) => string | undefined;

export class SimulatingDocumentValidator extends FileValidator {
  constructor(
    services: LangiumCoreServices,
    private readonly store: () => AnalysisStore,
    private readonly pageUri: PageUri,
  ) {
    super(services);
  }

  override async validateDocument(document: LangiumDocument, options?: ValidationOptions, cancel?: CancellationToken): Promise<Diagnostic[]> {
    const ofText = await super.validateDocument(document, options, cancel);
    const { analysis, places } = this.store().of(document);
    const uri = document.uri.toString();
    const texts = new Map([[uri, document.textDocument.getText()]]);
    return present(analysis.findings, ofText.map((each) => textProblem(uri, each)), places, texts).filter((each) => each.uri === uri).map((each) => this.toLsp(each));
  }

  private toLsp(presented: Presented): Diagnostic {
    const href = this.pageUri(presented.code);
    return {
      range: presented.range, severity: SEVERITIES[presented.severity], code: presented.code, source: 'iommu', message: presented.message,
      ...(href === undefined ? {} : { codeDescription: { href } }),
      ...(presented.code === 'suppression/unused' ? { tags: [DiagnosticTag.Unnecessary] } : {}),
      relatedInformation: presented.related.map((each) => ({ location: { uri: each.uri, range: each.range }, message: each.message })),
    };
  }
}

const textProblem = (uri: string, diagnostic: Diagnostic): TextProblem => ({
  uri, range: diagnostic.range, message: typeof diagnostic.message === 'string' ? diagnostic.message : diagnostic.message.value, code: codeOfDiagnostic(diagnostic), severity: NAMES[diagnostic.severity ?? 1] ?? 'error',
});
