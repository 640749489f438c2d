/** Parts of the language that work on plain text: numbers, addresses, suggestions, suppressions, layout. */
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatText, parseInteger, parsePciAddress, printAddress, printPciAddress, printSize, suppressionsIn, usedUris } from '../../language/index.js';
import { closest, editDistance } from '../../language/suggestions.js';
import { addressKey, addressOfRid, devfnOf } from '../../language/pci.js';
import { DESK, Workspace } from './support.js';

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe('numbers', () => {
  it('printed are read back exactly, to the last bit', () => {
    fc.assert(fc.property(fc.oneof(u64, fc.constantFrom((1n << 53n) + 1n, (1n << 64n) - 1n)), (value) => {
      expect(parseInteger(printAddress(value))).toBe(value);
      expect(parseInteger(printSize(value))).toBe(value);
    }));
  });

  it('are decimal, hexadecimal, or sizes', () => {
    expect(['0', '1_000', '0xfee0_0000', '4KiB', '3TiB'].map(parseInteger)).toEqual([0n, 1000n, 0xfee0_0000n, 4096n, 3n << 40n]);
    expect(['', 'x', '0x', '4kb', '1.5', '-1'].map(parseInteger)).toEqual([undefined, undefined, undefined, undefined, undefined, undefined]);
  });

  it('are printed as people write them', () => {
    expect([printAddress(0xfee0_0000n), printAddress(0x1000n), printAddress(0n), printAddress(0x1_0000n)]).toEqual(['0xfee0_0000', '0x1000', '0x0', '0x1_0000']);
    expect([printSize(0n), printSize(64n), printSize(4096n), printSize(3n << 30n), printSize(0x1800n)]).toEqual(['0', '64', '4KiB', '3GiB', '6KiB']);
  });
});

describe('PCI addresses', () => {
  const address = fc.record({ segment: fc.integer({ min: 0, max: 0xffff }), bus: fc.integer({ min: 0, max: 255 }), device: fc.integer({ min: 0, max: 31 }), function: fc.integer({ min: 0, max: 7 }) });

  it('printed are read back', () => fc.assert(fc.property(address, (value) => { expect(parsePciAddress(printPciAddress(value))).toEqual(value); })));

  it('keep their requester ID', () => fc.assert(fc.property(address, (value) => {
    expect(addressOfRid(value.segment, (value.bus << 8) | devfnOf(value))).toEqual(value);
    expect(addressKey(value)).toBe((value.segment * 256 + value.bus) * 256 + devfnOf(value));
  })));

  it('are none with device 20 or function 8', () => expect(['00:20.0', '00:01.8', 'gg:00.0', '00:00.ff'].map(parsePciAddress)).toEqual([undefined, undefined, undefined, { segment: 0, bus: 0, device: 0, function: 0xff }]));
});

describe('suggestions', () => {
  it('count insertions, deletions, replacements and swaps', () => expect([editDistance('gpu', 'gpu'), editDistance('gup', 'gpu'), editDistance('gpuu', 'gpu'), editDistance('', 'abc')]).toEqual([0, 1, 1, 3]));

  it('are symmetric and at most the longer length', () => fc.assert(fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
    expect(editDistance(a, b)).toBe(editDistance(b, a));
    expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
  })));

  it('are near or not made', () => expect([closest('levls', ['levels', 'label']), closest('zzz', ['levels'])]).toEqual(['levels', undefined]));
});

describe('suppressions', () => {
  it('name codes and a reason, for the next line', () => {
    expect(suppressionsIn('a\n  // iommu-disable-next-line x/y, z/w: because\nb')).toEqual([
      { line: 2, codes: ['x/y', 'z/w'], reason: 'because', range: { start: { line: 1, character: 2 }, end: { line: 1, character: 46 } } },
    ]);
  });

  it('need a code', () => expect(suppressionsIn('// iommu-disable-next-line\n// iommu-disable-next-line : no code')).toEqual([]));
});

describe('used files', () => {
  it('are found without parsing, but not in comments', () => {
    expect(usedUris('file:///a/b.iommu', 'use "c.iommu" // use "d.iommu"\n/* use "e.iommu" */ use "../f.iommu"')).toEqual(['file:///a/c.iommu', 'file:///f.iommu']);
  });
});

describe('layout', () => {
  const words = fc.constantFrom('host', 'h', '{', '}', ',', '"a { b"', '// c }', '\n', '\n\n\n', '  ', 'ats', '0x1', '/* x\n  y { */', '..', ':', '\t');

  it('is the same when laid out again', () => fc.assert(fc.property(fc.array(words, { maxLength: 60 }), (parts) => {
    const once = formatText(parts.join(' '));
    expect(formatText(once)).toBe(once);
  }), { numRuns: 500 }));

  it('changes nothing but white space', () => fc.assert(fc.property(fc.array(words, { maxLength: 60 }), (parts) => {
    const text = parts.join(' ');
    expect(formatText(text).replace(/\s+/g, '')).toBe(text.replace(/\s+/g, ''));
  }), { numRuns: 500 }));

  it('indents by braces, keeps alignment, comments and single empty lines', () => {
    expect(formatText('host h{\n\n\nroot-port p at 00:01.0{ acs SV ,RR\nfunction f   at 01:00.0 {ats}// x\n  /// y\n}   \n}')).toBe(
      'host h {\n\n  root-port p at 00:01.0 { acs SV, RR\n    function f   at 01:00.0 { ats } // x\n    /// y\n  }\n}\n');
  });

  it('keeps the alignment of a list that goes on after a comma', () => {
    const text = 'host h {\n  iommu u : vtd {\n    covers a, b,\n           c\n  }\n}\n';
    expect(formatText(text)).toBe(text);
  });

  it('leaves a laid out file and the reference alone', () => {
    expect(formatText(DESK)).toBe(DESK);
    const page = readFileSync(new URL('../../docs/language.md', import.meta.url), 'utf8');
    for (const [, block] of page.matchAll(/^```iommu\n([\s\S]*?)^```$/gm)) expect(formatText(block!)).toBe(block);
  });

  it('does not change what a file means', async () => {
    const workspace = new Workspace();
    const messy = DESK.replaceAll('  ', ' ').replaceAll('{', '{\n').replaceAll(',', ' ,');
    expect((await workspace.lowered(formatText(messy))).description).toEqual((await workspace.lowered(DESK)).description);
  });
});
