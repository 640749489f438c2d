/** The driver's tables and the silicon's walk meet only in simulated memory: what one writes, the other must read. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IommuDescription } from '../../server/simulator/description.js';
import type { IommuUnit, PageTable } from '../../server/simulator/hardware/architecture.js';
import { architectureOf } from '../../server/simulator/hardware/registry.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, physical, request, unitDescription } from './request.js';

const DEVICE = 0x0300;

interface Shape {
  readonly name: string;
  readonly description: IommuDescription;
  readonly version: number;
  /** Bits of input address. */
  readonly width: number;
  readonly options?: Readonly<Record<string, string>>;
  /** Nothing goes where an unmap starts inside a leaf. */
  readonly keepsLeaves?: boolean;
}

const SHAPES: readonly Shape[] = [
  ...[[3, 39], [4, 48], [5, 57]].flatMap(([levels, width]) => [6012, 6019].map((version): Shape => ({
    name: `VT-d, ${levels} levels, ${version}`, version, width: width!, description: unitDescription('vtd', { addressWidth: width!, levels: [levels!], physicalWidth: 52 }),
  }))),
  ...[{ firstStage: true, width: 47 }, { firstStage: false, width: 48 }].map(({ firstStage, width }): Shape => ({
    name: `VT-d, scalable mode, ${firstStage ? 'first' : 'second'} stage`, version: 6012, width,
    description: unitDescription('vtd', { addressWidth: 48, scalableMode: true, firstStage, physicalWidth: 52 }),
  })),
  ...[[4, 48], [6, 64]].flatMap(([levels, width]) => [6012, 6019].map((version): Shape => ({
    name: `AMD-Vi, up to ${levels} levels, ${version}`, version, width: width!, description: unitDescription('amd-vi', { levels: [levels!] }),
  }))),
  // PGS-05
  ...[[6001, 48, 48], [6012, 57, 57], [6019, 48, 47], [6019, 57, 56]].map(([version, addressWidth, width]): Shape => ({
    name: `AMD-Vi, version 2 of ${addressWidth} bits, ${version}`, version: version!, width: width!, options: { amd_iommu: 'pgtbl_v2' }, description: unitDescription('amd-vi', { firstStage: true, addressWidth: addressWidth! }),
  })),
  // RVI 5: the lower half of what the levels index.
  ...[[39, 38], [48, 47], [57, 56]].flatMap(([addressWidth, width]) => [6013, 7001].map((version): Shape => ({
    name: `RISC-V, first stage of ${addressWidth} bits, ${version}`, version, width: width!, keepsLeaves: version < 7001, description: unitDescription('riscv-iommu', { addressWidth: addressWidth! }),
  }))),
];

function create({ description, version, options = { intel_iommu: 'on,sm_on' } }: Shape): { unit: IommuUnit; table: PageTable; memory: PhysicalMemory } {
  const entry = architectureOf(description.architecture);
  if (!entry.modelled) throw new Error(entry.reason);
  const memory = new PhysicalMemory();
  const unit = entry.architecture.createUnit(description, memory, kernel(version, options));
  const table = unit.createPageTable();
  unit.setDeviceEntry(DEVICE, { kind: 'paging', table, domainId: 7, ats: false });
  return { unit, table, memory };
}

interface Mapping {
  readonly iova: bigint;
  readonly physical: bigint;
  readonly size: bigint;
  readonly permission: { readonly read: boolean; readonly write: boolean };
}

/** Mappings that often touch, straddle superpage borders and reach the end of the address space, and never overlap. */
const mappings = (width: number): fc.Arbitrary<Mapping[]> => {
  const last = (1n << BigInt(width)) - 1n;
  const place = fc.oneof(
    fc.tuple(fc.nat(width - 13), fc.integer({ min: -3, max: 3 })).map(([bit, off]) => (((1n << BigInt(bit + 12)) + BigInt(off) * 4096n) & last) & ~0xfffn),
    fc.bigInt(0n, last).map((address) => address & ~0xfffn),
    fc.constant(last & ~0xfffn),
  );
  const permission = fc.constantFrom({ read: true, write: true }, { read: true, write: false });
  const small = fc.record({
    iova: place,
    physical: fc.bigInt(0x10_0000n, 1n << 45n).map((address) => address & ~0xfffn),
    size: fc.oneof(fc.integer({ min: 1, max: 5 }).map((pages) => BigInt(pages) << 12n), fc.constantFrom(1n << 21n, (1n << 21n) + 4096n)),
    permission,
  });
  // Aligned on both sides, so that they take few entries.
  const large = fc.record({
    iova: place.map((address) => address & ~0x3fff_ffffn),
    physical: fc.nat(20).map((n) => (1n << 40n) + (BigInt(n) << 30n)),
    size: fc.constantFrom(1n << 21n, 1n << 30n, (3n << 29n) + 8192n),
    permission,
  });
  const mapping: fc.Arbitrary<Mapping> = fc.oneof({ weight: 2, arbitrary: small }, { weight: 1, arbitrary: large });
  return fc.array(mapping, { maxLength: 12 }).map((all) => all.reduce<Mapping[]>((kept, each) => {
    const fits = each.iova + each.size - 1n <= last && each.iova < 0xfd_0000_0000n === each.iova + each.size <= 0xfd_0000_0000n;
    const special = (each.iova < 0xff00_0000n && each.iova + each.size > 0xfe00_0000n) || (each.iova >= 0xfd_0000_0000n && each.iova < 0x100_0000_0000n);
    return fits && !special && kept.every((other) => each.iova + each.size <= other.iova || other.iova + other.size <= each.iova) ? [...kept, each] : kept;
  }, []));
};

/** First and last byte, and both sides of every superpage border near them. */
const probes = ({ iova: start, size }: Mapping): bigint[] => [start, start + size - 1n, start + size / 2n, start + 0xfffn].filter((at) => at >= start && at < start + size);

describe.each(SHAPES)('$name', (shape) => {
  it('walker(writer(x)) = x, and unmap restores', () => {
    fc.assert(fc.property(mappings(shape.width), (wanted) => {
      const { unit, table } = create(shape);
      for (const each of wanted) expect(table.map(iova(each.iova), physical(each.physical), each.size, each.permission)).toBeNull();
      const check = (mapped: readonly Mapping[], gone: readonly Mapping[]): void => {
        for (const each of mapped) {
          for (const at of probes(each)) {
            const expected = { kind: 'address', address: each.physical + (at - each.iova), ...each.permission };
            expect(unit.translate(request(DEVICE, 'read', at, { size: 1 }), null)).toMatchObject(expected);
            expect(unit.translate(request(DEVICE, 'write', at, { size: 1 }), null).kind).toBe(each.permission.write ? 'address' : 'fault');
            expect(table.lookup(iova(at))).toMatchObject({ physical: expected.address, permission: each.permission });
          }
        }
        for (const at of gone.flatMap(probes)) {
          expect(unit.translate(request(DEVICE, 'read', at, { size: 1 }), null).kind).toBe('fault');
          expect(table.lookup(iova(at))).toBeNull();
        }
      };
      check(wanted, []);
      const half = wanted.filter((_, i) => i % 2 === 0);
      for (const each of half) expect(table.unmap(iova(each.iova), each.size)).toBe(each.size);
      check(wanted.filter((_, i) => i % 2 === 1), half);
      for (const each of half) expect(table.map(iova(each.iova), physical(each.physical), each.size, each.permission)).toBeNull();
      check(wanted, []);
    }), { numRuns: 60 });
  });

  it('runs() reads back what was mapped, joined and in order', () => {
    fc.assert(fc.property(mappings(shape.width), (wanted) => {
      const { table } = create(shape);
      wanted.forEach((each, i) => table.map(iova(each.iova), physical(each.physical), each.size, each.permission, `m${i}`));
      const { runs, total } = table.runs(100);
      const sorted = wanted.map((each, i) => ({ each, origin: `m${i}` })).sort((a, b) => (a.each.iova < b.each.iova ? -1 : 1));
      expect(total).toBe(wanted.length);
      expect(runs).toMatchObject(sorted.map(({ each, origin }) => ({
        iova: { start: each.iova, last: each.iova + each.size - 1n }, physical: each.physical, permission: each.permission, origin,
      })));
      expect(table.runs(1).runs).toHaveLength(Math.min(1, wanted.length));
    }), { numRuns: 40 });
  });

  it('gives every table page back', () => {
    const { table, memory } = create(shape);
    table.map(iova(0x1000n), physical(0x5000n), 0x40_0000n, { read: true, write: true });
    const root = Number(table.root >> 12n);
    expect(memory.page(root)).toBeDefined();
    table.free();
    expect(memory.page(root)).toBeUndefined();
  });

  it('UNM-02: whole leaves, up to the first hole', () => {
    const { table } = create(shape);
    table.map(iova(0n), physical(0n), 0x20_0000n, { read: true, write: true });
    table.map(iova(0x20_0000n), physical(0x8000_1000n), 0x2000n, { read: true, write: true });
    table.map(iova(0x20_4000n), physical(0x9000_0000n), 0x1000n, { read: true, write: true });
    expect(table.unmap(iova(0x20_2000n), 0x3000n)).toBe(0n);
    expect(table.unmap(iova(0x20_0000n), 0x5000n)).toBe(0x2000n);
    expect(table.lookup(iova(0x20_4000n))).not.toBeNull();
    expect(table.unmap(iova(0x1000n), 0x1000n)).toBe(shape.keepsLeaves === true ? 0n : 0x20_0000n);
    expect(table.lookup(iova(0n)) !== null).toBe(shape.keepsLeaves === true);
  });
});

describe('registry', () => {
  it('says what it does not model, and why', () => {
    for (const name of ['smmuv2', 'dart', 'mock'] as const) {
      expect(architectureOf(name)).toMatchObject({ modelled: false, reason: expect.stringMatching(/is not modelled$/) });
    }
  });
});
