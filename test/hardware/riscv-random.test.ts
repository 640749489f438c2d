/** Whatever is in memory, a RISC-V IOMMU answers once, and looking at it changes nothing; what the driver writes, the unit reads. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { RiscvUnit } from '../../server/simulator/hardware/riscv/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, outcome, physical, READ_WRITE, Recorder, request, unitDescription } from './request.js';
import { AT, DEVICE, mode, ppn, RiscvMachine, V } from './riscv-machine.js';

const FRAMES = [AT.first, AT.second, AT.files, AT.process, AT.second + 1n, AT.first + 1n];
/** Words that mostly point to one of the frames, with any flags. */
const word = fc.tuple(fc.nat(FRAMES.length - 1), fc.bigInt(0n, 0x3ffn), fc.bigInt(0n, 0x3ffn), fc.nat(3)).map(([target, low, high, kind]) =>
  (ppn(FRAMES[target]!) | (kind === 0 ? low : kind === 1 ? V : low & 0xdfn) | (kind === 3 ? high << 54n : 0n)));
const contents = fc.array(fc.array(word, { minLength: 16, maxLength: 16 }), { minLength: FRAMES.length, maxLength: FRAMES.length });
const asked: fc.Arbitrary<UnitRequest> = fc.record({
  access: fc.constantFrom('read', 'write', 'atomic'), addressType: fc.constantFrom('untranslated', 'translated', 'translation-request'),
  at: fc.oneof(fc.nat(0xf_ffff).map(BigInt), fc.bigInt(0n, (1n << 41n) - 1n), fc.bigInt(0n, (1n << 64n) - 1n)),
  pasid: fc.option(fc.nat(0xf_ffff), { nil: undefined }), privileged: fc.boolean(), execute: fc.boolean(),
}).map(({ access, at, ...rest }) => request(DEVICE, access, at & ~3n, rest));
/** Parts of a device context that lead to the tables, mostly. */
const context = fc.record({
  tc: fc.bigInt(0n, 0x3ffn).map((bits) => bits | V), first: fc.constantFrom(0n, 1n, 3n, 8n, 9n), second: fc.constantFrom(0n, 8n, 9n), msi: fc.boolean(), pattern: fc.bigInt(0n, 0xffn), mask: fc.bigInt(0n, 0xfn),
}).map(({ tc, first, second, msi, pattern, mask }) => ({
  tc: first === 1n || first === 3n ? tc | 0x20n : tc & ~0x220n, fsc: mode(first, first === 1n || first === 3n ? AT.process : AT.first), iohgatp: mode(second, second === 0n ? 0n : AT.second),
  msiptp: msi ? mode(1n, AT.files) : 0n, pattern, mask,
}));

describe('RVI 4: random tables', () => {
  it('GEN-02: one answer, the same with a trace, and the trace ends where the answer is', () => {
    const kinds = new Set<string>();
    const causes = new Set<number>();
    fc.assert(fc.property(contents, context, fc.array(asked, { minLength: 4, maxLength: 8 }), (words, dc, requests) => {
      // Two machines with the same contents: accessed and dirty bits are set as they go.
      const [seen, unseen] = [0, 1].map(() => {
        const machine = new RiscvMachine().context(dc);
        words.forEach((each, n) => machine.write(FRAMES[n]!, 0, ...Array.from({ length: 512 }, (_, i) => each[i % each.length]!)));
        return machine;
      }) as [RiscvMachine, RiscvMachine];
      for (const each of requests) {
        const trace = new Recorder();
        const answer = seen.unit.translate(each, trace);
        kinds.add(answer.kind);
        if (answer.kind === 'fault') causes.add(answer.code);
        expect(unseen.unit.translate(each, null)).toEqual(answer);
        expect(trace.events.filter((event) => event.kind === 'fault')).toHaveLength(answer.kind === 'fault' ? 1 : 0);
        for (const event of trace.events) expect(JSON.stringify(event, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value))).toContain(event.kind);
        if (answer.kind === 'fault') expect(seen.unit.faultMessages(answer, each).length > 0).toBe(answer.recorded);
      }
    }), { numRuns: 300 });
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['address', 'fault']));
    expect(causes.size).toBeGreaterThan(6);
  });
});

describe('RVI 5: what Linux writes', () => {
  const unitOf = (version: number, changes = {}, lines: string[] = []): RiscvUnit => new RiscvUnit(unitDescription('riscv-iommu', changes), new PhysicalMemory(), kernel(version, {}, (line) => lines.push(line)));

  it('blocked, identity and paging, for IDs of up to 24 bits', () => {
    const unit = unitOf(6013);
    const table = unit.createPageTable();
    expect(table.map(iova(0x1000n), physical(0x8000_0000n), 0x1000n, READ_WRITE)).toBeNull();
    for (const id of [0, 0x3f, 0x40, 0x7fff, 0x8000, 0xff_ffff]) {
      expect(outcome(unit, request(id, 'read', 0x1000n))).toBe('fault 0x102');
      unit.setDeviceEntry(id, { kind: 'paging', table, domainId: 7, ats: false });
      expect(outcome(unit, request(id, 'write', 0x1008n))).toBe('0x80000008 rw');
      unit.setDeviceEntry(id, { kind: 'identity' });
      expect(outcome(unit, request(id, 'write', 0x1008n))).toBe('0x1008 rw');
      unit.setDeviceEntry(id, { kind: 'blocked' });
      expect(outcome(unit, request(id, 'read', 0x1000n))).toBe('fault 0x102');
    }
    unit.setDeviceEntry(0x100_0000, { kind: 'identity' });
    expect(outcome(unit, request(0x100_0000, 'read', 0x1000n))).toBe('fault 0x104');
  });

  it('a device context has tc, ta and fsc, and SADE where the unit sets bits', () => {
    const unit = unitOf(6013, { dirtyTracking: true });
    const table = unit.createPageTable();
    unit.setDeviceEntry(0, { kind: 'paging', table, domainId: 7, ats: true });
    const trace = new Recorder();
    unit.translate(request(0, 'read', 0n), trace);
    expect(trace.reads()[2]!.words.slice(0, 4)).toEqual([0x101n, 0n, 7n << 12n, (9n << 60n) | (table.root >> 12n)]);
  });

  it('leaves are dirty from the start unless the unit says which are, and shared code allows execution', () => {
    const leafOf = (version: number, dirtyTracking: boolean, write: boolean): bigint => {
      const unit = unitOf(version, { dirtyTracking });
      const table = unit.createPageTable();
      table.map(iova(0x1000n), physical(0x8000_0000n), 0x1000n, { read: true, write });
      unit.setDeviceEntry(0, { kind: 'paging', table, domainId: 7, ats: false });
      const trace = new Recorder();
      unit.translate(request(0, 'read', 0x1000n), trace);
      return trace.reads().at(-1)!.words[0]! & 0x3ffn;
    };
    expect([leafOf(6013, false, true), leafOf(6013, true, true), leafOf(6013, false, false), leafOf(7001, true, true)]).toEqual([0xd7n, 0x57n, 0x53n, 0xdfn]);
  });

  it('page sizes: 512 GiB from Sv48 on; shared code knows 64 KiB and every level', () => {
    expect([39, 48, 57].map((addressWidth) => unitOf(6013, { addressWidth }).createPageTable().pageSizes.toString(16))).toEqual(['40201000', '8040201000', '8040201000']);
    expect([39, 48, 57].map((addressWidth) => unitOf(7001, { addressWidth }).createPageTable().pageSizes.toString(16))).toEqual(['40211000', '8040211000', '1008040211000']);
    expect(unitOf(6013, { pageSizes: [4096n, 1n << 21n] }).createPageTable().pageSizes).toBe((1n << 21n) | 4096n);
  });

  it('MAP-05: the first code replaces pages, gives up below a larger leaf, and shared code refuses both', () => {
    for (const [version, over, below] of [[6013, null, 'ENOMEM'], [7001, 'EADDRINUSE', 'EADDRINUSE']] as const) {
      const table = unitOf(version).createPageTable();
      expect(table.map(iova(0x20_0000n), physical(0x4000_0000n), 0x20_0000n, READ_WRITE)).toBeNull();
      expect(table.map(iova(0x20_1000n), physical(0x5000_0000n), 0x1000n, READ_WRITE)).toBe(below);
      expect(table.lookup(iova(0x20_1000n))?.physical).toBe(0x4000_1000n);
      expect(table.map(iova(0x20_0000n), physical(0x6000_0000n), 0x20_0000n, READ_WRITE)).toBe(over);
      expect(table.map(iova((1n << 47n) - 0x1000n), physical(0n), 0x2000n, READ_WRITE)).toBe('ERANGE');
    }
  });

  it('VTD-70: an IOTLB answers until the driver invalidates', () => {
    const unit = unitOf(6019);
    unit.useIotlb();
    const table = unit.createPageTable();
    table.map(iova(0x1000n), physical(0x8000_0000n), 0x1000n, READ_WRITE);
    unit.setDeviceEntry(0, { kind: 'paging', table, domainId: 7, ats: false });
    expect(outcome(unit, request(0, 'write', 0x1000n))).toBe('0x80000000 rw');
    table.unmap(iova(0x1000n), 0x1000n);
    expect(outcome(unit, request(0, 'write', 0x1000n))).toBe('0x80000000 rw');
    unit.cache!.invalidate(7, 0x1000n, 0x1000n);
    expect(outcome(unit, request(0, 'write', 0x1000n))).toBe('fault 0x0f');
  });

  it('RVI 4.6: what a read left in the IOTLB writes nothing, so that the unit sets D', () => {
    const unit = unitOf(6019, { dirtyTracking: true });
    unit.useIotlb();
    const table = unit.createPageTable();
    table.map(iova(0x1000n), physical(0x8000_0000n), 0x1000n, READ_WRITE);
    unit.setDeviceEntry(0, { kind: 'paging', table, domainId: 7, ats: false });
    const leaf = (): bigint => {
      const trace = new Recorder();
      unit.walk(request(0, 'read', 0x1000n), trace);
      return trace.reads().at(-1)!.words[0]! & 0xffn;
    };
    expect(outcome(unit, request(0, 'read', 0x1000n))).toBe('0x80000000 r-');
    expect(leaf()).toBe(0x57n);
    expect(outcome(unit, request(0, 'write', 0x1000n))).toBe('0x80000000 rw');
    expect(leaf()).toBe(0xd7n);
  });

  it('the fault line counts causes in decimal', () => {
    const unit = unitOf(6013);
    const asks = request(0x100, 'read', 0xfee0_0000n);
    const answer = unit.translate(asks, null);
    expect(answer.kind === 'fault' && unit.faultMessages(answer, asks)).toEqual(['riscv,iommu unit0: Fault 258 devid: 0x100 iotval: fee00000 iotval2: 0']);
  });
});
