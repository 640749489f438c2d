/** What the workspace knows of a file: its named things, for workspace symbols. References do not go through it. */
import { DefaultScopeComputation, MultiMap, type AstNode, type AstNodeDescription, type LangiumDocument, type LocalSymbols } from 'langium';
import * as ast from './generated/ast.js';
import { namesOfFile, namesOfHost } from './names.js';

export class IommuScopeComputation extends DefaultScopeComputation {
  override async collectExportedSymbols(document: LangiumDocument): Promise<AstNodeDescription[]> {
    return this.exportsOf(document);
  }

  exportsOf(document: LangiumDocument): AstNodeDescription[] {
    const file = document.parseResult.value;
    if (!ast.isFile(file)) return [];
    const names = namesOfFile(file);
    const described = (nodes: Iterable<readonly [string, AstNode]>): AstNodeDescription[] =>
      [...nodes].map(([name, node]) => this.descriptions.createDescription(node, name, document));
    const scenarios = file.statements.filter(ast.isScenario).filter((scenario) => scenario.title !== undefined);
    return [
      ...described(names.global),
      ...names.hosts.flatMap((host) => described(namesOfHost(host))),
      ...described(scenarios.map((scenario) => [scenario.title, scenario] as const)),
    ];
  }

  override async collectLocalSymbols(): Promise<LocalSymbols> {
    return new MultiMap<AstNode, AstNodeDescription>();
  }
}
