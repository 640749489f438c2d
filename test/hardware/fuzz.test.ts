/** Whatever is in memory, a request ends in exactly one answer, and looking at it does not change it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AmdUnit } from '../../server/simulator/hardware/amdvi/unit.js';
import type { IommuUnit, UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, physical, poke, Recorder, request, unitDescription } from './request.js';

const PAGES = 6;
const BASE = 0x10_0000n;

/** Words that mostly point back into the same few pages, with any flags. */
const word = fc.tuple(fc.nat(PAGES - 1), fc.nat(0xfff), fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xfffn).map((bits) => bits << 52n)), fc.boolean())
  .map(([target, low, high, sane]) => ((BASE + BigInt(target) * 4096n) | (sane ? BigInt(low & 0x87) : BigInt(low)) | (sane ? 3n : high)));
const pages = fc.array(fc.array(word, { minLength: 16, maxLength: 16 }), { minLength: PAGES, maxLength: PAGES });
const address = fc.oneof(fc.nat(0xf_ffff).map(BigInt), fc.bigInt(0n, (1n << 64n) - 1n), fc.constant(0xfee0_0010n));
const asked: fc.Arbitrary<UnitRequest> = fc.record({ access: fc.constantFrom('read', 'write', 'atomic'), addressType: fc.constantFrom('untranslated', 'translated', 'translation-request'), at: address, pasid: fc.option(fc.nat(200), { nil: undefined }), privileged: fc.boolean(), execute: fc.boolean(), data: fc.nat(0xffff) })
  .map(({ access, at, ...rest }) => request(0, access, at & ~3n, rest));

const vtd = (table: bigint) => (memory: PhysicalMemory): IommuUnit => {
  const unit = new VtdUnit(unitDescription('vtd', { scalableMode: true, firstStage: true, nested: true, pasidBits: 20, levels: [3, 4, 5], addressWidth: 57, physicalWidth: 52 }), memory, kernel(6012));
  unit.registers.rootTable = BASE | table;
  unit.registers.interruptTable = BASE | 7n;
  return unit;
};
const amd = (memory: PhysicalMemory): IommuUnit => {
  const unit = new AmdUnit(unitDescription('amd-vi'), memory, kernel(6012));
  unit.registers.deviceTable = BASE;
  return unit;
};

const page = (n: number): bigint => BASE + BigInt(n) * 4096n;
/** By address: words that lead a request to the page tables, which are as random as the rest. */
const LEGACY_START = { [`${page(0)}`]: page(1) | 1n, [`${page(0) + 8n}`]: 0n, [`${page(1)}`]: page(2) | 5n, [`${page(1) + 8n}`]: 0x502n };
const SCALABLE_START = {
  ...LEGACY_START, [`${page(1)}`]: page(2) | 13n, [`${page(1) + 8n}`]: 0n, [`${page(1) + 16n}`]: 0n, [`${page(1) + 24n}`]: 0n,
  [`${page(2)}`]: page(3) | 1n, [`${page(3)}`]: page(4) | 0xc9n, [`${page(3) + 16n}`]: page(5), [`${page(3) + 24n}`]: 0n,
};

describe.each([['VT-d, legacy', vtd(0n), LEGACY_START], ['VT-d, scalable', vtd(0x400n), SCALABLE_START], ['AMD-Vi', amd, {}]] as const)('%s', (_name, create, start) => {
  it('GEN-02: one answer, the same with a trace, and the trace ends where the answer is', () => {
    const kinds = new Set<string>();
    fc.assert(fc.property(pages, fc.array(asked, { minLength: 4, maxLength: 8 }), fc.boolean(), (words, requests, lead) => {
      // Two machines with the same contents: units set accessed and dirty bits, here often in tables of another kind.
      const [unit, unseen] = [0, 1].map(() => {
        const memory = new PhysicalMemory();
        words.forEach((content, n) => {
          for (let i = 0; i < 512; i++) memory.writeWord(physical(page(n) + BigInt(i) * 8n), content[i % content.length]!);
        });
        if (lead) poke(memory, start);
        return create(memory);
      }) as [IommuUnit, IommuUnit];
      for (const each of requests) {
        const trace = new Recorder();
        const answer = unit.translate(each, trace);
        kinds.add(answer.kind);
        expect(unseen.translate(each, null)).toEqual(answer);
        expect(trace.events.filter((event) => event.kind === 'fault')).toHaveLength(answer.kind === 'fault' ? 1 : 0);
        for (const event of trace.events) expect(JSON.stringify(event, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value))).toContain(event.kind);
        if (answer.kind === 'fault') expect(unit.faultMessages(answer, each, null).length > 0).toBe(answer.recorded);
      }
    }), { numRuns: 150 });
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['address', 'fault']));
  });
});
