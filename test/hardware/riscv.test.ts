/** What the silicon of a RISC-V IOMMU answers (RVI 4): tables written by hand, one condition at a time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIRECTORY } from '../../server/simulator/hardware/riscv/capabilities.js';
import { CONTROL } from '../../server/simulator/hardware/riscv/device-directory.js';
import { A, AT, D, DEVICE, G, mode, PAGE, ppn, R, RiscvMachine, U, V, W, X, type Context } from './riscv-machine.js';
import { Recorder } from './request.js';

const VA = 0x12_3456_7000n;
const TARGET = 0x9_8765n;
const SV39 = 8n;
const bits = (...names: readonly (keyof typeof CONTROL)[]): bigint => BigInt(names.reduce((all, name) => all | CONTROL[name], 1));

/** One stage: VA leads to TARGET. */
const oneStage = (leaf = PAGE | ppn(TARGET), context: Context = {}): RiscvMachine => new RiscvMachine().context({ fsc: mode(SV39, AT.first), ...context }).map(AT.first, VA, leaf);

/** Two stages, with tables of the first at guest addresses equal to physical ones. */
function twoStages({ leaf = PAGE | ppn(0x555n), second = PAGE | ppn(TARGET), tables = PAGE, context = {} as Context } = {}): RiscvMachine {
  const machine = new RiscvMachine().context({ fsc: mode(SV39, AT.first), iohgatp: mode(SV39, AT.second), ...context }).map(AT.first, VA, leaf);
  for (const table of [0n, 4n, 8n]) machine.map(AT.second, (AT.first + table) << 12n, tables | ppn(AT.first + table));
  return machine.map(AT.second, 0x555n << 12n, second);
}

describe('RVI 4.1.1: ddtp', () => {
  it('Off refuses everything, Bare everything but untranslated requests', () => {
    const machine = new RiscvMachine();
    machine.point(BigInt(DIRECTORY.off));
    expect(machine.outcome(machine.ask('read', 0x1000n))).toBe('256');
    machine.point(BigInt(DIRECTORY.bare));
    expect(machine.outcome(machine.ask('write', 0x1234n))).toBe('0x1234 rw');
    expect(machine.outcome(machine.ask('read', 0x1000n, { addressType: 'translated' }))).toBe('260');
    expect(machine.outcome(machine.ask('read', 0x1000n, { addressType: 'translation-request' }))).toBe('260');
  });

  it('keeps what is legal: reserved modes and changes of levels leave it alone', () => {
    const { unit: { registers } } = new RiscvMachine({ levels: 2 });
    registers.writeDirectoryPointer(7n);
    expect(registers.directoryMode).toBe(DIRECTORY.twoLevels);
    registers.writeDirectoryPointer(BigInt(DIRECTORY.threeLevels));
    expect(registers.directoryMode).toBe(DIRECTORY.twoLevels);
    registers.writeDirectoryPointer(BigInt(DIRECTORY.bare));
    registers.writeDirectoryPointer(BigInt(DIRECTORY.threeLevels));
    expect(registers.directoryMode).toBe(DIRECTORY.threeLevels);
  });

  it('a unit with fewer levels keeps no more', () => {
    const { unit: { registers } } = new RiscvMachine({ levels: 1, choices: { largestDirectory: DIRECTORY.oneLevel } });
    registers.writeDirectoryPointer(0n);
    registers.writeDirectoryPointer(BigInt(DIRECTORY.threeLevels));
    expect(registers.directoryMode).toBe(DIRECTORY.off);
  });
});

describe('RVI 4.2, 4.3: the device directory', () => {
  it.each([[1, 0x3f, 0x40], [2, 0x7fff, 0x8000], [3, 0xff_ffff, 0x100_0000]])('%i levels index device IDs up to 0x%x', (levels, widest, beyond) => {
    const machine = new RiscvMachine({ levels }).context({}, widest);
    expect(machine.outcome({ ...machine.ask('read', 0x5000n), requesterId: widest })).toBe('0x5000 rw');
    expect(machine.outcome({ ...machine.ask('read', 0x5000n), requesterId: beyond })).toBe('260');
  });

  it('an entry that is not valid 258, misconfigured 259, not readable 257, poisoned 268', () => {
    const machine = new RiscvMachine().context({});
    const asked = machine.ask('read', 0x1000n);
    expect(machine.outcome(asked)).toBe('0x1000 rw');
    machine.write(AT.middle, (DEVICE >> 6) & 511, ppn(AT.contexts));
    expect(machine.outcome(asked)).toBe('258');
    machine.write(AT.middle, (DEVICE >> 6) & 511, V | 2n | ppn(AT.contexts));
    expect(machine.outcome(asked)).toBe('259');
    machine.context({}).unit.registers.memoryFaults = [{ first: AT.contexts << 12n, last: (AT.contexts << 12n) + 0xfffn, kind: 'violation' }];
    expect(machine.outcome(asked)).toBe('257');
    machine.unit.registers.memoryFaults = [{ first: AT.contexts << 12n, last: (AT.contexts << 12n) + 0xfffn, kind: 'corruption' }];
    expect(machine.outcome(asked)).toBe('268');
  });

  it('tables beyond the physical address width cannot be read', () => {
    const machine = new RiscvMachine({ capabilities: { physicalBits: 40 } }).context({});
    machine.write(AT.directory, DEVICE >> 15, V | ppn(1n << 28n));
    expect(machine.outcome(machine.ask('read', 0x1000n))).toBe('257');
  });

  it('the base format has contexts of 32 bytes', () => {
    const machine = new RiscvMachine({ levels: 1, capabilities: { msiFlat: false } });
    machine.write(AT.directory, 4 * 0x7f, V, 0n, 0n, 0n);
    expect(machine.outcome({ ...machine.ask('read', 0x5000n), requesterId: 0x7f })).toBe('0x5000 rw');
  });
});

describe('RVI 4.4: misconfigured device contexts', () => {
  it.each<[rule: string, context: Context, capabilities?: object]>([
    ['RV-D1 tc', { tc: V | (1n << 12n) }], ['RV-D1 tc', { tc: V | (1n << 40n) }], ['RV-D1 ta', { ta: 1n }], ['RV-D1 ta', { ta: 1n << 33n }], ['RV-D1 RCID', { ta: 1n << 40n }],
    ['RV-D1 fsc', { fsc: 1n << 50n }], ['RV-D1 msiptp', { msiptp: 1n << 50n }], ['RV-D1 mask', { mask: 1n << 52n }], ['RV-D1 pattern', { pattern: 1n << 60n }], ['RV-D1 last', { rest: 1n }],
    ['RV-D2', { tc: bits('ats') }, { ats: false }], ['RV-D3 T2GPA', { tc: bits('t2gpa'), iohgatp: mode(SV39, AT.second) }], ['RV-D3 EN_PRI', { tc: bits('pageRequests') }],
    ['RV-D3 PRPR', { tc: bits('ats', 'prpr') }], ['RV-D4 Bare', { tc: bits('ats', 't2gpa') }], ['RV-D4', { tc: bits('ats', 't2gpa'), iohgatp: mode(SV39, AT.second) }, { t2gpa: false }],
    ['RV-D5 reserved', { tc: bits('pdtv'), fsc: mode(4n, AT.process) }], ['RV-D5', { tc: bits('pdtv'), fsc: mode(3n, AT.process) }, { pd20: false }],
    ['RV-D6 reserved', { fsc: mode(7n, AT.first) }], ['RV-D6', { fsc: mode(10n, AT.first) }, { sv57: false }], ['RV-D7', { tc: bits('dpe') }],
    ['RV-D8 reserved', { iohgatp: mode(1n, AT.second) }], ['RV-D8', { iohgatp: mode(9n, AT.second) }, { sv48x4: false }], ['RV-D8 alignment', { iohgatp: mode(SV39, AT.second + 1n) }],
    ['RV-D9', { msiptp: mode(2n, AT.files) }], ['RV-D10', { tc: bits('sade') }, { setsAccessedDirty: false }], ['RV-D10', { tc: bits('gade') }, { setsAccessedDirty: false }],
    ['RV-D11 SBE', { tc: bits('sbe') }], ['RV-D11 SXL', { tc: bits('sxl') }],
  ])('%s', (_rule, context, capabilities = {}) => {
    const machine = new RiscvMachine({ capabilities }).context(context);
    expect(machine.outcome(machine.ask('read', 0x1000n))).toBe('259');
  });
});

describe('RVI 4.6: the first stage', () => {
  it('translates, in pages of every level and of 64 KiB', () => {
    const machine = oneStage();
    expect(machine.outcome(machine.ask('write', VA + 0x123n))).toBe('0x98765123 rw');
    machine.write(AT.first + 4n, Number((VA >> 21n) & 511n), PAGE | ppn(0x4_0000n));
    expect(machine.outcome(machine.ask('read', VA + 0x123n))).toBe(`0x${((0x4_0000n << 12n) + (VA & 0x1f_ffffn) + 0x123n).toString(16)} rw`);
    machine.write(AT.first, Number((VA >> 30n) & 511n), PAGE | ppn(0x8_0000n));
    expect(machine.outcome(machine.ask('read', VA))).toBe(`0x${((0x8_0000n << 12n) + (VA & 0x3fff_ffffn)).toString(16)} rw`);
    const napot = oneStage((1n << 63n) | PAGE | ppn(0x9_8768n));
    expect(napot.outcome(napot.ask('read', VA + 4n))).toBe('0x98767004 rw');
    expect(napot.unit.translate(napot.ask('read', VA), null)).toMatchObject({ pageSize: 0x1_0000n });
  });

  it.each([
    ['F1 V', PAGE & ~V], ['F1 W without R', PAGE & ~R], ['F1 reserved', PAGE | (1n << 54n)], ['F1 PBMT', PAGE | (3n << 61n)], ['F1 pointer at the last level', V],
    ['F3', PAGE & ~U], ['F5', PAGE | (1n << 63n) | ppn(4n)], ['F6', PAGE & ~A],
  ])('%s: a page fault, by access', (_rule, leaf) => {
    const machine = oneStage(leaf | ppn(TARGET & ~15n));
    expect(machine.outcome(machine.ask('read', VA))).toBe('13');
    expect(machine.outcome(machine.ask('write', VA))).toBe('15');
    expect(machine.outcome(machine.ask('read', VA, { execute: true }))).toBe('12');
  });

  it('F2, RV-F1: each access needs its own bit', () => {
    const machine = oneStage((PAGE & ~(R | W)) | ppn(TARGET));
    expect(['read', 'write'].map((access) => machine.outcome(machine.ask(access as 'read', VA)))).toEqual(['13', '15']);
    expect(machine.outcome(machine.ask('read', VA, { execute: true }))).toBe('0x98765000 --');
    const readOnly = oneStage((PAGE & ~(W | X)) | ppn(TARGET));
    expect(readOnly.outcome(readOnly.ask('atomic', VA))).toBe('15');
    expect(readOnly.outcome(readOnly.ask('read', VA, { execute: true }))).toBe('12');
  });

  it('F4: superpages are aligned; RV-F2: addresses repeat their highest bit', () => {
    const machine = oneStage();
    machine.write(AT.first + 4n, Number((VA >> 21n) & 511n), PAGE | ppn(1n));
    expect(machine.outcome(machine.ask('read', VA))).toBe('13');
    expect(machine.outcome(machine.ask('read', VA | (1n << 39n)))).toBe('13');
    const high = new RiscvMachine().context({ fsc: mode(SV39, AT.first) }).map(AT.first, 0xffff_ffff_ffff_f000n & 0x7f_ffff_ffffn, PAGE | ppn(TARGET));
    expect(high.outcome(high.ask('read', 0xffff_ffff_ffff_f008n))).toBe('0x98765008 rw');
    expect(high.outcome(high.ask('read', 0x7f_ffff_f008n))).toBe('13');
  });

  it('F6, RV-F3: with SADE the unit sets A, and D for writes', () => {
    const machine = oneStage((PAGE & ~(A | D)) | ppn(TARGET), { tc: bits('sade') });
    const leaf = (): bigint => machine.read(AT.first + 8n, Number((VA >> 12n) & 511n)) & 0xffn;
    expect(machine.outcome(machine.ask('read', VA))).toBe('0x98765000 r-');
    expect(leaf()).toBe(PAGE & ~D);
    expect(machine.outcome(machine.ask('write', VA))).toBe('0x98765000 rw');
    expect(leaf()).toBe(PAGE);
  });

  it('a table that cannot be read: 1, 5 or 7; poisoned: 274', () => {
    const machine = oneStage();
    machine.unit.registers.memoryFaults = [{ first: AT.first << 12n, last: (AT.first << 12n) + 0xfffn, kind: 'violation' }];
    expect([machine.ask('read', VA), machine.ask('write', VA), machine.ask('read', VA, { execute: true })].map((asked) => machine.outcome(asked))).toEqual(['5', '7', '1']);
    machine.unit.registers.memoryFaults = [{ first: AT.first << 12n, last: (AT.first << 12n) + 0xfffn, kind: 'corruption' }];
    expect(machine.outcome(machine.ask('read', VA))).toBe('274');
  });

  it('Sv32 has entries of 4 bytes and addresses of 32', () => {
    const machine = new RiscvMachine({ choices: { gxlWritable: true } }).context({ tc: bits('sxl'), fsc: mode(8n, AT.first) });
    machine.write(AT.first, 0, (V | ppn(AT.first + 1n)) << 32n);
    machine.write(AT.first + 1n, 1, PAGE | ppn(TARGET));
    expect(machine.outcome(machine.ask('read', 0x40_2010n))).toBe('0x98765010 rw');
    expect(machine.outcome(machine.ask('read', 0x1_0040_2010n))).toBe('13');
  });
});

describe('RVI 4.5: process contexts', () => {
  const withProcess = (attributes: bigint, context: Context = {}): RiscvMachine => {
    const machine = oneStage(PAGE | ppn(TARGET), { tc: bits('pdtv'), fsc: mode(1n, AT.process), ...context });
    machine.write(AT.process, 2 * 5, attributes, mode(SV39, AT.first));
    return machine;
  };

  it('a PASID has its own first stage; without one there is none', () => {
    const machine = withProcess(V);
    expect(machine.outcome(machine.ask('read', VA, { pasid: 5 }))).toBe('0x98765000 rw');
    expect(machine.outcome(machine.ask('read', VA))).toBe(`0x${VA.toString(16)} rw`);
    expect(machine.outcome(machine.ask('read', VA, { pasid: 6 }))).toBe('266');
    expect(machine.outcome(machine.ask('read', VA, { pasid: 256 }))).toBe('260');
    machine.write(AT.process, 2 * 6, V | 8n, mode(SV39, AT.first));
    expect(machine.outcome(machine.ask('read', VA, { pasid: 6 }))).toBe('267');
  });

  it('DPE: requests without PASID are those of PASID 0', () => {
    const machine = withProcess(V, { tc: bits('pdtv', 'dpe') });
    expect(machine.outcome(machine.ask('read', VA))).toBe('266');
    machine.write(AT.process, 0, V, mode(SV39, AT.first));
    expect(machine.outcome(machine.ask('read', VA))).toBe('0x98765000 rw');
  });

  it('T11, F3: privileged requests need ENS, and SUM for pages of users', () => {
    const asked = { pasid: 5, privileged: true } as const;
    for (const [attributes, expected] of [[V, '260'], [V | 2n, '13'], [V | 6n, '0x98765000 rw']] as const) {
      const machine = withProcess(attributes);
      expect(machine.outcome(machine.ask('read', VA, asked))).toBe(expected);
    }
    const machine = withProcess(V | 6n);
    expect(machine.outcome(machine.ask('read', VA, { ...asked, execute: true }))).toBe('12');
  });

  it('no PASID without a process directory', () => {
    const machine = oneStage();
    expect(machine.outcome(machine.ask('read', VA, { pasid: 5 }))).toBe('260');
  });
});

describe('RVI 4.7: the second stage', () => {
  it('translates what the first gives, and the tables of the first', () => {
    const machine = twoStages();
    expect(machine.outcome(machine.ask('write', VA + 8n))).toBe('0x98765008 rw');
  });

  it('a page that is missing: a guest page fault with its address', () => {
    const machine = twoStages({ second: 0n });
    expect(machine.outcome(machine.ask('read', VA + 0x124n))).toBe('21 at 0x555124');
    expect(machine.outcome(machine.ask('write', VA))).toBe('23 at 0x555000');
    expect(machine.outcome(machine.ask('read', VA, { execute: true }))).toBe('20 at 0x555000');
  });

  it('of a table: bit 0 says that the unit read it, bit 1 that it was to be written', () => {
    const missing = twoStages({ tables: 0n });
    const entry = (AT.first << 12n) + 8n * (VA >> 30n);
    expect(missing.outcome(missing.ask('write', VA))).toBe(`23 at 0x${(entry | 1n).toString(16)}`);
    const readOnly = twoStages({ leaf: (PAGE & ~A) | ppn(0x555n), tables: PAGE & ~W, context: { tc: bits('sade') } });
    const leaf = ((AT.first + 8n) << 12n) + 8n * ((VA >> 12n) & 511n);
    expect(readOnly.outcome(readOnly.ask('read', VA))).toBe(`21 at 0x${(leaf | 3n).toString(16)}`);
  });

  it('U must be set, and addresses stay below the width of the mode', () => {
    const machine = twoStages({ second: (PAGE & ~U) | ppn(TARGET) });
    expect(machine.outcome(machine.ask('read', VA))).toBe('21 at 0x555000');
    const wide = new RiscvMachine().context({ iohgatp: mode(SV39, AT.second) }).map(AT.second, (1n << 40n) | 0x3000n, PAGE | ppn(TARGET));
    expect(wide.outcome(wide.ask('read', (1n << 40n) | 0x3000n))).toBe('0x98765000 rw');
    expect(wide.outcome(wide.ask('read', 1n << 41n))).toBe(`21 at 0x${(1n << 41n).toString(16)}`);
  });

  it('with GADE and SADE a page of tables is made dirty when it is read', () => {
    const machine = twoStages({ tables: PAGE & ~(A | D), context: { tc: bits('gade', 'sade') } });
    expect(machine.outcome(machine.ask('read', VA))).toBe('0x98765000 rw');
    expect(machine.read(AT.second + 8n, Number(AT.first & 511n)) & 0xffn).toBe(PAGE);
  });
});

describe('RVI 4.8: interrupt files', () => {
  const withFiles = (entry: bigint, notice = 0n): RiscvMachine => {
    const machine = new RiscvMachine().context({ iohgatp: mode(SV39, AT.second), msiptp: mode(1n, AT.files), mask: 5n, pattern: 0x2_8000n });
    machine.write(AT.files, 2 * 3, entry, notice);
    return machine;
  };
  /** Bits 0 and 2 of the page number say which file: this is the fourth. */
  const FILE = 0x2800_5000n;

  it('basic entries lead to a page that can be read and written', () => {
    const machine = withFiles(V | (3n << 1n) | ppn(TARGET));
    expect(machine.outcome(machine.ask('write', FILE + 4n))).toBe('0x98765004 rw');
    expect(machine.outcome(machine.ask('read', FILE, { execute: true }))).toBe('1');
    expect(machine.outcome(machine.ask('write', 0x2800_2000n))).toBe('23 at 0x28002000');
  });

  it('files in memory take messages; a device that asks is sent away', () => {
    const machine = withFiles(V | (1n << 1n) | (0x1234n << 7n), 0x155n | ppn(TARGET) | (1n << 60n));
    expect(machine.outcome(machine.ask('write', FILE))).toBe('interrupt');
    expect(machine.unit.translation.files).toMatchObject({ fileAddress: 0x1234n << 9n, noticeId: 0x555, frame: Number(TARGET) });
  });

  it.each([['not valid', 0n, '262'], ['reserved mode', V | (2n << 1n), '263'], ['custom', V | (3n << 1n) | (1n << 63n), '263'], ['reserved bit', V | (3n << 1n) | 8n, '263']])('%s', (_what, entry, expected) => {
    const machine = withFiles(entry);
    expect(machine.outcome(machine.ask('write', FILE))).toBe(expected);
  });

  it('a larger page beside a file is given in smaller parts', () => {
    const machine = withFiles(0n);
    machine.write(AT.second, 0, PAGE | ppn(0n));
    const answer = machine.unit.translate(machine.ask('read', 0x2820_0000n), null);
    expect(answer).toMatchObject({ address: 0x2820_0000n, pageSize: 0x20_0000n });
  });
});

describe('RVI 4.9: DTF', () => {
  it('hides faults of translation, never the answer, and nothing before the context is known', () => {
    const machine = oneStage(0n, { tc: bits('dtf') });
    expect(machine.outcome(machine.ask('read', VA))).toBe('13 unrecorded');
    expect(machine.unit.faultMessages({ kind: 'fault', code: 13, name: '', recorded: false }, machine.ask('read', VA))).toEqual([]);
    machine.context({ tc: bits('dtf', 'dpe') });
    expect(machine.outcome(machine.ask('read', VA))).toBe('259');
  });
});

describe('RVI 4.10: ATS', () => {
  const asks = { addressType: 'translation-request' } as const;

  it('EN_ATS allows translation and translated requests', () => {
    const machine = oneStage(PAGE | ppn(TARGET), { tc: bits('ats') });
    expect(machine.outcome(machine.ask('write', VA, asks))).toBe('0x98765000 rw');
    expect(machine.outcome(machine.ask('write', 0x1234n, { addressType: 'translated' }))).toBe('0x1234 rw');
  });

  it('a missing page is an answer without permission, a broken table a fault', () => {
    const machine = oneStage(0n, { tc: bits('ats') });
    const recorder = new Recorder();
    expect(machine.unit.translate(machine.ask('read', VA, asks), recorder)).toMatchObject({ kind: 'address', read: false, write: false });
    expect(recorder.events.at(-1)).toMatchObject({ kind: 'note', text: expect.stringContaining('cause 13') });
    machine.unit.registers.memoryFaults = [{ first: AT.first << 12n, last: (AT.first << 12n) + 7n + 8n * 511n, kind: 'violation' }];
    expect(machine.outcome(machine.ask('read', VA, asks))).toBe('5');
  });

  it('RV-A1: write permission only where the page is dirty', () => {
    const machine = oneStage((PAGE & ~D) | ppn(TARGET), { tc: bits('ats') });
    expect(machine.outcome(machine.ask('read', VA, asks))).toBe('0x98765000 r-');
  });

  it('RV-A3: T2GPA gives guest addresses, and translated requests go through the second stage', () => {
    const machine = twoStages({ context: { tc: bits('ats', 't2gpa') } });
    expect(machine.outcome(machine.ask('read', VA, asks))).toBe('0x555000 rw');
    expect(machine.outcome(machine.ask('read', 0x55_5008n, { addressType: 'translated' }))).toBe('0x98765008 rw');
    expect(machine.outcome(machine.ask('read', 0x66_6000n, { addressType: 'translated' }))).toBe('21 at 0x666000');
  });
});

describe('RVI 11.2: properties', () => {
  const walkOf = (levels: number, directory: number, nested: boolean, processes: boolean): RiscvMachine => {
    const code = BigInt(levels + 5);
    const machine = new RiscvMachine({ levels: directory });
    const device = directory === 3 ? DEVICE : 5;
    machine.context({ tc: processes ? bits('pdtv') : V, fsc: processes ? mode(3n, AT.process) : mode(code, AT.first), iohgatp: nested ? mode(code, AT.second) : 0n }, device);
    for (const table of [0n, 4n, 8n]) if (nested) machine.map(AT.second, (AT.process + table) << 12n, PAGE | ppn(AT.process + table), levels);
    for (let level = 0; level < levels; level++) if (nested) machine.map(AT.second, (AT.first + 4n * BigInt(level)) << 12n, PAGE | ppn(AT.first + 4n * BigInt(level)), levels);
    machine.write(AT.process, 0, V | ppn(AT.process + 4n));
    machine.write(AT.process + 4n, 0, V | ppn(AT.process + 8n));
    machine.write(AT.process + 8n, 0, V, mode(code, AT.first));
    machine.map(AT.second, 0x555n << 12n, PAGE | ppn(TARGET), levels);
    return machine.map(AT.first, VA, PAGE | ppn(0x555n), levels);
  };

  it.each([
    ['Sv39, one level of directory', 3, 1, false, false, 4], ['Sv39', 3, 3, false, false, 6], ['Sv48', 4, 3, false, false, 7], ['Sv57', 5, 3, false, false, 8],
    ['Sv39 nested', 3, 3, true, false, 18], ['Sv48 nested', 4, 3, true, false, 27], ['Sv39 nested, PD20', 3, 3, true, true, 30], ['Sv48 nested, PD20', 4, 3, true, true, 42],
  ])('9: reads of a cold walk: %s', (_name, levels, directory, nested, processes, reads) => {
    const machine = walkOf(levels, directory, nested, processes);
    const asked = { ...machine.ask('read', VA, processes ? { pasid: 0 } : {}), requesterId: directory === 3 ? DEVICE : 5 };
    expect(machine.outcome(asked)).toBe(nested ? '0x98765000 rw' : '0x555000 rw');
    expect(machine.reads(asked)).toBe(reads);
  });

  it('2, 3: who loses a permission gains nothing, and a request repeated changes no memory', () => {
    fc.assert(fc.property(fc.bigInt(0n, 255n), fc.bigInt(0n, 255n), fc.nat(7), fc.constantFrom('read', 'write'), fc.boolean(), (first, second, bit, access, updates) => {
      const context = { tc: updates ? bits('sade', 'gade') : V };
      const machine = (leaf: bigint): RiscvMachine => twoStages({ leaf: leaf | ppn(0x555n), second: second | ppn(TARGET), context });
      const before = machine(first);
      const asked = before.ask(access, VA);
      const outcome = before.outcome(asked);
      const word = before.read(AT.first + 8n, Number((VA >> 12n) & 511n));
      if (!updates) expect(word & 0xffn).toBe(first);
      expect(before.outcome(asked)).toBe(outcome);
      expect(before.read(AT.first + 8n, Number((VA >> 12n) & 511n))).toBe(word);
      // X has two meanings, as it makes a leaf of a pointer; A and D may be set again.
      const lost = 1n << BigInt(bit);
      if ((lost & (V | R | W | U)) === 0n || outcome.startsWith('0x')) return;
      if ((first & (R | X)) !== 0n && ((first & ~lost) & (R | X)) !== 0n && !((first & W) !== 0n && (first & R) === 0n)) expect(machine(first & ~lost).outcome(asked)).not.toMatch(/^0x/);
    }), { numRuns: 300 });
  });

  it('big-endian tables say the same (RV-A7)', () => {
    const swap = (word: bigint): bigint => BigInt(`0x${word.toString(16).padStart(16, '0').match(/../g)!.reverse().join('')}`);
    const little = twoStages({ leaf: (PAGE & ~A) | G | ppn(0x555n), context: { tc: bits('sade') } });
    const big = new RiscvMachine({ choices: { beWritable: true } });
    big.unit.registers.featureControl = 1;
    for (const frame of [AT.directory, AT.middle, AT.contexts, ...[0n, 1n, 2n].flatMap((n) => [AT.first + 4n * n, AT.second + 4n * n])]) {
      for (let i = 0; i < 512; i++) {
        const word = little.read(frame, i);
        if (word !== 0n) big.write(frame, i, swap(frame === AT.contexts && i % 8 === 0 ? word | BigInt(CONTROL.sbe) : word));
      }
    }
    expect(big.outcome(big.ask('read', VA))).toBe(little.outcome(little.ask('read', VA)));
    const at = Number((VA >> 12n) & 511n);
    expect(swap(big.read(AT.first + 8n, at))).toBe(little.read(AT.first + 8n, at));
  });
});
