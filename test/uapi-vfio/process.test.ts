import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { physical, virtual } from '../../server/simulator/memory/address.js';
import { Process, type MemoryArea } from '../../server/simulator/uapi/process.js';
import { anonymous, outcomeOf, PAGE } from './machine.js';

const READ = { read: true, write: false };
const WRITE = { read: true, write: true };
const newProcess = (): Process => new Process('p', { lockedPages: 0 }, new Set(), null);

/** Areas without gaps between them, in pieces of a few pages that are contiguous or not. */
const layouts = fc.array(fc.record({ pieces: fc.array(fc.record({ pages: fc.integer({ min: 1, max: 5 }), gap: fc.integer({ min: 0, max: 2 }) }), { minLength: 1, maxLength: 6 }) }), { minLength: 1, maxLength: 4 });

function lay(process: Process, layout: readonly { readonly pieces: readonly { readonly pages: number; readonly gap: number }[] }[]): { readonly size: bigint; readonly pageAt: (offset: bigint) => bigint } {
  const frames: bigint[] = [];
  let start = 0x10_0000n;
  let next = 0x8000_0000n;
  for (const { pieces } of layout) {
    const made: { physical: ReturnType<typeof physical>; size: bigint }[] = [];
    for (const { pages, gap } of pieces) {
      next += BigInt(gap) * PAGE;
      made.push({ physical: physical(next), size: BigInt(pages) * PAGE });
      for (let i = 0; i < pages; i++) frames.push(next + BigInt(i) * PAGE);
      next += BigInt(pages) * PAGE;
    }
    const size = made.reduce((sum, piece) => sum + piece.size, 0n);
    const area: MemoryArea = { start: virtual(start), size, kind: 'anonymous', writable: true, pieces: made, name: 'area' };
    process.areas.push(area);
    start += size;
  }
  return { size: start - 0x10_0000n, pageAt: (offset) => frames[Number(offset / PAGE)]! };
}

describe('SRC-10: memory of a process', () => {
  test('pieces cover exactly the range, page for page, and neighbours are joined', () => {
    fc.assert(fc.property(layouts, fc.nat(), fc.nat(), (layout, a, b) => {
      const process = newProcess();
      const { size, pageAt } = lay(process, layout);
      const from = BigInt(a) % size;
      const length = (BigInt(b) % (size - from)) + 1n;
      let offset = from;
      let before: { physical: bigint; size: bigint } | undefined;
      for (const piece of process.pieces(0x10_0000n + from, length, WRITE)) {
        for (let at = 0n; at < piece.size; at += PAGE) expect(piece.physical + at).toBe(pageAt(offset + at) + ((offset + at) % PAGE));
        if (before !== undefined) expect(before.physical + before.size).not.toBe(piece.physical);
        before = piece;
        offset += piece.size;
      }
      expect(offset).toBe(from + length);
    }));
  });

  test('VFT-40: pieces before a bad page are given out before EFAULT', () => {
    const process = newProcess();
    process.areas.push(anonymous(0x10_0000n, 2n * PAGE, 0x8000_0000n));
    const seen: bigint[] = [];
    expect(outcomeOf(() => {
      for (const piece of process.eachPiece(0x10_0000n, 3n * PAGE, READ)) seen.push(piece.size);
    })).toBe('EFAULT');
    expect(seen).toEqual([2n * PAGE]);
  });

  test('VFT-43: read-only memory can be read and not written', () => {
    const process = newProcess();
    process.areas.push(anonymous(0x10_0000n, PAGE, 0x8000_0000n, false));
    expect(outcomeOf(() => process.pieces(0x10_0000n, PAGE, READ))).toBe('ok');
    expect(outcomeOf(() => process.pieces(0x10_0000n, PAGE, WRITE))).toBe('EFAULT');
  });

  test('descriptors: the lowest free one is taken, a closed one is EBADF', () => {
    const process = newProcess();
    const file = { kind: 'other' as const, release: () => undefined };
    const [first, second] = [process.open(file), process.open(file)];
    expect([first, second]).toEqual([3, 4]);
    process.close(first);
    expect(outcomeOf(() => process.file(first))).toBe('EBADF');
    expect(process.open(file)).toBe(first);
  });
});
