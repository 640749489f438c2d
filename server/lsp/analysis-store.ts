/** The analysis of each open document, made once per version of it and of the files it uses. */
import { DocumentState, WorkspaceCache, type LangiumDocument } from 'langium';
import type { LangiumSharedServices } from 'langium/lsp';
import { type IommuServices } from '../../language/editor/index.js';
import { lowerDocument } from '../../language/index.js';
import { analyse, type Analysis, type CrashLog } from '../analysis/analysis.js';
import { RememberedRuns } from '../analysis/remembered.js';
import type { Places } from '../analysis/views.js';

export interface AnalysedDocument {
  readonly analysis: Analysis;
  readonly places: Places;
}

export class AnalysisStore {
  /** Emptied whenever any document changes: a file's answer depends on the files it uses. */
  private readonly cache: WorkspaceCache<string, AnalysedDocument>;
  private readonly runs = new Map<string, RememberedRuns>();

  constructor(
    shared: LangiumSharedServices,
    private readonly language: () => IommuServices,
    private readonly log: CrashLog,
  ) {
    this.cache = new WorkspaceCache(shared, DocumentState.Linked);
    shared.workspace.DocumentBuilder.onUpdate((_changed, deleted) => deleted.forEach((uri) => this.runs.delete(uri.toString())));
  }

  /** Survives edits; goes when the file is deleted. */
  private runsOf(uri: string): RememberedRuns {
    const known = this.runs.get(uri);
    if (known !== undefined) return known;
    const fresh = new RememberedRuns();
    this.runs.set(uri, fresh);
    return fresh;
  }

  of(document: LangiumDocument): AnalysedDocument {
    return this.cache.get(document.uri.toString(), () => {
      const { description, places } = lowerDocument(document, this.language());
      const runs = this.runsOf(document.uri.toString());
      return { analysis: analyse(description, this.log, (machine) => runs.simulate(machine)), places };
    });
  }
}
