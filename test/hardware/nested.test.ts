/** VTD-44: a nested walk is the first stage, then the second, whatever both map; checked against the driver's own reading of the tables. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, physical, request, unitDescription } from './request.js';

const DSA = 0x0100;
const PAGE = 4096n;
const LARGE = 0x20_0000n;
/** Guest memory: tables from 0 on, below 64 KiB; data up to 4 MiB. */
const TABLES_END = 0x1_0000n;
const GUEST_PAGES = 1024;
/** The parent maps so many pages at a time. */
const CHUNK = 16;
const CHUNKS = GUEST_PAGES / CHUNK;
const HOST = 0x1_0000_0000n;

/** A leaf of the user's table: at page `at` of the first GiB or of the last one of the lower half, of 4 KiB or of 2 MiB. */
const leaf = fc.record({ at: fc.nat(0x3ffff), high: fc.boolean(), guestPage: fc.nat(GUEST_PAGES - 1), write: fc.boolean(), large: fc.nat(3).map((n) => n === 0), user: fc.nat(7).map((n) => n > 0) });
/** What the parent maps: chunks of guest memory, some missing, some read-only; the upper half in one leaf of 2 MiB or as the lower. */
const below = fc.record({ large: fc.boolean(), missing: fc.uniqueArray(fc.integer({ min: 1, max: CHUNKS - 1 }), { maxLength: 20 }), readOnly: fc.nat(5), turn: fc.nat(CHUNKS) });

interface Leaf {
  readonly start: bigint;
  readonly size: bigint;
  readonly guest: bigint;
  readonly write: boolean;
  readonly user: boolean;
}

describe('VTD-44: nested tables', () => {
  it('lead where first stage and parent lead one after the other', () => {
    const seen = new Set<string>();
    fc.assert(fc.property(fc.array(leaf, { minLength: 1, maxLength: 12 }), below, fc.array(fc.tuple(fc.nat(200), fc.nat(0x1f_ffff), fc.boolean()), { minLength: 8, maxLength: 8 }), (wanted, parentSays, asked) => {
      const memory = new PhysicalMemory();
      const unit = new VtdUnit(unitDescription('vtd', { scalableMode: true, firstStage: true, nested: true, pasidBits: 20 }), memory, kernel(6019, { intel_iommu: 'on,sm_on' }));
      const parent = unit.createPageTable('nest-parent');
      const missing = new Set(parentSays.missing);
      for (let chunk = 0; chunk < CHUNKS; chunk++) {
        if (missing.has(chunk) || (parentSays.large && chunk >= CHUNKS / 2)) continue;
        // They are turned round, so that neighbours are none in the host; the one with the tables can always be written.
        const host = HOST + BigInt(((chunk * 7 + parentSays.turn) % CHUNKS) * CHUNK) * PAGE;
        parent.map(iova(BigInt(chunk * CHUNK) * PAGE), physical(host), BigInt(CHUNK) * PAGE, { read: true, write: chunk === 0 || chunk % 6 !== parentSays.readOnly });
      }
      if (parentSays.large) parent.map(iova(BigInt(GUEST_PAGES / 2) * PAGE), physical(HOST + 0x4000_0000n), LARGE, { read: true, write: true });
      const leaves = writeTable(memory, (guest) => parent.lookup(iova(guest))!.physical, wanted);
      unit.setDeviceEntry(DSA, { kind: 'paging', table: parent, domainId: 2, ats: false, userTable: { root: 0n, levels: 4, writeProtect: false, supervisor: false } });
      for (const [which, offset, write] of asked) {
        const { start, size } = leaves[which % leaves.length]!;
        const address = start + (BigInt(offset) % (size * 2n)) & ~7n;
        const expected = expectedOf(leaves, address, write, (guest) => parent.lookup(iova(guest)));
        const answer = unit.translate(request(DSA, write ? 'write' : 'read', address, { size: 8 }), null);
        seen.add(typeof expected === 'number' ? expected.toString(16) : 'address');
        expect(answer.kind === 'address' ? answer.address : answer.kind === 'fault' ? answer.code : answer.kind).toBe(expected);
      }
    }), { numRuns: 120 });
    expect([...seen]).toEqual(expect.arrayContaining(['71', '79', '81', '85', 'address']));
  });
});

/** Writes the user's table into guest memory, root at 0. @returns the leaves that found room */
function writeTable(memory: PhysicalMemory, hostOf: (guest: bigint) => bigint, wanted: readonly (typeof leaf extends fc.Arbitrary<infer T> ? T : never)[]): Leaf[] {
  let next = PAGE;
  const word = (table: bigint, index: bigint): bigint => hostOf(table) + index * 8n;
  const tableBelow = (table: bigint, index: bigint): bigint | null => {
    const known = memory.readWord(physical(word(table, index)));
    if ((known & 0x80n) !== 0n) return null;
    if (known !== 0n) return known & ~0xfffn;
    if (next === TABLES_END) return null;
    memory.writeWord(physical(word(table, index)), next | 7n);
    next += PAGE;
    return next - PAGE;
  };
  const leaves: Leaf[] = [];
  for (const { at, high, guestPage, write, large, user } of wanted) {
    const size = large ? LARGE : PAGE;
    const start = (high ? 0x7fff_c000_0000n : 0n) + (BigInt(at) * PAGE) / size * size;
    const guest = (BigInt(guestPage) * PAGE) / size * size;
    let table: bigint | null = 0n;
    for (const shift of large ? [39n, 30n] : [39n, 30n, 21n]) table = table === null ? null : tableBelow(table, (start >> shift) & 511n);
    const index = (start >> (large ? 21n : 12n)) & 511n;
    if (table === null || memory.readWord(physical(word(table, index))) !== 0n) continue;
    memory.writeWord(physical(word(table, index)), guest | 1n | (write ? 2n : 0n) | (user ? 4n : 0n) | (large ? 0x80n : 0n));
    leaves.push({ start, size, guest, write, user });
  }
  return leaves;
}

/** An address of the host, or a fault reason. */
function expectedOf(leaves: readonly Leaf[], address: bigint, write: boolean, lookup: (guest: bigint) => { physical: bigint; permission: { read: boolean; write: boolean } } | null): bigint | number {
  const upper = leaves.find(({ start, size }) => start <= address && address < start + size);
  if (upper === undefined) return address < 1n << 47n ? 0x71 : 0x80;
  if (!upper.user) return 0x81;
  if (write && !upper.write) return 0x85;
  const lower = lookup(upper.guest + (address - upper.start));
  return lower === null || (write && !lower.permission.write) ? 0x79 : lower.physical;
}
