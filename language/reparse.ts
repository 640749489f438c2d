/**
 * Parsing after an edit: only the statements that the edit touches are parsed, and take their place in the tree among those
 * that stay. The outcome is that of parsing the whole text, or nothing, and then the whole text is parsed.
 *
 * What is parsed is the file without the statements that stay: the heads of the blocks around the edit, the statement before the
 * edit, those that it touches, the one after them, and the closing braces. This is exact because
 * - the lexer knows no states: after the edit it is in step again as soon as a token begins where one began before;
 * - a list of statements is parsed one by one, each by its own tokens and those that the parser looked ahead at. It mostly looks at
 *   one, which belongs to the statement after; farther looks are on record, and none may cross the edges of what is parsed;
 * - nothing is kept of, or put into, a text with a syntax error.
 */
import type { IToken } from 'chevrotain';
import { createTokenInstance } from 'chevrotain';
import { CstUtils, isCompositeCstNode, isLeafCstNode, type AstNode, type CompositeCstNode, type CstNode, type LeafCstNode, type Lexer, type LexerResult, type Mutable, type ParseResult } from 'langium';
import * as ast from './generated/ast.js';
import { depthOf, MAX_NESTING } from './lexer.js';
import type { IommuParser, Look } from './parser.js';

/** What stands in a text from `start` to `oldEnd` is replaced by what stands from there to `oldEnd + shift`. */
interface Edit {
  readonly start: number;
  readonly oldEnd: number;
  readonly shift: number;
}

/** A node with a list of statements that can be taken apart. */
interface Block {
  readonly node: AstNode;
  readonly property: 'statements' | 'items';
  readonly members: readonly AstNode[];
  /** Holds the nodes of the members, and between the braces nothing else but comments. */
  readonly cst: CompositeCstNode;
  /** Index in `cst` of what follows the opening brace. */
  readonly begin: number;
  /** The closing brace; a file has none. */
  readonly close: LeafCstNode | undefined;
}

/** Which members of a block are parsed anew, the one before the edit included, and where in the text and in the block they stand. */
interface Window {
  readonly block: Block;
  readonly first: number;
  readonly end: number;
  readonly from: number;
  /** Where the first thing that stays stands in the old text: the member `end`, the closing brace, or the end of the file. */
  readonly to: number;
  /** Indices in the content of the block. */
  readonly cstFirst: number;
  readonly cstEnd: number;
}

/** The first thing after the window that stays; nothing at the end of a file. */
const stayingOf = ({ block, end }: Window): CstNode | undefined => block.members[end]?.$cstNode ?? block.close;

/** @returns undefined when the text must be parsed as a whole; then `previous` is as it was. */
export function reparse(parser: IommuParser, lexer: Lexer, previous: ParseResult, text: string): ParseResult | undefined {
  const root = previous.value;
  const oldText = root.$cstNode?.root.fullText;
  if (oldText === undefined || !ast.isFile(root) || previous.lexerErrors.length + previous.parserErrors.length > 0) return undefined;
  const edit = editBetween(oldText, text);
  const path = blocksAround(root, edit);
  const window = windowOf(path.at(-1), edit, oldText);
  const lexed = window === undefined ? undefined : lexWindow(lexer, window, edit.shift, text);
  if (window === undefined || lexed === undefined || path.length + depthOf(lexed.tokens) > MAX_NESTING) return undefined;

  const heads = path.slice(1).map(headOf);
  const parsed = parser.parseTokens(text, {
    ...lexed, hidden: [...heads.flatMap((head) => head.hidden), ...lexed.hidden],
    tokens: [...heads.flatMap((head) => head.tokens), ...lexed.tokens, ...closingBraces(path, window, text, edit.shift, lexed.moved)],
  });
  if (parsed.parserErrors.length > 0) return undefined;
  const looks = joinLooks(parser.looksOf(root), parser.looksOf(parsed.value), window, edit, heads, lexed.end);
  const blocks = newBlocks(parsed.value, path, window, edit.shift);
  if (looks === undefined || blocks === undefined) return undefined;

  parser.setLooks(parsed.value, looks);
  for (const [depth, old] of path.entries()) {
    const inner = path[depth + 1];
    if (inner === undefined) keepBesides(blocks[depth]!, window, edit.shift, lexed.moved);
    else keepAround(old, blocks[depth]!, inner.node, edit.shift, lexed.moved);
  }
  return parsed;
}

function editBetween(old: string, text: string): Edit {
  const most = Math.min(old.length, text.length);
  let start = 0;
  while (start < most && old.charCodeAt(start) === text.charCodeAt(start)) start++;
  let same = 0;
  while (same < most - start && old.charCodeAt(old.length - 1 - same) === text.charCodeAt(text.length - 1 - same)) same++;
  return { start, oldEnd: old.length - same, shift: text.length - old.length };
}

// ------------------------------------------------------------------------------------------------ where

/** The file, and the blocks in it between whose braces the whole edit is, from outside to inside. */
function blocksAround(file: ast.File, edit: Edit): Block[] {
  const path: Block[] = [];
  for (let block = blockOf(file); block !== undefined; ) {
    path.push(block);
    const { first, end } = touchedMembers(block.members, edit);
    block = end - first === 1 ? blockOf(block.members[first]!) : undefined;
    if (block !== undefined && !(block.cst.content[block.begin - 1]!.end <= edit.start && edit.oldEnd <= block.close!.offset)) block = undefined;
  }
  return path;
}

/** Members that the edit changes, or whose edges it touches: from index `first` to before `end`. */
function touchedMembers(members: readonly AstNode[], edit: Edit): { readonly first: number; readonly end: number } {
  return { first: firstThat(members, (cst) => cst.end >= edit.start), end: firstThat(members, (cst) => cst.offset > edit.oldEnd) };
}

/** Index of the first member that `holds` for, as it does for all after that; the number of members when there is none. */
function firstThat(members: readonly AstNode[], holds: (cst: CstNode) => boolean): number {
  let low = 0;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(members[middle]!.$cstNode!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Nothing for what is no block, and for an empty one. */
function blockOf(node: AstNode): Block | undefined {
  const property = ast.isFile(node) ? 'statements' : 'items';
  if (!ast.isFile(node) && !ast.isHost(node) && !ast.isPciFunction(node) && !ast.isScenario(node)) return undefined;
  const members: readonly AstNode[] = ast.isFile(node) ? node.statements : node.items;
  const cst = members[0]?.$cstNode?.container;
  if (cst === undefined || members.some((member) => member.$cstNode?.container !== cst)) return undefined;
  if (ast.isFile(node)) return { node, property, members, cst, begin: 0, close: undefined };
  const close = cst.content.at(-1);
  const begin = cst.content.findIndex((child) => isLeafCstNode(child) && child.tokenType.name === '{') + 1;
  return begin === 0 || close === undefined || !isLeafCstNode(close) || close.tokenType.name !== '}' ? undefined : { node, property, members, cst, begin, close };
}

function windowOf(block: Block | undefined, edit: Edit, oldText: string): Window | undefined {
  if (block === undefined) return undefined;
  const { members, cst, begin, close } = block;
  const touched = touchedMembers(members, edit);
  const first = Math.max(touched.first - 1, 0);
  const { end } = touched;
  const before = first > 0 ? members[first - 1]!.$cstNode! : cst.content[begin - 1];
  const from = before?.end ?? 0;
  // Nothing that the lexer saw of the token before may have changed.
  if (first > 0 && !/[\s}]/.test(oldText.charAt(from)) && oldText.charAt(from - 1) !== '}') return undefined;
  return {
    block, first, end, from, to: members[end]?.$cstNode?.offset ?? close?.offset ?? oldText.length,
    cstFirst: first > 0 ? cst.content.indexOf(members[first - 1]!.$cstNode!) + 1 : begin,
    cstEnd: indexOfStaying(cst, members[end], close),
  };
}

const indexOfStaying = (cst: CompositeCstNode, member: AstNode | undefined, close: CstNode | undefined): number => {
  const staying = member?.$cstNode ?? close;
  return staying === undefined ? cst.content.length : cst.content.indexOf(staying);
};

// ------------------------------------------------------------------------------------------------ tokens

/** How lines and columns of what stays have moved. */
interface Move {
  readonly lines: number;
  /** Columns move in this line of the old text only. */
  readonly line: number;
  readonly columns: number;
}

interface LexedWindow extends LexerResult {
  readonly moved: Move;
  /** Where the last of the tokens ends. */
  readonly end: number;
}

/** The tokens from the beginning of the window to the end of the first thing that stays; nothing when that is no longer the same. */
function lexWindow(lexer: Lexer, window: Window, shift: number, text: string): LexedWindow | undefined {
  const { block } = window;
  const staying = stayingOf(window);
  const end = staying === undefined ? text.length : staying.end + shift;
  const result = lexer.tokenize(text.slice(window.from, end));
  if (result.errors.length > 0) return undefined;
  const before = window.first > 0 ? block.members[window.first - 1]!.$cstNode! : block.cst.content[block.begin - 1];
  const start = before?.range.end ?? { line: 0, character: 0 };
  const place = (token: IToken): IToken => placed(token, window.from, start.line, start.character);
  const tokens = result.tokens.map(place);
  const hidden = result.hidden.map(place);
  if (staying === undefined) return { ...result, tokens, hidden, moved: { lines: 0, line: -1, columns: 0 }, end: Infinity };

  const leaves = leavesOf(staying);
  const first = tokens.length - leaves.filter((leaf) => !leaf.hidden).length;
  const sync = tokens[first];
  if (sync === undefined || !(sync.image === '}' || /[\s}]/.test(text.charAt(sync.startOffset - 1)))) return undefined;
  const seen = [...tokens.slice(first), ...hidden.filter((token) => token.startOffset >= sync.startOffset)].sort((a, b) => a.startOffset - b.startOffset);
  if (seen.length !== leaves.length || !leaves.every((leaf, i) => seen[i]!.tokenType === leaf.tokenType && seen[i]!.startOffset === leaf.offset + shift && seen[i]!.image.length === leaf.length)) return undefined;
  const old = staying.range.start;
  return { ...result, tokens, hidden, moved: { lines: sync.startLine! - 1 - old.line, line: old.line, columns: sync.startColumn! - 1 - old.character }, end };
}

function placed(token: IToken, offset: number, line: number, column: number): IToken {
  const columnOf = (ofLine: number | undefined, it: number | undefined): number => it! + (ofLine === 1 ? column : 0);
  return Object.assign(token, {
    startOffset: token.startOffset + offset, endOffset: token.endOffset! + offset, startColumn: columnOf(token.startLine, token.startColumn), endColumn: columnOf(token.endLine, token.endColumn),
    startLine: token.startLine! + line, endLine: token.endLine! + line,
  });
}

const leavesOf = (node: CstNode): LeafCstNode[] => CstUtils.flattenCst(node).toArray();

const STILL: Move = { lines: 0, line: -1, columns: 0 };

function tokenOf(leaf: LeafCstNode, text: string, shift: number, move: Move): IToken {
  const { offset, end, tokenType, range } = leaf;
  const [from, to] = [range.start, range.end].map(({ line, character }) => ({ line: line + move.lines + 1, column: character + (line === move.line ? move.columns : 0) }));
  return createTokenInstance(tokenType, text.slice(offset + shift, end + shift), offset + shift, end + shift - 1, from!.line, to!.line, from!.column + 1, to!.column);
}

interface Head {
  readonly tokens: readonly IToken[];
  readonly hidden: readonly IToken[];
  readonly from: number;
  readonly to: number;
}

/** What stands before the members of a block, the brace included. The edit is behind it. */
function headOf({ cst, begin }: Block): Head {
  const leaves = cst.content.slice(0, begin).flatMap(leavesOf);
  const text = cst.root.fullText;
  const tokens = (hidden: boolean): IToken[] => leaves.filter((leaf) => leaf.hidden === hidden).map((leaf) => tokenOf(leaf, text, 0, STILL));
  return { tokens: tokens(false), hidden: tokens(true), from: leaves[0]!.offset, to: leaves.at(-1)!.end };
}

/** Of all blocks around the window, from inside to outside; one that ends the window is among its tokens. */
function closingBraces(path: readonly Block[], window: Window, text: string, shift: number, move: Move): IToken[] {
  const braces = path.flatMap(({ close }) => (close === undefined || close === stayingOf(window) ? [] : [close]));
  return braces.reverse().map((brace) => tokenOf(brace, text, shift, move));
}

/** The far looks of the whole text; nothing when one crossed from what is parsed into what stays, or the other way. */
function joinLooks(old: readonly Look[], fresh: readonly Look[], window: Window, edit: Edit, heads: readonly Head[], end: number): Look[] | undefined {
  const before = old.filter((look) => look.from < window.from);
  if (before.some((look) => look.to >= edit.start)) return undefined;
  const parts = [...heads, { from: window.from, to: end }];
  const staying = window.to + edit.shift;
  const inWindow = fresh.filter((look) => look.from >= window.from && look.from < staying);
  const crosses = (look: Look): boolean => !parts.some((part) => part.from <= look.from && look.to <= part.to);
  if (fresh.some((look) => look.from < staying && crosses(look))) return undefined;
  return [...before, ...inWindow, ...old.filter((look) => look.from >= window.to).map((look) => ({ from: look.from + edit.shift, to: look.to + edit.shift }))];
}

// ------------------------------------------------------------------------------------------------ trees

/** The blocks of the new tree that correspond to those of the old; nothing when the edit closed or opened one. */
function newBlocks(root: AstNode, path: readonly Block[], window: Window, shift: number): Block[] | undefined {
  const blocks: Block[] = [];
  let node: AstNode | undefined = root;
  for (const [depth, old] of path.entries()) {
    const block: Block | undefined = node === undefined || node.$type !== old.node.$type ? undefined : blockOf(node);
    const inner = depth + 1 === path.length;
    if (block === undefined || (!inner && block.members.length !== 1)) return undefined;
    blocks.push(block);
    node = inner ? undefined : block.members[0];
  }
  const inner = blocks.at(-1)!;
  const stays = path.at(-1)!.members[window.end] !== undefined;
  if (inner.close !== undefined && !stays && inner.close.offset !== window.to + shift) return undefined;
  return !stays || inner.members.at(-1)!.$cstNode!.offset === window.to + shift ? blocks : undefined;
}

/** Puts back what stood around `inner`. */
function keepAround(old: Block, block: Block, inner: AstNode, shift: number, move: Move): void {
  const at = old.members.indexOf(inner);
  const cstAt = old.cst.content.indexOf(inner.$cstNode!);
  const after = old.cst.content.slice(cstAt + 1);
  for (const node of after) moveNode(node, shift, move);
  setMembers(block, [...old.members.slice(0, at), ...block.members, ...old.members.slice(at + 1)]);
  setContent(block.cst, [...block.cst.content.slice(0, block.begin), ...old.cst.content.slice(old.begin, cstAt), block.members[0]!.$cstNode!, ...after]);
}

/** Puts back what stood before and after the window. */
function keepBesides(block: Block, window: Window, shift: number, move: Move): void {
  const old = window.block;
  const stays = old.members[window.end] !== undefined;
  const fresh = stays ? block.members.slice(0, -1) : block.members;
  const freshCst = block.cst.content.slice(block.begin, indexOfStaying(block.cst, stays ? block.members.at(-1) : undefined, block.close));
  const after = old.cst.content.slice(window.cstEnd);
  for (const node of after) moveNode(node, shift, move);
  setMembers(block, [...old.members.slice(0, window.first), ...fresh, ...old.members.slice(window.end)]);
  setContent(block.cst, [...block.cst.content.slice(0, block.begin), ...old.cst.content.slice(old.begin, window.cstFirst), ...freshCst, ...after]);
}

function setMembers({ node, property }: Block, members: readonly AstNode[]): void {
  Object.assign(node, { [property]: members });
  members.forEach((member, index) => Object.assign(member, { $container: node, $containerProperty: property, $containerIndex: index }));
}

function setContent(cst: CompositeCstNode, content: CstNode[]): void {
  (cst as Mutable<CompositeCstNode>).content = content;
  for (const child of content) (child as Mutable<CstNode>).container = cst;
}

/** The fields of Langium's nodes that say where they stand. */
interface LeafPosition { _offset: number; _startLine: number; _startColumn: number; _endLine: number; _endColumn: number }

function moveNode(node: CstNode, shift: number, move: Move): void {
  if (isCompositeCstNode(node)) {
    (node as unknown as { _rangeCache: undefined })._rangeCache = undefined;
    for (const child of node.content) moveNode(child, shift, move);
    return;
  }
  const leaf = node as unknown as LeafPosition;
  leaf._offset += shift;
  if (leaf._startLine === move.line) leaf._startColumn += move.columns;
  if (leaf._endLine === move.line) leaf._endColumn += move.columns;
  leaf._startLine += move.lines;
  leaf._endLine += move.lines;
}
