/**
 * A compared run as an SVG file: the objects of both models side by side after one row, what the row made and took away, and
 * what differs. For files only: colours are fixed, light and dark alike, and nothing is loaded from anywhere.
 */
import { detailsAt, type BoxView, type ComparedRunView, type ComparisonView, type EdgeView, type SideView } from './protocol-compare.js';

const COLOURS = { ground: '#ffffff', ink: '#1f2328', faint: '#59636e', edge: '#8c959f', box: '#f6f8fa', made: '#0969da', gone: '#cf222e', fake: '#9a6700' } as const;
const FONT = 'font-family="ui-sans-serif, system-ui, sans-serif"';
const GUTTER = 48;
const HEADER = 78;
const MARGIN = 16;
const LINE = 17;
/** Characters that fit one line of text at 12 pixels, per pixel of width. */
const CHARACTERS_PER_PIXEL = 1 / 6.3;

/** @param row 0 .. rows - 1; the last row unless it is one of them */
export function comparisonSvg(comparison: ComparisonView, run: ComparedRunView, row: number): string {
  const at = Math.max(0, Math.min(row, run.rows.length - 1));
  const [left, right] = run.sides;
  const rightAt = MARGIN + Math.max(left.width, MIN_SIDE) + GUTTER;
  const width = rightAt + Math.max(right.width, MIN_SIDE) + MARGIN;
  const sideHeight = Math.max(left.height, right.height);
  const words = differenceLines(run, at, width - 2 * MARGIN);
  const height = HEADER + sideHeight + MARGIN + words.length * LINE + MARGIN;
  const offsets = [MARGIN, rightAt];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" ${FONT}>`,
    `<title>${escape(`${comparison.title}, ${run.name}: ${comparison.models.map(({ name }) => name).join(' and ')}`)}</title>`,
    `<rect width="${width}" height="${height}" fill="${COLOURS.ground}"/>`,
    text(MARGIN, 24, `${run.name}`, { size: 15, weight: 600 }),
    text(MARGIN, 44, `${at + 1} of ${run.rows.length}: ${run.rows[at]?.text ?? ''}`, { fill: COLOURS.faint }),
    ...run.sides.flatMap((side, index) => [
      text(offsets[index]!, HEADER - 8, sideTitle(comparison, run, at, index as 0 | 1), { weight: 600 }),
      `<g transform="translate(${offsets[index]} ${HEADER})">${sideSvg(side, at)}</g>`,
    ]),
    `<path d="M${rightAt - GUTTER / 2} ${HEADER - 20}V${HEADER + sideHeight}" stroke="${COLOURS.edge}" stroke-dasharray="2 4"/>`,
    ...words.map(({ line, weight }, index) => text(MARGIN, HEADER + sideHeight + MARGIN + (index + 1) * LINE, line, { weight, fill: weight === 400 ? COLOURS.faint : COLOURS.ink })),
    '</svg>', '',
  ].join('\n');
}

const MIN_SIDE = 380;

function sideTitle({ models }: ComparisonView, run: ComparedRunView, at: number, side: 0 | 1): string {
  const calls = run.rows[at]?.sides[side].calls ?? [];
  return `${models[side].title}${calls.length === 0 ? ': no call' : `: ${calls.map(({ call, result }) => (call === undefined ? result : `${call} → ${result}`)).join(', ')}`}`;
}

function differenceLines(run: ComparedRunView, at: number, width: number): { readonly line: string; readonly weight: number }[] {
  return (run.rows[at]?.differences ?? []).flatMap(({ text: what, reason, rules }) => [
    ...wrap(`≠ ${what}`, width).map((line) => ({ line, weight: 600 })), ...wrap(`${reason} [${rules.join(', ')}]`, width).map((line) => ({ line, weight: 400 })),
  ]);
}

function wrap(words: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width * CHARACTERS_PER_PIXEL) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

// ------------------------------------------------------------------------------------------------ one side

function sideSvg(side: SideView, at: number): string {
  const frame = side.frames[Math.min(at, side.frames.length - 1)];
  if (frame === undefined) return text(0, 20, 'nothing is drawn here', { fill: COLOURS.faint });
  const details = detailsAt(side, at);
  const madeBoxes = new Set(frame.newBoxes), madeEdges = new Set(frame.newEdges);
  return [
    ...frame.goneEdges.map((index) => edgeSvg(side.edges[index]!, 'gone')),
    ...frame.edges.map((index) => edgeSvg(side.edges[index]!, madeEdges.has(index) ? 'made' : '')),
    ...frame.goneBoxes.map((index) => boxSvg(side.boxes[index]!, '', 'gone')),
    ...frame.boxes.map((index) => boxSvg(side.boxes[index]!, details.get(index)?.summary ?? '', madeBoxes.has(index) ? 'made' : '')),
    ...frame.edges.map((index) => labelSvg(side.edges[index]!, madeEdges.has(index) ? 'made' : '')),
    ...frame.goneEdges.map((index) => labelSvg(side.edges[index]!, 'gone')),
  ].join('\n');
}

type Mark = 'made' | 'gone' | '';

const colourOf = (mark: Mark, fake: boolean): string => (mark === 'made' ? COLOURS.made : mark === 'gone' ? COLOURS.gone : fake ? COLOURS.fake : COLOURS.edge);

function edgeSvg({ d, head, fake }: EdgeView, mark: Mark): string {
  const dash = fake ? ' stroke-dasharray="5 4"' : mark === 'gone' ? ' stroke-dasharray="1 4"' : '';
  const colour = colourOf(mark, fake);
  return `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${mark === 'made' ? 2.6 : 1.3}"${dash}/><path d="${head}" fill="${colour}"/>`;
}

const labelSvg = ({ label, labelX, labelY, fake }: EdgeView, mark: Mark): string =>
  `<text x="${labelX}" y="${labelY + 3.5}" text-anchor="middle" font-size="10" fill="${mark === '' && !fake ? COLOURS.faint : colourOf(mark, fake)}" stroke="${COLOURS.ground}" stroke-width="3" paint-order="stroke">${escape(label)}</text>`;

function boxSvg({ x, y, width, height, kind, label, fake }: BoxView, summary: string, mark: Mark): string {
  const dash = fake || mark === 'gone' ? ' stroke-dasharray="5 4"' : '';
  const middle = x + width / 2;
  const line = (at: number, words: string, size: number, weight: number, fill: string): string =>
    words === '' ? '' : `<text x="${middle}" y="${y + at}" text-anchor="middle" font-size="${size}" font-weight="${weight}" fill="${fill}">${escape(shorten(words, size))}</text>`;
  return [
    `<g${mark === 'gone' ? ' opacity="0.55"' : ''}><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${COLOURS.box}" stroke="${colourOf(mark, fake)}" stroke-width="${mark === 'made' ? 2.6 : 1.2}"${dash}/>`,
    line(13, kind, 10, 400, COLOURS.faint), line(29, label, 12.5, 600, COLOURS.ink), line(42, summary, 9.5, 400, COLOURS.faint), '</g>',
  ].join('');
}

/** What fits a box. */
export const shorten = (words: string, size: number): string => {
  const longest = Math.floor(148 / (size * 0.54));
  return words.length <= longest ? words : `${words.slice(0, longest - 1)}…`;
};

const text = (x: number, y: number, words: string, { size = 12, weight = 400, fill = COLOURS.ink as string } = {}): string => `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escape(words)}</text>`;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** Characters that XML does not allow are left out. */
const escape = (words: string): string => [...words].filter((character) => character >= ' ').join('').replace(/[&<>"]/g, (character) => ESCAPES[character]!);
