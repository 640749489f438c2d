/** Default domains on AMD-Vi: version 1 or version 2 tables (PGS-05, DOM-26, CMD-10). */
import { describe, expect, test } from 'vitest';
import { optionMessages } from '../../server/simulator/kernel/option-messages.js';
import { boot, fn, rootPort, type HostOptions } from './hosts.js';

const V2_SIZES = 0x4020_1000n;

/** Which tables the default domain of the device's group has. */
function tablesOf(options: Partial<HostOptions>, pasidBits = 0): string {
  const gpu = { ...fn('gpu', '01:00.0', { under: 'rp' }), pasidBits };
  const { device } = boot({ architecture: 'amd-vi', cpuVendor: 'amd', unit: { firstStage: true, addressWidth: 48 }, functions: [rootPort('rp', '00:01.0', 1), gpu], ...options });
  const domain = device('gpu').group!.defaultDomain;
  if (domain === null || !('pageSizes' in domain)) return domain?.type ?? 'none';
  return domain.pageSizes === V2_SIZES ? `version 2 to ${domain.aperture.last.toString(16)}` : 'version 1';
}

describe('PGS-05, CMD-10: amd_iommu=pgtbl_v2', () => {
  test.each([
    ['5.19', 'version 1'], ['6.1', 'version 2 to ffffffffffff'], ['6.12', 'version 2 to ffffffffffff'], ['6.19', 'version 2 to 7fffffffffff'],
  ])('kernel %s', (version, expected) => expect(tablesOf({ version, commandLine: 'amd_iommu=pgtbl_v2' })).toBe(expected));

  test('the last word counts, the default is version 1, and the unit must have them', () => {
    expect(tablesOf({})).toBe('version 1');
    expect(tablesOf({ commandLine: 'amd_iommu=pgtbl_v2 amd_iommu=pgtbl_v1' })).toBe('version 1');
    expect(tablesOf({ commandLine: 'amd_iommu=pgtbl_v2', unit: {} })).toBe('version 1');
    expect(tablesOf({ commandLine: 'amd_iommu=pgtbl_v2 iommu=pt' })).toBe('identity');
  });
});

test('PGS-04, CMD-10: words that restrict version 1 tables, since 6.13', () => {
  const lines = (word: string, release: number) => optionMessages(new Map([['amd_iommu', [word]]]), release);
  expect(lines('nohugepages', 6013)).toEqual(['AMD-Vi: Restricting V1 page-sizes to 4KiB']);
  expect(lines('v2_pgsizes_only', 6019)).toEqual(['AMD-Vi: Restricting V1 page-sizes to 4KiB/2MiB/1GiB']);
  expect([lines('nohugepages', 6012), lines('nohugepages', 6001)]).toEqual([["AMD-Vi: Unknown option - 'nohugepages'"], []]);
});

describe('DOM-26: beside PASIDs', () => {
  const unit = { pasidBits: 16, pageRequests: true };
  const encrypted = { commandLine: 'mem_encrypt=on', unit };

  test('a device with PASIDs has identity, unless memory is encrypted: then version 2 since 6.14, whatever the command line says', () => {
    expect(tablesOf({ unit }, 16)).toBe('identity');
    expect(tablesOf({ ...encrypted, version: '6.12' }, 16)).toBe('version 1');
    expect(tablesOf({ ...encrypted, version: '6.14' }, 16)).toBe('version 2 to ffffffffffff');
    expect(tablesOf({ ...encrypted, version: '6.19' }, 16)).toBe('version 2 to 7fffffffffff');
  });

  test('version 1 where nothing has PASIDs, or the driver says that it uses none', () => {
    expect(tablesOf(encrypted)).toBe('version 1');
    expect(tablesOf({ ...encrypted, unit: { pasidBits: 16 } }, 16)).toBe('version 1');
  });
});
