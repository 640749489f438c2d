/** The kernel's command line as options. */
import { expect, test } from 'vitest';
import { hasWord, lastWord, parseCommandLine, valuesAfter } from '../../server/simulator/kernel/command-line.js';

test('options with their values in order, lists taken apart', () => {
  const line = parseCommandLine('quiet intel_iommu=on,sm_on iommu=pt  intel_iommu=off vfio_iommu_type1.allow_unsafe_interrupts=1');
  expect(line.get('intel_iommu')).toEqual(['on', 'sm_on', 'off']);
  expect(line.get('quiet')).toEqual([]);
  expect(line.get('vfio_iommu_type1.allow_unsafe_interrupts')).toEqual(['1']);
  expect(line.has('debug')).toBe(false);
  expect([hasWord(line, 'intel_iommu', 'sm_on'), hasWord(line, 'intel_iommu', 'strict'), hasWord(line, 'amd_iommu', 'off')]).toEqual([true, false, false]);
  expect(lastWord(line, 'intel_iommu', ['on', 'off'])).toBe('off');
});

test('quotes hold blanks together, and what follows -- is not for the kernel', () => {
  const line = parseCommandLine('dyndbg="file vfio.c +p" pci="noats" -- iommu=off');
  expect(line.get('dyndbg')).toEqual(['file vfio.c +p']);
  expect(hasWord(line, 'pci', 'noats')).toBe(true);
  expect(line.has('iommu')).toBe(false);
});

test('values with a name of their own', () => {
  expect(valuesAfter(parseCommandLine('pci=noats,config_acs=000x@00:01.0;111x@00:02.0 pci=config_acs=1@pci:8086:1234'), 'pci', 'config_acs=')).toEqual(['000x@00:01.0;111x@00:02.0', '1@pci:8086:1234']);
});

test('an empty line has no options', () => {
  expect(parseCommandLine('').size).toBe(0);
});
