import type { LangiumDocument } from 'langium';
import type { HoverProvider } from 'langium/lsp';
import type { CancellationToken, Hover, HoverParams } from 'vscode-languageserver';
import type { IommuServices } from '../../language/editor/index.js';
import { hoverText } from '../analysis/hover-text.js';
import type { AnalysisStore } from './analysis-store.js';
import { subjectAt } from './subjects.js';

/** The simulation's hover above the language's own (doc comment, the verb's call). */
export class SimulationHover implements HoverProvider {
  constructor(
    private readonly services: IommuServices,
    private readonly language: HoverProvider,
    private readonly store: () => AnalysisStore,
  ) {}

  async getHoverContent(document: LangiumDocument, params: HoverParams, cancel?: CancellationToken): Promise<Hover | undefined> {
    const own = await this.language.getHoverContent(document, params, cancel);
    const { analysis, places } = this.store().of(document);
    const subject = await subjectAt(document, params.position, places, this.services);
    const text = subject === undefined ? undefined : hoverText(analysis, subject);
    if (text === undefined) return own;
    const parts = [text, ...(own === undefined ? [] : [markdownOf(own)])];
    return { contents: { kind: 'markdown', value: parts.join('\n\n---\n\n') }, range: own?.range };
  }
}

function markdownOf({ contents }: Hover): string {
  if (typeof contents === 'string') return contents;
  if (Array.isArray(contents)) return contents.map((each) => (typeof each === 'string' ? each : each.value)).join('\n\n');
  return contents.value;
}
