import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { physical } from '../../server/simulator/memory/address.js';
import { PhysicalMemory, ResourceLimit, TABLE_TOP } from '../../server/simulator/memory/physical-memory.js';

describe('PhysicalMemory', () => {
  it('reads what was written, wherever, and 0 elsewhere', () => {
    const word = fc.tuple(fc.bigInt(0n, (1n << 61n) - 1n), fc.bigInt(0n, (1n << 64n) - 1n));
    fc.assert(fc.property(fc.array(word), (words) => {
      const memory = new PhysicalMemory();
      const expected = new Map(words.map(([index, value]) => [index * 8n, value]));
      for (const [index, value] of words) memory.writeWord(physical(index * 8n), value);
      for (const [address, value] of expected) expect(memory.readWord(physical(address))).toBe(value);
    }));
    expect(new PhysicalMemory().readWord(physical(0xffff_ffff_ffff_fff8n))).toBe(0n);
  });

  it('keeps frames apart on both sides of 16 TiB and of every block of frames', () => {
    const memory = new PhysicalMemory();
    const frames = [0, 4095, 4096, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 4097, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 32 + 4096, 2 ** 33, 2 ** 52 - 1];
    frames.forEach((frame, i) => (memory.pageForWriting(frame)[0] = i + 1));
    expect(frames.map((frame) => memory.page(frame)?.[0])).toEqual(frames.map((_, i) => i + 1));
    frames.forEach((frame) => memory.forget(frame));
    expect(frames.map((frame) => memory.page(frame))).toEqual(frames.map(() => undefined));
  });

  it('stops at its limit, and counts what is forgotten', () => {
    const memory = new PhysicalMemory(2);
    memory.pageForWriting(1);
    memory.pageForWriting(9_000_000);
    expect(() => memory.pageForWriting(3)).toThrow(ResourceLimit);
    memory.forget(1);
    memory.forget(1);
    memory.pageForWriting(3);
    expect(() => memory.pageForWriting(4)).toThrow(ResourceLimit);
  });

  it('hands frames out downwards and takes them back', () => {
    const memory = new PhysicalMemory();
    const top = Number(TABLE_TOP >> 12n);
    expect([memory.allocate(), memory.allocate(4), memory.allocate()]).toEqual([top - 1, top - 5, top - 6]);
    memory.pageForWriting(top - 1)[0] = 1;
    memory.release(top - 1);
    expect(memory.allocate()).toBe(top - 1);
    expect(memory.page(top - 1)).toBeUndefined();
  });

  it('answers only where memory is installed, when that is known', () => {
    const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0x1000n), last: physical(0x2fffn) }] });
    expect([0, 1, 2, 3].map((frame) => memory.answers(frame))).toEqual([false, true, true, false]);
    expect(new PhysicalMemory().answers(2 ** 40)).toBe(true);
  });
});
