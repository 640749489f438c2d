/** What a first-stage table says that a user keeps in its own memory (NST-01): read, never written. */
import { frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { UserMapping, UserTable } from '../architecture.js';
import { LONG_MODE } from '../long-mode.js';

const ENTRIES = 512;
const ENTRY_SHIFT = 9n;
const PAGE_SHIFT = 12n;

/** @param physicalOf where an address of the user's memory is; null = nowhere */
export function* userMappings(memory: PhysicalMemory, { root, levels }: UserTable, physicalOf: (address: bigint) => bigint | null): Generator<UserMapping> {
  yield* tableMappings(root, levels, 0n, true);

  function* tableMappings(table: bigint, level: number, base: bigint, writable: boolean): Generator<UserMapping> {
    const physical = physicalOf(table);
    const page = physical === null ? undefined : memory.page(frameOf(physical));
    if (page === undefined) return;
    const span = 1n << (PAGE_SHIFT + ENTRY_SHIFT * BigInt(level - 1));
    for (let index = 0; index < ENTRIES; index++) {
      const low = page[2 * index]!;
      if ((low & LONG_MODE.present) === 0) continue;
      const target = BigInt(frameOfEntry(low, page[2 * index + 1]!)) << PAGE_SHIFT;
      const write = writable && (low & LONG_MODE.writable) !== 0;
      const start = base + BigInt(index) * span;
      const leaf = level === 1 || (low & LONG_MODE.pageSize) !== 0;
      if (leaf) yield { start, size: span, address: target & -span, permission: { read: true, write } };
      else yield* tableMappings(target, level - 1, start, write);
    }
  }
}
