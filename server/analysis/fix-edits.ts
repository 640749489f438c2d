/** A repair in terms of described things, turned into edits of the text. */
import type { Place } from '../../language/places.js';
import type { Edit } from '../diagnostics/rule.js';
import type { RangeView } from '../protocol.js';
import type { SubjectId } from '../simulator/description.js';

export interface TextChange {
  readonly uri: string;
  readonly range: RangeView;
  readonly newText: string;
}

const INDENT = '  ';

/** Null when a place is not known, so that no half repair is offered. `lineText` gives a line of a file. */
export function fixEdits(edits: readonly Edit[], places: ReadonlyMap<SubjectId, Place>, lineText: (uri: string, line: number) => string): TextChange[] | null {
  const changes: TextChange[] = [];
  for (const edit of edits) {
    const place = places.get(edit.subject);
    if (place === undefined) return null;
    changes.push(changeFor(edit, place, (line) => lineText(place.uri, line)));
  }
  return changes;
}

const at = (position: RangeView['start']): RangeView => ({ start: position, end: position });

function changeFor(edit: Edit, place: Place, lineText: (line: number) => string): TextChange {
  const indent = /^\s*/.exec(lineText(place.range.start.line))?.[0] ?? '';
  switch (edit.kind) {
    case 'remove': return { uri: place.uri, range: place.range, newText: '' };
    case 'replace': return { uri: place.uri, range: place.range, newText: edit.text };
    case 'insert-after': return { uri: place.uri, range: at(place.range.end), newText: `\n${indent}${edit.text}` };
    case 'insert-inside': return insertInside(place, edit.text, indent);
    case 'set-property': {
      const property = place.properties[edit.property];
      return property === undefined ? insertInside(place, edit.text, indent) : { uri: place.uri, range: property, newText: edit.text };
    }
  }
}

/** As the last statement between the braces; braces are made when there are none. */
function insertInside(place: Place, text: string, indent: string): TextChange {
  const body = place.bodyRange;
  if (body === undefined) return { uri: place.uri, range: at(place.range.end), newText: ` { ${text} }` };
  if (body.start.line === body.end.line) return { uri: place.uri, range: at(body.end), newText: `${INDENT}${text} ` };
  // The closing brace stands at `body.end`, on a line of its own: the new statement goes before its indentation.
  return { uri: place.uri, range: at({ line: body.end.line, character: 0 }), newText: `${indent}${INDENT}${text}\n` };
}
