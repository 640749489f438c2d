/**
 * Where the cursor is, from the words before it alone: in which block, in which statement, after which words. Works in text that
 * does not parse, as text does while it is typed.
 */
import { VERBS } from '../../server/simulator/scenario/verbs.js';
import { propertiesOf, type Holder } from '../properties.js';

/** Kinds of blocks; what may stand in each is in `STARTS`. */
export type Block = 'file' | 'host' | 'kernel' | 'function' | 'iommu' | 'platform' | 'mdev' | 'group' | 'vm' | 'process' | 'domain' | 'scenario' | 'details';

export interface Cursor {
  readonly block: Block;
  /** Words of the unfinished statement before the cursor, the first its keyword; empty at the start of one. */
  readonly statement: readonly string[];
}

export const HOLDER_OF: Partial<Readonly<Record<Block, Holder>>> = { function: 'function', iommu: 'iommu', platform: 'platform', mdev: 'mdev', vm: 'vm', process: 'process' };

const FUNCTION_KINDS = ['root-port', 'function', 'integrated', 'event-collector', 'switch', 'port', 'bridge', 'virtual-function'];
const HOST_ITEMS = ['kernel', 'cpu', 'firmware', 'memory', 'iommu', ...FUNCTION_KINDS, 'platform', 'mdev', 'reserved', 'dma-ranges', 'words', 'bind', 'group'];

/** Keywords of the statements that may stand in a block, beside its simple properties. */
const KEYWORDS: Readonly<Record<Block, readonly string[]>> = {
  file: ['use', 'let', 'host', 'group', 'vm', 'process', 'domain', 'scenario', 'dma', 'never', 'bind', 'pasid-set'],
  host: HOST_ITEMS,
  kernel: ['cmdline', 'options', 'parameters'],
  function: [...FUNCTION_KINDS, 'buses', 'bar', 'window', 'sriov', 'behind'],
  iommu: ['covers', 'id-map', 'id-group', 'acpi-device', 'register'],
  platform: ['iommu', 'resource'],
  mdev: [], group: [], details: [],
  vm: ['memory', 'assign'], process: ['memory', 'assign'],
  domain: ['map', 'attach'],
  scenario: ['memory', 'dma', 'by', ...VERBS.map((verb) => verb.verb)],
};

const STARTS = new Map<Block, ReadonlySet<string>>((Object.keys(KEYWORDS) as Block[]).map((block) => {
  const holder = HOLDER_OF[block];
  return [block, new Set([...KEYWORDS[block], ...(holder === undefined ? [] : propertiesOf(holder).map((property) => property.key))])];
}));

export const startsOf = (block: Block): ReadonlySet<string> => STARTS.get(block)!;

/** What the brace after a statement opens. */
const BLOCK_OF: Readonly<Record<string, Block>> = {
  host: 'host', kernel: 'kernel', iommu: 'iommu', platform: 'platform', mdev: 'mdev', group: 'group', vm: 'vm', process: 'process',
  domain: 'domain', scenario: 'scenario', ...Object.fromEntries(FUNCTION_KINDS.map((kind) => [kind, 'function' as const])),
};

/** After these a word belongs to the statement, even when it could begin one. */
const DEMANDING: ReadonlySet<string> = new Set([',', ':', '.', '+', '=', '!', '..', 'at', 'of', 'on', 'to', 'in', 'for', 'from', 'reaches', 'expect', 'iova', 'size', 'vaddr', 'value']);
export const demands = (word: string | undefined): boolean => word !== undefined && DEMANDING.has(word);

/** @param words all tokens before the cursor, but for the word that is being typed. */
export function cursorAfter(words: readonly string[]): Cursor {
  const outer: { block: Block }[] = [];
  let block: Block = 'file';
  let statement: string[] = [];
  for (const word of words) {
    if (word === '{') {
      outer.push({ block });
      block = BLOCK_OF[statement[0] ?? ''] ?? 'details';
      statement = [];
    } else if (word === '}') {
      block = outer.pop()?.block ?? 'file';
      statement = [];
    } else if (startsStatement(word, block, statement)) {
      statement = [word];
    } else {
      statement.push(word);
    }
  }
  return { block, statement };
}

function startsStatement(word: string, block: Block, statement: readonly string[]): boolean {
  if (!startsOf(block).has(word)) return false;
  if (demands(statement.at(-1))) return false;
  if (statement[0] === 'dma' && statement.length === 2) return false;
  return !(statement[0] === 'by' && statement.length <= 2);
}
