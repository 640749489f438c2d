import type { LangiumDocument, LangiumDocuments } from 'langium';
import { URI } from 'langium';
import type { CodeActionProvider } from 'langium/lsp';
import { CodeActionKind, type CodeAction, type CodeActionParams, type Diagnostic, type TextEdit } from 'vscode-languageserver';
import { fixEdits } from '../analysis/fix-edits.js';
import type { Finding } from '../diagnostics/rule.js';
import { callsAction } from './calls.js';
import type { AnalysisStore, AnalysedDocument } from './analysis-store.js';

/** Quick fixes of findings, the word that was meant, the calls of an owner, and "suppress this" for every diagnostic. */
export class SimulationCodeActions implements CodeActionProvider {
  constructor(
    private readonly store: () => AnalysisStore,
    private readonly documents: LangiumDocuments,
  ) {}

  getCodeActions(document: LangiumDocument, { context, range }: CodeActionParams): CodeAction[] {
    const analysed = this.store().of(document);
    const ours = context.diagnostics.filter((diagnostic) => diagnostic.source === 'iommu');
    return [...ours.flatMap((diagnostic) => [...this.repairs(document, analysed, diagnostic), ...spelling(document, diagnostic), suppress(document, diagnostic)]), ...callsAction(document, analysed, range)];
  }

  private repairs(document: LangiumDocument, analysed: AnalysedDocument, diagnostic: Diagnostic): CodeAction[] {
    const finding = analysed.analysis.findings.find((each) => this.isSame(document, analysed, each, diagnostic));
    return (finding?.fixes ?? []).flatMap((fix): CodeAction[] => {
      const changes = fixEdits(fix.edits, analysed.places, (uri, line) => this.line(uri, line));
      if (changes === null) return [];
      const byFile: Record<string, TextEdit[]> = {};
      for (const { uri, range, newText } of changes) (byFile[uri] ??= []).push({ range, newText });
      return [{ title: fix.title, kind: CodeActionKind.QuickFix, isPreferred: fix.preferred, diagnostics: [diagnostic], edit: { changes: byFile } }];
    });
  }

  private isSame(document: LangiumDocument, { places }: AnalysedDocument, finding: Finding, diagnostic: Diagnostic): boolean {
    const place = places.get(finding.subject);
    return finding.code === diagnostic.code && place?.uri === document.uri.toString() && place.nameRange.start.line === diagnostic.range.start.line && place.nameRange.start.character === diagnostic.range.start.character;
  }

  private line(uri: string, line: number): string {
    const text = this.documents.getDocument(URI.parse(uri))?.textDocument;
    return text?.getText({ start: { line, character: 0 }, end: { line: line + 1, character: 0 } }) ?? '';
  }
}

/** A message that asks "Did you mean …?" about the very word that is underlined offers it. */
function spelling(document: LangiumDocument, diagnostic: Diagnostic): CodeAction[] {
  const { range, message } = diagnostic;
  const meant = typeof message === 'string' ? /Did you mean `([^`]+)`\?$/.exec(message)?.[1] : undefined;
  if (meant === undefined || !String(message).includes(`\`${document.textDocument.getText(range)}\``)) return [];
  return [{ title: `Change to \`${meant}\``, kind: CodeActionKind.QuickFix, isPreferred: true, diagnostics: [diagnostic], edit: { changes: { [document.uri.toString()]: [{ range, newText: meant }] } } }];
}

function suppress(document: LangiumDocument, diagnostic: Diagnostic): CodeAction {
  const { line } = diagnostic.range.start;
  const text = document.textDocument.getText({ start: { line, character: 0 }, end: { line: line + 1, character: 0 } });
  const indent = /^\s*/.exec(text)?.[0].replace(/[\r\n]/g, '') ?? '';
  const newText = `${indent}// iommu-disable-next-line ${String(diagnostic.code)}: \n`;
  return {
    title: `Suppress ${String(diagnostic.code)} here`, kind: CodeActionKind.QuickFix, diagnostics: [diagnostic],
    edit: { changes: { [document.uri.toString()]: [{ range: { start: { line, character: 0 }, end: { line, character: 0 } }, newText }] } },
  };
}
