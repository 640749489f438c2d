/** Every check: a text that it complains of, and the code and words that it uses. */
import { describe, expect, it } from 'vitest';
import { LANGUAGE_CODES } from '../../language/index.js';
import { DESK, parse, problemsOf } from './support.js';

const inHost = (items: string): string => `host h { ${items} }`;
const inScenario = (items: string): string => `${DESK}scenario "s" on desk { ${items} }`;

const CASES: readonly [code: string, message: RegExp, text: string][] = [
  ['language/syntax', /The file ends inside braces: a `}` is missing/, 'host h { function a at 01:00.0 { class vga'],
  ['language/syntax', /cannot begin a statement here. Did you mean `levels`/, inHost('iommu u : vtd { levls 4 }')],
  ['language/syntax', /Here comes a name, but `bridge` is a word of the language/, inHost('function bridge at 01:00.0')],
  ['language/syntax', /does not end in its line/, 'use "abc\n'],
  ['language/unknown-name', /No device is named `gpv` here. Did you mean `gpu`\?/, `${DESK}dma gpv read 0`],
  ['language/unknown-name', /No host is named `dask` here. Did you mean `desk`\?/, `${DESK}vm v on dask { }`],
  ['language/missing-file', /no file `x.iommu`/, 'use "x.iommu"'],
  ['language/duplicate-name', /`a` is taken in line 1/, inHost('function a at 01:00.0 function a at 02:00.0')],
  ['language/duplicate-name', /`h` is taken/, 'host h { } host h { }'],
  ['language/duplicate-name', /`s` is taken/, `${DESK}scenario "s" on desk { } scenario "s" on desk { }`],
  ['language/duplicate-name', /`m` is taken/, inScenario('memory m size 4KiB memory m size 4KiB')],
  ['language/outside-host', /closing brace too many/, 'host h { } function f at 01:00.0'],
  ['language/too-large', /does not fit 64 bits/, 'let a = 0x1_0000_0000_0000_0000'],
  ['language/too-large', /ends at 0x1_0000_0000_0000_0000/, inHost('memory 0xffff_ffff_ffff_ffff size 2')],
  ['language/too-large', /at most 20 bits/, `${DESK}dma gpu read 0 pasid 0x10_0000`],
  ['language/empty-range', /ends before it starts/, inHost('memory 2 .. 1')],
  ['language/empty-range', /size is 0/, `${DESK}dma gpu read 0 size 0`],
  ['language/empty-range', /Where does the range end/, inHost('reserved 0x1000 msi')],
  ['language/overlapping-memory', /overlaps the one from 0x0 to 0x1000/, inHost('memory 0 .. 0x1000, 0x1000 .. 0x2000')],
  ['language/without-effect', /Only `program libvirt` looks at `managed`/, `${DESK}vm v on desk { managed no }`],
  ['language/circular-constant', /`a` is defined by itself/, 'let a = b let b = a'],
  ['language/kernel-version', /`newest` is no kernel version/, inHost('kernel newest')],
  ['language/unknown-property', /An iommu has no property `acs`/, inHost('iommu u : vtd { acs SV }')],
  ['language/unknown-property', /It is a property of `iommu`/, inHost('function f at 01:00.0 { caching-mode }')],
  ['language/duplicate-property', /`driver` is given twice/, inHost('function f at 01:00.0 { driver a driver b }')],
  ['language/property-value', /does not know `XV`/, inHost('function f at 01:00.0 { acs XV }')],
  ['language/property-value', /`none` stands alone/, inHost('function f at 01:00.0 { acs SV, none }')],
  ['language/property-value', /two hexadecimal numbers/, inHost('function f at 01:00.0 { id 5 }')],
  ['language/property-value', /Did you mean `nvme`/, inHost('function f at 01:00.0 { class nvmee }')],
  ['language/property-value', /`pasid` is at most 20/, inHost('function f at 01:00.0 { pasid 21 }')],
  ['language/property-value', /needs a value/, inHost('function f at 01:00.0 { driver }')],
  ['language/property-value', /takes one value/, inHost('function f at 01:00.0 { driver a, b }')],
  ['language/property-value', /powers of two/, inHost('iommu u : vtd { page-sizes 5KiB }')],
  ['language/property-value', /takes device and function/, inHost('function f at 01:00.0 { alias 5 }')],
  ['language/property-value', /Memory is backed by/, inScenario('memory m size 4KiB backing 3')],
  ['language/unknown-word', /no IOMMU architecture. Did you mean `amd-vi`/, inHost('iommu u : amdvi')],
  ['language/unknown-word', /no type of such a function/, inHost('function f : pci at 01:00.0')],
  ['language/unknown-word', /no CPU vendor/, inHost('cpu zilog')],
  ['language/unknown-word', /no kind of mediated device/, inHost('function f at 01:00.0 mdev m on f : hard')],
  ['language/unknown-word', /no type of reserved region/, inHost('reserved 0 .. 1 odd')],
  ['language/unknown-word', /no kind of memory/, inScenario('memory m size 4KiB odd')],
  ['language/unknown-word', /no domain type/, `${DESK}domain d on desk : odd { }`],
  ['language/unknown-word', /no permission/, `${DESK}domain d on desk { map iova 0 size 4KiB to 0 x }`],
  ['language/unknown-word', /Did you mean `prefetchable`/, inHost('function f at 01:00.0 { bar 0 at 0 size 4KiB prefetchible }')],
  ['language/unknown-word', /Did you mean `translated`/, `${DESK}dma gpu read 0 translatd`],
  ['language/unknown-word', /no expectation and no errno/, `${DESK}dma gpu read 0 expect faultt`],
  ['language/pci-address', /devices go up to 1f/, inHost('function f at 01:20.0')],
  ['language/pci-address', /no free address left on the bus of `f31`/, inHost(Array.from({ length: 32 }, (_, i) => `function f${i}`).join(' '))],
  ['language/duplicate-address', /`a` is at 01:00.0 already/, inHost('function a at 01:00.0 function b at 01:00.0')],
  ['language/duplicate-address', /`n.vf0` would be at 01:10.0, where `a` is|`a` is at 01:10.0|`n.vf0` is at 01:10.0/, inHost('function n at 01:00.0 { sriov vfs 1 of 1 offset 128 stride 1 } function a at 01:10.0')],
  ['language/bus-number', /`zz` is no bus number/, inHost('root-port p at 00:01.0 { buses zz }')],
  ['language/bus-number', /less than the secondary/, inHost('root-port p at 00:01.0 { buses 05 .. 04 }')],
  ['language/bus-number', /`g` is on bus 06, but the bus below `p` is 05/, inHost('root-port p at 00:01.0 { function f at 05:00.0 function g at 06:00.0 }')],
  ['language/misplaced-function', /no bridge, port or switch/, inHost('function f at 01:00.0 { function g at 02:00.0 }')],
  ['language/misplaced-function', /stands in its `switch`/, inHost('port p at 01:00.0')],
  ['language/misplaced-function', /root port stands directly/, inHost('root-port p at 00:01.0 { root-port q at 01:00.0 }')],
  ['language/bar', /power of two/, inHost('function f at 01:00.0 { bar 0 at 0 size 3KiB }')],
  ['language/bar', /no multiple of 0x1000/, inHost('function f at 01:00.0 { bar 0 at 0x800 size 0x1000 }')],
  ['language/bar', /numbered 0 to 5/, inHost('function f at 01:00.0 { bar 6 at 0 size 4KiB }')],
  ['language/bar', /given twice/, inHost('function f at 01:00.0 { bar 0 at 0 size 4KiB bar 0 at 0 size 4KiB }')],
  ['language/sriov', /only 2/, inHost('function f at 01:00.0 { sriov vfs 4 of 2 offset 128 stride 2 }')],
  ['language/sriov', /same address/, inHost('function f at 01:00.0 { sriov vfs 2 of 2 offset 1 stride 0 }')],
  ['language/sriov', /At most 4096/, inHost('function f at 01:00.0 { sriov vfs 4097 }')],
  ['language/sriov', /Of which physical function/, inHost('virtual-function v at 01:10.0')],
  ['language/operand', /`map` needs `size`/, inScenario('open-container c map c iova 0')],
  ['language/operand', /`iova` needs a value/, inScenario('open-container c map c size 4KiB iova')],
  ['language/operand', /does not take `rww`/, inScenario('open-container c map c size 4KiB rww')],
  ['language/operand', /`size` is given twice/, inScenario('open-container c map c size 4KiB size 4KiB')],
  ['language/operand', /There is no step `atach`\. Did you mean `attach`\?$/, inScenario('open-container c\n  atach gpu to c')],
  ['language/operand', /There is no step `ioas-map`\. Did you mean `map`\?$/, inScenario('open-container c\n  ioas-map c size 4KiB')],
  ['language/operand', /takes a container .*`gpu` is a device/, inScenario('map gpu size 4KiB')],
  ['language/operand', /`g` is a group/, inScenario('open-group g of gpu map g size 4KiB')],
  ['language/operand', /needs a number/, `${DESK}dma gpu read 0 expect address`],
  ['language/operand', /Nothing follows `expect ok`/, `${DESK}dma gpu read 0 expect ok 5`],
  ['language/not-open-yet', /introduced only later, in line \d+/, inScenario('iommu-info c open-container c')],
  ['language/other-host', /a device of host `h2`, not of `desk`/, `${DESK}host h2 { function other at 01:00.0 } vm v on desk { assign other }`],
  ['language/unknown-word', /`vtd` has no register `DDTP` that decides over requests/, inHost('iommu u : vtd { register DDTP = 1 }')],
  ['language/unknown-word', /`vtd` has no register `RTADR` .*Did you mean `RTADDR`\?/, inHost('iommu u : vtd { register RTADR = 1 }')],
  ['language/unknown-word', /No registers of `pamu` can be written by hand/, inHost('iommu u : pamu { register GCMD = 1 }')],
  ['language/too-large', /`GCMD` has 32 bits/, inHost('iommu u : vtd { register gcmd = 0x1_0000_0000 }')],
  ['language/property-value', /stand at multiples of 8/, inHost('words 0x1004 = 1')],
  ['language/too-large', /go beyond the last address/, inHost('words 0xffff_ffff_ffff_fff8 = 1, 2')],
  ['language/operand', /nothing in braces/, inScenario('open-container c { a 1 }')],
];

describe('checks that need no simulation', () => {
  it.each(CASES)('%s says %s', async (code, message, text) => {
    const problems = await problemsOf(text);
    expect(problems.filter((problem) => problem.startsWith(`${code}: `) && message.test(problem)), problems.join('\n')).not.toEqual([]);
  });

  it('a misspelt step is told once, and costs its line alone', async () => {
    const problems = await problemsOf(inScenario('open-container c\n  atach gpu to c flag\n  open-container d\n  mapp d size 4KiB'));
    expect(problems.map((problem) => /`(\w+)`\?$/.exec(problem)?.[1])).toEqual(['attach', 'map']);
  });

  it('has a case for every code', () => expect(new Set(CASES.map(([code]) => code))).toEqual(new Set(LANGUAGE_CODES.keys())));

  it('says nothing about a sound file', async () => expect(await problemsOf(DESK)).toEqual([]));

  it('underlines the value, not the statement', async () => {
    const { problems: [problem] } = await parse('host h { function f at 01:00.0 { acs SV, XV } }');
    expect(problem!.range).toEqual({ start: { line: 0, character: 41 }, end: { line: 0, character: 43 } });
  });
});
