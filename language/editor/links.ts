/** Links of a file: to the files that it uses, and from rule IDs in comments to the page that lists the rules. */
import type { LangiumDocument } from 'langium';
import type { DocumentLinkProvider } from 'langium/lsp';
import type { DocumentLink } from 'vscode-languageserver';
import { GrammarUtils } from 'langium';
import * as ast from '../generated/ast.js';
import { resolveUse } from '../uses.js';

/** Address of the page about a rule ("VFT-11"); undefined: there is none. */
export type RulePage = (rule: string) => string | undefined;

const COMMENT = /\/\/.*$/gm;
const RULE = /\b[A-Z]{3,4}-\d{2}\b/g;

export class IommuDocumentLinkProvider implements DocumentLinkProvider {
  constructor(private readonly rulePage: RulePage = () => undefined) {}

  getDocumentLinks(document: LangiumDocument): DocumentLink[] {
    return [...usedFiles(document), ...this.rules(document)];
  }

  private rules(document: LangiumDocument): DocumentLink[] {
    const { textDocument } = document;
    return [...textDocument.getText().matchAll(COMMENT)].flatMap((comment) => [...comment[0].matchAll(RULE)].flatMap((rule) => {
      const target = this.rulePage(rule[0]);
      const start = comment.index + rule.index;
      return target === undefined ? [] : [{ range: { start: textDocument.positionAt(start), end: textDocument.positionAt(start + rule[0].length) }, target }];
    }));
  }
}

function usedFiles(document: LangiumDocument): DocumentLink[] {
  const file = document.parseResult.value;
  if (!ast.isFile(file)) return [];
  return file.statements.filter(ast.isUse).flatMap((use) => {
    const path = GrammarUtils.findNodeForProperty(use.$cstNode, 'path');
    return path === undefined || !use.path ? [] : [{ range: path.range, target: resolveUse(use.path, document.uri).toString() }];
  });
}
