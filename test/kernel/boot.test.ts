import { describe, expect, test } from 'vitest';
import { boot, fn, rootPort } from './hosts.js';

const desktop = [rootPort('rp', '00:01.0', 1), fn('gpu', '01:00.0', { under: 'rp', driver: 'nvidia' }), fn('audio', '01:00.1', { under: 'rp', driver: 'snd_hda_intel' })];

describe('boot', () => {
  test('GRL-03: every device says which group it joins, before any driver has it', () => {
    const { kernel } = boot({ functions: desktop });
    expect(kernel.log).toContain('pci 0000:00:01.0: Adding to iommu group 0');
    expect(kernel.log).toContain('pci 0000:01:00.0: Adding to iommu group 1');
    expect(kernel.log).toContain('pci 0000:01:00.1: Adding to iommu group 1');
  });

  test('OWN-01, OWN-02: drivers of the host count, a port driver does not', () => {
    const { device } = boot({ functions: desktop });
    expect(device('gpu').group?.ownerCount).toBe(2);
    expect(device('rp').group?.ownerCount).toBe(0);
  });

  test('OLD-01: before 5.19 nobody is counted', () => {
    expect(boot({ functions: desktop, version: '5.13' }).device('gpu').group?.ownerCount).toBe(0);
  });

  test.each([
    ['6.12', '', 'DMA-FQ'],
    ['6.12', 'iommu.strict=1', 'DMA'],
    ['6.12', 'iommu=pt', 'identity'],
    ['6.12', 'iommu.passthrough=on', 'identity'],
    ['6.12', 'iommu=pt iommu.passthrough=0', 'DMA-FQ'],
    ['6.12', 'iommu.passthrough=perhaps', 'DMA-FQ'],
    ['5.13', '', 'DMA'],
    ['6.12', 'intel_iommu=strict', 'DMA'],
  ])('DOM-01 .. DOM-06: %s with "%s" gives groups %s', (version, commandLine, type) => {
    expect(boot({ functions: desktop, version, commandLine }).device('gpu').group?.defaultDomain?.type).toBe(type);
  });

  test.each([
    ['6.12', '', ['iommu: Default domain type: Translated', 'iommu: DMA domain TLB invalidation policy: lazy mode']],
    ['6.1', '', ['iommu: Default domain type: Translated ', 'iommu: DMA domain TLB invalidation policy: lazy mode ']],
    ['6.12', 'iommu=pt', ['iommu: Default domain type: Passthrough (set via kernel command line)']],
    ['6.12', 'iommu.strict=1', ['iommu: Default domain type: Translated', 'iommu: DMA domain TLB invalidation policy: strict mode (set via kernel command line)']],
    ['5.13', '', ['iommu: Default domain type: Translated ']],
  ])('DOM-05: boot lines of %s with "%s"', (version, commandLine, lines) => {
    expect(boot({ functions: desktop, version, commandLine }).kernel.log.filter((line) => line.startsWith('iommu: '))).toEqual(lines);
  });

  test('DOM-02: the build option decides when the command line does not', () => {
    expect(boot({ functions: desktop, buildOptions: ['IOMMU_DEFAULT_PASSTHROUGH'] }).device('gpu').group?.defaultDomain?.type).toBe('identity');
    expect(boot({ functions: desktop, buildOptions: ['IOMMU_DEFAULT_DMA_STRICT'] }).device('gpu').group?.defaultDomain?.type).toBe('DMA');
  });

  test.each([
    ['vtd', '6.12', '', 'DMA', 'DMAR: IOMMU batching disallowed due to virtualization'],
    ['vtd', '6.12', 'iommu=pt', 'identity', 'DMAR: IOMMU batching disallowed due to virtualization'],
    ['vtd', '5.10', '', 'DMA', 'DMAR: Disable batched IOTLB flush due to virtualization'],
    ['amd-vi', '6.12', '', 'DMA', 'AMD-Vi: Using strict mode due to virtualization'],
    ['amd-vi', '5.10', '', 'DMA', 'AMD-Vi: Lazy IO/TLB flushing enabled'],
  ] as const)('DOM-04: an emulated %s unit in %s with "%s"', (architecture, version, commandLine, type, line) => {
    const { kernel, device } = boot({ functions: desktop, architecture, version, commandLine, unit: { cachingMode: true } });
    expect(device('gpu').group?.defaultDomain?.type).toBe(type);
    expect(kernel.log).toContain(line);
  });

  test('DOM-04: with first-stage tables VT-d stays lazy', () => {
    const { device } = boot({ functions: desktop, commandLine: 'intel_iommu=on,sm_on', unit: { cachingMode: true, scalableMode: true, firstStage: true } });
    expect(device('gpu').group?.defaultDomain?.type).toBe('DMA-FQ');
  });

  test('DOM-22: a device below an external-facing port gets a DMA domain whatever the choice', () => {
    const functions = [rootPort('rp', '00:01.0', 1, { externalFacing: true }), fn('dock', '01:00.0', { under: 'rp' })];
    const { device } = boot({ functions, commandLine: 'iommu=pt' });
    expect(device('dock').group?.defaultDomain?.type).toBe('DMA');
    expect(device('rp').group?.defaultDomain?.type).toBe('identity');
  });

  test.each([
    ['intel_iommu=on', 'DMAR: IOMMU enabled'],
    ['intel_iommu=sp_off', 'DMAR: Disable supported super page'],
    ['intel_iommu=fast', "DMAR: Unknown option - 'fast'"],
  ])('CMD-01, CMD-05, CMD-06: %s', (commandLine, line) => {
    expect(boot({ functions: desktop, commandLine }).kernel.log).toContain(line);
  });

  test.each(['intel_iommu=off', 'iommu=off'])('CMD-01, CMD-11: %s leaves no groups', (commandLine) => {
    const { kernel, device } = boot({ functions: desktop, commandLine });
    expect(kernel.groups).toEqual([]);
    expect(device('gpu').unit).toBeNull();
  });

  test('RSV-41: what firmware wants is mapped 1:1 in DMA domains, relaxable or not', () => {
    const region = { id: 'r', range: { start: 0x7b80_0000n, last: 0x7b80_2fffn }, type: 'direct', devices: ['usb', 'nic'] } as const;
    const functions = [fn('usb', '00:14.0', { type: 'integrated-endpoint', classCode: 0x0c0330 }), fn('nic', '00:1f.6', { type: 'integrated-endpoint', classCode: 0x020000 })];
    const { device } = boot({ functions, reservedRegions: [region] });
    for (const name of ['usb', 'nic']) {
      const domain = device(name).group?.defaultDomain;
      if (domain === null || domain === undefined || !('mappings' in domain)) throw new Error('no paging domain');
      expect(domain.mappings(10).runs).toMatchObject([{ iova: { start: 0x7b80_0000n, last: 0x7b80_2fffn }, physical: 0x7b80_0000n, origin: 'r' }]);
    }
    expect(device('nic').requireDirect).toBe(true); // RSV-43
    expect(device('usb').requireDirect).toBe(false); // RSV-40
  });

  test('RSV-41: regions that overlap are mapped once', () => {
    const region = (id: string, start: bigint, last: bigint) => ({ id, range: { start, last }, type: 'direct', devices: ['nic'] }) as const;
    const functions = [fn('nic', '00:1f.6', { type: 'integrated-endpoint' })];
    const { device, kernel } = boot({ functions, reservedRegions: [region('a', 0x10_2000n, 0x10_3fffn), region('b', 0x10_0000n, 0x10_7fffn)] });
    const domain = device('nic').group?.defaultDomain;
    if (domain === null || domain === undefined || !('mappings' in domain)) throw new Error('no paging domain');
    const { runs } = domain.mappings(10);
    expect(runs[0]?.iova.start).toBe(0x10_0000n);
    expect(runs.at(-1)?.iova.last).toBe(0x10_7fffn);
    expect(kernel.log.some((line) => line.includes('was not able'))).toBe(false);
  });

  test('RSV-41: a region beyond the width of the unit is told once', () => {
    const region = { id: 'r', range: { start: 1n << 52n, last: (1n << 52n) + 0xfffn }, type: 'direct', devices: [] } as const;
    const { kernel } = boot({ functions: desktop, reservedRegions: [region], unit: { addressWidth: 39 } });
    expect(kernel.log.filter((line) => line.includes('IOMMU driver was not able to establish FW requested direct mapping.'))).toHaveLength(1);
  });
});
