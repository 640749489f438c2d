/** The tree in which kernels before 6.18 keep a container's mappings: as a sorted list where nothing wraps, and its own way where something does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ADDRESS_MAX, type AddressRange } from '../../server/simulator/memory/address.js';
import { Process } from '../../server/simulator/uapi/process.js';
import { Mapping } from '../../server/simulator/uapi/vfio/type1/mapping.js';
import { SortedRecords } from '../../server/simulator/uapi/vfio/type1/records.js';
import { SearchTree } from '../../server/simulator/uapi/vfio/type1/search-tree.js';

const PAGE = 0x1000n;
const process = new Process('test', { lockedPages: 0 }, new Set(), null);
const page = (number: number, pages = 1): AddressRange => ({ start: BigInt(number) * PAGE, last: BigInt(number + pages) * PAGE - 1n });
const mapping = (range: AddressRange): Mapping => new Mapping(range, 0n, { read: true, write: true }, process, true);
const LAST_PAGE = { start: ADDRESS_MAX - PAGE + 1n, last: ADDRESS_MAX };

/** Records in which every page holds itself, made and removed in the order of `numbers`. */
function filled(numbers: readonly number[]): { tree: SearchTree; sorted: SortedRecords } {
  const tree = new SearchTree();
  const sorted = new SortedRecords();
  for (const number of numbers) {
    const known = sorted.at(page(number).start);
    const made = known ?? mapping(page(number));
    for (const records of [tree, sorted]) known === undefined ? records.insert(made) : records.remove(made);
  }
  return { tree, sorted };
}

const numbers = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200 });

describe('VFT-40, VFT-51: where nothing wraps', () => {
  test('the tree holds and finds what a sorted list does', () => {
    fc.assert(fc.property(numbers, fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 }), (order, first, pages) => {
      const { tree, sorted } = filled(order);
      const range = page(first, pages);
      expect([...tree.entries()]).toEqual([...sorted.entries()]);
      expect([...tree.overlapping(range)]).toEqual([...sorted.overlapping(range)]);
      expect(tree.at(range.start)).toBe(sorted.at(range.start));
      expect(tree.overlap(range) === undefined).toBe(sorted.overlap(range) === undefined);
      expect(tree.size).toBe(sorted.size);
    }));
  });

  test('each that is met may be removed', () => {
    fc.assert(fc.property(numbers, (order) => {
      const { tree } = filled(order);
      for (const each of tree.entries()) tree.remove(each);
      expect(tree.size).toBe(0);
      expect([...tree.entries()]).toEqual([]);
    }));
  });
});

describe('VFT-50: whom a search meets first', () => {
  test.each([
    [[0, 1, 2], 1], [[2, 1, 0], 1], [[0, 1, 2, 3], 1], [[3, 2, 1, 0], 2], [[0, 1, 2, 3, 4, 5], 1], [[0, 1, 2, 3, 4, 5, 6, 7], 3],
    // The following node takes the place of a removed one with two children.
    [[0, 1, 2, 3, 1], 2], [[0, 1, 2, 3, 4, 5, 6, 7, 3], 4],
  ])('of pages made, or removed, in the order %j it is page %i', (order, root) => {
    expect(filled(order).tree.overlap(page(0, 100))?.range).toEqual(page(root));
  });
});

describe('VFT-40: a mapping that ends at the last address', () => {
  test('is not found before 6.18, so that another may be made over it; it goes with ALL', () => {
    const tree = new SearchTree();
    tree.insert(mapping(page(1)));
    tree.insert(mapping(LAST_PAGE));
    expect(tree.overlap(LAST_PAGE)).toBeUndefined();
    expect([...tree.overlapping(LAST_PAGE)]).toEqual([]);
    expect([...tree.overlapping({ start: 0n, last: ADDRESS_MAX - 1n })].map(({ range }) => range)).toEqual([page(1), LAST_PAGE]);
  });

  test('is found since', () => {
    const records = new SortedRecords();
    records.insert(mapping(LAST_PAGE));
    expect(records.overlap(LAST_PAGE)?.range).toEqual(LAST_PAGE);
  });
});
