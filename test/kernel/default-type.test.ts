/** Which default domain a group gets, and what is said about it (sections 5.1 to 5.3). */
import { describe, expect, test } from 'vitest';
import type { FunctionDescription } from '../../server/simulator/description.js';
import { answer, boot, fn, rootPort, type Booted, type HostOptions } from './hosts.js';

const card = (...functions: FunctionDescription[]): FunctionDescription[] => [rootPort('rp', '00:01.0', 1), ...functions];
const gpu = fn('gpu', '01:00.0', { under: 'rp', classCode: 0x030000 });
const typeOf = (booted: Booted, name = 'gpu'): string => booted.device(name).group?.defaultDomain?.type ?? 'none';
const booted = (options: Partial<HostOptions>): Booted => boot({ functions: card(gpu), ...options });
const root = { has: () => true };
const write = (machine: Booted, word: string, name = 'gpu'): string => answer(() => machine.kernel.writeGroupType(machine.device(name), word, root));

describe('the global choice', () => {
  test.each([
    ['intel', [], 'DMA-FQ'], ['amd', [], 'DMA-FQ'], ['arm', [], 'DMA'],
    ['arm', ['IOMMU_DEFAULT_DMA_LAZY'], 'DMA-FQ'], ['intel', ['IOMMU_DEFAULT_DMA_STRICT'], 'DMA'], ['intel', ['IOMMU_DEFAULT_PASSTHROUGH'], 'identity'],
  ] as const)('DOM-02: on %s built with %j', (cpuVendor, buildOptions, type) => {
    expect(typeOf(booted({ cpuVendor, buildOptions, architecture: cpuVendor === 'arm' ? 'smmuv3' : 'vtd' }))).toBe(type);
  });

  test('DOM-03: memory encryption takes a built-in pass-through back, not one of the command line', () => {
    const encrypted = { architecture: 'amd-vi', cpuVendor: 'amd', buildOptions: ['IOMMU_DEFAULT_PASSTHROUGH'] } as const;
    const machine = booted({ ...encrypted, commandLine: 'mem_encrypt=on' });
    expect(typeOf(machine)).toBe('DMA-FQ');
    expect(machine.kernel.log).toContain('iommu: Memory encryption detected - Disabling default IOMMU Passthrough');
    expect(typeOf(booted({ ...encrypted, commandLine: 'mem_encrypt=on iommu=pt' }))).toBe('identity');
    expect(typeOf(booted({ ...encrypted }))).toBe('identity');
  });
});

describe('what drivers insist on', () => {
  test('DOM-10: VT-d without pass-through has no identity', () => {
    expect(typeOf(booted({ commandLine: 'iommu=pt', unit: { passThrough: false } }))).toBe('DMA');
  });

  test.each([['6.6', 'identity'], ['6.12', 'DMA-FQ']])('DOM-10: the graphics workaround in %s', (version, type) => {
    expect(typeOf(booted({ version, buildOptions: ['INTEL_IOMMU_BROKEN_GFX_WA'] }))).toBe(type);
  });

  test('DOM-11: AMD gives devices with PASIDs identity, unless memory is encrypted', () => {
    const options = { architecture: 'amd-vi', cpuVendor: 'amd', functions: card({ ...gpu, pasidBits: 16 }), unit: { pasidBits: 16 } } as const;
    expect(typeOf(booted(options))).toBe('identity');
    expect(typeOf(booted({ ...options, commandLine: 'mem_encrypt=on' }))).toBe('DMA-FQ');
    expect(typeOf(booted({ ...options, unit: { pasidBits: 0 } }))).toBe('DMA-FQ');
  });

  test('DOM-12: the tracer of HiSilicon behind an SMMU', () => {
    expect(typeOf(booted({ architecture: 'smmuv3', cpuVendor: 'arm', functions: card({ ...gpu, ids: { vendor: 0x19e5, device: 0xa12e } }) }))).toBe('identity');
  });

  const outside = [rootPort('rp', '00:01.0', 1, { externalFacing: true }), { ...gpu, ids: { vendor: 0x19e5, device: 0xa12e } }, fn('sound', '01:00.1', { under: 'rp', driver: 'snd_hda_intel' })];
  const behindSmmu = { architecture: 'smmuv3', cpuVendor: 'arm', functions: outside } as const;

  test('DOM-22: trust overrules no driver: the group stays without a default domain', () => {
    const { kernel, device } = booted({ ...behindSmmu, version: '6.12' });
    expect(device('gpu').group?.defaultDomain).toBeNull();
    expect(kernel.log).toContain('pci 0000:01:00.0: Device is not trusted, but driver is overriding group 1 to Passthrough, refusing to probe.');
    expect(device('sound').driver).toBe('snd_hda_intel');
  });

  test('OWN-01, OWN-21: a driver that finds no default domain is deferred, which its bind file calls EAGAIN', () => {
    const { kernel, device } = booted({ ...behindSmmu, version: '6.19' });
    expect(device('sound').driver).toBeNull();
    expect(answer(() => kernel.bind(device('sound'), 'snd_hda_intel'))).toBe('EAGAIN OWN-01');
    expect(answer(() => kernel.bind(device('sound'), 'vfio-pci'))).toBe('ok'); // OWN-02
  });

  test('TYP-02: a group without a default domain has no type to write', () => {
    expect(write(booted({ ...behindSmmu, version: '6.19' }), 'DMA')).toBe('EINVAL TYP-02');
  });

  test('DOM-24: up to 6.6 trust is a need as any, and comes before the driver\'s', () => {
    const { kernel, device } = booted({ ...behindSmmu, functions: [outside[0]!, outside[2]!, { ...outside[1]!, address: { ...outside[1]!.address, function: 2 } }], version: '6.1', buildOptions: ['IOMMU_DEFAULT_DMA_LAZY'] });
    expect(device('gpu').group?.defaultDomain?.type).toBe('DMA');
    expect(kernel.log.some((line) => line.includes('requires type'))).toBe(false); // both are not trusted, so both need DMA
  });

  test('DOM-20, DOM-24: opinions that disagree', () => {
    const functions = card({ ...gpu, pasidBits: 16 }, fn('dma', '01:00.1', { under: 'rp' }));
    const amd = { architecture: 'amd-vi', cpuVendor: 'amd', unit: { pasidBits: 16 }, functions } as const;
    expect(typeOf(booted({ ...amd, version: '6.1' }))).toBe('identity'); // one opinion is no disagreement
    expect(typeOf(booted({ ...amd, version: '6.12' }))).toBe('identity');
  });

  test('DOM-21: without the DMA API for IOMMUs there is identity only', () => {
    expect(typeOf(booted({ buildOptions: ['!IOMMU_DMA'] }))).toBe('identity');
    expect(write(booted({ buildOptions: ['!IOMMU_DMA'] }), 'DMA')).toBe('EINVAL TYP-09');
  });

  test('DOM-13, DOM-25: a type that nobody named gives way to DMA', () => {
    const machine = booted({ architecture: 's390', commandLine: 'iommu=pt', unit: { passThrough: false } });
    expect(typeOf(machine)).toBe('DMA');
    expect(machine.kernel.log).toContain('iommu: Failed to allocate default IOMMU domain of type 4 for group (null) - Falling back to IOMMU_DOMAIN_DMA');
  });

  test('TYP-12: a type that somebody named does not', () => {
    expect(write(booted({ architecture: 's390', unit: { passThrough: false } }), 'identity')).toBe('EOPNOTSUPP TYP-12');
  });

  test('DOM-28: lazy where the unit cannot flush later is strict', () => {
    expect(typeOf(booted({ architecture: 'virtio-iommu', version: '6.6' }))).toBe('DMA');
    expect(typeOf(booted({ architecture: 'virtio-iommu', version: '6.12' }))).toBe('DMA-FQ');
  });
});

describe('DOM-23, TYP-09, TYP-11: writing a type that a device cannot have', () => {
  const outside = [rootPort('rp', '00:01.0', 1, { externalFacing: true }), gpu];

  test.each([['6.1', true], ['6.6', true], ['6.12', false]])('%s', (version, told) => {
    const machine = booted({ version, functions: outside });
    expect(write(machine, 'identity')).toBe('EINVAL TYP-09');
    expect(machine.kernel.log.at(-1) === 'pci 0000:01:00.0: Device cannot be in Passthrough domain').toBe(told);
    expect(write(machine, 'auto')).toBe('ok');
  });
});

describe('who is not trusted', () => {
  const id = (device: number) => ({ ids: { vendor: 0x8086, device } });
  const below = (port: Partial<FunctionDescription>): FunctionDescription[] => [
    rootPort('rp', '00:07.0', 1, { externalFacing: true, ...port }),
    fn('up', '01:00.0', { under: 'rp', type: 'upstream-port', buses: { secondary: 2, subordinate: 5 } }),
    fn('down', '02:00.0', { under: 'up', type: 'downstream-port', buses: { secondary: 3, subordinate: 5 } }),
    fn('controller', '03:00.0', { under: 'down' }),
    fn('inner', '04:00.0', { under: 'down', type: 'upstream-port', buses: { secondary: 5, subordinate: 5 } }),
  ];
  const untrusted = (version: string, port = {}): string[] => [...boot({ functions: below(port), version }).untrusted];

  test('DOM-22: up to 6.12 everything below the port', () => expect(untrusted('6.12')).toEqual(['up', 'down', 'controller', 'inner']));
  test('DOM-22: from 6.14 not the controller on the board', () => expect(untrusted('6.19')).toEqual(['inner']));
  test('DOM-22: below an integrated Thunderbolt port everything', () => expect(untrusted('6.19', id(0x9a23))).toEqual(['up', 'down', 'controller', 'inner']));
});
