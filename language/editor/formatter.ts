/** Formatting as the editor asks for it: edits of the lines that change. */
import type { LangiumDocument } from 'langium';
import type { Formatter } from 'langium/lsp';
import type { DocumentFormattingParams, DocumentOnTypeFormattingOptions, DocumentOnTypeFormattingParams, DocumentRangeFormattingParams, FormattingOptions, TextEdit } from 'vscode-languageserver';
import { LineFormatter } from './format.js';

export class IommuFormatter implements Formatter {
  readonly formatOnTypeOptions: DocumentOnTypeFormattingOptions = { firstTriggerCharacter: '}', moreTriggerCharacter: ['\n'] };

  formatDocument(document: LangiumDocument, params: DocumentFormattingParams): TextEdit[] {
    return edits(document, params.options, 0, Number.MAX_SAFE_INTEGER);
  }

  formatDocumentRange(document: LangiumDocument, params: DocumentRangeFormattingParams): TextEdit[] {
    return edits(document, params.options, params.range.start.line, params.range.end.line);
  }

  /** The line that was finished; never the empty one that the cursor is on. */
  formatDocumentOnType(document: LangiumDocument, params: DocumentOnTypeFormattingParams): TextEdit[] {
    const line = params.ch === '\n' ? params.position.line - 1 : params.position.line;
    return edits(document, params.options, line, line).filter((edit) => edit.range.start.line === edit.range.end.line);
  }
}

function edits(document: LangiumDocument, options: FormattingOptions, first: number, last: number): TextEdit[] {
  const formatter = new LineFormatter(options.insertSpaces ? ' '.repeat(options.tabSize) : '\t');
  const lines = document.textDocument.getText().split(/\r\n|\r|\n/);
  return lines.flatMap((line, number): TextEdit[] => {
    const formatted = formatter.next(line);
    if (number < first || number > last || formatted === line) return [];
    if (formatted !== null) return [{ range: { start: { line: number, character: 0 }, end: { line: number, character: line.length } }, newText: formatted }];
    // The empty text after the last line break is no line of its own.
    return number === lines.length - 1 ? [] : [{ range: { start: { line: number, character: 0 }, end: { line: number + 1, character: 0 } }, newText: '' }];
  });
}
