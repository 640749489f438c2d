/**
 * Splits the output of `lspci -v…` into blocks, one per function, and each block into properties with their details.
 * Knows indentation, mail quoting and wrapped lines; knows nothing of what the properties mean.
 */
import type { PciAddress } from '../simulator/description.js';
import { parseAddress } from './pci-address.js';

export interface LspciBlock {
  readonly address: PciAddress;
  /** What follows the address: class, name, ids. */
  title: string;
  /** 1-based line of the title. */
  readonly line: number;
  readonly properties: LspciProperty[];
  /** Lines of a hex dump (`-x` …): offset and bytes. */
  readonly hex: string[];
}

export interface LspciProperty {
  text: string;
  /** The more deeply indented lines below it. */
  readonly details: string[];
}

const TITLE = /^((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+(\S.*)$/i;
const HEX_LINE = /^[0-9a-f]{2,3}:(?: [0-9a-f]{2}){1,16}\s*$/i;
const TAB = 8;

/** Blocks in the order of the text. Lines outside any block are ignored, as mails have them. */
export function lspciBlocks(text: string): LspciBlock[] {
  const blocks: LspciBlock[] = [];
  const reader = new BlockReader(blocks);
  const lines = text.split(/\r?\n/);
  const margin = marginOf(lines);
  lines.forEach((line, index) => reader.read(line.startsWith(margin) ? line.slice(margin.length) : line.trimStart(), index + 1));
  return blocks;
}

/** What stands before the first title: quoting ("> ") or an indentation of the whole paste. */
function marginOf(lines: readonly string[]): string {
  for (const line of lines) {
    const margin = /^[>\s]*/.exec(line)![0];
    if (TITLE.test(line.slice(margin.length))) return margin;
  }
  return '';
}

class BlockReader {
  private block: LspciBlock | null = null;
  /** Columns that the properties of this block are indented by. */
  private base = 0;

  constructor(private readonly blocks: LspciBlock[]) {}

  read(line: string, number: number): void {
    const title = TITLE.exec(line);
    const address = title === null ? null : parseAddress(title[1]!);
    if (address !== null) this.open(address, title![2]!.trimEnd(), number);
    else if (this.block === null) return;
    else if (line.trim() === '') this.block = null;
    else if (HEX_LINE.test(line)) this.block.hex.push(line);
    else this.property(this.block, line);
  }

  private open(address: PciAddress, title: string, line: number): void {
    this.block = { address, title, line, properties: [], hex: [] };
    this.base = 0;
    this.blocks.push(this.block);
  }

  private property(block: LspciBlock, line: string): void {
    const indentation = columns(line);
    const text = line.trim();
    const last = block.properties.at(-1);
    if (indentation === 0) this.continueLine(block, last, text);
    else if (last === undefined || indentation <= this.base) {
      this.base = last === undefined ? indentation : this.base;
      block.properties.push({ text, details: [] });
    } else last.details.push(text);
  }

  /** A line without indentation is the rest of one that a mail program wrapped. */
  private continueLine(block: LspciBlock, last: LspciProperty | undefined, text: string): void {
    if (last === undefined) block.title += ` ${text}`;
    else if (last.details.length === 0) last.text += ` ${text}`;
    else last.details.push(text);
  }
}

/** Columns of leading white space, tabs to the next multiple of 8. */
function columns(line: string): number {
  let column = 0;
  for (const character of line) {
    if (character === '\t') column += TAB - (column % TAB);
    else if (character === ' ') column++;
    else break;
  }
  return column;
}
