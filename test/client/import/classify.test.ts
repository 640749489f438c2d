import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assemble, classify } from '../../../client/import/classify.js';

const lspci = readFileSync('examples/intel-laptop/lspci.txt', 'utf8');
const dmesg = readFileSync('examples/intel-laptop/dmesg.txt', 'utf8');

describe('parts of an import', () => {
  it.each([
    ['lspci', lspci],
    ['lspci', '{ "functions": [] }'],
    ['dmesg', dmesg],
    ['dmesg', 'Nov 22 10:00:00 desk kernel: DMAR: IOMMU enabled'],
    ['groups', '/sys/kernel/iommu_groups/7/devices/0000:00:1f.0'],
    ['groups', 'IOMMU Group 1:\n\t00:01.0 PCI bridge [0604]: Intel'],
    ['commandLine', 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet intel_iommu=on'],
    [null, 'Dear diary'],
    [null, ''],
  ])('knows %s by its look', (part, text) => expect(classify(text)).toBe(part));

  it('puts them together whatever their order', () => {
    expect(assemble([{ name: 'b', text: dmesg }, { name: 'a', text: lspci }])).toEqual({ lspci, dmesg, groups: undefined, commandLine: undefined });
  });

  it('says what is missing, twice there, or unknown', () => {
    expect(assemble([{ name: 'a', text: dmesg }])).toEqual({ error: expect.stringContaining('lspci -vvv` is missing') });
    expect(assemble([{ name: 'a', text: lspci }, { name: 'b', text: lspci }])).toEqual({ error: 'a and b both look like lspci output.' });
    expect(assemble([{ name: 'a', text: 'Dear diary' }])).toEqual({ error: expect.stringContaining('a is neither lspci output') });
  });
});
