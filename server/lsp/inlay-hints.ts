import type { LangiumDocument } from 'langium';
import type { InlayHintProvider } from 'langium/lsp';
import { InlayHintKind, type InlayHint, type InlayHintParams } from 'vscode-languageserver';
import { inlayTexts } from '../analysis/inlay-texts.js';
import type { AnalysisStore } from './analysis-store.js';

/** Groups of functions, results of DMA, page sizes of maps. */
export class SimulationInlayHints implements InlayHintProvider {
  constructor(private readonly store: () => AnalysisStore) {}

  getInlayHints(document: LangiumDocument, { range }: InlayHintParams): InlayHint[] {
    const { analysis, places } = this.store().of(document);
    const uri = document.uri.toString();
    return inlayTexts(analysis).flatMap(({ subject, text, where, shows }): InlayHint[] => {
      const place = places.get(subject);
      const position = where === 'name' ? place?.nameRange.end : place?.range.end;
      if (place === undefined || position === undefined || place.uri !== uri || position.line < range.start.line || position.line > range.end.line) return [];
      const label = shows === undefined ? text : [{ value: text, tooltip: 'Show why', command: { title: 'Show why', command: 'iommu.simulate', arguments: [uri, shows] } }];
      return [{ position, label, kind: InlayHintKind.Type, paddingLeft: true }];
    });
  }
}
