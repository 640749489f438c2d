/**
 * The layout of a file: two spaces of indentation per brace, one space around braces and after commas, at most one empty line, no
 * spaces at line ends. Line breaks and alignment inside a line are the person's. Works on text that does not parse.
 */

/** A stretch of one line: a string or comment is never touched inside. */
interface Piece {
  readonly kind: 'code' | 'string' | 'comment';
  readonly text: string;
}

const PIECES = /"(?:\\.|[^"\\])*"?|\/\/.*$|\/\*.*?\*\/|\/\*.*$|(?:(?!\/[/*])[^"])+/g;

export class LineFormatter {
  private depth = 0;
  private inComment = false;
  private blanks = 0;
  private started = false;
  /** The line before ended in a comma: a list goes on, as far to the right as the person aligned it. */
  private continues = false;

  constructor(private readonly unit: string) {}

  /** The line as it should be; null when it should go. Lines come in order. */
  next(line: string): string | null {
    if (this.inComment) {
      this.inComment = !line.includes('*/');
      return line.trimEnd();
    }
    const trimmed = line.trim();
    if (trimmed === '') return this.blank();
    this.blanks = 0;
    this.started = true;
    return this.statement(trimmed, /^\s*/.exec(line)![0].replaceAll('\t', this.unit));
  }

  private blank(): string | null {
    this.blanks++;
    return this.started && this.blanks === 1 ? '' : null;
  }

  private statement(trimmed: string, leading: string): string {
    const pieces = piecesOf(trimmed);
    const code = pieces.filter((piece) => piece.kind === 'code').map((piece) => piece.text).join('');
    const closers = /^[}\s]*/.exec(pieces[0]?.kind === 'code' ? pieces[0].text : '')![0].replace(/\s/g, '').length;
    const indent = Math.max(0, this.depth - closers);
    this.depth = Math.max(0, this.depth + count(code, '{') - count(code, '}'));
    this.inComment = pieces.at(-1)!.text.startsWith('/*') && !pieces.at(-1)!.text.endsWith('*/');
    const usual = this.unit.repeat(indent);
    const aligned = this.continues && leading.length > usual.length ? leading : usual;
    if (code.trim() !== '') this.continues = code.trimEnd().endsWith(',') && pieces.findLast((piece) => piece.kind !== 'comment')!.kind === 'code';
    return aligned + joined(pieces);
  }
}

const count = (text: string, character: string): number => text.split(character).length - 1;

function piecesOf(line: string): Piece[] {
  return [...line.matchAll(PIECES)].map(([text]) => ({ text, kind: text.startsWith('"') ? 'string' : /^\/[/*]/.test(text) ? 'comment' : 'code' }));
}

function joined(pieces: readonly Piece[]): string {
  const text = pieces.map((piece, i) => (piece.kind === 'code' ? spaced(piece.text, i === 0) : piece.text)).reduce((all, piece) => {
    const glue = all !== '' && !/\s$/.test(all) && !/^\s/.test(piece) && (/[{,]$/.test(all) || /^(\/[/*]|[{}])/.test(piece)) ? ' ' : '';
    return all + glue + piece;
  }, '');
  return text.trimEnd();
}

/** One space on both sides of a brace and after a comma. */
function spaced(code: string, first: boolean): string {
  const text = code.replace(/[ \t]*,[ \t]*/g, ', ').replace(/[ \t]*([{}])[ \t]*/g, ' $1 ').replace(/\{ +\}/g, '{ }').replace(/\t/g, ' ');
  const braces = text.replace(/([{}]) {2,}(?=[{}])/g, '$1 ');
  return first ? braces.trimStart() : braces;
}

/** `text` laid out; used by tests and by whoever prints files. */
export function formatText(text: string, unit = '  '): string {
  const formatter = new LineFormatter(unit);
  const lines = text.split(/\r\n|\r|\n/).map((line) => formatter.next(line)).filter((line) => line !== null);
  while (lines.at(-1) === '') lines.pop();
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
