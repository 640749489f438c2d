/** From a position in the text to the described thing there. */
import type { LangiumDocument } from 'langium';
import type { Position, Range } from 'vscode-languageserver';
import type { SubjectId } from '../simulator/description.js';
import type { Places } from '../analysis/views.js';
import type { IommuServices } from '../../language/editor/index.js';

const before = (a: Position, b: Position): boolean => a.line < b.line || (a.line === b.line && a.character < b.character);
export const inside = (range: Range, position: Position): boolean => !before(position, range.start) && !before(range.end, position);

/** The thing declared at the position, else the thing that a name there refers to, else the innermost statement around it. */
export async function subjectAt(document: LangiumDocument, position: Position, places: Places, services: IommuServices): Promise<SubjectId | undefined> {
  const uri = document.uri.toString();
  const named = withName(places, uri, (range) => inside(range, position));
  if (named !== undefined) return named;
  const definitions = await services.lsp.DefinitionProvider?.getDefinition(document, { textDocument: { uri }, position });
  const target = definitions?.[0];
  if (target !== undefined) {
    const start = target.targetSelectionRange.start;
    const declared = withName(places, target.targetUri, (range) => range.start.line === start.line && range.start.character === start.character);
    if (declared !== undefined) return declared;
  }
  return innermost(places, uri, position);
}

function withName(places: Places, uri: string, test: (range: Range) => boolean): SubjectId | undefined {
  for (const [subject, place] of places) if (place.uri === uri && test(place.nameRange)) return subject;
  return undefined;
}

/** A one-line statement counts as a whole; of a block only its head does, so that a hover in a host is not about the host. */
export function innermost(places: Places, uri: string, position: Position): SubjectId | undefined {
  let best: { subject: SubjectId; range: Range } | undefined;
  for (const [subject, place] of places) {
    if (place.uri !== uri || !inside(place.range, position) || (place.bodyRange !== undefined && inside(place.bodyRange, position))) continue;
    if (best === undefined || before(best.range.start, place.range.start)) best = { subject, range: place.range };
  }
  return best?.subject;
}
