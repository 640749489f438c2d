/** What ACS registers hold after boot (section 2.3). */
import { describe, expect, test } from 'vitest';
import type { AcsDescription } from '../../server/simulator/description.js';
import { parseCommandLine } from '../../server/simulator/kernel/command-line.js';
import { parseAcsParameters, parseSelector } from '../../server/simulator/kernel/acs-parameters.js';
import { downstreamPort, endpoint, form, host, rootPort, unit, upstreamPort, type Node, type Setting } from '../fabric/sample-host.js';

const FULL: AcsDescription = { capability: 0x5f, firmwareControl: 0 };

const tree = (acs: AcsDescription, more: Partial<Node['fn']> = {}): Node[] => [
  rootPort('00:03.0', { acs, ids: { vendor: 0x1b36, device: 0x000c }, ...more }, upstreamPort('01:00.0', {}, downstreamPort('02:00.0', { acs }, endpoint('03:00.0')), downstreamPort('02:01.0', { acs }))),
];

/** Control registers of 00:03.0, 02:00.0 and 02:01.0. */
function controls(acs: AcsDescription, setting: Setting = {}, more: Partial<Node['fn']> = {}): string[] {
  const { acs: registers, topology } = form(host(tree(acs, more), setting));
  return ['00:03.0', '02:00.0', '02:01.0'].map((id) => `0x${registers.of(topology.byId(id)!)!.control.toString(16)}`);
}

const messages = (acs: AcsDescription, setting: Setting): readonly string[] => form(host(tree(acs), setting)).messages;

describe('what the kernel switches on', () => {
  test('SV, RR, CR and UF where the capability has them, never EC and DT (ACE-02, ACE-03, PCIE-39)', () => {
    expect(controls(FULL)).toEqual(['0x1d', '0x1d', '0x1d']);
    expect(controls({ capability: 0x0d, firmwareControl: 0 })).toEqual(['0xd', '0xd', '0xd']);
  });

  test('on top of what firmware left', () => {
    expect(controls({ capability: 0x5f, firmwareControl: 0x40 })).toEqual(['0x5d', '0x5d', '0x5d']);
  });

  test('nothing where no IOMMU asks (ACE-01)', () => {
    expect(controls({ capability: 0x5f, firmwareControl: 0x10 }, { iommus: [] })).toEqual(['0x10', '0x10', '0x10']);
    expect(controls(FULL, { commandLine: 'amd_iommu=off', iommus: [unit('amd-vi')] })).toEqual(['0x0', '0x0', '0x0']);
    expect(['5.10', '6.12'].map((version) => controls(FULL, { iommus: [unit('virtio-iommu')], version })[0])).toEqual(['0x0', '0x1d']);
  });

  test('translation blocking with pci=noats, at external-facing ports and below them (ACE-03)', () => {
    expect(controls(FULL, { commandLine: 'pci=noats' })).toEqual(['0x1f', '0x1f', '0x1f']);
    expect(controls(FULL, {}, { externalFacing: true })).toEqual(['0x1f', '0x1f', '0x1f']);
  });

  test('a control register that was read is believed', () => {
    expect(controls({ capability: 0x5f, firmwareControl: 0, control: 0x05 }, { commandLine: 'pci=noats' })).toEqual(['0x5', '0x5', '0x5']);
  });
});

describe('pci=disable_acs_redir', () => {
  const only = { commandLine: 'pci=disable_acs_redir=00:03.0/00.0/01.0' };

  test('S34 up to 6.10 the redirect bits are taken away (ACE-06)', () => {
    expect(controls(FULL, { ...only, version: '6.8' })).toEqual(['0x1d', '0x1d', '0x11']);
    expect(messages(FULL, { ...only, version: '6.8' })).toContain('pci 0000:02:01.0: disabled ACS redirect');
  });

  test('S34 from 6.15 on everything else is as firmware left it (ACE-08)', () => {
    expect(controls(FULL, { ...only, version: '6.19' })).toEqual(['0x1d', '0x1d', '0x0']);
    expect(messages(FULL, { ...only, version: '6.19' })).toContain('pci 0000:02:01.0: Configured ACS to 0x0000');
    expect(controls({ capability: 0x5f, firmwareControl: 0x1f }, { ...only, version: '6.19' })).toEqual(['0x1f', '0x1f', '0x13']);
  });

  test('in 6.11 it switches on everything else that the port has (ACE-08)', () => {
    expect(controls(FULL, { ...only, version: '6.11' })).toEqual(['0x1d', '0x1d', '0x53']);
  });

  test('by ids, and where there is no capability (ACE-06)', () => {
    expect(controls(FULL, { commandLine: 'pci=disable_acs_redir=pci:1b36:000c', version: '6.8' })).toEqual(['0x11', '0x1d', '0x1d']);
    expect(messages(FULL, { commandLine: 'pci=disable_acs_redir=01:00.0' })).toContain('pci 0000:01:00.0: cannot disable ACS redirect for this hardware as it does not have ACS capabilities');
  });

  test('a list that cannot be read is complained about (ACE-06)', () => {
    expect(messages(FULL, { commandLine: 'pci=disable_acs_redir=nonsense' })).toContain("PCI: Can't parse disable_acs_redir parameter: nonsense");
  });
});

describe('pci=config_acs', () => {
  test('flags are read from the right; x is firmware\'s bit (ACE-07, ACE-08)', () => {
    expect(controls(FULL, { commandLine: 'pci=config_acs=xxxxx1x@00:03.0' })).toEqual(['0x2', '0x1d', '0x1d']);
    expect(controls({ capability: 0x5f, firmwareControl: 0x1d }, { commandLine: 'pci=config_acs=xx0xxxx@00:03.0' })).toEqual(['0xd', '0x1d', '0x1d']);
  });

  test('works without an IOMMU (ACE-07)', () => {
    expect(controls(FULL, { commandLine: 'pci=config_acs=1000001@00:03.0', iommus: [] })).toEqual(['0x41', '0x0', '0x0']);
  });

  test('did not exist before 6.11', () => {
    expect(controls(FULL, { commandLine: 'pci=config_acs=0000000@00:03.0', version: '6.8' })).toEqual(['0x1d', '0x1d', '0x1d']);
  });

  test('in 6.11 what the kernel switched on stays, and entries before the right one count too (ACE-08, ACE-09)', () => {
    expect(controls(FULL, { commandLine: 'pci=config_acs=xxxxx1x@00:03.0', version: '6.11' })).toEqual(['0x1f', '0x1d', '0x1d']);
    const two = 'pci=config_acs=xxxxx1x@00:03.0;xxxx0xx@00:03.0/00.0/00.0';
    expect(controls(FULL, { commandLine: two, version: '6.11' })).toEqual(['0x1f', '0x1b', '0x1d']);
    expect(controls(FULL, { commandLine: two, version: '6.19' })).toEqual(['0x2', '0x0', '0x1d']);
  });

  test('bits that the port does not have stay off', () => {
    expect(controls({ capability: 0x1d, firmwareControl: 0 }, { commandLine: 'pci=config_acs=1111111@00:03.0' })[0]).toBe('0x1d');
  });

  test('complaints (ACE-07)', () => {
    const complaint = (value: string): readonly string[] => parseAcsParameters(parseCommandLine(`pci=config_acs=${value}`)).messages;
    expect(complaint('@00:03.0')).toEqual(['ACS Flags missing']);
    expect(complaint('12@00:03.0')).toEqual(['Invalid ACS flags specified']);
    expect(complaint('00000000@00:03.0')).toEqual(['Invalid ACS flags... Ignoring']);
    expect(complaint('0000000')).toEqual(["PCI: Can't parse ACS command line parameter"]);
    expect(complaint('0000000@00:03.0;x@pci:8086:1234')).toEqual([]);
  });
});

test('device selectors (ACE-06)', () => {
  expect(parseSelector('0001:a0:1f.7')).toEqual({ kind: 'path', segment: 1, bus: 0xa0, devfns: [0xff] });
  expect(parseSelector('00:03.0/00.0/01.2')).toEqual({ kind: 'path', segment: 0, bus: 0, devfns: [0x18, 0x00, 0x0a] });
  expect(parseSelector('pci:8086:10d3:8086:0')).toEqual({ kind: 'ids', ids: [0x8086, 0x10d3, 0x8086, 0] });
  for (const wrong of ['', '00:03', '00:03.8', 'pci:8086', '00:03.0/']) expect(parseSelector(wrong)).toBeNull();
});
