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
    if (edit.kind === 'move-inside') {
      const sources = edit.moved.map(({ subject }) => places.get(subject));
      if (!sources.every((source) => source !== undefined)) return null;
      changes.push(...moveInside(edit.moved.map(({ address }, index) => ({ address, source: sources[index]! })), place, lineText));
    } else changes.push(changeFor(edit, place, (line) => lineText(place.uri, line)));
  }
  return changes;
}

/** A PCI address as the language writes it. */
const ADDRESS = /([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-9a-fA-F]{1,2}/;

/** The statements as they are written, with their doc comments, at their new place and with their new address. */
function moveInside(moved: readonly { readonly address: string; readonly source: Place }[], target: Place, lineText: (uri: string, line: number) => string): TextChange[] {
  const indent = /^\s*/.exec(lineText(target.uri, target.range.start.line))?.[0] ?? '';
  const sources = moved.map(({ address, source }) => ({ address, uri: source.uri, range: withComments(source, (line) => lineText(source.uri, line)) }));
  const texts = sources.map(({ address, uri, range }) => textOf(range, (line) => lineText(uri, line)).replace(ADDRESS, address));
  return [...sources.map(({ uri, range }) => ({ uri, range: withLine(range, (line) => lineText(uri, line)), newText: '' })), insertInside(target, texts.join(`\n${indent}${INDENT}`), indent)];
}

/** From the first of the doc comments directly above. */
function withComments({ range }: Place, lineText: (line: number) => string): RangeView {
  let { line, character } = range.start;
  for (; line > 0 && lineText(line - 1).trimStart().startsWith('///'); line--) character = lineText(line - 1).indexOf('///');
  return { start: { line, character }, end: range.end };
}

/** The whole lines, where nothing else stands on them. */
function withLine({ start, end }: RangeView, lineText: (line: number) => string): RangeView {
  const alone = lineText(start.line).slice(0, start.character).trim() === '' && lineText(end.line).slice(end.character).trim() === '';
  return alone ? { start: { line: start.line, character: 0 }, end: { line: end.line + 1, character: 0 } } : { start, end };
}

function textOf({ start, end }: RangeView, lineText: (line: number) => string): string {
  const lines = Array.from({ length: end.line - start.line + 1 }, (_, index) => lineText(start.line + index).replace(/[\r\n]+$/, ''));
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.character);
  lines[0] = lines[0]!.slice(start.character);
  return lines.join('\n');
}

const at = (position: RangeView['start']): RangeView => ({ start: position, end: position });

function changeFor(edit: Exclude<Edit, { kind: 'move-inside' }>, place: Place, lineText: (line: number) => string): TextChange {
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
