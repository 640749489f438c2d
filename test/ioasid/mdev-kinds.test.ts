/** Section 8.5: for each kind of mediated device, which of driver, group and domain are linked to it, in 2021 and today. */
import { describe, expect, it } from 'vitest';
import type { DeviceState, DomainState } from '../../server/simulator/report.js';
import { dmasOf, runOf, stepsOf, type Simulated } from '../scenario/simulate-text.js';
import { simulateFile } from './run-file.js';

const first = await simulateFile('examples/ioasid/mdev-1-software.iommu');
const second = await simulateFile('examples/ioasid/mdev-2-one-function.iommu');
const third = await simulateFile('examples/ioasid/mdev-3-pasid.iommu');
const seed = await simulateFile('examples/ioasid/driver-creates-domain.iommu');

function stateOf({ report, description }: Simulated, run: string, device: string): { readonly device: DeviceState; readonly domain: DomainState | null } {
  const { final } = runOf(report, run);
  const all = description.hosts.flatMap((host) => [...host.functions, ...host.mediatedDevices]);
  const id = all.find((each) => each.name === device)!.id;
  const state = final.devices.find((each) => each.device === id)!;
  return { device: state, domain: state.domain === null ? null : final.domains[state.domain]! };
}

const results = (file: Simulated, run: string): string[] => stepsOf(runOf(file.report, run)).map((step) => step.result);

describe('MDV-01, ARG-06: without IOMMU backing', () => {
  it('2021 there is a group for it and no domain; its parent keeps its own', () => {
    const mediated = stateOf(first, '2021: the group is a fiction, and there is no domain', 'vgpu0');
    const parent = stateOf(first, '2021: the group is a fiction, and there is no domain', 'igpu');
    expect(mediated.domain).toBeNull();
    expect(mediated.device.group).not.toBe(parent.device.group);
    expect(parent.domain?.type).toMatch(/^DMA/);
  });

  it('DMA happens all the same: the driver does it', () => {
    const [dma] = dmasOf(runOf(first.report, '2021: the group is a fiction, and there is no domain'));
    expect(dma?.outcome).toBe('memory');
    expect(dma?.trace.map((event) => event.text).join(' ')).toContain('no IOMMU domain is involved');
  });

  it('today there is no domain either, and the access object is the link', () => {
    expect(stateOf(first, 'today: an access object says what it is', 'vgpu0').domain).toBeNull();
    expect(new Set(results(first, 'today: an access object says what it is'))).toEqual(new Set(['ok']));
  });
});

describe('MDV-02, ARG-01: one function, wrapped', () => {
  it('2021 it is in a group of its own, and the domain is on the function in the other', () => {
    const wrapped = stateOf(second, '2021: a second group, and the domain on the parent', 'wrapped');
    const real = stateOf(second, '2021: a second group, and the domain on the parent', 'nic.vf0');
    expect(wrapped.device.group).not.toBe(real.device.group);
    expect([wrapped.domain, real.domain?.type]).toEqual([null, 'unmanaged']);
  });

  it('today the function itself has owner, group and domain', () => {
    const { device, domain } = stateOf(second, 'today: a vfio-pci variant driver on the function itself', 'nic.vf0');
    expect([device.owner, domain?.type]).toEqual(['guest', 'unmanaged']);
  });
});

describe('MDV-03, HIS-05: a PASID of the parent', () => {
  it('2021 the parent translates as before, and is no longer to be had as a whole', () => {
    expect(stateOf(third, '2021: an auxiliary domain on the parent', 'dsa').domain?.type).not.toBe('unmanaged');
    expect(results(third, '2021: the parent cannot be had as a whole any more').at(-1)).toBe('EPERM');
  });

  it('today a domain is attached to device and PASID, and only that PASID reaches it', () => {
    expect(dmasOf(runOf(third.report, 'today: the driver attaches its domain to (device, PASID)')).map((dma) => dma.outcome)).toEqual(['memory', 'fault']);
  });
});

describe('ARG-02, ARG-03, ARG-05, HIS-06, THR-04, THR-07: who creates the domain, and what groups are for', () => {
  it('with domains that drivers create, every wish is a call of its own and none needs a special case', () => {
    expect(new Set(results(seed, 'today: whoever uses the device says what kind of page table'))).toEqual(new Set(['ok']));
    expect(new Set(results(seed, 'today: a kernel driver does the same'))).toEqual(new Set(['ok']));
  });

  it('functions of one card share a group though no DMA between them is described', () => {
    const group = (device: string): number | null => stateOf(seed, 'today: it is enforced without being seen', device).device.group;
    expect(group('card')).toBe(group('debug'));
  });

  it('nobody opens the group today, and it still refuses half of a card', () => {
    expect(results(seed, 'today: it is enforced without being seen')).toEqual(['ok', 'EPERM', 'ok', 'ok', 'EBUSY']);
  });
});
