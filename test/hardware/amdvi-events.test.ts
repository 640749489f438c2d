/** AMD-Vi: who is refused by which event, in the order of the manual's steps; what silences it; the special ranges. */
import { describe, expect, it } from 'vitest';
import { AmdUnit } from '../../server/simulator/hardware/amdvi/unit.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, outcome, physical, poke, request, unitDescription } from './request.js';

type Words = Readonly<Record<number, bigint>>;
const GPU = 0x0100;
const DTE = 0x102000;
const NOWHERE = 0x20_0000_0000n;
/** Three levels of host table: page 0x1000 is at 0x5000. */
const TABLES: Words = { [DTE]: 0x6000_0000_0020_0603n, [DTE + 8]: 0x17n, 0x200000: 0x6000_0000_0020_1401n, 0x201000: 0x6000_0000_0020_2201n, 0x202008: 0x6000_0000_0000_5001n };
const REMAPS: Words = { [DTE + 16]: 0x2000_0000_0040_0011n, 0x400250: 0x101n, 0x400258: 0x31n };
const dte = (high: bigint, low: bigint): bigint => (high << 32n) | low;

function on(words: Words = {}) {
  const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(0xffff_ffffn) }] });
  const unit = new AmdUnit(unitDescription('amd-vi', { levels: [4] }), memory, kernel(6012));
  unit.registers.deviceTable = 0x100003n;
  poke(memory, { ...TABLES, ...words });
  return unit;
}
const ask = (words: Words, access: 'read' | 'write' = 'write', changes: Parameters<typeof request>[3] = {}) => outcome(on(words), request(GPU, access, 0x1000n, changes));
const message = (words: Words, data: number) => outcome(on({ ...REMAPS, ...words }), request(GPU, 'write', 0xfee0_0000n, { data }));

describe('AMD-10, AMD-30: the first step that refuses decides', () => {
  it.each<[string, Words, string]>([
    ['a mapped page', {}, '0x5000 rw'],
    ['V clear comes before reserved bits', { [DTE]: 0x6000_0000_0020_067en }, '0x1000 rw'],
    ['a reserved bit comes before TV', { [DTE]: 0x6000_0000_0020_0605n }, 'fault 0x01 flags 0x0a0'],
    ['TV comes before IW', { [DTE]: 0x2000_0000_0020_0601n }, 'fault 0x02 flags 0x020'],
    ['IW counts without host levels', { [DTE]: 0x2000_0000_0000_0003n }, 'fault 0x02 flags 0x070'],
    ['IW comes before the number of levels', { [DTE]: 0x2000_0000_0020_0e03n }, 'fault 0x02 flags 0x070'],
    ['more levels than the unit has', { [DTE]: 0x6000_0000_0020_0a03n }, 'fault 0x02 flags 0x030'],
    ['no memory at the host table', { [DTE]: 0x6000_0020_0000_0603n }, 'fault 0x04 flags 0x220'],
    ['not present comes before reserved bits', { 0x202008: 0x6010_0000_0000_5000n }, 'fault 0x02 flags 0x020'],
    ['a reserved bit comes before IW', { 0x202008: 0x2010_0000_0000_5001n }, 'fault 0x02 flags 0x0b0'],
    ['IW comes before the shape', { 0x201000: 0x2000_0000_0020_2601n }, 'fault 0x02 flags 0x070'],
    ['AMD-21: an upper entry without IW', { 0x200000: 0x2000_0000_0020_1401n }, 'fault 0x02 flags 0x070'],
    ['ignored bits: 4:1, 63', { 0x202008: 0xe000_0000_0000_501fn }, '0x5000 rw'],
  ])('%s', (_what, words, expected) => expect(ask(words)).toBe(expected));

  it('no memory at the device table', () => {
    const unit = on();
    unit.registers.deviceTable = NOWHERE;
    expect(outcome(unit, request(GPU, 'read', 0n))).toBe('fault 0x02 flags 0x000'); // one page has no entry for it
    expect(outcome(unit, request(0x10, 'read', 0n))).toBe('fault 0x03 flags 0x200');
  });
});

describe('AMD-31: what is not logged', () => {
  const NO_EVENTS = dte(4n, 0x17n);
  const IGNORED = { [DTE + 16]: REMAPS[DTE + 16]! | 0x20n };

  it.each<[string, string, string]>([
    ['a page fault with SA', ask({ [DTE + 8]: NO_EVENTS, 0x202008: 0n }), 'fault 0x02 flags 0x020 unrecorded'],
    ['but other events are', ask({ [DTE + 8]: NO_EVENTS }, 'read', { addressType: 'translated' }), 'fault 0x08 flags 0x200'],
    ['an interrupt entry that is off', message({}, 0x26), 'fault 0x02 flags 0x008'],
    ['... with SupIOPF', message({ 0x400260: 2n }, 0x26), 'fault 0x02 flags 0x008 unrecorded'],
    ['... with IG', message(IGNORED, 0x26), 'fault 0x02 flags 0x008 unrecorded'],
    ['a reserved interrupt type', message({ 0x400250: 0x109n }, 0x25), 'fault 0x02 flags 0x098'],
    ['... with IG', message({ ...IGNORED, 0x400250: 0x109n }, 0x25), 'fault 0x02 flags 0x098 unrecorded'],
    ['an index beyond the table', message({}, 0x100), 'fault 0x02 flags 0x008'],
    ['... with IG', message(IGNORED, 0x100), 'fault 0x02 flags 0x008 unrecorded'],
  ])('%s', (_what, answer, expected) => expect(answer).toBe(expected));
});

describe('PCIE-54: special ranges, by what the device table entry says', () => {
  const PORT_IO = 0xfd_fc00_1000n;
  const SYSTEM = 0xfd_f910_0000n;
  const at = (address: bigint, high: bigint) => outcome(on({ [DTE]: 0x6000_0000_0020_0803n, [DTE + 8]: dte(high, 0x17n) }), request(GPU, 'write', address));

  it.each<[string, string, string]>([
    ['port I/O, aborted', at(PORT_IO, 0n), 'fault 0x08 flags 0x400'],
    ['port I/O, forwarded', at(PORT_IO, 8n), '0xfdfc001000 rw'],
    ['port I/O, translated', at(PORT_IO, 0x10n), 'fault 0x02 flags 0x020'],
    ['system management, denied', at(SYSTEM, 0n), 'blocked'],
    ['system management, all', at(SYSTEM, 0x100n), '0xfdf9100000 rw'],
    ['system management, type 3', at(SYSTEM, 0x300n), 'fault 0x08 flags 0xe00'],
    ['just below the interrupt messages', outcome(on(), request(GPU, 'write', 0xfedf_f000n)), 'fault 0x02 flags 0x020'],
    ['just above the interrupt messages', outcome(on(), request(GPU, 'write', 0xfef0_0000n)), 'fault 0x02 flags 0x020'],
  ])('%s', (_what, answer, expected) => expect(answer).toBe(expected));

  it('a page that is mapped at the interrupt messages is never reached', () => {
    const words = { 0x200018: 0x6000_0000_0020_3401n, 0x203fb8: 0x6000_0000_0020_4201n, 0x204000: 0x6000_0000_0000_7001n };
    expect(outcome(on(words), request(GPU, 'write', 0xfee0_0000n, { data: 0x31 }))).toBe('interrupt 0x31');
    expect(outcome(on(words), request(GPU, 'read', 0xfee0_0000n))).toBe('fault 0x08 flags 0x000');
  });
});
