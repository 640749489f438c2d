/**
 * Splits the output of `lspci -v…` into blocks, one per function, and each block into properties with their details.
 * Knows indentation (also lost), mail quoting, wrapped and doubled lines, prompts; knows nothing of what the properties mean.
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
  /** Something of it is missing: left out with dots, or the text ends in the middle of it. */
  cut: boolean;
}

export interface LspciProperty {
  text: string;
  /** The more deeply indented lines below it. */
  readonly details: string[];
}

const TITLE = /^((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+(\S.*)$/i;
const HEX_LINE = /^[0-9a-f]{2,3}:(?: [0-9a-f]{2}){1,16}\s*$/i;
const BLANK = /^[>\s]*$/;
const TAB = 8;

/** What properties begin with: how one is known in a text that lost its indentation. */
const PROPERTY = /^(?:Subsystem:|DeviceName:|Physical Slot:|Control:|Status:|Flags:|Latency:|Interrupts?:|NUMA node:|IOMMU group:|Region \d:|Memory at |I\/O ports at |\[virtual\]|Expansion ROM at |Bus: primary|I\/O behind |Memory behind |Prefetchable memory |Secondary status:|BridgeCtl:|Capabilities:|Kernel driver |Kernel modules:|!!!)/;
/** Where another program's output or the frame of a code block begins: prompts, fences, headings of groups. */
const END_OF_OUTPUT = /^(?:```|~~~|(?:\[|\()?[\w.-]+@[\w.-]+[^#$%]*[#$%](?: |$)|[#$%] \S|\W*(?:IOMMU[ _-]*)?Group[ :#]*\d)/i;
/** What people put where they left something out. */
const LEFT_OUT = /^(?:\[|\(|<)?\s*(?:\.{2,}|\u2026|snip(?:ped)?|cut|truncated|omitted)\s*(?:\.{2,}|\u2026)?\s*(?:\]|\)|>)?$/i;
/** The last thing that lspci prints of a function that has a driver. */
const LAST_PROPERTY = /^Kernel (?:driver|modules)/;

/** Blocks in the order of the text. Lines outside any block are ignored, as mails have them. */
export function lspciBlocks(text: string): LspciBlock[] {
  const blocks: LspciBlock[] = [];
  const reader = new BlockReader(blocks);
  const lines = undoubled(text.split('\n'));
  const margin = marginOf(lines);
  lines.forEach((line, index) => reader.read(line.startsWith(margin) ? line.slice(margin.length) : line.trimStart(), index + 1));
  if (lines.at(-1) !== '') reader.endsWithoutNewline();
  return blocks;
}

/** Web pages and mails put a blank line after every line: below most titles, where lspci has none. */
function undoubled(lines: readonly string[]): readonly string[] {
  const isBlank = (line: string | undefined): boolean => line !== undefined && BLANK.test(line);
  const titles = lines.flatMap((line, index) => (TITLE.test(line.replace(/^[>\s]+/, '')) ? [index] : []));
  const doubled = titles.filter((index) => isBlank(lines[index + 1]) && !isBlank(lines[index + 2]) && lines[index + 2] !== undefined);
  if (doubled.length * 2 <= titles.length) return lines;
  return lines.filter((line, index) => !isBlank(line) || index === lines.length - 1 || isBlank(lines[index - 1]));
}

/** What stands before most titles: quoting ("> ") or an indentation of the whole paste; the shortest if several are as frequent. */
function marginOf(lines: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const margin = /^[>\s]*/.exec(line)![0];
    if (TITLE.test(line.slice(margin.length))) counts.set(margin, (counts.get(margin) ?? 0) + 1);
  }
  const [best] = [...counts].sort(([a, countA], [b, countB]) => countB - countA || a.length - b.length);
  return best?.[0] ?? '';
}

class BlockReader {
  private block: LspciBlock | null = null;
  /** Columns that the properties of this block are indented by. */
  private base = 0;
  /** Blank lines came: the block goes on only if what follows is indented, as in texts with every line doubled. */
  private paused = false;

  constructor(private readonly blocks: LspciBlock[]) {}

  read(line: string, number: number): void {
    const title = TITLE.exec(line);
    const address = title === null ? null : parseAddress(title[1]!);
    if (address !== null) this.open(address, title![2]!.trimEnd(), number);
    else if (this.block === null) return;
    else if (BLANK.test(line)) this.paused = true;
    else if (columns(line) === 0 && this.endsAt(this.block, line)) this.block = null;
    else this.inside(this.block, line);
  }

  /** A line without indentation, no part of this block: something else follows, or after a blank line anything. */
  private endsAt(block: LspciBlock, line: string): boolean {
    if (HEX_LINE.test(line)) return false;
    if (this.paused) return true;
    /* lspci prints other things before a function's group; directly below a title it is the heading of the next group. */
    return END_OF_OUTPUT.test(line) && (!PROPERTY.test(line) || block.properties.length === 0);
  }

  /** lspci ends every line: without a newline the text was cut, unless it ends with what comes last or never had properties. */
  endsWithoutNewline(): void {
    const last = this.block?.properties.at(-1);
    if (last !== undefined && !LAST_PROPERTY.test(last.text)) this.block!.cut = true;
  }

  private inside(block: LspciBlock, line: string): void {
    this.paused = false;
    if (HEX_LINE.test(line)) block.hex.push(line);
    else if (LEFT_OUT.test(line.trim())) block.cut = true;
    else this.property(block, line);
  }

  private open(address: PciAddress, title: string, line: number): void {
    this.block = { address, title, line, properties: [], hex: [], cut: false };
    this.base = 0;
    this.paused = false;
    this.blocks.push(this.block);
  }

  private property(block: LspciBlock, line: string): void {
    const indentation = columns(line);
    const text = line.trim();
    const last = block.properties.at(-1);
    if (indentation === 0 && PROPERTY.test(text)) block.properties.push({ text, details: [] });
    else if (indentation === 0) this.continueLine(block, last, text);
    else if (last === undefined || (indentation <= this.base && (this.base > 1 || PROPERTY.test(text)))) {
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
