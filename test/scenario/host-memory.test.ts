import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Refusal } from '../../server/simulator/errno.js';
import { physical } from '../../server/simulator/memory/address.js';
import { placeGuestMemory } from '../../server/simulator/scenario/guest-memory.js';
import { HostMemory } from '../../server/simulator/scenario/host-memory.js';

const GIB = 1n << 30n;
const RAM = [{ start: physical(0n), last: physical(2n * GIB - 1n) }, { start: physical(4n * GIB), last: physical(20n * GIB - 1n) }];
const TABLE_TOP = 18n * GIB;

test('memory is given out once, aligned to its backing, inside RAM and outside the page tables', () => {
  const request = fc.record({ pages: fc.bigInt(1n, 1n << 18n), backing: fc.constantFrom(1n << 12n, 1n << 21n, 1n << 30n) });
  fc.assert(fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
    const memory = new HostMemory(RAM, TABLE_TOP);
    const given: { start: bigint; end: bigint }[] = [];
    for (const { pages, backing } of requests) {
      const size = pages << 12n;
      try {
        const stretches = memory.allocate(size, backing);
        expect(stretches.reduce((sum, stretch) => sum + stretch.size, 0n)).toBe(size);
        for (const { physical: start, size: bytes } of stretches) {
          expect(start % backing).toBe(0n);
          given.push({ start, end: start + bytes });
        }
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        expect(refusal.errno).toBe('ENOMEM');
      }
    }
    given.sort((a, b) => (a.start < b.start ? -1 : 1));
    given.forEach((stretch, index) => {
      expect(RAM.some((ram) => ram.start <= stretch.start && stretch.end <= ram.last + 1n)).toBe(true);
      expect(stretch.start >= TABLE_TOP || stretch.end <= TABLE_TOP - GIB).toBe(true);
      if (index > 0) expect(given[index - 1]!.end <= stretch.start).toBe(true);
    });
  }), { numRuns: 200 });
});

test('a stretch is aligned to nothing larger than its backing, so that page tables use leaves of that size', () => {
  const [stretch] = new HostMemory(RAM, TABLE_TOP).allocate(4n * GIB, 1n << 21n);
  expect(stretch!.physical % (1n << 22n)).toBe(1n << 21n);
});

test.each([
  [2n * GIB, 'intel', ['0x0 0x80000000']],
  [8n * GIB, 'intel', ['0x0 0x80000000', '0x100000000 0x180000000']],
  [1011n * GIB, 'amd', ['0x0 0x80000000', '0x10000000000 0xfc40000000']],
  [1011n * GIB, 'intel', ['0x0 0x80000000', '0x100000000 0xfc40000000']],
] as const)('guest memory of %s bytes on %s', (size, vendor, expected) => {
  expect(placeGuestMemory(size, vendor).map((range) => `0x${range.iova.toString(16)} 0x${range.size.toString(16)}`)).toEqual(expected);
});
