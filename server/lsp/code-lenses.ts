import type { LangiumDocument } from 'langium';
import type { CodeLensProvider } from 'langium/lsp';
import type { CodeLens } from 'vscode-languageserver';
import { lensTexts } from '../analysis/lens-texts.js';
import type { AnalysisStore } from './analysis-store.js';

/** "12 IOMMU groups", "trace", "3 of 3 expectations met: simulate". */
export class SimulationCodeLenses implements CodeLensProvider {
  constructor(private readonly store: () => AnalysisStore) {}

  provideCodeLens(document: LangiumDocument): CodeLens[] {
    const { analysis, places } = this.store().of(document);
    const uri = document.uri.toString();
    return lensTexts(analysis).flatMap(({ subject, title, command, action }): CodeLens[] => {
      const place = places.get(subject);
      if (place === undefined || place.uri !== uri) return [];
      return [{ range: place.nameRange, command: { title, command, arguments: action === undefined ? [uri] : [uri, action] } }];
    });
  }
}
