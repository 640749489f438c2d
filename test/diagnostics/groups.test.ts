/** Diagnostics about groups, where their examples do not say enough. */
import { describe, expect, test } from 'vitest';
import { analyseText, applyFix, codesOf, type AnalysedText } from '../helpers.js';

const host = (kernel: string, body: string): string => `host h {
  kernel ${kernel}
  memory 0 size 16GiB
  iommu dmar0 : vtd { covers rest }
${body}
}
`;
const message = ({ presented }: AnalysedText, code: string): string => presented.find((each) => each.code === code)?.message ?? '';

describe('group/acs-override', () => {
  const SWITCH = `  root-port rp at 00:01.0 { acs SV, RR, CR, UF
    switch up at 01:00.0 {
      port p0 at 02:00.0 { function gpu at 03:00.0 { class vga } }
      port p1 at 02:00.1 { function nic at 04:00.0 { class ethernet  bar 0 at 0xfc00_0000 size 1MiB } }
    }
  }`;

  test('shows the groups without it and the DMA that crosses the split', async () => {
    const analysed = await analyseText(host('6.12 cmdline "intel_iommu=on pcie_acs_override=downstream quiet"', SWITCH));
    expect(message(analysed, 'group/acs-override')).toContain('Without it the groups are {gpu nic}. gpu (0000:03:00.0) writes to nic (0000:04:00.0) without meeting an IOMMU.');
    const found = analysed.presented.find((each) => each.code === 'group/acs-override')!;
    expect(found.related.map((each) => each.message)).toContainEqual(expect.stringContaining('past every IOMMU'));
    expect(applyFix(analysed, found.finding!.fixes[0]!)).toContain('kernel 6.12 cmdline "intel_iommu=on quiet"\n');
  });

  test('what else stands on the command line stays as it is, quotes too', async () => {
    const analysed = await analyseText(host('6.12 cmdline "dyndbg=\\"file x +p\\" intel_iommu=on pcie_acs_override=downstream" { options VFIO_NOIOMMU }', '  function gpu at 00:03.0 { class vga }'));
    const repaired = applyFix(analysed, analysed.presented.find((each) => each.code === 'group/acs-override')!.finding!.fixes[0]!);
    expect(repaired).toContain('kernel 6.12 cmdline "dyndbg=\\"file x +p\\" intel_iommu=on" { options VFIO_NOIOMMU }');
  });

  test('an option that splits nothing is told without proof', async () => {
    const analysed = await analyseText(host('6.12 cmdline "intel_iommu=on pcie_acs_override=downstream"', '  function gpu at 00:03.0 { class vga }'));
    expect(message(analysed, 'group/acs-override')).toMatch(/This is not isolation\.$/);
  });
});

describe('bridges are never in the way', () => {
  test('of a group\'s owner, whatever their driver', async () => {
    const codes = codesOf(await analyseText(`${host('6.12 cmdline "intel_iommu=on"', `  root-port rp at 00:01.0 { driver pcieport
    bridge b at 01:00.0 : pcie-to-pci { driver pcieport
      function card at 02:00.0 : conventional { driver vfio-pci }
    }
  }`)}vm guest on h { memory 1GiB  through iommufd  assign card }
`));
    expect(codes).toEqual([]);
  });

  test('and vfio-pci refuses them', async () => {
    const analysed = await analyseText(host('6.12 cmdline "intel_iommu=on"', '  root-port rp at 00:01.0 { acs SV, RR, CR, UF }\n  bind rp to vfio-pci'));
    expect(codesOf(analysed)).toEqual(['driver/vfio-on-bridge']);
    expect(applyFix(analysed, analysed.presented[0]!.finding!.fixes[0]!)).not.toContain('bind');
  });
});

describe('driver/ids-match-several', () => {
  const cards = (options: string, second: string): string => `${host(`6.12 cmdline "intel_iommu=on ${options}"`, `  root-port s1 at 00:01.0 { acs SV, RR, CR, UF  function a at 01:00.0 { id 8086:1521  subsystem 8086:0001  class ethernet  driver igb } }
  root-port s2 at 00:02.0 { acs SV, RR, CR, UF  function b at 02:00.0 { ${second}  class ethernet  driver igb } }`)}`;

  test.each([
    ['vfio-pci.ids=8086:1521', 'id 8086:1521', true], ['vfio-pci.ids=10de:1,8086:1521', 'id 8086:1521', true], ['vfio-pci.ids=8086:1521', 'id 8086:1522', false],
    ['vfio-pci.ids=8086:1521:8086:0001', 'id 8086:1521  subsystem 8086:0002', false], ['vfio-pci.ids=8086:1521:ffffffff:ffffffff:020000', 'id 8086:1521', true],
    ['vfio-pci.ids=8086:1521:ffffffff:ffffffff:030000', 'id 8086:1521', false], ['vfio-pci.ids=8086:1521:ffffffff:ffffffff:0c0000:0', 'id 8086:1521', true],
  ])('%s and %s: %s', async (options, second, isFound) => {
    expect(codesOf(await analyseText(cards(options, second))).includes('driver/ids-match-several')).toBe(isFound);
  });

  test('is silent when every match is assigned', async () => {
    const text = `${cards('vfio-pci.ids=8086:1521', 'id 8086:1521').replaceAll('driver igb', 'driver vfio-pci')}vm guest on h { memory 1GiB  through iommufd  assign a, b }\n`;
    expect(codesOf(await analyseText(text))).toEqual([]);
  });

  test('is repaired by naming the device that is wanted', async () => {
    const analysed = await analyseText(`${cards('vfio-pci.ids=10de:1,8086:1521', 'id 8086:1521')}vm guest on h { memory 1GiB  through iommufd  assign a }\n`);
    const repaired = applyFix(analysed, analysed.presented.find((each) => each.code === 'driver/ids-match-several')!.finding!.fixes[0]!);
    expect(repaired).toContain('vfio-pci.ids=10de:1"');
    expect(repaired).toContain('bind a to vfio-pci');
    expect(codesOf(await analyseText(repaired))).toEqual([]);
  });
});

test('group/requester-alias names who shares the group for it', async () => {
  const text = message(await analyseText(host('6.12 cmdline "intel_iommu=on"', `  root-port rp at 00:01.0 { acs SV, RR, CR, UF
    function sata at 01:00.0 { id 1b4b:9230  class ahci  driver vfio-pci }
    function ide at 01:00.1 { class 0x010185  acs SV, RR, CR, UF  driver vfio-pci }
  }`)), 'group/requester-alias');
  expect(text).toContain('also arrives as 01:00.1');
  expect(text).toContain('ide (0000:01:00.1) shares its group');
});

describe('group/rework-differs', () => {
  test('is made only where the host says how it groups', async () => {
    const body = '  root-port rp at 00:01.0 { acs SV, RR, CR, UF  function a at 01:00.0 { }  function b at 01:00.1 { } }';
    expect(codesOf(await analyseText(host('6.19 cmdline "intel_iommu=on"', body)))).toEqual([]);
    for (const grouping of ['classic', '2025-rework']) {
      const analysed = await analyseText(host(`6.19 cmdline "intel_iommu=on" { grouping ${grouping} }`, body));
      expect(message(analysed, 'group/rework-differs')).toContain('on h: {a} {b} instead of {a b}.');
      expect(analysed.analysis.report.hosts[0]!.groups).toHaveLength(grouping === 'classic' ? 2 : 3);
    }
  });

  test('another word is an error of the language', async () => {
    expect(codesOf(await analyseText(host('6.19 { grouping modern }', '')))).toContain('language/unknown-word');
  });
});
