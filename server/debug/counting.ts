/** Lines and columns as the client counts them, from what `initialize` says; inside, both count from 0. */
import type { RangeView } from '../protocol.js';

export class ClientCounting {
  private readonly firstLine: number;
  private readonly firstColumn: number;

  constructor({ linesStartAt1, columnsStartAt1 }: { readonly linesStartAt1: boolean; readonly columnsStartAt1: boolean }) {
    this.firstLine = linesStartAt1 ? 1 : 0;
    this.firstColumn = columnsStartAt1 ? 1 : 0;
  }

  /** From the client's count. */
  line(line: number): number {
    return line - this.firstLine;
  }

  /** Where a range begins; to mark all of a block would mark too much. */
  start({ start }: RangeView): { readonly line: number; readonly column: number } {
    return { line: start.line + this.firstLine, column: start.character + this.firstColumn };
  }
}
